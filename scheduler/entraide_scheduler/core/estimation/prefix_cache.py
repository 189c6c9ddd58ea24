"""Prefix cache: estimates how many prompt tokens each node holds in its engine's cache.

Input: completed runs. Output: cached tokens by node, from the leading prompt blocks (keyed hashes
with one key per co-op, so that no co-op can detect another's prompts) and from the conversation.
Only replicas with the feature ``prefix_cache``, which isolate co-ops' prompts, are recorded. Memory
is bounded with least-recently-used eviction. A node that reports no cached tokens where some were
expected is forgotten.
"""

from collections.abc import Mapping

from msgspec import Struct

from entraide.types import RequestFacts, Usage

BLOCKS_KEPT = 4_096  # per replica
SESSIONS_KEPT = 4_096
FEATURE = "prefix_cache"
NONE: Mapping[str, int] = {}


class Session(Struct, frozen=True, array_like=True):
    """The replica of a conversation's last run, and the conversation's length in tokens."""

    node: str
    model: str
    tokens: int


class PrefixCacheState(Struct, frozen=True, array_like=True):
    """The cache index in a snapshot, least recently used first."""

    blocks: list[tuple[str, str, list[int]]]
    sessions: list[tuple[str, str, Session]]


class PrefixCache:
    """The blocks and conversations that each replica probably holds."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, str], dict[int, None]] = {}
        self._holders: dict[tuple[str, int], dict[str, None]] = {}
        self._sessions: dict[tuple[str, str], Session] = {}

    def cached_tokens(self, facts: RequestFacts) -> Mapping[str, int]:
        """Returns the estimated cached prompt tokens by node; only nodes with any."""
        if not self._blocks and not self._sessions:
            return NONE
        tokens_by_node: dict[str, int] = {}
        tokens, keys = facts.input_tokens_est, facts.prefix_keys
        for count in range(len(keys), 0, -1):
            for node in self._holders.get((facts.model, keys[count - 1]), ()):
                tokens_by_node.setdefault(node, min(tokens - 1, tokens * count // len(keys)))
        session = self._sessions.get((facts.coop, facts.session)) if facts.session else None
        if session is not None and session.model == facts.model:
            cached = min(tokens - 1, session.tokens)
            tokens_by_node[session.node] = max(cached, tokens_by_node.get(session.node, 0))
        return {node: cached for node, cached in tokens_by_node.items() if cached > 0}

    def record_run(self, facts: RequestFacts, node: str, usage: Usage, *, expected: int) -> None:
        """Records a completed run on a replica with a prefix cache.

        Args:
            facts: of the job.
            node: node of the run.
            usage: usage that the node reported.
            expected: cached tokens that were predicted for the run.
        """
        if expected > 0 and usage.cached_tokens == 0:
            self._forget_replica(facts.model, node)
        blocks = self._blocks.setdefault((facts.model, node), {})
        for key in facts.prefix_keys:
            blocks.pop(key, None)
            blocks[key] = None
            self._holders.setdefault((facts.model, key), {})[node] = None
        while len(blocks) > BLOCKS_KEPT:
            self._drop_block(facts.model, node, next(iter(blocks)))
        if facts.session:
            name = (facts.coop, facts.session)
            self._sessions.pop(name, None)
            total = usage.input_tokens + usage.output_tokens
            self._sessions[name] = Session(node, facts.model, total)
            if len(self._sessions) > SESSIONS_KEPT:
                del self._sessions[next(iter(self._sessions))]

    def forget_node(self, node: str) -> None:
        """Forgets the cache of a node that has left or restarted."""
        for model, _ in [replica for replica in self._blocks if replica[1] == node]:
            self._forget_replica(model, node)
        for name in [name for name, session in self._sessions.items() if session.node == node]:
            del self._sessions[name]

    def _forget_replica(self, model: str, node: str) -> None:
        for key in list(self._blocks.get((model, node), ())):
            self._drop_block(model, node, key)
        self._blocks.pop((model, node), None)

    def _drop_block(self, model: str, node: str, key: int) -> None:
        del self._blocks[model, node][key]
        holders = self._holders[model, key]
        del holders[node]
        if not holders:
            del self._holders[model, key]

    def dump(self) -> PrefixCacheState:
        """Returns the index, for a snapshot."""
        return PrefixCacheState(
            [(model, node, list(blocks)) for (model, node), blocks in self._blocks.items()],
            [(coop, name, session) for (coop, name), session in self._sessions.items()],
        )

    def load(self, state: PrefixCacheState) -> None:
        """Restores the index from a snapshot."""
        for model, node, blocks in state.blocks:
            self._blocks[model, node] = dict.fromkeys(blocks)
            for key in blocks:
                self._holders.setdefault((model, key), {})[node] = None
        self._sessions = {(coop, name): session for coop, name, session in state.sessions}

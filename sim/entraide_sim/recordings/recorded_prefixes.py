"""Recorded prefixes: makes blocks of prompts from what a journal says of their beginnings.

A journal has no digest of a prompt, only how many tokens a node need not have read. A request that
was warm is taken to begin like the latest request of its sender in the same conversation, by as
many tokens; all else of it is its own. In: the facts of requests, in order. Out: block identifiers.
"""

from itertools import count

import msgspec

from entraide.types import RequestFacts

BLOCK_TOKENS = 256  # of a simulated block
SENDERS_MAX = 100_000


class RecordedPrefixes:
    """The latest blocks of each sender's conversation."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, ...], tuple[int, ...]] = {}
        self._new = count(1)

    def restore(self, facts: RequestFacts, input_tokens: int) -> RequestFacts:
        """Returns a request's facts with blocks in place of ``warm``."""
        if facts.warm is None:
            return facts
        held = max((tokens for _, tokens in facts.warm), default=0) // BLOCK_TOKENS
        sender = facts.coop, facts.key, facts.session, facts.model
        blocks = self._latest.pop(sender, ())[:held]
        blocks += tuple(next(self._new) for _ in range(len(blocks), input_tokens // BLOCK_TOKENS))
        self._latest[sender] = blocks
        if len(self._latest) > SENDERS_MAX:
            del self._latest[next(iter(self._latest))]
        return msgspec.structs.replace(facts, prefix_keys=blocks, warm=None)

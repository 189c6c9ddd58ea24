"""Salt keeper: gives each run of vLLM a cache salt, so that it finds its own prompts only.

Input: runs as they begin and end. Output: the field ``cache_salt`` of each request. vLLM hashes the
salt into a prompt's first block and chains the blocks, so a run finds what runs of the same salt
have left, and nothing else. A partition's salt is drawn at random and known here only: it is
dropped once the partition's time is over or it is to be forgotten, and what was read under it can
never be found again, though the engine cannot be told to erase it. A run without a partition has a
salt that no other run has.
"""

import re
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any

import msgspec
from msgspec import Struct

from entraide.wire.messages import PARTITION_BYTES
from entraide_node.core.prefix_slots import Held, pick_victim
from entraide_node.engines.base import EngineRequest, HeldPrefixes
from entraide_node.engines.engine_client import EngineClient
from entraide_node.engines.prefix_keeper import PrefixLease, count_blocks
from entraide_node.engines.retention import random_words
from entraide_node.engines.untrusted_json import parse_count, parse_object

SALT_BYTES = 24
PARTITIONS_MAX = 1_024
HELD_JOBS_MAX = 64  # runs that a node reports
PROBE_TIMEOUT_S = 120.0
CACHE_INFO = b"vllm:cache_config_info{"
_BLOCK_TOKENS = re.compile(rb'[{,]block_size="([0-9]{1,6})"')
_BLOCKS = re.compile(rb'[{,]num_gpu_blocks="([0-9]{1,9})"')


class Salted(Struct):
    """A partition's salt.

    Attributes:
        salt: of its runs.
        used_at: when a run last began or ended.
        runs: that are running.
        expires_at: when its time is over, unless a run is running.
        job: the last run that ended to the end; "" for none.
        tokens: of that run's prompt and answer.
    """

    salt: str
    used_at: float
    runs: int = 0
    expires_at: float = inf
    job: str = ""
    tokens: int = 0

    def is_over(self, at: float) -> bool:
        """Whether nobody may find anything under it any more."""
        return not self.runs and self.expires_at <= at


class SaltKeeper:
    """The salts of one process of vLLM; see ``prefix_keeper.PrefixKeeper``."""

    def __init__(self, *, capacity_tokens: int, clock: Callable[[], float]) -> None:
        """No partition has a salt.

        Args:
            capacity_tokens: that the engine's cache has room for.
            clock: monotonic, seconds.
        """
        self._capacity_tokens = capacity_tokens
        self._clock = clock
        self._salts: dict[bytes, Salted] = {}
        self._keeps = True

    async def take(
        self,
        request: EngineRequest,
        body: dict[str, Any],  # noqa: ARG002 (of the protocol)
    ) -> PrefixLease:
        """See ``PrefixKeeper``."""
        partition, keep_s = request.partition, request.prefix_keep_s
        if not self._keeps or keep_s <= 0 or len(partition) != PARTITION_BYTES:
            return PrefixLease({"cache_salt": new_salt()})
        now = self._clock()
        salted = self._salts.get(partition)
        if salted is None or salted.is_over(now):
            self._salts.pop(partition, None)
            self._make_room(partition)
            salted = self._salts[partition] = Salted(new_salt(), now)
        salted.runs += 1
        salted.used_at = now

        def end(tokens: int, is_clean: bool, salted: Salted = salted) -> None:
            salted.runs -= 1
            salted.used_at = self._clock()
            salted.expires_at = salted.used_at + keep_s
            if is_clean:
                salted.job, salted.tokens = request.job, tokens

        return PrefixLease({"cache_salt": salted.salt}, on_end=end)

    def limit(self, rest_bytes_max: int | None) -> None:
        """See ``PrefixKeeper``; nothing rests outside the engine."""
        self._keeps = rest_bytes_max is not None
        if not self._keeps:
            self.forget(b"")

    def forget(self, owner: bytes) -> None:
        """See ``PrefixKeeper``; also what runs that are running leave."""
        for partition in [each for each in self._salts if each.startswith(owner)]:
            del self._salts[partition]

    def held(self) -> HeldPrefixes:
        """See ``PrefixKeeper``; the newest that its cache has room for, as vLLM evicts."""
        now = self._clock()
        for partition in [each for each, salted in self._salts.items() if salted.is_over(now)]:
            del self._salts[partition]
        newest = deque(sorted(self._salts.values(), key=lambda each: -each.used_at))
        jobs: list[str] = []
        blocks, room = 0, self._capacity_tokens
        while newest and len(jobs) < HELD_JOBS_MAX and newest[0].tokens <= room:
            salted = newest.popleft()
            room -= salted.tokens
            blocks += count_blocks(salted.tokens)
            if salted.job:
                jobs.append(salted.job)
        return HeldPrefixes(jobs=tuple(jobs), blocks=blocks)

    async def close(self) -> None:
        """See ``PrefixKeeper``."""
        self._salts.clear()

    def _make_room(self, asker: bytes) -> None:
        """Drops a salt by the rule of shares where there are too many."""
        if len(self._salts) < PARTITIONS_MAX:
            return
        held = (Held(each, each, 1, salted.used_at) for each, salted in self._salts.items())
        victim = pick_victim(held, asker=asker, size=1)
        if victim is not None and isinstance(victim.key, bytes):
            del self._salts[victim.key]


def new_salt() -> str:
    """Returns a salt that no run has had."""
    return secrets.token_urlsafe(SALT_BYTES)


async def make_salt_keeper(
    client: EngineClient, *, model: str, clock: Callable[[], float]
) -> SaltKeeper | None:
    """Returns the keeper of an engine that was seen to keep salts apart; None if it was not.

    It is asked with random words: the same salt must find them again, another must not.

    Args:
        client: of the engine.
        model: the engine's name of the model.
        clock: see ``SaltKeeper``.
    """
    answer = await client.get("/metrics", timeout_s=PROBE_TIMEOUT_S)
    block_tokens, blocks = _parse_cache(answer[1] if answer and answer[0] == 200 else b"")
    if not block_tokens or not blocks:
        return None

    async def post(payload: bytes) -> bytes:
        return await client.post("/v1/completions", payload, timeout_s=PROBE_TIMEOUT_S)

    if not await keeps_salts_apart(post, model=model, block_tokens=block_tokens):
        return None
    return SaltKeeper(capacity_tokens=block_tokens * blocks, clock=clock)


async def keeps_salts_apart(
    post: Callable[[bytes], Awaitable[bytes]], *, model: str, block_tokens: int
) -> bool:
    """Whether an engine finds a prompt again under its salt, and not under another."""
    prompt = random_words(block_tokens + 1)  # a word has a token at least: one block is full
    own, other = new_salt(), new_salt()
    cached = []
    for salt in (own, own, other):
        body = {"model": model, "prompt": prompt, "max_tokens": 1, "cache_salt": salt}
        usage = parse_object(await post(msgspec.json.encode(body))).get("usage")
        counts = usage if isinstance(usage, dict) else {}
        if parse_count(counts.get("prompt_tokens")) <= block_tokens:
            return False
        details = counts.get("prompt_tokens_details")
        count = details.get("cached_tokens") if isinstance(details, dict) else 0
        cached.append(parse_count(count))
    return cached[0] == cached[2] == 0 < cached[1]


def _parse_cache(metrics: bytes) -> tuple[int, int]:
    """The tokens of a block of its cache and the number of blocks; 0 if it does not say it."""
    lines = [line for line in metrics.splitlines() if line.startswith(CACHE_INFO)]
    sizes = [_BLOCK_TOKENS.search(line) for line in lines]
    numbers = [_BLOCKS.search(line) for line in lines]
    if not lines or None in sizes or None in numbers:
        return 0, 0
    return (
        max(int(size[1]) for size in sizes if size),
        min(int(number[1]) for number in numbers if number),
    )

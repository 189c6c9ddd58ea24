"""Prefix cache: the prompts that one machine holds, evicted least recently used first.

Each state is of a whole prompt; what states have in common takes memory once. Co-ops never share
blocks. ``cached_tokens`` says how many prompt tokens need no prefill.
"""

from collections import Counter

from entraide_scheduler.core.prefix_index import STATES_MAX

_Block = tuple[str, int]  # co-op, identifier


class PrefixCache:
    """The states of the latest prompts, in blocks of equal size."""

    def __init__(self, *, capacity_tokens: int, block_tokens: int) -> None:
        self.block_tokens = block_tokens
        self._blocks_max = capacity_tokens // block_tokens
        self._states: dict[str, tuple[_Block, ...]] = {}  # by job, oldest first
        self._held: Counter[_Block] = Counter()  # number of states with a block

    def cached_tokens(self, coop: str, keys: tuple[int, ...], *, input_tokens: int) -> int:
        """Returns the number of cached prompt tokens; the last token is always computed."""
        held, count = self._held, 0
        for key in keys:
            if (coop, key) not in held:
                break
            count += 1
        return min(count * self.block_tokens, input_tokens - 1)

    def insert(self, job: str, coop: str, keys: tuple[int, ...]) -> None:
        """Inserts the state of a prefilled prompt, the leading blocks that the memory can hold."""
        self._evict(job)
        blocks = tuple((coop, key) for key in keys[: self._blocks_max])
        self._states[job] = blocks
        self._held.update(blocks)
        while len(self._held) > self._blocks_max or len(self._states) > STATES_MAX:
            self._evict(next(iter(self._states)))

    def held_jobs(self) -> tuple[str, ...]:
        """Returns the jobs whose states are held, oldest first."""
        return tuple(self._states)

    def _evict(self, job: str) -> None:
        for block in self._states.pop(job, ()):
            self._held[block] -= 1
            if not self._held[block]:
                del self._held[block]

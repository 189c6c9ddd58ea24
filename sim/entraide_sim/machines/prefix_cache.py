"""Prefix cache: the prompt blocks that one machine holds, evicted least recently used first.

Returns how many prompt tokens need no prefill. Co-ops never share blocks.
"""


class PrefixCache:
    """Blocks of equal size with least-recently-used eviction."""

    def __init__(self, *, capacity_tokens: int, block_tokens: int) -> None:
        self.block_tokens = block_tokens
        self._blocks_max = capacity_tokens // block_tokens
        self._cached: dict[tuple[str, int], None] = {}  # oldest first

    def cached_tokens(self, coop: str, keys: tuple[int, ...], *, input_tokens: int) -> int:
        """Returns the number of cached prompt tokens; the last token is always computed."""
        held, count = self._cached, 0
        for key in keys:
            if (coop, key) not in held:
                break
            count += 1
        return min(count * self.block_tokens, input_tokens - 1)

    def insert(self, coop: str, keys: tuple[int, ...]) -> None:
        """Inserts the blocks of a prefilled prompt, the leading ones as most recently used."""
        held = self._cached
        for key in reversed(keys):
            block = (coop, key)
            held.pop(block, None)
            held[block] = None
        while len(held) > self._blocks_max:
            del held[next(iter(held))]

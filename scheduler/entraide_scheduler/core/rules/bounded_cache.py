"""Bounded cache: answers by key, of which a full cache replaces one at a time.

Waiting shapes are searched in turn, again and again. A cache that is cleared when it is full, or
replaces the oldest entry, answers nothing once such a walk has more keys than the cache holds. This
one replaces the places in a scattered order, so a walk over a fifth more keys still finds seven in
ten of them, and one over twice as many, one in five. The order is a fixed sequence (the linear
congruential generator of Press et al., Numerical Recipes, section 7.1) and depends on no key or
hash: the same calls always keep the same entries.

Inputs: keys and values. Output: the values that are kept.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")

FACTOR, ADDEND, MASK = 1_664_525, 1_013_904_223, 0xFFFF_FFFF
HIGH_BITS = 16  # the low ones of the sequence have short periods
PROBES_MAX = 16  # entries that are looked at for one that may go


class BoundedCache(Generic[V]):
    """At most ``size`` values by key.

    Args:
        size: most entries that are kept.

    Attributes:
        get: returns the value of a key; None if it is not kept.
    """

    __slots__ = ("_keys", "_sequence", "_size", "_values", "get")

    def __init__(self, size: int) -> None:
        self._size = size
        self.clear()

    def clear(self) -> None:
        """Forgets all values."""
        self._values: dict[Hashable, V] = {}
        self.get: Callable[[Hashable], V | None] = self._values.get
        self._keys: list[Hashable] = []  # by place
        self._sequence = 0

    def put(
        self, key: Hashable, value: V, is_needed: Callable[[V], bool] = lambda _: False
    ) -> V | None:
        """Keeps the value of a key that has none; if the cache is full, replaces another.

        Args:
            key: of the value.
            value: to keep.
            is_needed: tells which values rather stay; of a few others, one goes.

        Returns:
            The value that is kept no more, if any.
        """
        replaced = None
        if len(self._keys) < self._size:
            self._keys.append(key)
        else:
            for _ in range(PROBES_MAX):
                self._sequence = (self._sequence * FACTOR + ADDEND) & MASK
                place = (self._sequence >> HIGH_BITS) % self._size
                if not is_needed(self._values[self._keys[place]]):
                    break
            replaced = self._values.pop(self._keys[place])
            self._keys[place] = key
        self._values[key] = value
        return replaced

    def __len__(self) -> int:
        return len(self._values)

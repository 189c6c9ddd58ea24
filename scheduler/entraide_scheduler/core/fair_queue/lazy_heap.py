"""Lazy heap: the items that compete on one level of the fair share, least key first.

An item's key rises while the item is in the heap, so an entry that has become too low is corrected
when it reaches the top (lazy update). Only a key that falls must be reported, by ``decrease_key``.
The order depends on the keys alone, never on the heap's history.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any, Generic, TypeAlias, TypeVar

DEAD_ENTRIES_MIN = 16  # a heap of n items is rebuilt beyond n + 16 dead entries


class HeapItem:
    """An item of a heap.

    Attributes:
        entry: the item's live entry in the heap; None when the item is not in the heap.
    """

    __slots__ = ("entry",)

    def __init__(self) -> None:
        self.entry: HeapKey[Any] | None = None

    def __lt__(self, _: object) -> bool:
        """Returns False: items have no order, and keys that differ only here are of one counter."""
        return False


P = TypeVar("P", bound=HeapItem)
HeapKey: TypeAlias = tuple[int, float, int, str, P]  # tier, counter, running jobs, name, item


class LazyHeap(Generic[P]):
    """Priority queue with lazy key updates.

    Invariant: each item has one live entry, which is never above the item's present key.

    Attributes:
        key: returns an item's key; no two items of a heap have the same name.
    """

    __slots__ = ("_heap", "_size", "key")

    def __init__(self, key: Callable[[P], HeapKey[P]]) -> None:
        self.key = key
        self._heap: list[HeapKey[P]] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, item: P) -> None:
        """Adds an item."""
        self._size += 1
        self._push(item, self.key(item))

    def remove(self, item: P) -> None:
        """Removes an item; its dead entry stays until it reaches the top or a rebuild."""
        item.entry = None
        self._size -= 1
        if not self._size:
            self._heap.clear()
        elif len(self._heap) > 2 * self._size + DEAD_ENTRIES_MIN:
            self._heap = [entry for entry in self._heap if entry[4].entry is entry]
            heapify(self._heap)

    def decrease_key(self, item: P) -> bool:
        """Pushes a new entry if an item's key has fallen; returns whether it has."""
        key = self.key(item)
        assert item.entry is not None
        has_fallen = key < item.entry
        if has_fallen:
            self._push(item, key)
        return has_fallen

    def peek(self) -> HeapKey[P]:
        """Returns the least key; the heap must not be empty."""
        heap = self._heap
        while True:
            entry = heap[0]
            item = entry[4]
            if item.entry is not entry:
                heappop(heap)
                continue
            key = self.key(item)
            if key == entry:
                return entry
            item.entry = key
            heapreplace(heap, key)
            if heap[0] is key:
                return key

    def _push(self, item: P, key: HeapKey[P]) -> None:
        item.entry = key
        heappush(self._heap, key)

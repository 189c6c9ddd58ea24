"""Sorted keys: the jobs of a class queue in order of service, in parts of a bounded length.

Most jobs are appended, and most that go are the first. A change of contexts or of the policy moves
many jobs at once between the middles of long queues; in parts, each of these moves costs the same
however long a queue is.

Input: keys, no two of which are equal. Output: the same in ascending order.
"""

from bisect import bisect_left, insort
from operator import itemgetter

from entraide_scheduler.core.fair_queue.formulas import JobKey

PART_MAX = 512  # keys of a part

_last_of = itemgetter(-1)


class SortedKeys:
    """Keys in ascending order.

    Attributes:
        parts: the keys, in ascending order through all parts; none is empty.
    """

    __slots__ = ("_size", "parts")

    def __init__(self) -> None:
        self.parts: list[list[JobKey]] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, key: JobKey) -> None:
        """Inserts a key."""
        parts = self.parts
        self._size += 1
        if not parts or parts[-1][-1] < key:
            if parts and len(parts[-1]) < PART_MAX:
                parts[-1].append(key)
            else:
                parts.append([key])
            return
        place = bisect_left(parts, key, key=_last_of)
        part = parts[place]
        insort(part, key)
        if len(part) > PART_MAX:
            parts[place : place + 1] = [part[: PART_MAX // 2], part[PART_MAX // 2 :]]

    def remove_first(self) -> None:
        """Removes the first key."""
        self._size -= 1
        part = self.parts[0]
        del part[0]
        if not part:
            del self.parts[0]

    def remove(self, key: JobKey) -> None:
        """Removes a key."""
        parts = self.parts
        self._size -= 1
        place = bisect_left(parts, key, key=_last_of)
        part = parts[place]
        del part[bisect_left(part, key)]
        if not part:
            del parts[place]

    def count_before(self, key: JobKey) -> int:
        """Returns the number of keys below a key."""
        place = bisect_left(self.parts, key, key=_last_of)
        inside = bisect_left(self.parts[place], key) if place < len(self.parts) else 0
        return sum(map(len, self.parts[:place])) + inside

"""Event log: the events of one stream, numbered from 0, held in memory. Pure.

The last events are held as they are; those before them, in compressed segments. Events of an answer
repeat each other's frame, so that zlib at its fastest level makes them 10 to 20 times smaller.
"""

import zlib
from array import array
from bisect import bisect_right

from msgspec import Struct

SEGMENT_BYTES = 64 * 1024
EVENT_BYTES = 64  # in memory, of an event that is not compressed, beside its own bytes
COMPRESSION_LEVEL = 1


class _Segment(Struct, frozen=True):
    """Compressed events: where each ends in the whole, and the whole."""

    ends: "array[int]"
    data: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.data) + len(self.ends) * self.ends.itemsize

    def read(self, start: int) -> list[bytes]:
        """Returns the events from the one at a place of this segment on."""
        whole = zlib.decompress(self.data)
        begins = [0, *self.ends]
        return [whole[begins[place] : end] for place, end in enumerate(self.ends) if place >= start]


class EventLog:
    """The events of one stream.

    Attributes:
        first: number of the oldest event that is still held.
        size_bytes: memory of the events that are held.
    """

    def __init__(self) -> None:
        self.first = 0
        self.size_bytes = 0
        self._segments: list[_Segment] = []
        self._starts: list[int] = []  # number of the first event of each segment
        self._tail: list[bytes] = []
        self._tail_bytes = 0
        self._tail_start = 0

    def __len__(self) -> int:
        """Returns the number of events that were added, which is the number of the next one."""
        return self._tail_start + len(self._tail)

    def add(self, event: bytes) -> None:
        """Adds an event."""
        size_bytes = len(event) + EVENT_BYTES
        self._tail.append(event)
        self._tail_bytes += size_bytes
        self.size_bytes += size_bytes
        if self._tail_bytes >= SEGMENT_BYTES:
            self.compress()

    def compress(self) -> None:
        """Compresses the events that are not yet."""
        if not self._tail:
            return
        ends, end = array("I"), 0
        for event in self._tail:
            end += len(event)
            ends.append(end)
        segment = _Segment(ends, zlib.compress(b"".join(self._tail), COMPRESSION_LEVEL))
        self._segments.append(segment)
        self._starts.append(self._tail_start)
        self.size_bytes += segment.size_bytes - self._tail_bytes
        self._tail_start += len(self._tail)
        self._tail, self._tail_bytes = [], 0

    def read(self, start: int) -> list[bytes]:
        """Returns held events from a number on, at most those of one segment; [] at the end."""
        assert start >= self.first, "an event that is no longer held"
        if start >= self._tail_start:
            return self._tail[start - self._tail_start :]
        place = bisect_right(self._starts, start) - 1
        return self._segments[place].read(start - self._starts[place])

    def forget(self, before: int) -> None:
        """Forgets events with a number below ``before``; of a compressed segment, all or none."""
        ends = [*self._starts[1:], self._tail_start]
        while self._segments and ends[0] <= before:
            self.size_bytes -= self._segments.pop(0).size_bytes
            self._starts.pop(0)
            self.first = ends.pop(0)
        if not self._segments and before > self._tail_start:
            read = self._tail[: before - self._tail_start]
            del self._tail[: len(read)]
            bytes_read = sum(map(len, read)) + EVENT_BYTES * len(read)
            self._tail_bytes -= bytes_read
            self.size_bytes -= bytes_read
            self._tail_start += len(read)
            self.first = self._tail_start

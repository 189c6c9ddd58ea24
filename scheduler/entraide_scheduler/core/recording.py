"""Recording: a journal as a thing of its own, from which a life of the core can be had again.

A recording is a head (a snapshot and where it stands), a line for each event since, and a tail. It
decides how these are written as bytes, and what proves that a replay is exact: a chain of digests
over each event with the commands that followed it. It refuses to know files and stores, and
whether a recording was made by a live pool.

In bytes it is ``MAGIC``, then each part as MessagePack behind its length (4 bytes, big-endian).
The tail's seal is over all bytes before it: a recording that was cut or altered is known for one
before anything is replayed. What is recorded are the core's own events: facts, never a text.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

import msgspec
from msgspec import Struct

from entraide.decoding import MsgpackDecoder
from entraide_scheduler.core.commands import Command
from entraide_scheduler.core.events import Event

MAGIC = b"entraide-journal 1\n"
DIGEST_BYTES = 16
SEAL_BYTES = 32
PART_BYTES_MAX = 1 << 30  # a snapshot of a large pool has megabytes
LENGTH_BYTES = 4

_encode = msgspec.msgpack.Encoder().encode


class RecordingHead(Struct, frozen=True, array_like=True, tag="head"):
    """Where a recording begins.

    Attributes:
        version: of Entraide, whose decisions are recorded.
        core: ``Core.snapshot()``.
        event_id, at: of the last event before the first line.
        digest: the chain up to there.
    """

    version: str
    core: bytes
    event_id: int
    at: float
    digest: bytes


class RecordedEvent(Struct, frozen=True, array_like=True, tag="line", gc=False):
    """One event as the live driver wrote it, and the chain of digests up to and with it."""

    event: bytes
    digest: bytes


class RecordingTail(Struct, frozen=True, array_like=True, tag="tail"):
    """The end: how many lines there are, and the seal over all bytes before."""

    lines: int
    seal: bytes


Part = RecordingHead | RecordedEvent | RecordingTail

_parts: MsgpackDecoder[Part] = MsgpackDecoder(Part)
_events: MsgpackDecoder[Event] = MsgpackDecoder(Event)


class UnreadableRecording(Exception):
    """What was read is no whole recording.

    Attributes:
        code: ``no_file``, ``no_journal``, ``cut`` or ``altered``.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def next_digest(before: bytes, event: bytes, commands: Sequence[Command]) -> bytes:
    """Returns the chain of digests with one more event and the commands that followed it."""
    found = blake2b(before, digest_size=DIGEST_BYTES)
    found.update(event)
    found.update(_encode(commands))
    return found.digest()


def event_of(line: RecordedEvent) -> Event:
    """Returns a line's event.

    Raises:
        msgspec.DecodeError: it is none that this version knows.
    """
    return _events.decode(line.event)


def encode_recording(head: RecordingHead, lines: Iterable[RecordedEvent]) -> Iterator[bytes]:
    """Yields the bytes of a recording, part by part."""
    seal = blake2b(MAGIC, digest_size=SEAL_BYTES)
    yield MAGIC
    count = -1
    for count, part in enumerate(_with_head(head, lines)):  # noqa: B007  (used after the loop)
        packed = _packed(part)
        seal.update(packed)
        yield packed
    yield _packed(RecordingTail(count, seal.digest()))


def read_parts(blocks: Iterable[bytes]) -> Iterator[Part]:
    """Yields the parts of a recording: its head, its lines, its tail.

    Args:
        blocks: its bytes in order, cut anywhere.

    Raises:
        Unreadable: it is none, it was cut, or it was altered; the last is known at its end.
    """
    seal = blake2b(digest_size=SEAL_BYTES)
    source = _Source(blocks)
    if source.take(len(MAGIC)) != MAGIC:
        raise UnreadableRecording("no_journal")
    seal.update(MAGIC)
    lines = 0
    while True:
        length = source.take(LENGTH_BYTES)
        size = int.from_bytes(length, "big")
        if len(length) < LENGTH_BYTES or size > PART_BYTES_MAX:
            raise UnreadableRecording("cut" if len(length) < LENGTH_BYTES else "altered")
        packed = source.take(size)
        if len(packed) < size:
            raise UnreadableRecording("cut")
        try:
            part = _parts.decode(packed)
        except msgspec.DecodeError as problem:
            raise UnreadableRecording("altered") from problem
        if isinstance(part, RecordingTail):
            if part != RecordingTail(lines, seal.digest()) or source.take(1):
                raise UnreadableRecording("altered")
            yield part
            return
        seal.update(length)
        seal.update(packed)
        lines += isinstance(part, RecordedEvent)
        yield part


def _with_head(head: RecordingHead, lines: Iterable[RecordedEvent]) -> Iterator[Part]:
    yield head
    yield from lines


def _packed(part: Part) -> bytes:
    packed = _encode(part)
    return len(packed).to_bytes(LENGTH_BYTES, "big") + packed


class _Source:
    """Bytes that come in blocks, taken in other sizes."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = memoryview(b"")

    def take(self, size: int) -> bytes:
        """Returns so many bytes, or all that are left."""
        if len(self._rest) >= size:
            taken, self._rest = self._rest[:size], self._rest[size:]
            return bytes(taken)
        found = bytearray(self._rest)
        self._rest = memoryview(b"")
        for block in self._blocks:
            need = size - len(found)
            found += block[:need]
            if len(found) == size:
                self._rest = memoryview(block)[need:]
                break
        return bytes(found)

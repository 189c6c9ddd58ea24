"""Recording: encodes a journal from which the core's decisions can be replayed exactly.

A recording has a head (a snapshot and its position), one line for each later event, and a tail. A
chain of digests (BLAKE2b, RFC 7693) over each event and the commands that followed proves that a
replay is exact. Bytes: ``MAGIC``, then each part as MessagePack after its length (4 bytes,
big-endian). The tail's seal covers all bytes before it, so a cut or altered recording is detected
before a replay begins. Recorded events hold facts of requests, never their text.
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
        version: version of Entraide that made the decisions.
        core: ``Core.snapshot()``.
        event_id, at: identifier and time of the last event before the first line.
        digest: digest of the chain up to that event.
    """

    version: str
    core: bytes
    event_id: int
    at: float
    digest: bytes


class RecordedEvent(Struct, frozen=True, array_like=True, tag="line", gc=False):
    """One event as the live driver encoded it, and the digest of the chain including it."""

    event: bytes
    digest: bytes


class RecordingTail(Struct, frozen=True, array_like=True, tag="tail"):
    """The end: the number of lines, and the seal over all bytes before it."""

    lines: int
    seal: bytes


Part = RecordingHead | RecordedEvent | RecordingTail

_parts: MsgpackDecoder[Part] = MsgpackDecoder(Part)
_events: MsgpackDecoder[Event] = MsgpackDecoder(Event)


class UnreadableRecording(Exception):
    """The bytes are not a complete, unaltered recording.

    Attributes:
        code: ``no_file``, ``no_journal``, ``cut`` or ``altered``.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def next_digest(before: bytes, event: bytes, commands: Sequence[Command]) -> bytes:
    """Returns the digest of the chain extended by an event and the commands that followed."""
    chain = blake2b(before, digest_size=DIGEST_BYTES)
    chain.update(event)
    chain.update(_encode(commands))
    return chain.digest()


def event_of(line: RecordedEvent) -> Event:
    """Decodes a line's event.

    Raises:
        msgspec.DecodeError: this version does not know the event.
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
        blocks: the bytes of the recording in order, in blocks of any size.

    Raises:
        UnreadableRecording: the bytes are no recording, are cut, or are altered; an alteration may
            be detected only at the end.
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
    """A stream of blocks that is read in other sizes."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = memoryview(b"")

    def take(self, size: int) -> bytes:
        """Returns ``size`` bytes, or all remaining bytes if there are fewer."""
        if len(self._rest) >= size:
            taken, self._rest = self._rest[:size], self._rest[size:]
            return bytes(taken)
        buffer = bytearray(self._rest)
        self._rest = memoryview(b"")
        for block in self._blocks:
            need = size - len(buffer)
            buffer += block[:need]
            if len(buffer) == size:
                self._rest = memoryview(block)[need:]
                break
        return bytes(buffer)

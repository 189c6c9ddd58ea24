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
TAG_AT = 2  # place of an event's tag, after the headers of the array and of the text

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


def lines_of(lines: Iterable[RecordedEvent], kind: type[Event]) -> Iterator[RecordedEvent]:
    """Yields the lines whose events are of a kind, without decoding the events."""
    tag = str(kind.__struct_config__.tag).encode()
    return (line for line in lines if line.event.startswith(tag, TAG_AT))


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


def read_parts(blocks: Iterable[bytes], *, verified: bool = False) -> Iterator[Part]:
    """Yields the parts of a recording: its head, its lines, its tail.

    Args:
        blocks: the bytes of the recording in order, in blocks of any size.
        verified: whether the seal was found right before; then it is not computed again.

    Raises:
        UnreadableRecording: the bytes are no recording, are cut, or are altered; an alteration may
            be detected only at the end.
    """
    seal = blake2b(MAGIC, digest_size=SEAL_BYTES)
    lines, tail = 0, None
    for packed in _split_parts(blocks):
        if tail is not None:
            raise UnreadableRecording("altered")
        if not packed:
            raise UnreadableRecording("cut")
        try:
            part = _parts.decode(packed[LENGTH_BYTES:])
        except msgspec.DecodeError as problem:
            raise UnreadableRecording("altered") from problem
        if isinstance(part, RecordingTail):
            tail = part
            if not verified and part != RecordingTail(lines, seal.digest()):
                raise UnreadableRecording("altered")
            continue
        if not verified:
            seal.update(packed)
        lines += isinstance(part, RecordedEvent)
        yield part
    if tail is None:
        raise UnreadableRecording("cut")
    yield tail


def _with_head(head: RecordingHead, lines: Iterable[RecordedEvent]) -> Iterator[Part]:
    yield head
    yield from lines


def _packed(part: Part) -> bytes:
    packed = _encode(part)
    return len(packed).to_bytes(LENGTH_BYTES, "big") + packed


def _split_parts(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields each part with its length; ``b""`` at the end for a part that is not complete."""
    buffer, at = bytearray(), 0
    is_begun = False
    for block in blocks:
        del buffer[:at]
        buffer += block
        at = 0
        if not is_begun:
            if len(buffer) < len(MAGIC):
                continue
            if not buffer.startswith(MAGIC):
                break
            is_begun, at = True, len(MAGIC)
        while at + LENGTH_BYTES <= len(buffer):
            size = int.from_bytes(buffer[at : at + LENGTH_BYTES], "big")
            if size > PART_BYTES_MAX:
                raise UnreadableRecording("altered")
            end = at + LENGTH_BYTES + size
            if end > len(buffer):
                break
            yield bytes(buffer[at:end])
            at = end
    if not is_begun:
        raise UnreadableRecording("no_journal")
    if at < len(buffer):
        yield b""

"""File format of a closed month: blocks of compressed records, then a foot with the signed head.

    MAGIC, block, block, …, foot, length of the foot (4 bytes), MAGIC

A block is a zlib stream (RFC 1950) of a MessagePack list of records, each the bytes of one leaf of
the tree; the records are sorted by name, so that one is found by reading one block. The foot is
MessagePack: the head and its signature (Ed25519 over ``MAGIC`` and the head's bytes), and the list
of blocks, of which the head has the digest. So what one block says is checked without the others.

A file is foreign until it is verified: every length is bounded before anything is read or unpacked.
"""

import hashlib
import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import BinaryIO

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from entraide.closed_months.records import FORMAT, MonthHead, Record, decode_record, encode
from entraide.decoding import MsgpackDecoder

MAGIC = b"entraide-month-1\n"
BLOCK_RECORDS = 500
BLOCK_BYTES = 1024 * 1024  # a block ends when its records have so many bytes
BLOCK_BYTES_MAX = 4 * 1024 * 1024
BLOCKS_MAX = 200_000
FOOT_BYTES_MAX = 16 * 1024 * 1024
COMPRESSION = 6

_LENGTH = struct.Struct(">I")


class MonthFault(Exception):
    """A file is not a closed month, or is damaged."""


class BlockEntry(Struct, frozen=True, array_like=True, gc=False):
    """A block: name of its first record, length in bytes, number of records, and its SHA-256."""

    first: str
    length: int
    records: int
    sha256: bytes


class _Foot(Struct, frozen=True):
    head: bytes
    signature: bytes
    blocks: tuple[BlockEntry, ...]


_foot: MsgpackDecoder[_Foot] = MsgpackDecoder(_Foot)
_head: MsgpackDecoder[MonthHead] = MsgpackDecoder(MonthHead)
_block: MsgpackDecoder[list[bytes]] = MsgpackDecoder(list[bytes])


class MonthWriter:
    """Writes a file; ``add`` the records in the order of their names, then ``finish``.

    Args:
        file: at its beginning.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._blocks: list[BlockEntry] = []
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._first = self._last = ""
        file.write(MAGIC)

    def add(self, record: Record) -> bytes:
        """Adds a record; returns its bytes, a leaf of the tree."""
        assert record.name > self._last, f"{record.name} comes after {self._last}"
        self._last = record.name
        self._first = self._first or record.name
        packed = encode(record)
        self._waiting.append(packed)
        self._waiting_bytes += len(packed)
        if len(self._waiting) >= BLOCK_RECORDS or self._waiting_bytes >= BLOCK_BYTES:
            self._write_block()
        return packed

    def finish(self, head: MonthHead, sign: Callable[[bytes], bytes]) -> MonthHead:
        """Writes the end; returns the head, with the digest of the blocks.

        Args:
            head: what is signed.
            sign: returns the signature of a text.
        """
        self._write_block()
        head = replace(head, blocks=_digest_blocks(self._blocks))
        packed = encode(head)
        foot = encode(_Foot(packed, sign(MAGIC + packed), tuple(self._blocks)))
        assert len(foot) <= FOOT_BYTES_MAX, "too many sums for one month"
        self._file.write(foot + _LENGTH.pack(len(foot)) + MAGIC)
        return head

    def _write_block(self) -> None:
        if not self._waiting:
            return
        raw = encode(self._waiting)
        assert len(raw) <= BLOCK_BYTES_MAX, f"{self._last} is too long"
        packed = zlib.compress(raw, COMPRESSION)
        digest = hashlib.sha256(packed).digest()
        self._blocks.append(BlockEntry(self._first, len(packed), len(self._waiting), digest))
        self._file.write(packed)
        self._waiting, self._waiting_bytes, self._first = [], 0, ""


class MonthFile:
    """An opened file.

    Attributes:
        head: as it says; believed only once its signature is verified.
        signed, signature: what was signed, and how.
    """

    def __init__(self, file: BinaryIO, head: MonthHead, foot: "_Foot") -> None:
        self.head = head
        self.signed = MAGIC + foot.head
        self.signature = foot.signature
        self._file = file
        self._blocks = blocks = foot.blocks
        self._firsts = [entry.first for entry in blocks]
        self._offsets = list(accumulate((entry.length for entry in blocks), initial=len(MAGIC)))

    def read_leaves(self) -> Iterator[bytes]:
        """Yields the bytes of each record, in order.

        Raises:
            MonthFault: a block is damaged.
        """
        for number in range(len(self._blocks)):
            yield from self._read_block(number)

    def find(self, name: str) -> Record | None:
        """Returns the record of a name, or None.

        Raises:
            MonthFault: its block is damaged.
        """
        number = bisect_right(self._firsts, name) - 1
        if number < 0:
            return None
        return next((each for each in self.read_records(number) if each.name == name), None)

    def read_records(self, number: int) -> list[Record]:
        """Returns the records of a block, by its number from 0; none after the last.

        Raises:
            MonthFault: the block is damaged.
        """
        if number >= len(self._blocks):
            return []
        try:
            return list(map(decode_record, self._read_block(number)))
        except msgspec.DecodeError as problem:
            raise MonthFault(str(problem)) from None

    def _read_block(self, number: int) -> list[bytes]:
        entry = self._blocks[number]
        self._file.seek(self._offsets[number])
        packed = self._file.read(entry.length)
        if hashlib.sha256(packed).digest() != entry.sha256:
            raise MonthFault("a block was altered")
        unpacker = zlib.decompressobj()
        try:
            raw = unpacker.decompress(packed, BLOCK_BYTES_MAX)
            if not unpacker.eof or unpacker.unused_data:
                raise MonthFault("a block is cut short, or too long")
            leaves = _block.decode(raw)
        except (zlib.error, msgspec.DecodeError) as problem:
            raise MonthFault(str(problem)) from None
        if len(leaves) != entry.records:
            raise MonthFault("a block has another number of records")
        return leaves


def open_month(file: BinaryIO) -> MonthFile:
    """Reads the foot of a file, which stays open.

    Raises:
        MonthFault: it is not a closed month, or of a later format.
        OSError: it cannot be read.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise MonthFault("not a closed month")
    end = file.seek(0, 2) - len(MAGIC) - _LENGTH.size
    if end < len(MAGIC):
        raise MonthFault("cut short")
    file.seek(end)
    trailer = file.read()
    (size,) = _LENGTH.unpack(trailer[: _LENGTH.size])
    if trailer[_LENGTH.size :] != MAGIC or size > min(FOOT_BYTES_MAX, end - len(MAGIC)):
        raise MonthFault("cut short")
    file.seek(end - size)
    try:
        foot = _foot.decode(file.read(size))
        head = _head.decode(foot.head)
    except msgspec.DecodeError as problem:
        raise MonthFault(str(problem)) from None
    blocks = foot.blocks
    if head.format != FORMAT or len(blocks) > BLOCKS_MAX:
        raise MonthFault("a later format")
    if any(not 0 < entry.length <= BLOCK_BYTES_MAX for entry in blocks):
        raise MonthFault("a block of an impossible length")
    if len(MAGIC) + sum(entry.length for entry in blocks) != end - size:
        raise MonthFault("its blocks are not those of its foot")
    if head.blocks != _digest_blocks(blocks):
        raise MonthFault("its blocks are not those of its head")
    return MonthFile(file, head, foot)


def _digest_blocks(blocks: Sequence[BlockEntry]) -> str:
    return hashlib.sha256(encode(blocks)).hexdigest()

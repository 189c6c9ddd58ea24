"""Sealed file: a stream of bytes, compressed and encrypted with a passphrase, in one file.

Layout: ``MAGIC``, the length of the head, the head as JSON, then frames (length, ciphertext). The
head is readable without the passphrase; each frame authenticates it. Key: scrypt (RFC 7914).
Frames: AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizár 2015), whose
nonce has the frame's number and whether it is the last, so that a file cut short, reordered or
altered is recognised. Memory stays below a few MiB and scrypt's 128 MiB, whatever the file's size.
"""

import hashlib
import hmac
import os
import struct
import zlib
from typing import BinaryIO

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from msgspec import Struct

from entraide.decoding import decode_json

MAGIC = b"entraide backup\n"
FORMAT = 1
HEAD_BYTES_MAX = 4_096
FRAME_BYTES = 1024 * 1024  # of compressed bytes
TAG_BYTES = 16
SALT_BYTES = 32
KEY_BYTES = 32
COMPRESS_LEVEL = 1
SCRYPT_N = 2**17  # OWASP's first choice (2023): n = 2^17, r = 8, p = 1; 128 MiB
SCRYPT_N_MAX = 2**20
SCRYPT_R_MAX = 8
SCRYPT_P_MAX = 4
FRAMES_MAX = 2**32

_LENGTH = struct.Struct(">I")


class SealedFault(Exception):
    """A sealed file cannot be read.

    ``code`` is ``foreign``, ``damaged``, ``too_new``, ``unreleased`` or ``wrong`` (the passphrase).
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class SealedHead(Struct, frozen=True):
    """What a sealed file says without its passphrase.

    Attributes:
        format: version of the layout and of the records.
        version: version of Entraide that wrote it.
        schema: revision of the store's schema.
        at: when it was begun, seconds since the epoch.
        salt, n, r, p: of scrypt.
        check: SHA-256 of the second half of the derived bytes, which shows a wrong passphrase.
    """

    format: int
    version: str
    schema: str
    at: float
    salt: bytes = b""
    n: int = 0
    r: int = 8
    p: int = 1
    check: bytes = b""


class SealedWriter:
    """Writes a sealed file; ``write`` as often as needed, then ``finish``.

    Args:
        file: where it is written, from its present position.
        passphrase: any text.
        head: its ``salt``, ``n`` and ``check`` are set here.
    """

    def __init__(self, file: BinaryIO, passphrase: str, head: SealedHead) -> None:
        salt = os.urandom(SALT_BYTES)
        head = msgspec.structs.replace(head, salt=salt, n=SCRYPT_N)
        key, check = _derive(passphrase, head)
        self._head = msgspec.json.encode(msgspec.structs.replace(head, check=check))
        self._cipher = AESGCM(key)
        self._file = file
        self._packer = zlib.compressobj(COMPRESS_LEVEL)
        self._waiting = bytearray()
        self._frames = 0
        file.write(MAGIC + _LENGTH.pack(len(self._head)) + self._head)

    def write(self, data: bytes) -> None:
        """Adds bytes."""
        self._waiting += self._packer.compress(data)
        while len(self._waiting) > FRAME_BYTES:
            self._write_frame(bytes(self._waiting[:FRAME_BYTES]), is_last=False)
            del self._waiting[:FRAME_BYTES]

    def finish(self) -> None:
        """Writes the rest and the last frame."""
        self._waiting += self._packer.flush()
        while len(self._waiting) > FRAME_BYTES:
            self._write_frame(bytes(self._waiting[:FRAME_BYTES]), is_last=False)
            del self._waiting[:FRAME_BYTES]
        self._write_frame(bytes(self._waiting), is_last=True)

    def _write_frame(self, data: bytes, *, is_last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._frames, is_last=is_last), data, self._head)
        self._file.write(_LENGTH.pack(len(sealed)) + sealed)
        self._frames += 1


def read_head(file: BinaryIO) -> tuple[SealedHead, bytes]:
    """Reads the head of a sealed file; returns it, and its bytes.

    Raises:
        SealedFault: ``foreign``, ``too_new`` or ``damaged``.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise SealedFault("foreign")
    raw = file.read(_length(file, HEAD_BYTES_MAX))
    try:
        head = decode_json(raw, type=SealedHead)
    except msgspec.MsgspecError:
        raise SealedFault("damaged") from None
    if head.format > FORMAT:
        raise SealedFault("too_new")
    is_power = head.n > 1 and head.n & (head.n - 1) == 0
    if not (is_power and head.n <= SCRYPT_N_MAX and 0 < head.r <= SCRYPT_R_MAX):
        raise SealedFault("damaged")
    if not 0 < head.p <= SCRYPT_P_MAX or len(head.salt) != SALT_BYTES:
        raise SealedFault("damaged")
    return head, raw


class SealedReader:
    """Reads the content of a sealed file.

    Args:
        file: after its head.
        passphrase: with which it was sealed.
        head, raw_head: from ``read_head``.

    Raises:
        SealedFault: ``wrong``.
    """

    def __init__(self, file: BinaryIO, passphrase: str, head: SealedHead, raw_head: bytes) -> None:
        key, check = _derive(passphrase, head)
        if not hmac.compare_digest(check, head.check):
            raise SealedFault("wrong")
        self._cipher = AESGCM(key)
        self._file = file
        self._head = raw_head
        self._unpacker = zlib.decompressobj()
        self._frames = 0
        self._is_last = False

    def read(self, size: int) -> bytes:
        """Returns exactly ``size`` bytes.

        Raises:
            SealedFault: ``damaged``: the file is cut short or altered.
        """
        parts: list[bytes] = []
        while size > 0:
            tail = self._unpacker.unconsumed_tail
            packed = tail or self._read_frame()
            try:
                part = self._unpacker.decompress(packed, size)
            except zlib.error:
                raise SealedFault("damaged") from None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def check_end(self) -> None:
        """Checks that nothing follows.

        Raises:
            SealedFault: ``damaged``.
        """
        while not self._is_last:
            try:
                rest = self._unpacker.decompress(self._read_frame(), 1)
            except zlib.error:
                raise SealedFault("damaged") from None
            if rest:
                raise SealedFault("damaged")
        if self._unpacker.unconsumed_tail or self._file.read(1):
            raise SealedFault("damaged")

    def _read_frame(self) -> bytes:
        if self._is_last or self._frames >= FRAMES_MAX:
            raise SealedFault("damaged")
        size = _length(self._file, FRAME_BYTES + TAG_BYTES)
        sealed = self._file.read(size)
        if len(sealed) != size or size < TAG_BYTES:
            raise SealedFault("damaged")
        for is_last in (False, True):
            try:
                nonce = _nonce(self._frames, is_last=is_last)
                data = self._cipher.decrypt(nonce, sealed, self._head)
            except InvalidTag:
                continue
            self._is_last = is_last
            self._frames += 1
            return data
        raise SealedFault("damaged")


def _derive(passphrase: str, head: SealedHead) -> tuple[bytes, bytes]:
    """Returns the key of the frames, and the check of the passphrase."""
    scrypt = Scrypt(salt=head.salt, length=2 * KEY_BYTES, n=head.n, r=head.r, p=head.p)
    derived = scrypt.derive(passphrase.encode())
    return derived[:KEY_BYTES], hashlib.sha256(derived[KEY_BYTES:]).digest()


def _nonce(frame: int, *, is_last: bool) -> bytes:
    return bytes(7) + _LENGTH.pack(frame) + bytes([is_last])


def _length(file: BinaryIO, most: int) -> int:
    raw = file.read(_LENGTH.size)
    if len(raw) != _LENGTH.size:
        raise SealedFault("damaged")
    (size,) = _LENGTH.unpack(raw)
    if size > most:
        raise SealedFault("damaged")
    return int(size)

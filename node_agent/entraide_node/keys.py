"""Keys: the node's durable identity, in files that only its owner may read.

It reads and writes identity, key and certificate authority in the node's folder, and refuses a
private file that others can read.
"""

import base64
import os
from pathlib import Path

import msgspec
import nkeys
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.errors import RequestError
from entraide.files import PRIVATE_UMASK, write_private
from entraide.wire.nats import Identity, public_user_key
from entraide.wire.subjects import node_inbox

IDENTITY_NAME = "identity.json"
KEY_NAME = "node.key"
SEALING_KEY_NAME = "sealing.key"  # private X25519 key, base64: opens prompts sealed for this node
OWN_KEY_NAMES = (KEY_NAME, SEALING_KEY_NAME)  # made on this machine
CA_NAME = "ca.pem"
POOL_KEY_NAME = "pool.pub"


class StoredIdentity(Struct, frozen=True, forbid_unknown_fields=True):
    """The content of the identity file: the pool's token, and the seed of the node's key."""

    node: str
    jwt: str
    seed: str

    def __repr__(self) -> str:
        """Leaves the seed out, so that no log or traceback holds it."""
        return f"StoredIdentity(node={self.node!r})"


def read_private(path: Path) -> bytes:
    """Reads a file that only its owner may read.

    Raises:
        RequestError: ``identity_refused``: it is missing, or others may read it.
    """
    try:
        mode = path.stat().st_mode
        if os.name == "posix" and mode & PRIVATE_UMASK:
            raise _identity_error(path, f"mode {mode & 0o777:04o}")
        return path.read_bytes()
    except OSError as problem:
        raise _identity_error(path, problem.strerror or str(problem)) from problem


def _identity_error(path: Path, problem: str) -> RequestError:
    return RequestError(
        "identity_refused", f"{path}: {problem}", values={"file": str(path), "problem": problem}
    )


def save_identity(folder: Path, identity: StoredIdentity) -> None:
    """Writes the identity."""
    write_private(folder / IDENTITY_NAME, msgspec.json.encode(identity))


def read_identity(folder: Path) -> StoredIdentity:
    """Reads the identity.

    Raises:
        RequestError: ``identity_refused``: missing, readable by others, or not an identity.
    """
    path = folder / IDENTITY_NAME
    try:
        return decode_json(read_private(path), type=StoredIdentity)
    except msgspec.MsgspecError as problem:
        raise _identity_error(path, "?") from problem


class Keyring:
    """Holds the current identity, and stores a renewed one.

    Attributes:
        public_key: public half of the node's key, which names it on the bus.

    Raises:
        RequestError: ``identity_refused``: see ``read_identity``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stored = read_identity(folder)
        try:
            self.public_key = public_user_key(self._stored.seed)
        except (nkeys.NkeysError, ValueError) as problem:
            raise _identity_error(folder / IDENTITY_NAME, "?") from problem

    def identity(self) -> Identity:
        """Returns the identity for the next connection."""
        inbox = node_inbox(self.public_key)
        return Identity(jwt=self._stored.jwt, seed=self._stored.seed, inbox_prefix=inbox)

    def renew(self, jwt: str) -> None:
        """Stores a renewed token, which is used from the next connection on."""
        renewed = msgspec.structs.replace(self._stored, jwt=jwt)
        save_identity(self._folder, renewed)
        self._stored = renewed


def load_or_make_sealing_key(folder: Path) -> str:
    """Returns the public half of the node's X25519 key, base64; makes the key at the first call.

    Raises:
        RequestError: ``identity_refused``: others may read the file, or it holds no key.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import (  # noqa: PLC0415  (only to join)
        X25519PrivateKey,
    )

    path = folder / SEALING_KEY_NAME
    if not path.exists():
        raw = X25519PrivateKey.generate().private_bytes_raw()
        write_private(path, base64.b64encode(raw) + b"\n")
    try:
        raw = base64.b64decode(read_private(path).strip(), validate=True)
        public = X25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()
    except ValueError as problem:  # binascii's error is a ValueError
        raise _identity_error(path, "?") from problem
    return base64.b64encode(public).decode("ascii")


def discard_keys(folder: Path) -> None:
    """Deletes the node's keys, which the pool has revoked; joining makes new ones."""
    for name in OWN_KEY_NAMES:
        (folder / name).unlink(missing_ok=True)


def read_ca_pem(folder: Path) -> str:
    """Returns the pool's certificate authority; "" if the bus is on this machine."""
    path = folder / CA_NAME
    return path.read_text("ascii") if path.exists() else ""


def read_pool_key(folder: Path) -> str:
    """Returns the pool's public signing key, base64; "" if it is unknown."""
    path = folder / POOL_KEY_NAME
    return path.read_text("ascii").strip() if path.exists() else ""

"""Receipt keys: the key that signs receipts, the retired ones, and the catalogue's.

They lie in ``DIR/identity``. When the receipt key is retired, its public half is kept, so that the
receipts of before still verify. The catalogue goes on being signed with the pool's first key, which
the nodes received when they joined.
"""

import base64
import contextlib
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.errors import PoolError
from entraide.files import write_private
from entraide.receipts import KEYS_MAX, ReceiptKey, compute_key_id
from entraide_scheduler.nats.identity import SIGNING_FILE, identity_directory
from entraide_scheduler.nats.keyfiles import lock_home, read_private, unreadable_error

LOCKS = ("pool.lock", "scheduler.lock")
_CATALOGUE_FILE = "catalogue.pem"
_HISTORY_FILE = "receipt-keys.json"


class ReceiptKeys(Struct, frozen=True):
    """The pool's receipt keys.

    Attributes:
        signing: the present key.
        since: first time of its use, seconds since the epoch; 0 for the pool's first key.
        retired: the keys before it, newest first.
    """

    signing: Ed25519PrivateKey
    since: float
    retired: tuple[ReceiptKey, ...]


class _History(Struct, frozen=True):
    since: float = 0.0
    retired: tuple[ReceiptKey, ...] = ()


def load_receipt_keys(state: Path) -> ReceiptKeys:
    """Returns the receipt keys; creates the pool's identity at the first start.

    Raises:
        PoolError: see ``PoolIdentity``.
    """
    directory = identity_directory(state)
    signing = _load_key(directory / SIGNING_FILE)
    history = _read_history(directory / _HISTORY_FILE)
    # A rotation that was cut short has retired the key that still signs.
    present = describe_key(signing).id
    retired = tuple(key for key in history.retired if key.id != present)
    return ReceiptKeys(signing, history.since, retired)


def load_catalogue_key(state: Path) -> Ed25519PrivateKey:
    """Returns the key that signs the catalogue: the pool's first receipt key.

    Raises:
        PoolError: see ``PoolIdentity``.
    """
    directory = identity_directory(state)
    path = directory / _CATALOGUE_FILE
    return _load_key(path if path.exists() else directory / SIGNING_FILE)


def rotate_receipt_key(state: Path, *, now: float) -> ReceiptKeys:
    """Retires the receipt key of a pool that does not run, and makes a new one.

    Args:
        state: the pool's state directory.
        now: seconds since the epoch.

    Raises:
        PoolError: ``already_running``; ``receipt_keys_full``; or see ``PoolIdentity``.
    """
    with contextlib.ExitStack() as locks:
        for name in LOCKS:
            locks.enter_context(contextlib.closing(lock_home(state, name)))
        directory = identity_directory(state)
        before = load_receipt_keys(state)
        if len(before.retired) + 2 > KEYS_MAX:
            raise PoolError("receipt_keys_full", values={"max": KEYS_MAX})
        if not (directory / _CATALOGUE_FILE).exists():
            write_private(directory / _CATALOGUE_FILE, _encode_key(before.signing))
        retired = describe_key(before.signing, since=before.since, until=now)
        history = _History(now, (retired, *before.retired))
        write_private(directory / _HISTORY_FILE, msgspec.json.encode(history))
        key = Ed25519PrivateKey.generate()
        write_private(directory / SIGNING_FILE, _encode_key(key))
    return ReceiptKeys(key, now, history.retired)


def describe_key(key: Ed25519PrivateKey, *, since: float = 0.0, until: float = 0.0) -> ReceiptKey:
    """Returns the public half of a signing key, as the pool publishes it."""
    public = key.public_key().public_bytes_raw()
    text = base64.b64encode(public).decode("ascii")
    return ReceiptKey(compute_key_id(public), text, since, until)


def _read_history(path: Path) -> _History:
    if not path.exists():
        return _History()
    try:
        return decode_json(read_private(path), type=_History)
    except msgspec.MsgspecError as problem:
        raise unreadable_error(path, "not a list of receipt keys") from problem


def _load_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(read_private(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
        raise unreadable_error(path, "not a private key") from problem
    if not isinstance(key, Ed25519PrivateKey):
        raise unreadable_error(path, "not an Ed25519 key")
    return key


def _encode_key(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

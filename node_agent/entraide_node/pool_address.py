"""The pool's address as the owner gave it to join: a file beside the node's configuration."""

import ssl
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.files import write_private

POOL_NAME = "pool.json"


class PoolAddress(Struct, frozen=True):
    """The pool's address, beside the node's configuration.

    Attributes:
        url: address that was used to join; "" if unknown.
        public_certificate: whether the system's authorities vouched for that address; otherwise
            only the pool's own CA does.
        key_pin: pin of the server's key, as in ``JoinSecret``; "" for none.
    """

    url: str = ""
    public_certificate: bool = False
    key_pin: str = ""


def save_pool_address(
    folder: Path, url: str, *, public_certificate: bool, key_pin: str = ""
) -> None:
    """Stores the address that was used to join."""
    address = PoolAddress(url, public_certificate, key_pin)
    write_private(folder / POOL_NAME, msgspec.json.encode(address))


def read_pool_address(folder: Path) -> PoolAddress:
    """Returns the address that was used to join; its ``url`` is "" if unknown."""
    try:
        return decode_json((folder / POOL_NAME).read_bytes(), type=PoolAddress)
    except (OSError, msgspec.MsgspecError):
        return PoolAddress()


def make_web_context(folder: Path) -> ssl.SSLContext | None:
    """Returns the TLS context of the pool's web address; None where only its own CA vouches."""
    trusts_system = read_pool_address(folder).public_certificate
    return ssl.create_default_context() if trusts_system else None

"""The pool's address as the owner gave it to join: a file beside the node's configuration."""

from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.files import write_private

POOL_NAME = "pool.json"


class PoolAddress(Struct, frozen=True):
    """The pool's address, beside the node's configuration.

    Attributes:
        url: address that was used to join.
    """

    url: str


def save_pool_address(folder: Path, url: str) -> None:
    """Stores the address that was used to join, without user and password."""
    host = urlsplit(url if "://" in url else f"//{url}").netloc.rpartition("@")[2]
    scheme = url.partition("://")[0] if "://" in url else ""
    plain = f"{scheme}://{host}" if scheme else host
    write_private(folder / POOL_NAME, msgspec.json.encode(PoolAddress(plain)))


def read_pool_address(folder: Path) -> str:
    """Returns the address that was used to join; "" if unknown."""
    try:
        return decode_json((folder / POOL_NAME).read_bytes(), type=PoolAddress).url
    except (OSError, msgspec.MsgspecError):
        return ""

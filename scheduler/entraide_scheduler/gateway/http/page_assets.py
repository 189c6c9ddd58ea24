"""Page assets: the built pages of ``entraide_dashboard``, with the headers of a browser's defences.

The name of an asset contains the hash of its content, so a browser may cache it without asking
again. In a wheel each asset is compressed already; in a checkout gzip is made at the start. The
request's ``Accept-Encoding`` selects a form.
"""

import gzip
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from msgspec import Struct

from entraide_scheduler.gateway.http.exchange import Exchange
from entraide_scheduler.gateway.refusals import refused

PATH = "/assets/"
FOLDER = "assets"
INDEX = "index.html"
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; worker-src 'self'"
)
# Beside ``exchange.DEFENCES``: a page runs and loads nothing from elsewhere. A worker's policy is
# that of its own script, so scripts have it too.
PAGE_DEFENCES: Sequence[tuple[str, str]] = (
    ("content-security-policy", CONTENT_POLICY),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("cross-origin-opener-policy", "same-origin"),
)
PAGE_HEADERS = (
    *PAGE_DEFENCES,
    ("cache-control", "no-cache"),
    ("vary", "accept-language"),
)
ASSET_HEADERS = (
    *PAGE_DEFENCES,
    ("cache-control", "public, max-age=31536000, immutable"),
    ("vary", "accept-encoding"),
)
KINDS = MappingProxyType(
    {
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "mjs": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
    }
)
CODINGS = MappingProxyType({"br": "br", "gzip": "gz"})  # endings by name, the smallest first
SMALL_BYTES = 512  # below this a compressed form saves nothing
GZIP_LEVEL = 6

_ACCEPTED = re.compile(r"^\s*([a-z*-]+)\s*(?:;\s*q=([0-9.]{1,5}))?\s*$")


class Asset(Struct, frozen=True):
    """One file in the forms that it can be sent in: content by coding, "" for uncompressed."""

    kind: str
    contents: dict[str, bytes]


class PageAssets:
    """Sends the pages' files; all are read once, at the start."""

    def __init__(self) -> None:
        self.index, self._assets = _read_assets()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the assets, sorted."""
        return tuple(sorted(self._assets))

    def send(self, exchange: Exchange, name: str) -> None:
        """Sends an asset in the smallest form that the client accepts.

        Raises:
            Refused: ``unknown_path``: there is no such asset.
        """
        asset = self._assets.get(name)
        if asset is None:
            raise refused("unknown_path", path=exchange.request.path)
        if exchange.is_over:
            return
        coding = choose_coding(
            exchange.request.headers.get("accept-encoding", ""), tuple(asset.contents)
        )
        headers = [*ASSET_HEADERS, *([("content-encoding", coding)] if coding else [])]
        exchange.respond(200, asset.contents[coding], kind=asset.kind, headers=headers)


@cache
def _read_assets() -> tuple[str, Mapping[str, Asset]]:
    """Returns the page and the assets by name, which are the same for all gateways of a process."""
    folder = files("entraide_dashboard") / FOLDER
    contents = {entry.name: entry.read_bytes() for entry in folder.iterdir()}
    page = contents.pop(INDEX).decode("utf-8")
    names = [name for name in contents if name.rpartition(".")[2] in KINDS]
    return page, MappingProxyType({name: _asset_of(name, contents) for name in names})


def _asset_of(name: str, contents: dict[str, bytes]) -> Asset:
    plain = contents[name]
    forms = {
        coding: contents[f"{name}.{ending}"]
        for coding, ending in CODINGS.items()
        if f"{name}.{ending}" in contents
    }
    if not forms and len(plain) >= SMALL_BYTES:
        forms = {"gzip": gzip.compress(plain, GZIP_LEVEL, mtime=0)}
    return Asset(KINDS[name.rpartition(".")[2]], {**forms, "": plain})


def choose_coding(accepted: str, offered: Sequence[str]) -> str:
    """Returns the first offered coding that a client accepts; "" is always accepted.

    Args:
        accepted: the header ``Accept-Encoding`` (RFC 9110, section 12.5.3).
        offered: codings, the preferred one first, "" for none.

    >>> choose_coding("gzip, deflate, br;q=0.9", ("br", "gzip", ""))
    'br'
    >>> choose_coding("br;q=0, *", ("br", "gzip", ""))
    'gzip'
    """
    weights = {
        match[1]: match[2] is None or match[2].strip("0.") != ""
        for part in accepted.lower().split(",")
        if (match := _ACCEPTED.match(part)) is not None
    }
    for coding in offered:
        if not coding or weights.get(coding, weights.get("*", False)):
            return coding
    return ""

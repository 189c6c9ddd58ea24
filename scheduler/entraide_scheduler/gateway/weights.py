"""Weights: the pool's own copies of pinned files, in pieces, for its approved nodes.

It decides who is served (a node that the pool approves now, by a pass that its identity signed)
and what: files that the catalogue pins, by their SHA-256, where the pool's folders have them; never
another file of this disk. A node proves what it got by that checksum, so that nothing here must be
believed. Each answer is one piece of bounded length: a download goes on by ``Range``.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from entraide.catalogue import is_safe
from entraide.models import ArtefactFile, Catalogue
from entraide.wire import node_pass
from entraide_scheduler.gateway.http import Exchange
from entraide_scheduler.gateway.refusals import ErrorReply, Refused, refused

PATH = "/weights/"
FOLDER = "weights"  # of the pool's own, in its state directory
PART_BYTES_MAX = 4 * 1024 * 1024
READS_MAX = 8  # pieces in memory at once, over all nodes
BUSY_RETRY_S = 1.0

_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{1,15})?")


class FilePart(Struct, frozen=True):
    """A part of a file: its bytes, where it begins, and how long the file is."""

    data: bytes
    start: int
    size_bytes: int


class WeightServer:
    """Serves the pinned files that the pool has.

    Args:
        catalogue: returns the catalogue in force.
        folders: where files lie, laid out as a node's store is, or by their own name.
        key_of: returns the public key of an approved node, "" for any other.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        *,
        catalogue: Callable[[], Catalogue],
        folders: Sequence[Path],
        key_of: Callable[[str], str],
        now: Callable[[], float],
    ) -> None:
        self._catalogue = catalogue
        self._folders = tuple(folders)
        self._key_of = key_of
        self._now = now
        self._reads = 0

    async def send_part(self, exchange: Exchange, sha256: str) -> None:
        """Answers with a piece of the file that has this checksum.

        Raises:
            Refused: ``unauthorised``: no pass of an approved node; ``unknown_path``: no such file
                is pinned, or the pool does not have it; ``queue_full``: too many are served now.
        """
        headers = exchange.request.headers
        if not self.is_approved(headers.get("authorization", ""), f"{PATH}{sha256}"):
            raise refused("unauthorised")
        byte_range = _RANGE.fullmatch(headers.get("range", "bytes=0-"))
        if byte_range is None:
            raise refused("invalid_request", detail="range")
        if self._reads >= READS_MAX:
            raise Refused(ErrorReply("queue_full", retry_after_s=BUSY_RETRY_S))
        self._reads += 1
        try:
            part = await asyncio.to_thread(
                self.read_part, sha256, int(byte_range[1]), byte_range[2]
            )
        finally:
            self._reads -= 1
        if part is None:
            raise refused("unknown_path", path=exchange.request.path)
        if not exchange.is_over:
            _send(exchange, part)

    def is_approved(self, authorization: str, path: str) -> bool:
        """Whether a header is the pass of a node that is approved now."""
        node_token = node_pass.read(authorization)
        key = self._key_of(node_token.node) if node_token is not None else ""
        if node_token is None or not key:
            return False
        return node_pass.is_genuine(node_token, public_key=key, path=path, now=self._now())

    def read_part(self, sha256: str, start: int, last: str | None = None) -> FilePart | None:
        """Reads a piece of a pinned file; None when the pool does not have it. Blocks."""
        for place, file in self._pinned_files(sha256):
            for folder in self._folders:
                for name in (f"{place}/{file.name}", file.name, Path(file.name).name):
                    data = _read(folder / name, file, start, last)
                    if data is not None:
                        return FilePart(data, start, file.size_bytes)
        return None

    def _pinned_files(self, sha256: str) -> list[tuple[str, ArtefactFile]]:
        return [
            (artefact.relative_folder(entry.name), file)
            for entry in self._catalogue().models
            for artefact in entry.artefacts
            if artefact.is_pinned
            for file in artefact.files
            if file.sha256 == sha256 and is_safe(file)
        ]


def _read(path: Path, file: ArtefactFile, start: int, last: str | None) -> bytes | None:
    end = min(file.size_bytes, start + PART_BYTES_MAX)
    if last is not None:
        end = min(end, int(last) + 1)
    try:
        if path.stat().st_size != file.size_bytes:
            return None
        with path.open("rb") as opened:
            opened.seek(start)
            return opened.read(max(0, end - start))
    except OSError:
        return None


def _send(exchange: Exchange, piece: FilePart) -> None:
    if not piece.data:
        headers = [("content-range", f"bytes */{piece.size_bytes}")]
        exchange.respond(416, b"", kind="application/octet-stream", headers=headers)
        return
    last = piece.start + len(piece.data) - 1
    headers = [
        ("content-range", f"bytes {piece.start}-{last}/{piece.size_bytes}"),
        ("cache-control", "no-store"),
    ]
    exchange.respond(206, piece.data, kind="application/octet-stream", headers=headers)

"""Weights: serves pinned model files to approved nodes, in parts.

A request needs a pass signed by the identity of an approved node. Only files that the catalogue
pins by SHA-256 and that lie in the pool's folders are served. Each response is one part of at most
``PART_BYTES_MAX``; a node continues by ``Range`` and verifies the checksum.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from entraide.catalogue import is_safe
from entraide.models import ArtefactFile, Catalogue
from entraide_scheduler.gateway.http import Exchange
from entraide_scheduler.gateway.machines.node_passes import NodePasses
from entraide_scheduler.gateway.refusals import ErrorReply, Refused, refused

PATH = "/weights/"
PART_BYTES_MAX = 4 * 1024 * 1024
READS_MAX = 8  # concurrent reads, over all nodes
BUSY_RETRY_S = 1.0

_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{1,15})?")


class FilePart(Struct, frozen=True):
    """A part of a file: its bytes, its offset, and the size of the file."""

    data: bytes
    start: int
    size_bytes: int


class WeightServer:
    """Serves the pool's pinned files.

    Args:
        catalogue: returns the catalogue in force.
        folders: folders of files, in the layout of a node's store or by file name.
        passes: checks the passes of nodes.
    """

    def __init__(
        self,
        *,
        catalogue: Callable[[], Catalogue],
        folders: Sequence[Path],
        passes: NodePasses,
    ) -> None:
        self._catalogue = catalogue
        self._folders = tuple(folders)
        self._passes = passes
        self._reads = 0

    async def send_part(self, exchange: Exchange, sha256: str) -> None:
        """Sends a part of the file with this SHA-256.

        Raises:
            Refused: ``unauthorised``: no valid pass; ``unknown_path``: the file is not
                pinned or not present; ``queue_full``: too many concurrent reads.
        """
        headers = exchange.request.headers
        if not self._passes.find_node(headers.get("authorization", ""), f"{PATH}{sha256}"):
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

    def read_part(self, sha256: str, start: int, last: str | None = None) -> FilePart | None:
        """Reads a part of a pinned file; returns None if it is not present. Blocks."""
        for names, file in self._pinned_files(sha256):
            for folder in self._folders:
                for name in names:
                    data = _read(folder / name, file, start, last)
                    if data is not None:
                        return FilePart(data, start, file.size_bytes)
        return None

    def _pinned_files(self, sha256: str) -> list[tuple[tuple[str, ...], ArtefactFile]]:
        return [
            (artefact.possible_paths(entry.name, file), file)
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

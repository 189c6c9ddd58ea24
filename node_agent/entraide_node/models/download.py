"""Download: one file over HTTP, resumed where it stopped, never longer than expected.

Input: an address, a partial file and the expected size. Output: the complete file, or a problem. It
retries with back-off and gives up after ``TRIES_MAX`` attempts without progress, or if the rate is
too low. The store verifies the checksum, so the source need not be trusted.
"""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.parse import urlsplit

import aiohttp
from msgspec import Struct

from entraide_node.engines.base import EngineProblem

TRIES_MAX = 4  # consecutive attempts without progress
PAUSE_FIRST_S = 0.1
CONNECT_TIMEOUT_S = 10.0
SILENCE_MAX_S = 30.0
BLOCK_BYTES = 1024 * 1024
WINDOW_S = 60.0
SLOWEST_BYTES_PER_S = 16 * 1024  # over a window; below that, another source is used

TOO_SLOW = "too slow"
CUT_OFF = "cut off"  # also the end of a partial response: the next request continues
OK, PARTIAL, NOT_FOUND, UNSATISFIABLE = 200, 206, 404, 416
PERMANENT = frozenset({401, 403, NOT_FOUND, 410})


class PoolAccess(Struct, frozen=True):
    """Authentication to the pool's own server.

    Attributes:
        authorise: returns the ``Authorization`` header for a path.
        tls: trusted authorities; None for the system's.
    """

    authorise: Callable[[str], str]
    tls: ssl.SSLContext | None = None


async def download(
    session: aiohttp.ClientSession,
    url: str,
    part: Path,
    *,
    size_bytes: int,
    tell: Callable[[int], None],
    redirects: bool = True,
    access: PoolAccess | None = None,
) -> EngineProblem | None:
    """Downloads a file to its full length; a partial file is kept for the next attempt.

    Args:
        session: HTTP session.
        url: of the file.
        part: the partial file.
        size_bytes: expected length.
        tell: called with the current length.
        redirects: whether a redirect is followed; not for a machine of the site.
        access: authentication to the pool's server, which sends files in parts.

    Returns:
        None, ``fetch_failed``, or ``checksum_wrong`` if the source sent too many bytes.

    Raises:
        OSError: of the disk.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    fruitless, detail = 0, ""
    while fruitless < TRIES_MAX:
        before = _length(part)
        try:
            detail = await _request_rest(
                session,
                url,
                part,
                size_bytes=size_bytes,
                tell=tell,
                redirects=redirects,
                access=access,
            )
        except (aiohttp.ClientError, TimeoutError) as problem:
            detail = str(problem) or type(problem).__name__
        after = _length(part)
        if after == size_bytes and not detail:
            return None
        if after > size_bytes:
            await asyncio.to_thread(part.unlink)
            return EngineProblem("checksum_wrong", {"file": part.stem, "source": _host(url)})
        if detail == TOO_SLOW or detail in {str(status) for status in PERMANENT}:
            break
        fruitless = 0 if after > before else fruitless + 1
        if fruitless or detail != CUT_OFF:
            await asyncio.sleep(PAUSE_FIRST_S * 2**fruitless)
    return EngineProblem(
        "fetch_failed", {"file": part.stem, "source": _host(url), "detail": detail or "?"}
    )


async def _request_rest(
    session: aiohttp.ClientSession,
    url: str,
    part: Path,
    *,
    size_bytes: int,
    tell: Callable[[int], None],
    redirects: bool,
    access: PoolAccess | None,
) -> str:
    """One request for the rest of the file; returns the problem, or ""."""
    have = _length(part)
    if have == size_bytes:
        return ""
    headers = {"Accept-Encoding": "identity"}
    if have or access is not None:
        headers["Range"] = f"bytes={have}-"
    if access is not None:
        headers["Authorization"] = access.authorise(urlsplit(url).path)
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_MAX_S
    )
    async with session.get(
        url,
        headers=headers,
        timeout=timeout,
        allow_redirects=redirects,
        ssl=access.tls if access is not None and access.tls is not None else True,
    ) as reply:
        if reply.status == UNSATISFIABLE or (
            reply.status == PARTIAL and not _continues_at(reply, have)
        ):
            # The server has another file: start again.
            await asyncio.to_thread(part.unlink, missing_ok=True)
            return str(reply.status)
        if reply.status not in (OK, PARTIAL):
            return str(reply.status)
        mode: Literal["ab", "wb"] = "ab" if reply.status == PARTIAL else "wb"
        with await asyncio.to_thread(_open, part, mode) as file:
            return await _write_blocks(
                reply, file, at=file.tell(), size_bytes=size_bytes, tell=tell
            )


async def _write_blocks(
    reply: aiohttp.ClientResponse,
    file: BinaryIO,
    *,
    at: int,
    size_bytes: int,
    tell: Callable[[int], None],
) -> str:
    clock = asyncio.get_running_loop().time
    since_s, since_bytes = clock(), at
    async for block in reply.content.iter_chunked(BLOCK_BYTES):
        await asyncio.to_thread(file.write, block)
        at += len(block)
        window_s = clock() - since_s
        if window_s >= WINDOW_S:
            if at - since_bytes < window_s * SLOWEST_BYTES_PER_S:
                return TOO_SLOW
            since_s, since_bytes = clock(), at
        tell(min(at, size_bytes))
        if at > size_bytes:
            return "too long"
    return "" if at == size_bytes else CUT_OFF


def _open(path: Path, mode: Literal["ab", "wb"]) -> BinaryIO:
    return path.open(mode)


def _continues_at(reply: aiohttp.ClientResponse, have: int) -> bool:
    return reply.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _host(url: str) -> str:
    return url.split("/")[2] if "://" in url else url


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0

"""Download: one file over HTTP, resumed after an interruption, never longer than expected.

Input: an address, a partial file and the expected size. Output: the complete file, or a problem.
It retries with back-off and fails after ``ATTEMPTS_MAX`` attempts without progress, or if the rate
is too low. The store verifies the checksum, so the source need not be trusted.
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

ATTEMPTS_MAX = 4  # consecutive attempts without progress
BACKOFF_FIRST_S = 0.1
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0
BLOCK_BYTES = 1024 * 1024
RATE_WINDOW_S = 60.0
RATE_MIN_BYTES_PER_S = 16 * 1024  # mean of a window; below it, another source is used

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
    part_file: Path,
    *,
    size_bytes: int,
    on_progress: Callable[[int], None],
    redirects: bool = True,
    access: PoolAccess | None = None,
) -> EngineProblem | None:
    """Downloads a file to its full length; a partial file is kept for the next attempt.

    Args:
        session: HTTP session.
        url: address of the file.
        part_file: the partial file.
        size_bytes: expected length.
        on_progress: called with the current length of the file.
        redirects: whether to follow redirects; False for machines of the site.
        access: authentication to the pool's server, which sends files in parts.

    Returns:
        None, ``fetch_failed``, or ``checksum_wrong`` if the source sent too many bytes.

    Raises:
        OSError: error of the disk.
    """
    part_file.parent.mkdir(parents=True, exist_ok=True)
    attempts_failed, detail = 0, ""
    while attempts_failed < ATTEMPTS_MAX:
        old_bytes = _length(part_file)
        try:
            detail = await _request_rest(
                session,
                url,
                part_file,
                size_bytes=size_bytes,
                on_progress=on_progress,
                redirects=redirects,
                access=access,
            )
        except (aiohttp.ClientError, TimeoutError) as problem:
            detail = str(problem) or type(problem).__name__
        new_bytes = _length(part_file)
        if new_bytes == size_bytes and not detail:
            return None
        if new_bytes > size_bytes:
            await asyncio.to_thread(part_file.unlink)
            return EngineProblem("checksum_wrong", {"file": part_file.stem, "source": _host(url)})
        if detail == TOO_SLOW or detail in {str(status) for status in PERMANENT}:
            break
        attempts_failed = 0 if new_bytes > old_bytes else attempts_failed + 1
        if attempts_failed or detail != CUT_OFF:
            await asyncio.sleep(BACKOFF_FIRST_S * 2**attempts_failed)
    return EngineProblem(
        "fetch_failed", {"file": part_file.stem, "source": _host(url), "detail": detail or "?"}
    )


async def _request_rest(
    session: aiohttp.ClientSession,
    url: str,
    part_file: Path,
    *,
    size_bytes: int,
    on_progress: Callable[[int], None],
    redirects: bool,
    access: PoolAccess | None,
) -> str:
    """Requests the rest of the file; returns the problem, or ""."""
    offset_bytes = _length(part_file)
    if offset_bytes == size_bytes:
        return ""
    headers = {"Accept-Encoding": "identity"}
    if offset_bytes or access is not None:
        headers["Range"] = f"bytes={offset_bytes}-"
    if access is not None:
        headers["Authorization"] = access.authorise(urlsplit(url).path)
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=READ_TIMEOUT_S
    )
    async with session.get(
        url,
        headers=headers,
        timeout=timeout,
        allow_redirects=redirects,
        ssl=access.tls if access is not None and access.tls is not None else True,
    ) as response:
        if response.status == UNSATISFIABLE or (
            response.status == PARTIAL and not _continues_at(response, offset_bytes)
        ):
            # The server has another file: start again.
            await asyncio.to_thread(part_file.unlink, missing_ok=True)
            return str(response.status)
        if response.status not in (OK, PARTIAL):
            return str(response.status)
        mode: Literal["ab", "wb"] = "ab" if response.status == PARTIAL else "wb"
        with await asyncio.to_thread(_open, part_file, mode) as file:
            return await _write_blocks(
                response,
                file,
                written_bytes=file.tell(),
                size_bytes=size_bytes,
                on_progress=on_progress,
            )


async def _write_blocks(
    response: aiohttp.ClientResponse,
    file: BinaryIO,
    *,
    written_bytes: int,
    size_bytes: int,
    on_progress: Callable[[int], None],
) -> str:
    clock = asyncio.get_running_loop().time
    window_start_s, window_start_bytes = clock(), written_bytes
    async for block in response.content.iter_chunked(BLOCK_BYTES):
        await asyncio.to_thread(file.write, block)
        written_bytes += len(block)
        window_s = clock() - window_start_s
        if window_s >= RATE_WINDOW_S:
            if written_bytes - window_start_bytes < window_s * RATE_MIN_BYTES_PER_S:
                return TOO_SLOW
            window_start_s, window_start_bytes = clock(), written_bytes
        on_progress(min(written_bytes, size_bytes))
        if written_bytes > size_bytes:
            return "too long"
    return "" if written_bytes == size_bytes else CUT_OFF


def _open(path: Path, mode: Literal["ab", "wb"]) -> BinaryIO:
    return path.open(mode)


def _continues_at(response: aiohttp.ClientResponse, offset_bytes: int) -> bool:
    return response.headers.get("Content-Range", "").startswith(f"bytes {offset_bytes}-")


def _host(url: str) -> str:
    return url.split("/")[2] if "://" in url else url


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0

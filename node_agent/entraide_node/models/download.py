"""Download: one file over HTTP, from where it broke off, never more of it than it should be.

It decides when to ask again and when to give up. What it brings is only so many bytes: whether
they are the right ones is the store's question, so that nobody on the way need be trusted.
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

TRIES_MAX = 4  # in a row that brought nothing
PAUSE_FIRST_S = 0.1
CONNECT_TIMEOUT_S = 10.0
SILENCE_MAX_S = 30.0
BLOCK_BYTES = 1024 * 1024
WINDOW_S = 60.0
SLOWEST_BYTES_PER_S = 16 * 1024  # over a window; slower than that, another source is better

TOO_SLOW = "too slow"
CUT_OFF = "cut off"  # what a piece of a file looks like too: the next request goes on
OK, PARTIAL, NOT_FOUND, UNSATISFIABLE = 200, 206, 404, 416
PERMANENT = frozenset({401, 403, NOT_FOUND, 410})


class PoolAccess(Struct, frozen=True):
    """How the pool's own server is asked.

    Attributes:
        authorise: returns the value of ``Authorization`` for a path.
        tls: whom to trust; None for the system's authorities.
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
    """Brings a file to its full length; what there is of it stays for the next attempt.

    Args:
        session: to ask with.
        url: where it is.
        part: where it is put, going on from what lies there.
        size_bytes: how long it must become.
        tell: called with the length so far.
        redirects: whether it may send us elsewhere; a neighbour may not.
        access: what the pool's own server asks for; it answers in pieces.

    Returns:
        None, ``fetch_failed``, or ``checksum_wrong`` when there came more than there should.

    Raises:
        OSError: the disk did not let us.
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
    """One request; returns what went wrong, or ""."""
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
            # The server has another file: begin anew.
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

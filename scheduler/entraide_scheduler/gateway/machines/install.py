"""Install: the page, the script and the wheels with which a member's machine installs Entraide.

``pool mirror`` fills the folder: wheels, a file of requirements with hashes for each kind of
machine, the list of these kinds, builds of Python and their list; or all files of a signed release,
with its metadata. Nothing here is secret, so no key is needed. A file is sent in pieces of
``PIECE_BYTES``, each after the client has read the one before.
"""

import asyncio
import base64
import hashlib
import html
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from string import Template

from msgspec import Struct

from entraide import i18n
from entraide.wire.enrolment import INSTALL_PATH, PYTHONS, install_command
from entraide_scheduler.gateway.http import PAGE_HEADERS, Exchange
from entraide_scheduler.gateway.refusals import ErrorReply, Refused, refused

SCRIPT_PATH = f"{INSTALL_PATH}.sh"
WHEELS_PATH = f"{INSTALL_PATH}/wheels/"
FOLDER = "mirror"  # in the pool's state directory
TARGETS = "targets.txt"
PYTHON_SUFFIX = ".tar.gz"
PIECE_BYTES = 256 * 1024
TEXTS = (".txt", ".json", ".lock", ".md", ".sh")
LIST_BYTES_MAX = 4_096
SENDS_MAX = 128  # concurrent files, over all clients
BUSY_RETRY_S = 2.0

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}\.(whl|txt|json|lock|md|sh|tar\.gz)")
_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{1,15})?")


class InstallSource(Struct, frozen=True):
    """What the page and the files come from.

    Attributes:
        pool: name of the pool.
        url: the address that members use; "" if unknown.
        is_public: whether its certificate is a public one.
        folder: the mirror.
    """

    pool: str
    url: str
    is_public: bool
    folder: Path


class _Span(Struct, frozen=True):
    """The part of a file to send: first byte, the byte after the last, and the file's size."""

    start: int
    end: int
    size: int


class InstallServer:
    """Sends the page, the script, and the files of the mirror."""

    def __init__(self, source: InstallSource) -> None:
        self._source = source
        self._sends = 0
        folder = files("entraide_scheduler.gateway.machines")
        self._script = (folder / "install.sh").read_bytes()
        page = (folder / "install.html").read_text("utf-8")
        self._page = Template(page)
        self._page_headers = _headers_with_style(page)

    def send_script(self, exchange: Exchange) -> None:
        """Sends the shell script."""
        headers = (("cache-control", "no-cache"),)
        exchange.respond(200, self._script, kind="text/x-shellscript", headers=headers)

    async def send_page(self, exchange: Exchange, lang: str) -> None:
        """Sends the page that says what to paste, in a language."""
        targets = await asyncio.to_thread(self._read_list, TARGETS)
        pythons = await asyncio.to_thread(self._read_list, PYTHONS)
        if not exchange.is_over:
            page = self._render(targets, pythons, lang).encode("utf-8")
            exchange.respond(200, page, kind="text/html; charset=utf-8", headers=self._page_headers)

    def _render(self, targets: list[str], pythons: list[str], lang: str) -> str:
        source = self._source

        def text(code: str, **values: str) -> str:
            return html.escape(i18n.text(f"install-{code}", lang, **values))

        machines = ", ".join(targets)
        line = install_command(f"{source.url}{INSTALL_PATH}#…") if source.is_public else ""
        example = f"<p>{text('line')}</p><pre>{html.escape(line)}</pre>" if line else ""
        platforms = ", ".join(pythons)
        steps = ("open", "paste", "wait")
        return self._page.substitute(
            lang=lang,
            title=text("title", pool=source.pool),
            steps="".join(f"<li>{text(step)}</li>" for step in steps),
            example=example,
            proof=text("proof"),
            machines=text("machines", machines=machines) if targets else text("no-mirror"),
            pythons=f"<p>{text('pythons', platforms=platforms)}</p>" if platforms else "",
            does=text("does"),
        )

    def _read_list(self, name: str) -> list[str]:
        """Returns the first word of each line of a list; nothing without the list."""
        try:
            with (self._source.folder / name).open("rb") as opened:
                lines = opened.read(LIST_BYTES_MAX).decode("utf-8", "replace").splitlines()
        except OSError:
            return []
        return [line.split()[0] for line in lines if line.split()]

    async def send_file(self, exchange: Exchange, name: str) -> None:
        """Sends a file of the mirror, or the part that ``Range`` asks for.

        Raises:
            Refused: ``unknown_path``: there is no such file; ``invalid_request``: a range that
                cannot be read; ``queue_full``: too many files are being sent.
        """
        if _NAME.fullmatch(name) is None:
            raise refused("unknown_path", path=exchange.request.path)
        if self._sends >= SENDS_MAX:
            raise Refused(ErrorReply("queue_full", retry_after_s=BUSY_RETRY_S))
        path = self._source.folder / name
        try:
            size = (await asyncio.to_thread(path.stat)).st_size
        except OSError:
            raise refused("unknown_path", path=exchange.request.path) from None
        if exchange.is_over:
            return
        asked = exchange.request.headers.get("range", "")
        span = _find_span(asked, size)
        if span.start >= size and asked:
            headers = [("content-range", f"bytes */{size}")]
            exchange.respond(416, b"", kind="application/octet-stream", headers=headers)
            return
        self._sends += 1
        try:
            await _send(exchange, path, span, is_part=bool(asked))
        finally:
            self._sends -= 1


def _headers_with_style(page: str) -> list[tuple[str, str]]:
    """Returns the headers of a page that allow the style inside it, by its digest."""
    style = page[page.index("<style>") + len("<style>") : page.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    allowed = f"style-src 'sha256-{digest}'"
    return [(name, value.replace("style-src 'self'", allowed)) for name, value in PAGE_HEADERS]


def _find_span(asked: str, size: int) -> _Span:
    if not asked:
        return _Span(0, size, size)
    bounds = _RANGE.fullmatch(asked)
    if bounds is None:
        raise refused("invalid_request", detail="range")
    end = size if bounds[2] is None else min(size, int(bounds[2]) + 1)
    return _Span(int(bounds[1]), end, size)


async def _send(exchange: Exchange, path: Path, span: _Span, *, is_part: bool) -> None:
    """Sends a part of a file; a file that became shorter meanwhile aborts the connection."""
    kind = "text/plain; charset=utf-8" if path.suffix in TEXTS else "application/octet-stream"
    headers = [("accept-ranges", "bytes"), ("cache-control", "no-cache")]
    if is_part:
        headers.append(("content-range", f"bytes {span.start}-{span.end - 1}/{span.size}"))
    if exchange.request.method == "HEAD":
        exchange.respond(200, b"", kind=kind, headers=headers)
        return
    exchange.begin(206 if is_part else 200, kind=kind, headers=headers)
    read = _reader(path, span)
    at = span.start
    while at < span.end and not exchange.is_over:
        piece = await asyncio.to_thread(read, at)
        if not piece:
            exchange.abort()
            return
        exchange.write(piece)
        at += len(piece)
        await exchange.wait_until_read()
    exchange.end()


def _reader(path: Path, span: _Span) -> Callable[[int], bytes]:
    """Returns a function that reads the piece at an offset; it opens the file each time."""

    def read(at: int) -> bytes:
        try:
            with path.open("rb") as opened:
                opened.seek(at)
                return opened.read(min(PIECE_BYTES, span.end - at))
        except OSError:
            return b""

    return read

"""Weights for tests, and servers on loopback that hand them out well or badly."""

import asyncio
import hashlib
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import gguf
import numpy as np
from aiohttp import web
from msgspec.structs import replace

from entraide.catalogue import find, shipped
from entraide.catalogue.model_store import LOCKS_FOLDER, ModelStore
from entraide.models import Artefact, ArtefactFile, ModelEntry
from entraide_node.engines.base import EngineProblem
from entraide_node.models.fetch import WeightSources

MODEL = "qwen3-8b"
REPOSITORY = "coop/petit"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def content(size: int, *, seed: int = 1) -> bytes:
    """Bytes that do not repeat, so that a wrong place in them shows."""
    blocks = (hashlib.sha256(f"{seed} {n}".encode()).digest() for n in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def gguf_bytes(*, seed: int = 1, name: str = "Petit", values: int = 4_096) -> bytes:
    """A whole GGUF file with one tensor, as llama.cpp's own package writes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_name(name)
        writer.add_context_length(128)
        writer.add_array("tokenizer.ggml.tokens", ["a", "b", "c"])
        tensor = np.random.default_rng(seed).random(values, np.float32).reshape(64, -1)
        writer.add_tensor("token_embd.weight", tensor)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path.read_bytes()


def pinned_file(name: str, data: bytes) -> ArtefactFile:
    """The file of a catalogue that means these bytes."""
    return ArtefactFile(name, len(data), hashlib.sha256(data).hexdigest())


def a_model(**files: bytes) -> tuple[ModelEntry, Artefact]:
    """A model whose GGUF weights are these files; names have ``__`` for a dot."""
    named = tuple(pinned_file(name.replace("__", "."), data) for name, data in files.items())
    artefact = Artefact(
        "gguf", "Q4_K_M", REPOSITORY, COMMIT, named, max(1, sum(map(len, files.values())))
    )
    entry = find(shipped(), MODEL)
    assert entry is not None
    return replace(entry, artefacts=(artefact,)), artefact


class Mirror:
    """A mirror that counts what it is asked, and fails as it is told.

    Attributes:
        files: what it has, by path.
        asked: path and ``Range`` of each request.
        sent: bytes of weights that went out.
        break_after: closes the line after so many bytes of each answer; 0 for never.
        ignore_ranges: answers with the whole file whatever is asked.
        elsewhere: where it sends whoever asks; "" for nowhere.
        held: answers wait for it when it is there.
        was_asked: set by the first request.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.asked: list[tuple[str, str]] = []
        self.sent = 0
        self.break_after = 0
        self.ignore_ranges = False
        self.elsewhere = ""
        self.held: asyncio.Event | None = None
        self.was_asked = asyncio.Event()
        self.url = ""

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answers one request."""
        path = request.match_info["path"]
        wanted = request.headers.get("Range", "")
        self.asked.append((path, wanted))
        self.was_asked.set()
        if self.elsewhere:
            raise web.HTTPFound(f"{self.elsewhere}/{path}")
        data = self.files.get(path)
        if data is None:
            raise web.HTTPNotFound
        first = 0 if self.ignore_ranges or not wanted else int(wanted[6:].partition("-")[0])
        headers = {"Content-Length": str(len(data) - first)}
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        reply = web.StreamResponse(status=206 if first else 200, headers=headers)
        await reply.prepare(request)
        if self.held is not None:
            await self.held.wait()
        part = data[first : first + self.break_after] if self.break_after else data[first:]
        await reply.write(part)
        self.sent += len(part)
        if len(part) < len(data) - first:
            assert request.transport is not None
            request.transport.close()
        return reply


class Hub:
    """A server that speaks the hub's API, for one repository.

    Attributes:
        files: by name; those named in ``large`` lie elsewhere and have a checksum.
        gated: refuses everything.
        wrong: bytes that are sent instead of a file's own.
        answers_left: answers that still carry bytes before every connection breaks; -1 for all.
    """

    def __init__(self, files: dict[str, bytes], *, large: tuple[str, ...] = ()) -> None:
        self.files = files
        self.large = large
        self.asked: list[tuple[str, str, str]] = []
        self.gated = False
        self.wrong: dict[str, bytes] = {}
        self.break_after = 0
        self.answers_left = -1
        self.url = self.far = ""

    async def info(self, request: web.Request) -> web.Response:
        """Answers ``model_info``."""
        self._note(request)
        siblings = []
        for name, data in self.files.items():
            sibling: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": "b" * 40}
            if name in self.large:
                sha = hashlib.sha256(data).hexdigest()
                sibling["lfs"] = {"sha256": sha, "size": len(data), "pointerSize": 130}
            siblings.append(sibling)
        return web.json_response({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings})

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        """Answers for a file: itself, or where it lies."""
        self._note(request)
        name = request.match_info["name"]
        if name not in self.files or request.match_info["revision"] not in (COMMIT, "main"):
            code = "EntryNotFound" if name not in self.files else "RevisionNotFound"
            return web.Response(status=404, headers={"X-Error-Code": code})
        data = self.files[name]
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        headers = {"X-Repo-Commit": COMMIT, "ETag": etag}
        if name in self.large:
            headers |= {"X-Linked-Etag": etag, "X-Linked-Size": str(len(data)),
                        "Location": f"{self.far}/cdn/{name}"}  # fmt: skip
            return web.Response(status=302, headers=headers)
        return web.Response(body=data, headers=headers)

    async def cdn(self, request: web.Request) -> web.StreamResponse:
        """Answers where large files lie."""
        self._note(request)
        name = request.match_info["name"]
        data = self.wrong.get(name, self.files[name])
        wanted = request.headers.get("Range", "")
        first = int(wanted[6:].partition("-")[0]) if wanted else 0
        headers = {"Content-Length": str(len(data) - first)}
        if wanted:
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        reply = web.StreamResponse(status=206 if wanted else 200, headers=headers)
        await reply.prepare(request)
        if request.method == "HEAD":
            return reply
        part = data[first : first + self.break_after] if self.break_after else data[first:]
        if self.answers_left >= 0:
            part = part if self.answers_left else b""
            self.answers_left = max(0, self.answers_left - 1)
        await reply.write(part)
        if len(part) < len(data) - first:
            assert request.transport is not None
            request.transport.close()
        return reply

    def _note(self, request: web.Request) -> None:
        self.asked.append((request.method, request.path, request.headers.get("Range", "")))
        if self.gated:
            raise web.HTTPForbidden(headers={"X-Error-Code": "GatedRepo"}, text=json.dumps({}))


@asynccontextmanager
async def serving(add: Callable[[web.UrlDispatcher], None]) -> AsyncIterator[str]:
    """A web server on a free port; gives its address."""
    app = web.Application()
    add(app.router)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def a_mirror(files: dict[str, bytes]) -> AsyncIterator[Mirror]:
    """A mirror that is being served."""
    mirror = Mirror(files)
    async with serving(lambda router: router.add_get("/{path:.+}", mirror.get)) as url:
        mirror.url = url
        yield mirror


@asynccontextmanager
async def a_hub(files: dict[str, bytes], *, large: tuple[str, ...] = ()) -> AsyncIterator[Hub]:
    """A hub that is being served."""
    hub = Hub(files, large=large)

    def add(router: web.UrlDispatcher) -> None:
        router.add_get("/api/models/{owner}/{repo}/revision/{revision}", hub.info)
        router.add_get("/api/models/{owner}/{repo}", hub.info)
        router.add_get("/{owner}/{repo}/resolve/{revision}/{name:.+}", hub.resolve)

    def add_far(router: web.UrlDispatcher) -> None:
        router.add_get("/cdn/{name:.+}", hub.cdn)

    async with serving(add) as url, serving(add_far) as far:
        hub.url, hub.far = url, far
        yield hub


def only(mirror: str) -> WeightSources:
    """One mirror and nothing else."""
    return WeightSources(mirror=mirror, hub=False)


def left(store: ModelStore) -> list[str]:
    """What lies in a store, its own notes aside."""
    paths = [path for path in store.folder.rglob("*") if path.is_file()]
    return sorted(p.name for p in paths if p.name[0] != "." and LOCKS_FOLDER not in p.parts)


async def cancelled(work: "asyncio.Task[Path | EngineProblem]", asked: asyncio.Event) -> bool:
    """Cancels a fetch once it has asked somebody; whether it ended so."""
    async with asyncio.timeout(20):
        await asked.wait()
    work.cancel()
    await asyncio.wait([work], timeout=20)
    return work.cancelled()

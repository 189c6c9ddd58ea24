"""Fetch: brings a model's weights to this machine, from the nearest source that has them.

Sources in order: this machine's disk, other machines of the site, the mirror, the pool, the hub.
Input: the catalogue's artefact and the sources. Output: the path for the engine, or a problem.
Every file is verified against the catalogue's checksum, whatever its source. A partial file is kept
for the next attempt unless its checksum was wrong.
"""

import asyncio
import contextlib
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
from msgspec import Struct

from entraide.catalogue import demonstration, is_safe
from entraide.catalogue.model_store import FULL, ModelStore
from entraide.models import Artefact, ArtefactFile, ModelEntry
from entraide_node.engines.base import EngineProblem
from entraide_node.models import hub
from entraide_node.models.download import PoolAccess, download
from entraide_node.models.place_lock import lock_place

Progress = Callable[[int, int], None]

# Priority of several problems: those that a person can solve come first.
PROBLEM_PRIORITY = (
    "disk_full",
    "models_unwritable",
    "checksum_wrong",
    "model_gated",
    "fetch_failed",
    "model_not_on_hub",
    "model_no_source",
)
FATAL = frozenset({"disk_full", "models_unwritable"})


class WeightSources(Struct, frozen=True, kw_only=True):
    """The sources of weights beside this machine's store.

    Attributes:
        folders: on this machine, with files by their own name, or in the layout of a store.
        neighbours: base addresses of other machines of the site that share weights.
        mirror: of the site, a folder or an ``http(s)`` address, in the layout of a store; "".
        hub: whether the hub may be asked.
        pool: address of the pool, which serves the files that it pinned and holds; "" for none.
        access: authentication to the pool.
    """

    folders: tuple[Path, ...] = ()
    neighbours: tuple[str, ...] = ()
    mirror: str = ""
    hub: bool = True
    pool: str = ""
    access: PoolAccess | None = None


async def fetch_weights(
    store: ModelStore,
    entry: ModelEntry,
    artefact: Artefact,
    *,
    sources: WeightSources,
    tell: Progress = lambda _done, _whole: None,
) -> Path | EngineProblem:
    """Returns the path for an engine when all files are present and verified.

    Concurrent fetches of the same weights, also of another process, are done once: the second
    waits.

    Args:
        store: destination.
        entry: the model.
        artefact: which of its weights.
        sources: possible sources.
        tell: called with the present bytes and the total.

    Returns:
        The path, or why there is none: ``model_unpinned``, ``model_name_refused``,
        ``disk_full``, ``models_unwritable``, ``checksum_wrong``, ``model_gated``,
        ``model_not_on_hub``, ``fetch_failed`` or ``model_no_source``.
    """
    if not artefact.is_pinned:
        return EngineProblem("model_unpinned", {"model": entry.name})
    if not all(is_safe(file) and "*" not in file.name for file in artefact.files):
        return EngineProblem("model_name_refused", {"model": entry.name})
    try:
        async with lock_place(store.folder, artefact.relative_folder(entry.name)):
            return await _FetchTask(store, entry, artefact, sources=sources, tell=tell).run()
    except OSError as error:
        return disk_problem(error, store.folder, needed_bytes=artefact.size_bytes)


class _FetchTask:
    """One fetch, while it holds the lock of its place."""

    def __init__(
        self,
        store: ModelStore,
        entry: ModelEntry,
        artefact: Artefact,
        *,
        sources: WeightSources,
        tell: Progress,
    ) -> None:
        self._store = store
        self._entry = entry
        self._artefact = artefact
        self._sources = sources
        self._tell = tell
        self._settled_bytes = 0

    async def run(self) -> Path | EngineProblem:
        missing = [file for file in self._artefact.files if not await self._is_local(file)]
        if missing:
            needed = await asyncio.to_thread(
                self._store.missing_bytes, self._entry.name, self._artefact
            )
            free = await asyncio.to_thread(self._store.free_bytes)
            if needed > free:
                values = {"needed_gb": round(needed / 1e9, 1), "free_gb": round(free / 1e9, 1)}
                return EngineProblem("disk_full", dict(values))
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            for file in missing:
                problem = await self._fetch_file(session, file)
                if problem is not None:
                    return problem
        path = await asyncio.to_thread(self._store.loadable_path, self._entry, self._artefact)
        assert path is not None, "every file was proven just now"
        return path

    async def _is_local(self, file: ArtefactFile) -> bool:
        """Whether the file is on this machine, under any name; reads it at most once."""
        return await asyncio.to_thread(self._find_local, file)

    def _find_local(self, file: ArtefactFile) -> bool:
        store, model, artefact = self._store, self._entry.name, self._artefact
        is_here = store.verify_file(model, artefact, file)
        if not is_here:
            twin = store.find_duplicate(file)
            origins = [twin] if twin else []
            origins += [path for path in self._local_candidates(file) if path.is_file()]
            is_here = any(store.import_file(model, artefact, file, origin=path) for path in origins)
        if is_here:
            self._add_settled(file)
        return is_here

    def _local_candidates(self, file: ArtefactFile) -> list[Path]:
        """Paths on this machine where a file of that name may be."""
        mirror = self._sources.mirror
        folders = list(self._sources.folders)
        if mirror and "://" not in mirror:
            folders.append(Path(mirror))
        names = self._artefact.possible_paths(self._entry.name, file)
        paths = [folder / name for folder in folders for name in names]
        demo = demonstration.path() if file.name == demonstration.FILE else None
        return [*paths, *([demo] if demo else [])]

    async def _fetch_file(
        self, session: aiohttp.ClientSession, file: ArtefactFile
    ) -> EngineProblem | None:
        """Fetches one file from the first source that has it with the right checksum."""
        problems = []
        for base in self._http_bases():
            problem = await self._fetch_from_site(session, file, base=base)
            if problem is None:
                return None
            problems.append(problem)
            if problem.code in FATAL:
                break
        else:
            if self._sources.pool and self._sources.access is not None:
                problem = await self._fetch_from_pool(session, file)
                if problem is None:
                    return None
                problems.append(problem)
            if self._may_ask_hub:
                problem = await self._fetch_from_hub(file)
                if problem is None:
                    return None
                problems.append(problem)
        if not problems:
            return EngineProblem("model_no_source", {"model": self._entry.name, "file": file.name})
        return min(problems, key=lambda problem: PROBLEM_PRIORITY.index(problem.code))

    def _http_bases(self) -> list[str]:
        mirror = self._sources.mirror
        bases = [*self._sources.neighbours, *([mirror] if "://" in mirror else [])]
        return [base.rstrip("/") for base in bases]

    @property
    def _may_ask_hub(self) -> bool:
        return self._sources.hub and bool(self._artefact.repository) and not hub.is_offline()

    async def _fetch_from_site(
        self, session: aiohttp.ClientSession, file: ArtefactFile, *, base: str
    ) -> EngineProblem | None:
        url = f"{base}/{self._artefact.relative_folder(self._entry.name)}/{file.name}"
        redirects = base == self._sources.mirror.rstrip("/")
        return await self._download_and_verify(
            session, file, url=url, source=base, redirects=redirects
        )

    async def _fetch_from_pool(
        self, session: aiohttp.ClientSession, file: ArtefactFile
    ) -> EngineProblem | None:
        base = self._sources.pool.rstrip("/")
        url = f"{base}/weights/{file.sha256}"
        return await self._download_and_verify(
            session, file, url=url, source=base, redirects=False, access=self._sources.access
        )

    async def _download_and_verify(
        self,
        session: aiohttp.ClientSession,
        file: ArtefactFile,
        *,
        url: str,
        source: str,
        redirects: bool,
        access: PoolAccess | None = None,
    ) -> EngineProblem | None:
        part = self._store.part_path(self._entry.name, self._artefact, file)
        old_bytes, started_at = _length(part), time.monotonic()
        try:
            problem = await download(
                session,
                url,
                part,
                size_bytes=file.size_bytes,
                on_progress=self._report_progress,
                redirects=redirects,
                access=access,
            )
            if problem is not None:
                return problem
            self._store.record_speed(file.size_bytes - old_bytes, time.monotonic() - started_at)
            return await self._verify(file, part, source=source)
        except OSError as error:
            part.unlink(missing_ok=True)  # a partial file would keep the disk full
            return disk_problem(error, self._store.folder, needed_bytes=file.size_bytes)

    async def _fetch_from_hub(self, file: ArtefactFile) -> EngineProblem | None:
        part = self._store.part_path(self._entry.name, self._artefact, file)
        stop, old_bytes, started_at = threading.Event(), _length(part), time.monotonic()
        work = asyncio.create_task(
            asyncio.to_thread(
                hub.fetch_from_hub,
                self._artefact,
                file,
                part=part,
                tell=self._report_progress,
                stop=stop,
            )
        )
        try:
            problem = await asyncio.shield(work)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait([work])  # it must end before another fetch may use this place
            work.exception()
            raise
        except OSError as error:
            part.unlink(missing_ok=True)  # a partial file would keep the disk full
            return disk_problem(error, self._store.folder, needed_bytes=file.size_bytes)
        if problem is not None:
            return problem
        self._store.record_speed(file.size_bytes - old_bytes, time.monotonic() - started_at)
        return await self._verify(file, part, source=self._artefact.repository)

    async def _verify(self, file: ArtefactFile, path: Path, *, source: str) -> EngineProblem | None:
        sound = await asyncio.to_thread(
            self._store.verify_file, self._entry.name, self._artefact, file, source=path
        )
        if not sound:
            return EngineProblem("checksum_wrong", {"file": file.name, "source": source})
        self._add_settled(file)
        return None

    def _add_settled(self, file: ArtefactFile) -> None:
        self._settled_bytes += file.size_bytes
        self._report_progress(0)

    def _report_progress(self, of_this_file: int) -> None:
        self._tell(self._settled_bytes + of_this_file, self._artefact.size_bytes)


def disk_problem(error: OSError, folder: Path, *, needed_bytes: int = 0) -> EngineProblem:
    """Returns the problem of a disk error: a full disk, or another one."""
    if error.errno in FULL:
        free = 0.0
        with contextlib.suppress(OSError):
            free = round(shutil.disk_usage(folder).free / 1e9, 1)
        needed = round(needed_bytes / 1e9, 1)
        return EngineProblem("disk_full", {"free_gb": free, "needed_gb": needed})
    detail = str(error.strerror or error)
    return EngineProblem("models_unwritable", {"folder": str(folder), "detail": detail})


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0

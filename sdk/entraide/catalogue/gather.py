"""Gathering: brings the files of pinned weights into a model store, from this machine or the hub.

Input: a store, a pinned artefact, and folders that may have its files. Output: every file in its
place with the catalogue's checksum, or a fault. A download that breaks off keeps its partial file
for the next attempt. Of an artefact that a full disk keeps from being complete, nothing is left.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from entraide.catalogue import demonstration
from entraide.catalogue.hub import download_file
from entraide.catalogue.model_store import FULL, LOCKS_FOLDER, ModelStore, can_link
from entraide.catalogue.pin_fault import PinFault
from entraide.models import Artefact, ArtefactFile

LOCK_NAME = "gather.lock"

OnBytes = Callable[[str, int], None]


class Sources(Struct, frozen=True):
    """Where files may come from, beside the store.

    Attributes:
        folders: on this machine, with files by their own name, or in the layout of a store.
        hub: whether the hub may be asked.
        digests: checksums of files of the folders, where the caller has just computed them.
    """

    folders: tuple[Path, ...] = ()
    hub: bool = True
    digests: dict[Path, str] = {}


class Need(Struct, frozen=True):
    """What an artefact needs: files to download with their bytes, and bytes to copy."""

    files: int = 0
    download_bytes: int = 0
    copy_bytes: int = 0


@contextmanager
def lock_store(store: ModelStore) -> Iterator[bool]:
    """Holds the lock of a store against other commands; yields whether it is held.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = store.folder / LOCKS_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def compute_need(store: ModelStore, model: str, artefact: Artefact, sources: Sources) -> Need:
    """Returns what must be downloaded, less partial files, and copied to have an artefact.

    Raises:
        OSError: a folder cannot be read.
    """
    files = download_bytes = copy_bytes = 0
    folder = next(f for f in (store.folder, *store.folder.absolute().parents) if f.exists())
    for file in artefact.files:
        if store.is_verified(model, artefact, file):
            continue
        origins = _local_origins(store, model, artefact, file, sources)
        if not origins and not (sources.hub and artefact.repository):
            continue  # it has no source
        if not origins:
            files += 1
            present_bytes = _length(store.part_path(model, artefact, file))
            download_bytes += max(0, file.size_bytes - present_bytes)
        elif not can_link(origins[0], folder):
            copy_bytes += file.size_bytes
    return Need(files, download_bytes, copy_bytes)


def gather_artefact(
    store: ModelStore,
    model: str,
    artefact: Artefact,
    *,
    sources: Sources,
    on_bytes: OnBytes = lambda _name, _bytes: None,
) -> PinFault | None:
    """Brings every file of an artefact into the store.

    Args:
        store: the destination.
        model: public name of the model.
        artefact: pinned.
        sources: where files may come from.
        on_bytes: called with a file's name and the bytes that arrived since the last call.
    """
    place = artefact.relative_folder(model)
    paths = [(store.file_path(model, artefact, file), file.size_bytes) for file in artefact.files]
    was_whole = all(_length(path) == size_bytes for path, size_bytes in paths)
    try:
        for file in artefact.files:
            fault = _gather_file(store, model, artefact, file, sources=sources, on_bytes=on_bytes)
            if fault is not None:
                _remove_if_empty(store, place)
                return fault
    except OSError as problem:
        if problem.errno not in FULL:
            _remove_if_empty(store, place)
            return PinFault("unwritable", str(problem))
        if not was_whole:
            store.discard(model, artefact)  # a partial file would keep the disk full
        _remove_if_empty(store, place)
        return PinFault("disk_full", problem.strerror or str(problem))
    return None


def _gather_file(
    store: ModelStore,
    model: str,
    artefact: Artefact,
    file: ArtefactFile,
    *,
    sources: Sources,
    on_bytes: OnBytes,
) -> PinFault | None:
    if store.verify_file(model, artefact, file):
        return None
    part = store.part_path(model, artefact, file)
    if _length(part) == 0:  # else a download goes on
        for origin in _local_origins(store, model, artefact, file, sources):
            if store.import_file(
                model,
                artefact,
                file,
                origin=origin,
                known_sha256=sources.digests.get(origin, ""),
                on_bytes=lambda length: on_bytes(file.name, length),
            ):
                return None
    if not (sources.hub and artefact.repository):
        return PinFault("no_source", file.name)
    old_bytes = last = _length(part)
    started_at = time.monotonic()

    def report(length: int) -> None:
        nonlocal last
        on_bytes(file.name, length - last)
        last = length

    fault = download_file(artefact, file, part, on_length=report)
    if fault is not None:
        return fault
    store.record_speed(file.size_bytes - old_bytes, time.monotonic() - started_at)
    is_right = store.verify_file(model, artefact, file, source=part)
    return None if is_right else PinFault("checksum", file.name)


def _local_origins(
    store: ModelStore, model: str, artefact: Artefact, file: ArtefactFile, sources: Sources
) -> list[Path]:
    """Paths on this machine that may have a file, by name and length."""
    twin = store.find_duplicate(file)
    names = artefact.possible_paths(model, file)
    folders: Sequence[Path] = (store.folder, *sources.folders)
    own = store.file_path(model, artefact, file)
    paths = [folder / name for folder in folders for name in names]
    demo = demonstration.path() if file.name == demonstration.FILE else None
    possible = [path for path in (twin, *paths, demo) if path is not None and path != own]
    return [path for path in possible if _length(path) == file.size_bytes]


def _remove_if_empty(store: ModelStore, place: str) -> None:
    for folder in (store.folder / place, (store.folder / place).parent):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

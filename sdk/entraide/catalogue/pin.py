"""Pinning: fixes the files of a model by name, length and checksum.

Input: an artefact with file name patterns, and a repository of the Hugging Face hub or a folder.
Output: the artefact with each file's name, length and SHA-256, or a fault. The hub gives the
checksums of large files; small files are downloaded and hashed here. Later downloads are checked
against the pinned checksums, so their source need not be trusted.
"""

import fnmatch
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from entraide.catalogue import is_safe
from entraide.catalogue.energy import energy_class, energy_wh_per_1k_tokens
from entraide.catalogue.hub import HubFile, download_file, list_files
from entraide.catalogue.model_store import compute_sha256
from entraide.catalogue.pin_fault import PinFault
from entraide.catalogue.weight_files import (
    WEIGHT_SUFFIXES,
    find_fault,
    find_missing_part,
    list_paths,
    without_part,
)
from entraide.models import EMBEDDINGS_ONLY, Artefact, ArtefactFile, ModelEntry

SMALL_BYTES_MAX = 64 * 1024 * 1024  # largest file that is downloaded for its checksum


def pin_from_hub(artefact: Artefact, *, revision: str = "") -> Artefact | PinFault:
    """Pins an artefact to the files that the hub has now.

    Args:
        artefact: its repository, and its file name patterns; without patterns, all files.
        revision: branch, tag or commit; "" for the main branch.
    """
    listing = list_files(artefact.repository, revision=revision)
    if isinstance(listing, PinFault):
        return listing
    files_by_name = {file.name: file for file in listing.files if file.size_bytes}
    selected = select_files(tuple(files_by_name), artefact)
    if isinstance(selected, PinFault):
        return selected
    listed = replace(artefact, revision=listing.commit)
    files = []
    for name in selected:
        file = _pin_hub_file(listed, files_by_name[name])
        if isinstance(file, PinFault):
            return file
        files.append(file)
    return _with_files(listed, files)


def _pin_hub_file(artefact: Artefact, listed: HubFile) -> ArtefactFile | PinFault:
    """Returns a file with its checksum, which is computed here where the hub does not know it."""
    file = ArtefactFile(listed.name, listed.size_bytes, listed.sha256)
    if not is_safe(file) or "*" in file.name:
        return PinFault("name", file.name)
    if file.sha256:
        return file
    if file.size_bytes > SMALL_BYTES_MAX:
        return PinFault("hub", f"{file.name}: {file.size_bytes} bytes, no checksum")
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            fault = download_file(artefact, file, path, on_length=lambda _length: None)
            return fault or replace(file, sha256=compute_sha256(path))
    except OSError as problem:
        return PinFault("unwritable", str(problem))


def pin_from_folder(
    artefact: Artefact,
    folder: Path,
    *,
    names: Sequence[str] | None = None,
    known: Mapping[Path, str] = {},
) -> Artefact | PinFault:
    """Pins an artefact to the files of a folder, each of which must be whole.

    Args:
        artefact: its format and its file name patterns.
        folder: of the files.
        names: of the files to choose from, relative to the folder; None for all.
        known: SHA-256 of files that the caller has just computed.
    """
    try:
        if names is None:
            names = [path.relative_to(folder).as_posix() for path in list_paths(folder)]
        selected = select_files(names, artefact)
        if isinstance(selected, PinFault):
            return selected
        files = []
        for name in selected:
            path = folder / name
            fault = find_fault(path)
            if fault:
                return PinFault("broken", f"{name}: {fault}")
            size_bytes = path.stat().st_size
            files.append(ArtefactFile(name, size_bytes, known.get(path) or compute_sha256(path)))
    except OSError as problem:
        return PinFault("no_folder", str(problem))
    missing = find_missing_part(selected)
    if missing:
        return PinFault("broken", missing)
    unsafe = next((file.name for file in files if not is_safe(file) or "*" in file.name), "")
    if unsafe:
        return PinFault("name", unsafe)
    if tuple(files) != artefact.files:
        artefact = replace(artefact, revision="")  # of other files
    return _with_files(artefact, files)


def select_files(names: Sequence[str], artefact: Artefact) -> tuple[str, ...] | PinFault:
    """Returns the files that an artefact's patterns match, weights first, then by name.

    Matching ignores case, and a pattern without ``/`` matches files at the top level only. GGUF
    files must be one file, or the numbered parts of one model. Where a repository has the same
    weights twice (``consolidated`` and ``model``), the ``model`` files are selected, which
    engines read.
    """
    patterns = [file.name.lower() for file in artefact.files] or ["*"]
    matching = sorted(
        name for name in names if any(_matches(name, pattern) for pattern in patterns)
    )
    if artefact.format != "gguf" and any(name.startswith("model") for name in matching):
        matching = [name for name in matching if not name.startswith("consolidated")]
    weights = [name for name in matching if name.endswith(WEIGHT_SUFFIXES)]
    if not weights:
        return PinFault("nothing", ", ".join(file.name for file in artefact.files) or "*")
    if artefact.format == "gguf" and len(set(map(without_part, weights))) > 1:
        return PinFault("several", ", ".join(weights[:8]))
    return (*weights, *(name for name in matching if name not in weights))


def with_energy_estimate(entry: ModelEntry) -> ModelEntry:
    """Returns a model with a new energy estimate, computed from its first artefact.

    The figure is of output tokens, which an embedding model has not.
    """
    if not entry.artefacts or EMBEDDINGS_ONLY in entry.features:
        return entry
    energy_wh = energy_wh_per_1k_tokens(
        weights_bytes=entry.artefacts[0].weights_bytes,
        parameters=entry.parameters,
        active_parameters=entry.active_parameters,
    )
    return replace(entry, energy_wh_per_1k_tokens=energy_wh, energy_class=energy_class(energy_wh))


def _matches(name: str, pattern: str) -> bool:
    depth_matches = "/" in pattern or "/" not in name
    return depth_matches and fnmatch.fnmatchcase(name.lower(), pattern)


def _with_files(artefact: Artefact, files: Sequence[ArtefactFile]) -> Artefact:
    weights_bytes = sum(file.size_bytes for file in files if file.name.endswith(WEIGHT_SUFFIXES))
    return replace(artefact, files=tuple(files), weights_bytes=weights_bytes)

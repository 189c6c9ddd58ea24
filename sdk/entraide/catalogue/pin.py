"""Pinning: fixes the files of a model by name, length and checksum.

Input: an artefact with file name patterns, and a repository of the Hugging Face hub or a folder.
Output: the artefact with each file's name, length and SHA-256, or a fault. The hub gives the
checksums of large files; small files are downloaded and hashed here. Later downloads are checked
against the pinned checksums, so their source need not be trusted.
"""

import fnmatch
import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from entraide.catalogue.energy import energy_class, energy_wh_per_1k_tokens
from entraide.models import Artefact, ArtefactFile, ModelEntry

ENDPOINT_VARIABLE = "HF_ENDPOINT"
SMALL_BYTES_MAX = 64 * 1024 * 1024  # largest file that is downloaded for its checksum
WEIGHT_SUFFIXES = (".gguf", ".safetensors")
BLOCK_BYTES = 1024 * 1024

_PART_SUFFIX = re.compile(r"-\d{5}-of-\d{5}(?=\.[a-z]+$)")


class PinFault(Struct, frozen=True):
    """Why an artefact cannot be pinned.

    Attributes:
        code: ``nothing`` (no file matches), ``several`` (several match), ``hub`` (the hub refused),
            ``unreachable`` (the hub did not answer), ``no_library``, ``no_folder``.
        detail: names of files, or the hub's message.
    """

    code: str
    detail: str


def pin_from_hub(artefact: Artefact, *, revision: str = "") -> Artefact | PinFault:
    """Pins an artefact to the files that the hub has now.

    Args:
        artefact: its repository, and its file name patterns; without patterns, all files.
        revision: branch, tag or commit; "" for the main branch.
    """
    try:
        from huggingface_hub import HfApi  # noqa: PLC0415  (needed only to pin)
        from huggingface_hub import errors as hub  # noqa: PLC0415
    except ModuleNotFoundError:
        return PinFault("no_library", "pip install 'entraide[node]'")
    api = HfApi(endpoint=os.environ.get(ENDPOINT_VARIABLE) or None)
    try:
        info = api.model_info(artefact.repository, revision=revision or None, files_metadata=True)
        files_by_name = {file.rfilename: file for file in info.siblings or ()}
        selected = select_files(tuple(files_by_name), artefact)
        if isinstance(selected, PinFault):
            return selected
        files = [
            _hub_file(api, artefact.repository, str(info.sha), files_by_name[name])
            for name in selected
        ]
    except hub.OfflineModeIsEnabled as problem:
        return PinFault("unreachable", _first_line(problem))
    except (hub.HfHubHTTPError, OSError, ValueError) as problem:
        return PinFault("hub", _first_line(problem))
    except Exception as problem:  # noqa: BLE001  (errors of the hub's HTTP library)
        return PinFault("unreachable", _first_line(problem))
    return _with_files(replace(artefact, revision=str(info.sha)), files)


def _first_line(problem: Exception) -> str:
    return str(problem).strip().partition("\n")[0] or type(problem).__name__


def pin_from_folder(artefact: Artefact, folder: Path) -> Artefact | PinFault:
    """Pins an artefact to the files of a folder."""
    try:
        names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
        selected = select_files(names, artefact)
        if isinstance(selected, PinFault):
            return selected
        files = [_disk_file(folder, name) for name in selected]
    except OSError as problem:
        return PinFault("no_folder", str(problem))
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
    if artefact.format == "gguf" and len({_PART_SUFFIX.sub("", name) for name in weights}) > 1:
        return PinFault("several", ", ".join(weights[:8]))
    return (*weights, *(name for name in matching if name not in weights))


def with_energy_estimate(entry: ModelEntry) -> ModelEntry:
    """Returns a model with a new energy estimate, computed from its first artefact."""
    if not entry.artefacts:
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


def _hub_file(api: Any, repository: str, commit: str, hub_file: Any) -> ArtefactFile:
    if hub_file.lfs is not None:
        return ArtefactFile(hub_file.rfilename, int(hub_file.lfs.size), str(hub_file.lfs.sha256))
    if int(hub_file.size or 0) > SMALL_BYTES_MAX:
        raise ValueError(f"{hub_file.rfilename}: {hub_file.size} bytes without a checksum")
    with tempfile.TemporaryDirectory() as folder:
        api.hf_hub_download(repository, hub_file.rfilename, revision=commit, local_dir=folder)
        return _disk_file(Path(folder), hub_file.rfilename)


def _disk_file(folder: Path, name: str) -> ArtefactFile:
    digest, size_bytes = hashlib.sha256(), 0
    with (folder / name).open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            size_bytes += len(block)
    return ArtefactFile(name, size_bytes, digest.hexdigest())

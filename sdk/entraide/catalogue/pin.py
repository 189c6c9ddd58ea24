"""Pinning: which files of a model are meant, each by its length and checksum.

It decides which files of a repository or of a folder an artefact's patterns mean, and refuses a
choice that is not clear. The hub tells the checksums of large files; small ones it is asked for,
and they are computed here. What is pinned is what the operator's machine saw, and from then on
nobody need be trusted.
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
SMALL_BYTES_MAX = 64 * 1024 * 1024  # of a file that the hub keeps without a checksum
WEIGHTS = (".gguf", ".safetensors")
BLOCK_BYTES = 1024 * 1024

_PART = re.compile(r"-\d{5}-of-\d{5}(?=\.[a-z]+$)")


class PinFault(Struct, frozen=True):
    """Why an artefact cannot be pinned.

    Attributes:
        code: ``nothing`` (no file fits), ``several`` (not clear which), ``hub`` (it
            refused), ``unreachable`` (it did not answer: no network, perhaps), ``no_library``,
            ``no_folder``.
        detail: names of files, or the hub's own words.
    """

    code: str
    detail: str


def pin_from_hub(artefact: Artefact, *, revision: str = "") -> Artefact | PinFault:
    """Pins an artefact to what the hub has now.

    Args:
        artefact: with its repository, and patterns of files or none for all.
        revision: branch, tag or commit; "" for the main branch.
    """
    try:
        from huggingface_hub import HfApi  # noqa: PLC0415  (only whoever pins)
        from huggingface_hub import errors as hub  # noqa: PLC0415
    except ModuleNotFoundError:
        return PinFault("no_library", "pip install 'entraide[node]'")
    api = HfApi(endpoint=os.environ.get(ENDPOINT_VARIABLE) or None)
    try:
        info = api.model_info(artefact.repository, revision=revision or None, files_metadata=True)
        named = {sibling.rfilename: sibling for sibling in info.siblings or ()}
        chosen = select_files(tuple(named), artefact)
        if isinstance(chosen, PinFault):
            return chosen
        files = [_of_hub(api, artefact.repository, str(info.sha), named[name]) for name in chosen]
    except hub.OfflineModeIsEnabled as problem:
        return PinFault("unreachable", _first_line(problem))
    except (hub.HfHubHTTPError, OSError, ValueError) as problem:
        return PinFault("hub", _first_line(problem))
    except Exception as problem:  # noqa: BLE001  (its HTTP library's, which has no name of its own)
        return PinFault("unreachable", _first_line(problem))
    return _pinned(replace(artefact, revision=str(info.sha)), files)


def _first_line(problem: Exception) -> str:
    return str(problem).strip().partition("\n")[0] or type(problem).__name__


def pin_from_folder(artefact: Artefact, folder: Path) -> Artefact | PinFault:
    """Pins an artefact to files that lie in a folder."""
    try:
        names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
        chosen = select_files(names, artefact)
        if isinstance(chosen, PinFault):
            return chosen
        files = [_of_disk(folder, name) for name in chosen]
    except OSError as problem:
        return PinFault("no_folder", str(problem))
    return _pinned(artefact, files)


def select_files(names: Sequence[str], artefact: Artefact) -> tuple[str, ...] | PinFault:
    """Returns which files an artefact means, weights first, then by name.

    Patterns are compared without regard to case, and a pattern without ``/`` means files at the
    top only. Of GGUF files one model is taken, whole or in its parts. Where a repository has the
    same weights twice (``consolidated`` beside ``model``), the ones that engines read are taken.
    """
    patterns = [file.name.lower() for file in artefact.files] or ["*"]
    found = sorted(name for name in names if any(_fits(name, pattern) for pattern in patterns))
    if artefact.format != "gguf" and any(name.startswith("model") for name in found):
        found = [name for name in found if not name.startswith("consolidated")]
    weights = [name for name in found if name.endswith(WEIGHTS)]
    if not weights:
        return PinFault("nothing", ", ".join(file.name for file in artefact.files) or "*")
    if artefact.format == "gguf" and len({_PART.sub("", name) for name in weights}) > 1:
        return PinFault("several", ", ".join(weights[:8]))
    return (*weights, *(name for name in found if name not in weights))


def with_energy_estimate(entry: ModelEntry) -> ModelEntry:
    """Returns a model with the estimate of its energy made anew, by its first artefact."""
    if not entry.artefacts:
        return entry
    energy_wh = energy_wh_per_1k_tokens(
        weights_bytes=entry.artefacts[0].weights_bytes,
        parameters=entry.parameters,
        active_parameters=entry.active_parameters,
    )
    return replace(entry, energy_wh_per_1k_tokens=energy_wh, energy_class=energy_class(energy_wh))


def _fits(name: str, pattern: str) -> bool:
    at_the_top = "/" in pattern or "/" not in name
    return at_the_top and fnmatch.fnmatchcase(name.lower(), pattern)


def _pinned(artefact: Artefact, files: Sequence[ArtefactFile]) -> Artefact:
    weights_bytes = sum(file.size_bytes for file in files if file.name.endswith(WEIGHTS))
    return replace(artefact, files=tuple(files), weights_bytes=weights_bytes)


def _of_hub(api: Any, repository: str, commit: str, sibling: Any) -> ArtefactFile:
    if sibling.lfs is not None:
        return ArtefactFile(sibling.rfilename, int(sibling.lfs.size), str(sibling.lfs.sha256))
    if int(sibling.size or 0) > SMALL_BYTES_MAX:
        raise ValueError(f"{sibling.rfilename}: {sibling.size} bytes without a checksum")
    with tempfile.TemporaryDirectory() as folder:
        api.hf_hub_download(repository, sibling.rfilename, revision=commit, local_dir=folder)
        return _of_disk(Path(folder), sibling.rfilename)


def _of_disk(folder: Path, name: str) -> ArtefactFile:
    digest, size_bytes = hashlib.sha256(), 0
    with (folder / name).open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            size_bytes += len(block)
    return ArtefactFile(name, size_bytes, digest.hexdigest())

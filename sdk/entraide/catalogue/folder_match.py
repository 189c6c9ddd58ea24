"""Folder match: which model of the catalogue the weight files of a folder belong to.

Input: a folder in any layout (files side by side, a copy of a node's store, the hub's own cache)
and the catalogue. Output: sets of files that are loaded together, and for each its model and
artefact. A set belongs to an artefact that pins its checksums; else to the artefact whose format
fits and whose model or repository has the name of the file or of a folder above it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from entraide.catalogue.weight_files import GGUF_SUFFIX, WEIGHT_SUFFIXES, list_paths, without_part
from entraide.models import Artefact, Catalogue, ModelEntry

FOLDERS_ABOVE_MAX = 5  # whose names are compared
CONFIG_NAME = "config.json"
CONFIG_BYTES_MAX = 1024 * 1024

# MLX writes this key into the configuration of quantised weights.
_MLX_KEY = re.compile(rb'"quantization"\s*:')


class WeightSet(Struct, frozen=True):
    """Weight files that are loaded together: the parts of a GGUF model, or a folder's tensors.

    Attributes:
        folder: of the files.
        names: of the weight files in it, sorted.
    """

    folder: Path
    names: tuple[str, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """Paths of the weight files."""
        return tuple(self.folder / name for name in self.names)


class Standing(StrEnum):
    """What the catalogue says of a set of files."""

    PINNED = "already"  # it pins exactly these
    UNPINNED = "new"  # it has their model, not yet pinned
    DIFFERENT = "differs"  # it pins other bytes
    UNKNOWN = "unknown"  # it has no such model


class Match(Struct, frozen=True):
    """The model of a set of files: its entry, and the index of the artefact there."""

    standing: Standing
    entry: ModelEntry | None = None
    index: int = 0


def find_sets(folder: Path) -> list[WeightSet]:
    """Returns the sets of weight files below a folder, sorted.

    Raises:
        OSError: a folder cannot be read.
    """
    groups: dict[tuple[Path, str], list[str]] = {}
    for path in list_paths(folder):
        if path.name.endswith(WEIGHT_SUFFIXES):
            is_gguf = path.name.endswith(GGUF_SUFFIX)
            group = without_part(path.name) if is_gguf else ""
            groups.setdefault((path.parent, group), []).append(path.name)
    return [WeightSet(parent, tuple(sorted(groups[parent, key]))) for parent, key in sorted(groups)]


def match_set(weights: WeightSet, catalogue: Catalogue, digests: Mapping[Path, str]) -> Match:
    """Returns the model of a set.

    Args:
        weights: the set.
        catalogue: the pool's.
        digests: SHA-256 of each of its files.

    Raises:
        OSError: the configuration beside the files cannot be read.
    """
    checksums = {digests[path] for path in weights.paths}
    for entry in catalogue.models:
        for index, artefact in enumerate(entry.artefacts):
            if artefact.is_pinned and checksums == _weight_checksums(artefact):
                return Match(Standing.PINNED, entry, index)
    named = list(_named(weights, catalogue))
    if len({entry.name for entry, _ in named}) != 1:
        return Match(Standing.UNKNOWN)
    entry, index = named[0]
    is_pinned = entry.artefacts[index].is_pinned
    return Match(Standing.DIFFERENT if is_pinned else Standing.UNPINNED, entry, index)


def _weight_checksums(artefact: Artefact) -> set[str]:
    return {file.sha256 for file in artefact.files if file.name.endswith(WEIGHT_SUFFIXES)}


def _named(weights: WeightSet, catalogue: Catalogue) -> Iterator[tuple[ModelEntry, int]]:
    """Yields the entries, and the indexes of their artefacts, that have the set's names."""
    above = weights.folder.resolve().parts[-FOLDERS_ABOVE_MAX:]
    folders = {_plain(part) for part in above}
    name = without_part(weights.names[0])
    is_gguf = name.endswith(GGUF_SUFFIX)
    format_ = "gguf" if is_gguf else _tensor_format(weights, above)
    for entry in catalogue.models:
        for index, artefact in enumerate(entry.artefacts):
            if artefact.format != format_:
                continue
            names = folders | _file_names(name, artefact.quantisation) if is_gguf else folders
            is_quantised_so = not is_gguf or artefact.quantisation.lower() in name.lower()
            if is_quantised_so and names & _entry_names(entry):
                yield entry, index


def _entry_names(entry: ModelEntry) -> set[str]:
    """The names under which a model's files may lie: its own, and those of its repositories."""
    repositories = (artefact.repository for artefact in entry.artefacts if artefact.repository)
    return {entry.name, *(_plain(repository.partition("/")[2]) for repository in repositories)}


def _plain(name: str) -> str:
    """A folder's name without what the hub adds: ``models--OWNER--``, and ``-GGUF`` at the end."""
    return name.lower().rpartition("--")[2].removesuffix("-gguf")


def _file_names(name: str, quantisation: str) -> set[str]:
    """The model's name in a GGUF file's name, with and without its owner (``OWNER_NAME``)."""
    base = name.lower().removesuffix(GGUF_SUFFIX).removesuffix(quantisation.lower()).rstrip("-._")
    return {base, base.partition("_")[2]} - {""}


def _tensor_format(weights: WeightSet, above: Sequence[str]) -> str:
    """``mlx`` or ``safetensors``, by the store's layout or by the configuration."""
    for format_ in ("mlx", "safetensors"):
        if above[-1].startswith(f"{format_}-"):
            return format_
    try:
        with (weights.folder / CONFIG_NAME).open("rb") as file:
            is_mlx = _MLX_KEY.search(file.read(CONFIG_BYTES_MAX)) is not None
    except FileNotFoundError:
        return "safetensors"
    return "mlx" if is_mlx else "safetensors"

"""Model catalogue as a document: reads, validates, changes and writes it.

The document is JSON of ``entraide.models.Catalogue``. Validation refuses a file name that leads out
of its folder, and a figure outside its range. ``entraide.catalogue.signature`` checks whether the
pool signed a document.
"""

import hashlib
import re
from functools import cache
from importlib.resources import files

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from entraide.decoding import decode_json
from entraide.models import (
    ALIASES,
    EVALUATED_LANGUAGES,
    FORMATS,
    TEMPLATE_TOKENS_MAX,
    Artefact,
    ArtefactFile,
    Catalogue,
    MachineFigures,
    ModelEntry,
    OpennessClass,
    PublishedScore,
    TaskQuality,
)

DOCUMENT_BYTES_MAX = 3 * 1024 * 1024  # below gRPC's default message limit of 4 MiB
MODELS_MAX = 1_000
ARTEFACTS_MAX = 32
FILES_MAX = 500
FILE_BYTES_MAX = 2 * 10**12
QUALITY_MAX = 64  # cells of task and language of one model; the included items have 14
FIGURES_MAX = 64  # kinds of machine of one model
PUBLISHED_MAX = 32  # scores of others of one model
TEXT_CHARS_MAX = 200  # of a name, a score or a source

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,95}")
PART = re.compile(r"[A-Za-z0-9*_][A-Za-z0-9*._-]{0,199}")
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
QUANTISATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
SHA256 = re.compile(r"[0-9a-f]{64}")
CHECKSUM = re.compile(r"(sha256:[0-9a-f]{64}|unknown)?")
REVISION = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class CatalogueFault(Struct, frozen=True):
    """An invalid field of a catalogue.

    Attributes:
        model: the model; "" for a field of the catalogue itself.
        key: the field.
    """

    model: str
    key: str


class InvalidCatalogue(ValueError):
    """A document is not a catalogue, or has invalid fields."""


@cache
def shipped() -> Catalogue:
    """Returns the catalogue that is part of this version of Entraide."""
    return read((files("entraide") / "catalogue" / "models.json").read_bytes())


def read(document: bytes) -> Catalogue:
    """Reads a catalogue.

    Raises:
        InvalidCatalogue: the document is not a catalogue, or has an invalid field.
    """
    if len(document) > DOCUMENT_BYTES_MAX:
        raise InvalidCatalogue(f"{len(document)} bytes, {DOCUMENT_BYTES_MAX} at most")
    try:
        catalogue = decode_json(document, type=Catalogue)
    except msgspec.MsgspecError as problem:
        raise InvalidCatalogue(str(problem)) from problem
    for fault in faults(catalogue):
        raise InvalidCatalogue(f"{fault.model}: {fault.key}" if fault.model else fault.key)
    return catalogue


def write(catalogue: Catalogue) -> bytes:
    """Returns the document of a catalogue; equal catalogues give the same bytes."""
    return msgspec.json.encode(sorted_(catalogue))


def digest(document: bytes) -> str:
    """Returns the digest by which a node identifies its catalogue: SHA-256, hexadecimal."""
    return hashlib.sha256(document).hexdigest()


def sorted_(catalogue: Catalogue) -> Catalogue:
    """Returns a catalogue with its models sorted by name."""
    return replace(catalogue, models=tuple(sorted(catalogue.models, key=lambda entry: entry.name)))


def find(catalogue: Catalogue, name: str) -> ModelEntry | None:
    """Returns a model by its public name; None when the catalogue has none of that name."""
    return next((entry for entry in catalogue.models if entry.name == name), None)


def with_entries(catalogue: Catalogue, *entries: ModelEntry) -> Catalogue:
    """Returns a catalogue with models added; one of the same name is replaced."""
    by_name = {entry.name: entry for entry in (*catalogue.models, *entries)}
    return sorted_(replace(catalogue, models=tuple(by_name.values())))


def without(catalogue: Catalogue, name: str) -> Catalogue:
    """Returns a catalogue without a model."""
    return replace(catalogue, models=tuple(e for e in catalogue.models if e.name != name))


def faults(catalogue: Catalogue) -> tuple[CatalogueFault, ...]:
    """Returns every invalid field."""
    invalid = []
    if catalogue.version < 0 or not 0 <= catalogue.issued_at < 1e12:
        invalid.append(CatalogueFault("", "version"))
    names = [entry.name for entry in catalogue.models]
    if len(names) > MODELS_MAX or len(set(names)) < len(names):
        invalid.append(CatalogueFault("", "models"))
    for entry in catalogue.models:
        invalid += [CatalogueFault(entry.name[:96], key) for key in _entry_faults(entry)]
    return tuple(invalid)


def is_safe(file: ArtefactFile) -> bool:
    """Whether a file's name stays inside its folder on every operating system."""
    parts = file.name.split("/")
    return len(parts) <= 8 and all(PART.fullmatch(part) for part in parts)


def _entry_faults(entry: ModelEntry) -> list[str]:
    keys = []
    if not NAME.fullmatch(entry.name) or ".." in entry.name or entry.name in ALIASES:
        keys.append("name")
    if not 0 < entry.active_parameters <= entry.parameters < 10**14:
        keys.append("parameters")
    if not 0 < entry.context_tokens_max < 10**8:
        keys.append("context_tokens_max")
    if not (0 < entry.kv_bytes_per_token < 10**9 and 0 <= entry.kv_bytes_per_sequence < 10**12):
        keys.append("kv_bytes_per_token")
    if not 0 <= entry.template_tokens <= TEMPLATE_TOKENS_MAX:
        keys.append("template_tokens")
    if not 0.0 <= entry.energy_wh_per_1k_tokens < 1e6 or len(entry.energy_class) > 1:
        keys.append("energy_wh_per_1k_tokens")
    if not _is_sourced(entry):
        keys.append("openness_source")
    if len(entry.artefacts) > ARTEFACTS_MAX:
        keys.append("artefacts")
    for number, artefact in enumerate(entry.artefacts):
        keys += [f"artefacts[{number}].{key}" for key in _artefact_faults(artefact)]
    return [*keys, *_evaluation_faults(entry)]


def _is_sourced(entry: ModelEntry) -> bool:
    """Whether a class of openness has its source, one short line."""
    if not entry.openness_source:
        return entry.openness_class is OpennessClass.UNSTATED
    return is_line(entry.openness_source)


def _evaluation_faults(entry: ModelEntry) -> list[str]:
    """Returns the faults of what was measured of a model, and of what others published."""
    keys = []
    cells = {(cell.task, cell.language) for cell in entry.quality}
    if len(entry.quality) > QUALITY_MAX or len(cells) < len(entry.quality):
        keys.append("quality")
    if len(entry.figures) > FIGURES_MAX:
        keys.append("figures")
    if len(entry.published) > PUBLISHED_MAX:
        keys.append("published")
    keys += [f"quality[{i}]" for i, cell in enumerate(entry.quality) if not _is_cell(cell)]
    keys += [f"figures[{i}]" for i, item in enumerate(entry.figures) if not _are_figures(item)]
    keys += [f"published[{i}]" for i, item in enumerate(entry.published) if not _is_score(item)]
    return keys


def _is_cell(cell: TaskQuality) -> bool:
    named = cell.language in EVALUATED_LANGUAGES and 0 < cell.n < 10**9
    ordered = 0.0 <= cell.low <= cell.rate <= cell.high <= 1.0
    sourced = is_line(cell.items_version) and SHA256.fullmatch(cell.digest)
    return bool(named and ordered and sourced and CHECKSUM.fullmatch(cell.weights))


def _are_figures(figures: MachineFigures) -> bool:
    bounded = 0.0 <= figures.tokens_per_s < 1e9 and 0.0 <= figures.energy_wh_per_answer < 1e9
    named = is_line(figures.machine) and is_line(figures.engine) and 0 < figures.answers < 10**9
    return bool(bounded and named and CHECKSUM.fullmatch(figures.weights))


def _is_score(score: PublishedScore) -> bool:
    return all(map(is_line, (score.benchmark, score.score, score.source)))


def is_line(text: str) -> bool:
    """Whether a text is one short line that a terminal can show."""
    return 0 < len(text) <= TEXT_CHARS_MAX and text.isprintable()


def _artefact_faults(artefact: Artefact) -> list[str]:
    keys = []
    if artefact.format not in FORMATS:
        keys.append("format")
    if not QUANTISATION.fullmatch(artefact.quantisation) or ".." in artefact.quantisation:
        keys.append("quantisation")
    if artefact.repository and not REPOSITORY.fullmatch(artefact.repository):
        keys.append("repository")
    if artefact.revision and not REVISION.fullmatch(artefact.revision):
        keys.append("revision")
    if not 0 < artefact.weights_bytes < FILE_BYTES_MAX:
        keys.append("weights_bytes")
    if not 0.0 <= artefact.pinned_at < 1e12:
        keys.append("pinned_at")
    names = {file.name.casefold() for file in artefact.files}
    if len(artefact.files) > FILES_MAX or len(names) < len(artefact.files):
        keys.append("files")
    pinned = any(file.sha256 for file in artefact.files)
    if any(not is_safe(file) or not _is_sound(file, pinned=pinned) for file in artefact.files):
        keys.append("files")
    return keys


def _is_sound(file: ArtefactFile, *, pinned: bool) -> bool:
    """Whether a file's fields agree: a pinned file has a full name, a length and a checksum."""
    if not pinned:
        return file.size_bytes == 0 and not file.sha256
    sized = 0 < file.size_bytes < FILE_BYTES_MAX
    return bool(SHA256.fullmatch(file.sha256)) and sized and "*" not in file.name

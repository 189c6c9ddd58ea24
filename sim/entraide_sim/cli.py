"""``entraide sim …``: a scenario, or a journal, becomes files that people and programs read.

Nothing is written before the scenario, its files and the options are sound. What is done of an
interrupted command stays in ``DIR/done``; ``--resume`` goes on from there.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from entraide import i18n
from entraide.errors import EntraideError, RequestError
from entraide_sim.replay import cli as replay

DONE = "done"


def register(app: typer.Typer, lang: str = i18n.DEFAULT_LANG) -> None:
    """Adds the simulator's commands to the ``entraide`` command, in one language."""
    sim = typer.Typer(help=i18n.text("help-sim", lang), no_args_is_help=True)
    _add_run(sim, lang)
    _add_compare(sim, lang)
    _add_plan(sim, lang)
    replay.add(sim, lang)
    app.add_typer(sim, name="sim")


class Options(msgspec.Struct, frozen=True):
    """What all three commands are told."""

    out: Path
    seed: int | None
    ray: str
    resume: bool
    at_once: int
    as_json: bool
    lang: str
    command: str


def _option(name: str, code: str, lang: str, metavar: str | None = None) -> Any:
    return typer.Option(name, metavar=metavar, help=i18n.text(code, lang))


def _scenario(lang: str) -> Any:
    return typer.Argument(metavar="SCENARIO", help=i18n.text("arg-scenario", lang))


def _add_run(sim: typer.Typer, lang: str) -> None:
    @sim.command("run", help=i18n.text("help-sim-run", lang))
    def run(
        scenario: Annotated[str, _scenario(lang)],
        *,
        out: Annotated[Path, _option("--out", "opt-sim-out", lang, "DIR")],
        seed: Annotated[int | None, _option("--seed", "opt-sim-seed", lang)] = None,
        ray: Annotated[str, _option("--ray", "opt-sim-ray", lang, "ADDRESS")] = "",
        resume: Annotated[bool, _option("--resume", "opt-sim-resume", lang)] = False,
        at_once: Annotated[int, _option("--at-once", "opt-sim-at_once", lang)] = 0,
        as_json: Annotated[bool, _option("--json", "opt-json", lang)] = False,
    ) -> None:
        command = f"entraide sim run {scenario}"
        options = Options(out, seed, ray, resume, at_once, as_json, lang, command)
        raise typer.Exit(told(lambda: run_compare(scenario, [], options), options))


def _add_compare(sim: typer.Typer, lang: str) -> None:
    @sim.command("compare", help=i18n.text("help-sim-compare", lang))
    def compare(
        scenario: Annotated[str, _scenario(lang)],
        *,
        out: Annotated[Path, _option("--out", "opt-sim-out", lang, "DIR")],
        policies: Annotated[str, _option("--policies", "opt-sim-policies", lang, "A.toml,B")] = "",
        seed: Annotated[int | None, _option("--seed", "opt-sim-seed", lang)] = None,
        ray: Annotated[str, _option("--ray", "opt-sim-ray", lang, "ADDRESS")] = "",
        resume: Annotated[bool, _option("--resume", "opt-sim-resume", lang)] = False,
        at_once: Annotated[int, _option("--at-once", "opt-sim-at_once", lang)] = 0,
        as_json: Annotated[bool, _option("--json", "opt-json", lang)] = False,
    ) -> None:
        names = [name.strip() for name in policies.split(",") if name.strip()]
        listed = f" --policies {policies}" if policies else ""
        command = f"entraide sim compare {scenario}{listed}"
        options = Options(out, seed, ray, resume, at_once, as_json, lang, command)
        raise typer.Exit(told(lambda: run_compare(scenario, names or None, options), options))


def _add_plan(sim: typer.Typer, lang: str) -> None:
    @sim.command("plan", help=i18n.text("help-sim-plan", lang))
    def plan(
        scenario: Annotated[str, _scenario(lang)],
        *,
        out: Annotated[Path, _option("--out", "opt-sim-out", lang, "DIR")],
        goal: Annotated[list[str] | None, _option("--goal", "opt-sim-goal", lang, "GOAL")] = None,
        minimise: Annotated[
            str, _option("--minimise", "opt-sim-minimise", lang, "cost|carbon|machines")
        ] = "machines",
        ranges: Annotated[
            list[str] | None, _option("--range", "opt-sim-range", lang, "NAME=A..B")
        ] = None,
        seed: Annotated[int | None, _option("--seed", "opt-sim-seed", lang)] = None,
        ray: Annotated[str, _option("--ray", "opt-sim-ray", lang, "ADDRESS")] = "",
        resume: Annotated[bool, _option("--resume", "opt-sim-resume", lang)] = False,
        at_once: Annotated[int, _option("--at-once", "opt-sim-at_once", lang)] = 0,
        as_json: Annotated[bool, _option("--json", "opt-json", lang)] = False,
    ) -> None:
        typed = "".join(f" --goal '{one}'" for one in goal or [])
        typed += "".join(f" --range {one}" for one in ranges or [])
        typed += f" --minimise {minimise}" if goal else ""
        command = f"entraide sim plan {scenario}{typed}"
        options = Options(out, seed, ray, resume, at_once, as_json, lang, command)
        if goal:
            work: Callable[[], int] = lambda: run_plan(  # noqa: E731
                scenario, goal, minimise, ranges or [], options
            )
        else:
            work = lambda: run_advice(scenario, options)  # noqa: E731
        raise typer.Exit(told(work, options))


def told(work: Callable[[], int], options: Options) -> int:
    """Does some work; what goes wrong becomes one sentence in the reader's language."""
    try:
        return work()
    except EntraideError as problem:
        sentence = i18n.error(problem.code, options.lang, problem.values)
        raise RequestError(problem.code, sentence, values=problem.values) from problem
    except KeyboardInterrupt:
        done = options.out / DONE
        if done.is_dir():
            count = len(list(done.glob("*.run")))
            words = i18n.text("sim-interrupted", options.lang, count=count, path=str(options.out))
            sys.stderr.write(f"{words}\n")
        raise


# What the commands do. Everything heavy is imported when it is used: `--help` stays light.


def run_compare(source: str, policies: list[str] | None, options: Options) -> int:
    """Runs a scenario under some policies; [] for its own, None for all pickers."""
    from entraide_sim import compare, output, telling
    from entraide_sim.reading import check_files, load

    loaded = load(source)
    check_files(loaded)
    seed = loaded.scenario.seed if options.seed is None else options.seed
    if policies is None:
        policies = [] if loaded.scenario.alternatives else list(compare.PICKERS)
    cases = compare.cases(loaded, compare.choices(policies), seed=seed)
    outcomes = _all(cases, options, tables=True)
    output.write_runs(options.out, outcomes)
    if len(outcomes) > 1:
        rows = {one.result.label: one.result.summary for one in outcomes}
        output.write_json(options.out / "comparison.json", rows)
    output.write_pages(options.out, outcomes, lang=options.lang)
    shutil.rmtree(options.out / DONE, ignore_errors=True)
    results = [one.result for one in outcomes]
    if options.as_json:
        shown: Any = [one.summary for one in results]
        telling.as_json(shown if len(shown) > 1 else shown[0])
    elif len(results) > 1:
        telling.comparison(results, options.lang)
        telling.where(options.out, options.lang)
    else:
        telling.run(results[0], options.lang)
        telling.where(options.out, options.lang)
    return 0


def run_plan(
    source: str, goals: Sequence[str], minimise: str, ranges: Sequence[str], options: Options
) -> int:
    """Plans a fleet that meets goals; 1 when none in range does."""
    from entraide_sim import goals as g
    from entraide_sim import output, plan, telling
    from entraide_sim.reading import check_files, load

    wanted = tuple(g.parse(text) for text in goals)
    if minimise not in plan.OBJECTIVES:
        known = ", ".join(plan.OBJECTIVES)
        values = {"fault": "unknown_objective", "value": minimise, "known": known}
        raise RequestError("plan_refused", values=values)
    loaded = load(source)
    groups = plan.groups_of(loaded.scenario, dict(map(_range, ranges)))
    check_files(loaded)
    seed = loaded.scenario.seed if options.seed is None else options.seed
    with _sweeping(options) as (run_all, at_once):
        found = plan.Planner(
            loaded,
            groups=groups,
            goals=wanted,
            minimise=minimise,
            seed=seed,
            run_all=run_all,
            at_once=at_once,
        ).plan()
        planned = plan.case_of(
            loaded.scenario, groups, found.best.counts, home=str(loaded.home), seed=seed
        )
        ((_, outcome),) = run_all([planned], tables=True)
    _write_plan(options, found, planned, outcome)
    shutil.rmtree(options.out / DONE, ignore_errors=True)
    if options.as_json:
        telling.as_json(output.plain_plan(found))
    else:
        telling.plan(found, options.lang)
        telling.where(options.out, options.lang)
    return 0 if found.found is not None else 1


def _write_plan(options: Options, found: Any, planned: Any, outcome: Any) -> None:
    from entraide_sim import output
    from entraide_sim.sweep import Outcome, names, renamed
    from entraide_sim.tomlwrite import scenario_toml

    first = msgspec.structs.replace(outcome.result, command=options.command)
    output.write_run(options.out, Outcome(first, outcome.table))
    output.write_json(options.out / "plan.json", output.plain_plan(found))
    moved = {
        name: os.path.relpath(Path(planned.home) / name, options.out)
        for name in names(planned.scenario)
    }
    text = scenario_toml(renamed(planned.scenario, moved), comment=options.command)
    (options.out / "plan.toml").write_text(text, "utf-8")
    others = [one.result for one in (found.base, *found.fewer)]
    told_first = [others[0], first, *others[1:]]
    output.write_pages(
        options.out,
        [Outcome(msgspec.structs.replace(one, command=options.command)) for one in told_first],
        lang=options.lang,
        chosen=1 if found.found is not None else None,
        goals=[str(goal) for goal in found.goals],
    )


def run_advice(source: str, options: Options) -> int:
    """Tries single changes of a scenario, and ranks them."""
    from entraide_sim import advice, output, telling
    from entraide_sim.reading import check_files, load

    loaded = load(source)
    check_files(loaded)
    seed = loaded.scenario.seed if options.seed is None else options.seed
    found = advice.changes(loaded.scenario)
    outcomes = _all(advice.cases(loaded, found, seed=seed), options, tables=False)
    base = outcomes[0].result
    effects = [
        advice.effect(change, base, outcome.result)
        for change, outcome in zip(found, outcomes[1:], strict=True)
    ]
    output.write_run(options.out, outcomes[0])
    output.write_json(options.out / "advice.json", output.plain_advice(effects))
    output.write_pages(options.out, outcomes, lang=options.lang)
    shutil.rmtree(options.out / DONE, ignore_errors=True)
    if options.as_json:
        telling.as_json(output.plain_advice(effects))
    else:
        telling.advice(effects, base, options.lang)
        telling.where(options.out, options.lang)
    return 0


def _range(text: str) -> tuple[str, tuple[int, int]]:
    name, _, bounds = text.partition("=")
    low, dots, high = bounds.partition("..")
    if not (name and low.isdecimal() and (high.isdecimal() or not dots)):
        raise RequestError("plan_refused", values={"fault": "no_range", "value": text})
    return name, (int(low), int(high) if dots else int(low))


# Sweeps with a bar.


def _all(cases: Sequence[Any], options: Options, *, tables: bool) -> list[Any]:
    """Runs all cases; returns their outcomes in the order of the cases, with the command."""
    with _sweeping(options, total=len(cases)) as (run_all, _):
        found = dict(run_all(cases, tables=tables))
    return [
        msgspec.structs.replace(
            found[number],
            result=msgspec.structs.replace(found[number].result, command=options.command),
        )
        for number in range(len(cases))
    ]


@contextmanager
def _sweeping(options: Options, *, total: int = 0) -> Iterator[tuple[Any, int]]:
    """Yields what runs cases while a bar says how far it is, and how many run at once."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from entraide_sim.sweep import Sweeper

    console = Console(stderr=True)
    alone = total == 1
    columns = [TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()]
    columns += [TimeRemainingColumn()] if alone else [MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        words = i18n.text("sim-simulating", options.lang)
        line = bar.add_task(words, total=1.0 if alone else total or None)
        sweeper = Sweeper(
            keep=options.out / DONE,
            resume=options.resume,
            at_once=options.at_once,
            ray=options.ray,
            progress=(lambda part: bar.update(line, completed=part)) if alone else None,
        )
        with sweeper:

            def run_all(cases: Sequence[Any], *, tables: bool = False) -> Iterator[Any]:
                for found in sweeper(cases, tables=tables):
                    if not alone:
                        bar.advance(line)
                    yield found

            yield run_all, sweeper.at_once

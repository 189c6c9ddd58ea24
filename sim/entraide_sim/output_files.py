"""Output files: writes the files of a run, a comparison or a plan.

``DIR/summary.json``, ``DIR/jobs.parquet``, ``DIR/result.json`` and ``DIR/report.html``. With
several runs these are of the first one, and ``DIR/runs/LABEL/`` has the first three files of each
run. The same runs give the same bytes, except ``wall_s``.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from entraide.files import write_atomically
from entraide_sim.fleet_planner import EvaluatedFleet, FleetPlan
from entraide_sim.report import write_report
from entraide_sim.scenario_advice import ChangeEffect
from entraide_sim.sweep import CaseOutcome

RUNS_FOLDER = "runs"


def write_runs(out: Path, outcomes: Sequence[CaseOutcome]) -> None:
    """Writes the files of one run or several, the first run's files in ``out`` itself."""
    write_run(out, outcomes[0])
    if len(outcomes) > 1:
        for outcome in outcomes:
            write_run(out / RUNS_FOLDER / run_folder(outcome.result.label), outcome)


def write_run(out: Path, outcome: CaseOutcome) -> None:
    """Writes the files of one run."""
    write_json(out / "summary.json", outcome.result.summary)
    write_atomically(out / "result.json", msgspec.json.encode(outcome.result))
    if outcome.table:
        write_atomically(out / "jobs.parquet", outcome.table)


def write_report_page(
    out: Path,
    outcomes: Sequence[CaseOutcome],
    *,
    lang: str,
    chosen: int | None = None,
    goals: Sequence[str] = (),
) -> None:
    """Writes the report.

    Args:
        out: folder.
        outcomes: runs to report.
        lang: language shown first.
        chosen: index of the run that a plan recommends.
        goals: of a plan, as typed.
    """
    results = [outcome.result for outcome in outcomes]
    write_report(out / "report.html", results, lang=lang, chosen=chosen, goals=goals)


def write_json(path: Path, value: Any) -> None:
    """Writes a value as indented JSON."""
    write_atomically(path, (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())


def run_folder(label: str) -> str:
    """Returns the name of a run's folder."""
    return re.sub(r"[^A-Za-z0-9.+_-]+", "-", label).strip("-.") or "run"


def plan_to_json(plan: FleetPlan) -> dict[str, Any]:
    """Returns a plan as JSON values."""

    def fleet(tried: EvaluatedFleet) -> dict[str, Any]:
        counts = zip(plan.groups, tried.counts, strict=True)
        return {
            "machines": sum(tried.counts),
            "nodes": {group.nodes.name: count for group, count in counts},
            "meets": tried.meets_goals,
            "missed": [str(goal) for goal in plan.goals if not goal.is_met(tried.summary)],
            "summary": tried.summary,
            "seeds": [result.summary for result in tried.results],
        }

    return {
        "goals": [str(goal) for goal in plan.goals],
        "minimise": plan.minimise,
        "found": plan.feasible is not None,
        "complete": plan.complete,
        "fleets": plan.fleets,
        "tried": plan.tried,
        "seeds": plan.seeds,
        "fleet": fleet(plan.closest),
        "as_is": fleet(plan.current),
        "one_machine_fewer": [fleet(tried) for tried in plan.smaller_fleets],
        "runs": {"busy_hours": plan.peak_runs, "whole": plan.full_runs},
    }


def advice_to_json(effects: Sequence[ChangeEffect]) -> dict[str, Any]:
    """Returns single changes as JSON values, ranked by dollars, seconds and grams."""
    rows = {f"{effect.code} {effect.values['name']}": effect for effect in effects}

    def ranked(key: str) -> list[str]:
        values = {name: getattr(effect, key) for name, effect in rows.items()}
        return sorted(
            (name for name in values if values[name] is not None), key=lambda n: values[n]
        )

    return {
        "changes": [
            {
                "change": name,
                "code": effect.code,
                "values": effect.values,
                "price_cad": effect.price_cad,
                "cad_per_year": effect.cad_per_year,
                "ttft_s_p95": effect.ttft_s_p95,
                "g_per_year": effect.g_per_year,
            }
            for name, effect in rows.items()
        ],
        "by_dollars": ranked("cad_per_year"),
        "by_seconds": ranked("ttft_s_p95"),
        "by_grams": ranked("g_per_year"),
    }

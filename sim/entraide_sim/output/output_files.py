"""Output files: writes the files of a run, a comparison or a plan.

``DIR/summary.json``, ``DIR/jobs.parquet``, ``DIR/result.json`` and ``DIR/report.html``. With
several runs these are of the first one, and ``DIR/runs/LABEL/`` has the first three files of each
run. With several seeds, ``summary.json`` is their mean with the ``intervals``, and ``jobs.parquet``
is of the first seed. The same runs give the same bytes, except ``wall_s``.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from entraide.files import write_atomically
from entraide_sim.planning import EvaluatedFleet, FleetPlan, Sensitivity, sensitivity_to_json
from entraide_sim.report import without_year
from entraide_sim.runs import KEYS, Comparison, SeededResult, interval_to_json, summary_to_json

RUNS_FOLDER = "runs"


def write_variants(
    out: Path,
    comparison: Comparison,
    tables: Sequence[bytes],
    sensitivity: Sensitivity | None = None,
) -> None:
    """Writes the files of the variants of a comparison, the first one's in ``out`` itself.

    Args:
        out: folder.
        comparison: of one variant or more.
        tables: of the jobs of each variant's first seed, as Parquet.
        sensitivity: of the recommendation; None if it was left out.
    """
    variants = comparison.variants
    write_result(out, variants[0], tables[0])
    if len(variants) == 1:
        return
    for variant, table in zip(variants, tables, strict=True):
        write_result(out / RUNS_FOLDER / run_folder(variant.label), variant, table)
    write_json(out / "comparison.json", comparison_to_json(comparison, sensitivity))


def write_result(out: Path, seeded: SeededResult, table: bytes = b"") -> None:
    """Writes the files of a scenario's runs: the mean of all seeds, and the first seed's jobs."""
    write_json(out / "summary.json", summary_to_json(seeded))
    write_atomically(out / "result.json", msgspec.json.encode(without_year(seeded.mean)))
    if table:
        write_atomically(out / "jobs.parquet", table)


def write_json(path: Path, value: Any) -> None:
    """Writes a value as indented JSON."""
    write_atomically(path, (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())


def run_folder(label: str) -> str:
    """Returns the name of a run's folder."""
    return re.sub(r"[^A-Za-z0-9.+_-]+", "-", label).strip("-.") or "run"


def comparison_to_json(
    comparison: Comparison, sensitivity: Sensitivity | None = None
) -> dict[str, Any]:
    """Returns the summary of each variant by its label, with its seeds and intervals.

    ``difference`` is from the recommended variant, paired by seed; ``verdict`` is ``recommended``,
    ``equal`` (no difference of emissions beyond the noise), ``worse`` (in SLO attainment) or
    ``more`` (emissions). The recommended variant has the ``sensitivity`` of the recommendation.
    """
    best = comparison.variants[comparison.recommended]
    rows: dict[str, Any] = {}
    for number, variant in enumerate(comparison.variants):
        differences = {key: variant.difference(best, key) for key in KEYS}
        rows[variant.label] = {
            **summary_to_json(variant),
            "seeds": [result.summary for result in variant.results],
            "difference": {
                key: interval_to_json(of) for key, of in differences.items() if of is not None
            },
            "verdict": comparison.verdict(number),
        }
    if sensitivity is not None:
        rows[best.label]["sensitivity"] = sensitivity_to_json(sensitivity)
    return rows


def plan_to_json(plan: FleetPlan, sensitivity: Sensitivity | None = None) -> dict[str, Any]:
    """Returns a plan as JSON values; its ``sensitivity`` is null if it was left out."""

    def fleet(tried: EvaluatedFleet) -> dict[str, Any]:
        counts = zip(plan.groups, tried.counts, strict=True)
        return {
            "machines": sum(tried.counts),
            "nodes": {group.nodes.name: count for group, count in counts},
            "meets": tried.meets_goals,
            "missed": [str(goal) for goal in plan.goals if not goal.is_met(tried.summary)],
            "summary": summary_to_json(tried.seeded),
            "seeds": [result.summary for result in tried.seeded.results],
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
        "sensitivity": None if sensitivity is None else sensitivity_to_json(sensitivity),
    }

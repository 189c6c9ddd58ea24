"""Duration of a fleet plan, and whether its fleet gives the numbers that it says.

Runs ``entraide sim plan`` for the scenario with 14 machines, then ``entraide sim run`` for the
planned fleet. Both run in processes of their own. ``plan_brute`` compares plans with brute force.

    python -m benchmarks.plan [--json] [--scenario NAME] [--goal GOAL …] [--minimise NAME]
        [--sensitivity]

Rows: the plan, with its duration and number of simulations; the planned fleet, ``confirmed`` if its
run gives the numbers of the plan's first seed. ``cpu_s`` is the CPU time of the command with all
its processes. ``--sensitivity`` adds what the plan leaves out by default here: the simulations that
show which assumption would overturn the answer. Exits with 1 if a row is not confirmed.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.support.common import make_parser, print_rows
from msgspec import Struct

from entraide_sim.building import load_scenario
from entraide_sim.planning.fleet_planner import OBJECTIVES
from entraide_sim.runs import Goal
from entraide_sim.runs.goals import parse_goal
from entraide_sim.scenario import Scenario

SCENARIO = "trois-provinces"
GOALS = ("ttft_s.p95<=2", "carbon_g_per_1k_output_tokens<=5")
ENTRAIDE = (sys.executable, "-m", "entraide.cli")
NEVER_SAME = "wall_s"


class Row(Struct, frozen=True):
    """One command.

    Attributes:
        what: ``plan`` or ``planned``.
        fleet: machines by group.
        simulations: of the busiest hours, whole ones and those of the sensitivity; of a plan.
        missed: goals that the fleet misses.
        confirmed: whether it agrees with the plan.
    """

    what: str
    fleet: str
    machines: int
    wall_s: float
    cpu_s: float
    simulations: int
    ttft_s_p95: float
    carbon_g_per_1k_output_tokens: float
    missed: str
    confirmed: bool


def timed(arguments: Sequence[str]) -> tuple[float, float]:
    """Runs one command; returns its wall-clock and CPU seconds.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*ENTRAIDE, *arguments], check=True, stdout=subprocess.DEVNULL)
    took_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def row(
    what: str,
    scenario: Scenario,
    summary: Mapping[str, Any],
    goals: Sequence[Goal],
    took: tuple[float, float],
    *,
    confirmed: bool,
    simulations: int = 1,
) -> Row:
    """Returns the row of one command."""
    counts = {group.name: group.count for group in scenario.nodes}
    return Row(
        what=what,
        fleet=" + ".join(f"{count} {name}" for name, count in counts.items()),
        machines=sum(counts.values()),
        wall_s=round(took[0], 2),
        cpu_s=round(took[1], 2),
        simulations=simulations,
        ttft_s_p95=summary["ttft_s"]["p95"],
        carbon_g_per_1k_output_tokens=summary["carbon_g_per_1k_output_tokens"],
        missed=", ".join(str(goal) for goal in goals if not goal.is_met(summary)),
        confirmed=confirmed,
    )


def measure(
    name: str, typed: Sequence[str], minimise: str, home: Path, *, sensitivity: bool
) -> list[Row]:
    """Plans, then runs the planned fleet."""
    goals = [parse_goal(goal) for goal in typed]
    out, result = home / "plan", home / "run"
    asked = [word for goal in typed for word in ("--goal", goal)]
    asked += ["--minimise", minimise, *([] if sensitivity else ["--no-sensitivity"])]
    took = timed(["sim", "plan", name, *asked, "--out", str(out)])
    plan = json.loads((out / "plan.json").read_text("utf-8"))
    planned = load_scenario(str(out / "plan.toml")).scenario
    runs = plan["runs"]["busy_hours"] + plan["runs"]["whole"]
    runs += plan["sensitivity"]["runs"] if sensitivity else 0
    mean, first = plan["fleet"]["summary"], plan["fleet"]["seeds"][0]
    rows = [row("plan", planned, mean, goals, took, confirmed=plan["found"], simulations=runs)]
    took = timed(["sim", "run", str(out / "plan.toml"), "--out", str(result)])
    summary = json.loads((result / "summary.json").read_text("utf-8"))
    same = {**summary, NEVER_SAME: 0} == {**first, NEVER_SAME: 0}
    return [*rows, row("planned", planned, summary, goals, took, confirmed=same)]


def main() -> int:
    """Plans and checks the plan; returns the exit code."""
    parser = make_parser(__doc__)
    parser.add_argument("--scenario", default=SCENARIO, help="name or file")
    parser.add_argument("--minimise", default="machines", choices=OBJECTIVES)
    parser.add_argument("--goal", action="append", help="to meet (may be repeated)")
    parser.add_argument("--sensitivity", action="store_true", help="test assumptions, too")
    options = parser.parse_args()
    goals = options.goal or GOALS
    with tempfile.TemporaryDirectory(prefix="entraide-bench-") as home:
        rows = measure(
            options.scenario, goals, options.minimise, Path(home), sensitivity=options.sensitivity
        )
    print_rows(rows, as_json=options.json)
    return 0 if all(row.confirmed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

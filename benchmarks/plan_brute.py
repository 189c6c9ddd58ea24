"""Fleet plans against brute force, on random small scenarios.

Each scenario has two to four groups of machines with at most 60 fleets, one simulated day, and one
or two goals: some bind, some cannot be met. Brute force simulates every fleet with five seeds; the
planner then answers for each objective, with its complete search and without it (``exhaustive_max``
0). Both use the same stored runs, so nothing differs but the search.

    python -m benchmarks.plan_brute [--json] [--count N] [--first SEED]

Rows: one for each scenario and objective that differs, and the totals last. ``same`` means the same
optimum, or one whose objective is equal within the confidence interval of the seeds' paired
difference. Exits with 1 if one is not the same. The search's constants were chosen on the
landscapes of ``tests/sim/test_fleet_search.py``, not on these scenarios.
"""

import random
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing import Pool
from pathlib import Path

from benchmarks.support.common import make_parser, print_rows
from msgspec import Struct

from entraide_sim import catalogue
from entraide_sim.building import LoadedScenario
from entraide_sim.building.scenario_reader import parse_scenario
from entraide_sim.planning import EvaluatedFleet, FleetPlan
from entraide_sim.planning.fleet_planner import (
    OBJECTIVES,
    FleetPlanner,
    GroupBounds,
    fleet_case,
    plan_groups,
)
from entraide_sim.planning.fleet_search import EXHAUSTIVE_MAX, FleetSpace
from entraide_sim.runs import Case, CaseOutcome, Goal, combine_seeds, summary_value
from entraide_sim.runs.sweep import CaseTask, run_task
from entraide_sim.seed_statistics import SEEDS, paired_interval

FLEETS_MAX = 60
DEVICES = ("mac-mini-m4", "mac-mini-m4-pro", "mac-studio-m1-max", "mac-studio-m2-max",
           "rtx-3060-12")  # fmt: skip
SITES = (("sherbrooke", "CA-QC", 0.078), ("toronto", "CA-ON", 0.131), ("calgary", "CA-AB", 0.168))
GOAL_KEYS = (("ttft_s.p95", "<="), ("e2e_s.p95", "<="), ("slo_attainment", ">="),
             ("carbon_g_per_1k_output_tokens", "<="),
             ("cost_cad.per_1m_output_tokens", "<="))  # fmt: skip


class Row(Struct, frozen=True):
    """One scenario and objective, or the totals.

    Attributes:
        scenario: its seed; "all" for the totals.
        fleets: number of fleets, or their sum.
        goals: to meet.
        optimum, planned: fleets of brute force and of the planner; "none" without one.
        same: whether they are equal, or equal within the seeds' interval.
        simulated: part of the fleets that the planner simulated.
    """

    scenario: str
    minimise: str
    search: str
    fleets: int
    goals: str
    optimum: str
    planned: str
    same: bool
    simulated: float


def scenario_text(rng: random.Random) -> str:
    """Returns a random scenario of one day, as TOML."""
    sites = rng.sample(SITES, rng.randint(1, 3))
    lines = ['name = "random"', "start = 2025-01-14T05:00:00Z", "hours = 24.0"]
    lines += ['[[coops]]\nname = "alpha"', '[[models]]\nname = "moyen-8b"\ncontext_tokens = 8192']
    for name, zone, tariff in sites:
        lines.append(f'[[sites]]\nname = "{name}"\nzone = "{zone}"\ntariff_cad_per_kwh = {tariff}')
    limit, groups = FLEETS_MAX, []
    for number in range(rng.randint(2, 4)):
        count = min(rng.randint(1, 4), limit - 1)
        if count < 1:
            break
        limit //= count + 1
        bought = (
            ""
            if rng.random() < 0.6
            else f"dedicated = true\nprice_cad = {rng.randint(5, 60) * 100}"
        )
        groups.append(
            f'[[nodes]]\nname = "g{number}"\ndevice = "{rng.choice(DEVICES)}"\ncount = {count}\n'
            f'coop = "alpha"\nsite = "{rng.choice(sites)[0]}"\n{bought}'
        )
    lines += groups
    lines.append(
        f'[[workloads]]\nname = "questions"\nclients = {rng.randint(2, 8)}\n'
        f"requests_per_client_day = {rng.randint(15, 40)}\n"
        f'rhythm = "{rng.choice(("office", "steady", "evenings"))}"\n'
        "input_tokens = [100, 3000]\noutput_tokens = [100, 1200]\n"
        f"objective = {{ ttft_s = {rng.choice((1.0, 2.0, 5.0))}, tpot_s = 0.15 }}"
    )
    if rng.random() < 0.4:
        lines.append(
            '[[workloads]]\nname = "lots"\nclass = "batch"\nclients = 1\n'
            "requests_per_client_day = 40\ninput_tokens = [500, 4000]\n"
            "output_tokens = [200, 1000]\ndeadline_h = 10.0"
        )
    return "\n".join(lines)


class Brute:
    """All fleets of a scenario, simulated with all seeds; serves the planner's runs."""

    def __init__(self, loaded: LoadedScenario, groups: tuple[GroupBounds, ...]) -> None:
        self.loaded = loaded
        self.groups = groups
        self.space = FleetSpace(tuple(g.least for g in groups), tuple(g.most for g in groups))
        self.seeds = tuple(range(1, 1 + SEEDS))
        self._outcomes: dict[tuple[str, int, float], CaseOutcome] = {}
        self.fleets = [self._evaluate(counts) for counts in self.space.fleets()]

    def _evaluate(self, counts: tuple[int, ...]) -> EvaluatedFleet:
        home = str(self.loaded.home)
        results = []
        for seed in self.seeds:
            case = fleet_case(self.loaded.scenario, self.groups, counts, home=home, seed=seed)
            ((_, outcome),) = self.run_all([case])
            results.append(outcome.result)
        return EvaluatedFleet(counts, combine_seeds(results), False)

    def run_all(self, cases: Sequence[Case]) -> Iterator[tuple[int, CaseOutcome]]:
        """Runs cases, each once."""
        for number, case in enumerate(cases):
            key = (case.label, case.seed, case.scenario.hours)
            if key not in self._outcomes:
                self._outcomes[key] = run_task(CaseTask(case))
            yield number, self._outcomes[key]

    def optimum(self, goals: Sequence[Goal], minimise: str) -> EvaluatedFleet | None:
        """The fleet of least objective among those whose means meet the goals."""
        met = [fleet for fleet in self.fleets if all(goal.is_met(fleet.summary) for goal in goals)]
        return min(met, key=lambda fleet: objective(fleet, minimise), default=None)


def objective(fleet: EvaluatedFleet, minimise: str) -> tuple[float, float, float]:
    """Returns the values by which fleets are compared, as the planner's."""
    machines = float(sum(fleet.counts))
    cad, grams = cost_cad(fleet.summary), float(fleet.summary["carbon_g"])
    return {
        "machines": (machines, cad, grams),
        "cost": (cad, machines, grams),
        "carbon": (grams, cad, machines),
    }[minimise]


def cost_cad(summary: dict[str, dict[str, float]]) -> float:
    """Returns the cost of energy and machines, dollars."""
    return float(summary["cost_cad"]["energy"] + summary["cost_cad"]["hardware"])


def random_goals(rng: random.Random, brute: Brute) -> list[Goal]:
    """Returns one or two goals at a quantile of the fleets' values, or out of reach."""
    goals = []
    for key, sign in rng.sample(GOAL_KEYS, rng.randint(1, 2)):
        values = [summary_value(fleet.summary, key) for fleet in brute.fleets]
        known = sorted(value for value in values if value is not None)
        if not known:
            continue
        bound = known[int(rng.random() * len(known))]
        if rng.random() < 0.15:
            bound = known[-1] * 1.5 if sign == ">=" else known[0] * 0.5
        goals.append(Goal(key, sign, float(f"{bound:.4g}")))
    return goals


def is_same(optimum: EvaluatedFleet | None, plan: FleetPlan, minimise: str) -> bool:
    """Whether the plan is the optimum, or equal within the interval of the paired seeds."""
    planned = plan.feasible
    if optimum is None or planned is None:
        return optimum is None and planned is None
    if optimum.counts == planned.counts:
        return True
    if minimise == "machines":
        return sum(optimum.counts) == sum(planned.counts)
    values = [
        [cost_cad(run.summary) if minimise == "cost" else run.summary["carbon_g"]
         for run in fleet.seeded.results]
        for fleet in (planned, optimum)
    ]  # fmt: skip
    return paired_interval(values[0], values[1]).low <= 0.0


def measure(seed: int) -> list[Row]:
    """Compares the planner with brute force on one scenario."""
    rng = random.Random(seed)
    text = scenario_text(rng)
    loaded = parse_scenario(text, path="random.toml", home=Path())
    groups = plan_groups(loaded.scenario, {})
    brute = Brute(loaded, groups)
    goals = random_goals(rng, brute)
    rows = []
    for minimise in OBJECTIVES:
        optimum = brute.optimum(goals, minimise)
        for search, limit in (("complete", EXHAUSTIVE_MAX), ("search", 0)):
            plan = FleetPlanner(
                loaded,
                groups=groups,
                goals=tuple(goals),
                minimise=minimise,
                seeds=brute.seeds,
                run_all=brute.run_all,
                at_once=2,
                exhaustive_max=limit,
            ).find_plan()
            rows.append(
                Row(
                    str(seed),
                    minimise,
                    search,
                    brute.space.size,
                    " ".join(map(str, goals)),
                    "none" if optimum is None else str(optimum.counts),
                    "none" if plan.feasible is None else str(plan.feasible.counts),
                    is_same(optimum, plan, minimise),
                    round(plan.tried / brute.space.size, 2),
                )
            )
    return rows


def totals(rows: Sequence[Row], began: float) -> Iterator[Row]:
    """Yields the totals of each search."""
    for search in ("complete", "search"):
        own = [row for row in rows if row.search == search]
        none = sum(row.optimum == "none" for row in own)
        same = sum(row.same for row in own)
        yield Row(
            "all",
            f"{same} of {len(own)} same",
            search,
            sum(row.fleets for row in own),
            f"{none} cannot be met",
            "",
            f"{time.perf_counter() - began:.0f} s",
            same == len(own),
            round(sum(row.simulated for row in own) / max(1, len(own)), 2),
        )


def main() -> int:
    """Compares plans with brute force; returns the exit code."""
    parser = make_parser(__doc__)
    parser.add_argument("--count", type=int, default=200, help="number of scenarios")
    parser.add_argument("--first", type=int, default=1, help="seed of the first scenario")
    options = parser.parse_args()
    assert set(DEVICES) <= set(catalogue.devices())
    began = time.perf_counter()
    with Pool() as pool:
        seeds = range(options.first, options.first + options.count)
        rows = [row for some in pool.imap_unordered(measure, seeds) for row in some]
    sums = list(totals(rows, began))
    print_rows([*(row for row in rows if not row.same), *sums], as_json=options.json)
    return 0 if all(row.same for row in sums) else 1


if __name__ == "__main__":
    sys.exit(main())

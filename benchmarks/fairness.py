"""Fairness among co-ops that overload a node, compared with plain VTC on the same node.

*Workloads* of the VTC paper's artifact, and a trace of 27 clients; each client is a co-op. ``ours``
is the core, ``vtc`` the paper's virtual token counter, ``vtc_oracle`` the same with known answer
lengths, ``fcfs`` first come first served. All drive the same simulated node with the same events;
only the oracle knows answer lengths, and each client asks for up to 1,024 tokens. Figures are the
artifact's, means over seeds: the windowed gap is how far the worst-served client is behind the
best-served one, at most its demand, in service (prompt plus twice the answer) per second;
``settled`` from the third minute on; ``light`` clients are the half with the least demand. The
policy is the default one, except for the cap on tokens in flight (``support/vtc_simulation``).

In the artifact's synthetic workloads a client's answers mostly have one length, which ``ours``
learns and plain VTC does not use. ``overload-unknown`` and ``overload-long-tail`` draw each length
independently. The trace's lengths are real: its row is the most representative.

*Bound* of ``docs/concepts/fairness.md``: violations and largest gap in random pools of 1 and 50
nodes. *Owners*: the same bound in pools whose borrowers own nodes, and slots owed to an owner that
went to another co-op. *Eligibility*: distance from the weighted max-min division where co-ops can
use different nodes.

    python -m benchmarks.fairness [--json] [--quick] [--only PART ...]
"""

import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.support import vtc_workloads
from benchmarks.support.common import make_parser, print_rows
from benchmarks.support.eligibility import EligibilityRow, eligibility_row
from benchmarks.support.fairness_bound import BoundRow, OwnersRow, bound_rows, owners_rows
from benchmarks.support.vtc_metrics import (
    REFUSED,
    Response,
    fairness_figures,
    light_clients,
    quantile,
)
from benchmarks.support.vtc_queue import FirstComeScheduler, VtcScheduler
from benchmarks.support.vtc_simulation import (
    SchedulerFactory,
    client_requests,
    make_policy,
    serve_requests,
    size_node,
)
from benchmarks.support.vtc_workloads import Workload
from msgspec import Struct

from entraide_scheduler.core.machine import Core

SEEDS = 20
ORIENTATION_SEEDS = 4  # for rows without a goal: oracle, first come first served, large node
QUICK_SEEDS = 2
BOUND_SEEDS = 1_000
QUICK_BOUND_SEEDS = 20
OWNERS_SEEDS = 400
ELIGIBILITY_SEEDS = 20
PARTS = ("workloads", "unknown", "trace", "large", "bound", "owners", "eligibility")

VTC, OURS = "vtc", "ours"
REPORTED_FIGURES = (
    "clients", "n", "max_diff", "avg_diff", "settled_diff", "diff_var", "acc_gap_max", "tok_s",
    "refused",
)  # fmt: skip
POLICIES: Mapping[str, SchedulerFactory] = {
    VTC: lambda _: VtcScheduler(),
    OURS: lambda _: Core(),
    "vtc_oracle": VtcScheduler,
    "fcfs": lambda _: FirstComeScheduler(),
}


class Row(Struct, frozen=True):
    """One workload under one policy; a gap is in service (prompt + 2 x answer).

    ``…_vtc_ratio`` is over plain VTC's figure in the same run; None where that is 0.
    """

    benchmark: str
    workload: str
    policy: str
    seeds: int
    clients: int
    requests: int
    slots: float
    windowed_gap_max_per_s: float
    windowed_gap_mean_per_s: float
    windowed_gap_settled_per_s: float
    windowed_gap_variance: float
    accumulated_gap_max: float
    tokens_per_s: float
    refused: int
    light_ttft_p99_s: float
    windowed_gap_max_vtc_ratio: float | None
    windowed_gap_mean_vtc_ratio: float | None
    windowed_gap_settled_vtc_ratio: float | None
    accumulated_gap_vtc_ratio: float | None
    tokens_vtc_ratio: float | None
    light_ttft_p99_vtc_ratio: float | None


Figures = dict[str, float]


def figures_of(workload: Workload, seed: int, make: SchedulerFactory) -> Figures:
    """Runs a workload once and returns its figures."""
    arrivals = workload.arrivals(seed)
    machine = size_node(arrivals, workload.pool_tokens)
    weights = dict(workload.weights)
    policy = make_policy({arrival.client: weights.get(arrival.client, 1.0) for arrival in arrivals})
    responses = serve_requests(
        client_requests(arrivals), make, policy=policy, machine=machine, seed=seed
    )
    figures = fairness_figures(responses, weights=weights)
    return {name: float(figures[name]) for name in REPORTED_FIGURES} | {
        "slots": float(machine.slots),
        "light_p99_s": light_p99_s(responses),
    }


def light_p99_s(responses: Sequence[Response]) -> float:
    """Returns the TTFT p99 of the clients with the least demand."""
    light = light_clients(responses)
    waits = [response.first_token_latency for response in responses if response.client in light]
    return quantile([wait for wait in waits if wait != REFUSED], 0.99)


def rows_of(workload: Workload, seeds_of: Mapping[str, int]) -> list[Row]:
    """Returns a row for each policy, compared over the seeds that it shares with plain VTC."""
    figures_by_policy: dict[str, list[Figures]] = {}
    for policy, make in POLICIES.items():
        seeds = range(1, seeds_of[policy] + 1)
        figures_by_policy[policy] = [figures_of(workload, seed, make) for seed in seeds]
    return [
        _row(workload, policy, figures_by_policy[policy], figures_by_policy[VTC])
        for policy in figures_by_policy
    ]


def _row(workload: Workload, policy: str, mine: Sequence[Figures], vtc: Sequence[Figures]) -> Row:
    def mean(name: str, of: Iterable[Figures] = mine) -> float:
        return statistics.fmean(figures[name] for figures in of)

    def ratio(name: str) -> float | None:
        base = mean(name, vtc[: len(mine)])
        return round(mean(name) / base, 4) if base > 0.0 else None

    return Row(
        benchmark="fairness",
        workload=workload.name,
        policy=policy,
        seeds=len(mine),
        clients=round(mean("clients")),
        requests=round(mean("n")),
        slots=round(mean("slots"), 1),
        windowed_gap_max_per_s=round(mean("max_diff"), 2),
        windowed_gap_mean_per_s=round(mean("avg_diff"), 2),
        windowed_gap_settled_per_s=round(mean("settled_diff"), 2),
        windowed_gap_variance=round(mean("diff_var"), 1),
        accumulated_gap_max=round(mean("acc_gap_max"), 1),
        tokens_per_s=round(mean("tok_s"), 2),
        refused=round(sum(figures["refused"] for figures in mine)),
        light_ttft_p99_s=round(mean("light_p99_s"), 3),
        windowed_gap_max_vtc_ratio=ratio("max_diff"),
        windowed_gap_mean_vtc_ratio=ratio("avg_diff"),
        windowed_gap_settled_vtc_ratio=ratio("settled_diff"),
        accumulated_gap_vtc_ratio=ratio("acc_gap_max"),
        tokens_vtc_ratio=ratio("tok_s"),
        light_ttft_p99_vtc_ratio=ratio("light_p99_s"),
    )


def _seeds(goals: int, orientation: int) -> dict[str, int]:
    return {policy: goals if policy in {VTC, OURS} else orientation for policy in POLICIES}


def workloads(*, quick: bool) -> list[Any]:
    """Returns the rows of the synthetic workloads on the small node."""
    seeds = _seeds(QUICK_SEEDS, 1) if quick else _seeds(SEEDS, ORIENTATION_SEEDS)
    return _flatten_rows(
        rows_of(workload, seeds) for workload in vtc_workloads.synthetic_workloads()
    )


def unknown(*, quick: bool) -> list[Any]:
    """Returns the rows of ``overload`` with unpredictable answer lengths."""
    seeds = _seeds(QUICK_SEEDS, 1) if quick else _seeds(SEEDS, ORIENTATION_SEEDS)
    return _flatten_rows(
        rows_of(workload, seeds) for workload in vtc_workloads.unknown_length_workloads()
    )


def trace(*, quick: bool) -> list[Any]:
    """Returns the rows of the trace; none without its file."""
    workload = vtc_workloads.trace_workload()
    if workload is None:
        print(f"no row of the 27 clients: {vtc_workloads.TRACE} is not there", file=sys.stderr)
        return []
    return _flatten_rows([rows_of(workload, _seeds(QUICK_SEEDS, 1) if quick else _seeds(SEEDS, 1))])


def large(*, quick: bool) -> list[Any]:
    """Returns the rows of the large node's workloads."""
    seeds = _seeds(1, 1) if quick else _seeds(ORIENTATION_SEEDS, 1)
    return _flatten_rows(
        rows_of(workload, seeds) for workload in vtc_workloads.large_node_workloads()
    )


def bound(*, quick: bool) -> list[Any]:
    """Returns the rows of the proved bound."""
    return list[BoundRow](bound_rows(QUICK_BOUND_SEEDS if quick else BOUND_SEEDS))


def owners(*, quick: bool) -> list[Any]:
    """Returns the rows of the bound and of owed slots where borrowers own nodes."""
    return list[OwnersRow](owners_rows(QUICK_BOUND_SEEDS if quick else OWNERS_SEEDS))


def eligibility(*, quick: bool) -> list[Any]:
    """Returns the row of the distance to the max-min division."""
    return list[EligibilityRow]([eligibility_row(QUICK_SEEDS if quick else ELIGIBILITY_SEEDS)])


def _flatten_rows(parts: Iterable[list[Row]]) -> list[Any]:
    rows: list[Any] = []
    for part in parts:
        rows += part
        print(f"{part[0].workload}: done", file=sys.stderr)
    return rows


MEASURES: Mapping[str, Callable[..., list[Any]]] = dict(
    zip(PARTS, (workloads, unknown, trace, large, bound, owners, eligibility), strict=True)
)


def main() -> None:
    """Measures and prints the rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--quick", action="store_true", help="few seeds: to see that it works")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    options = parser.parse_args()
    rows = [row for part in options.only for row in MEASURES[part](quick=options.quick)]
    print_rows(rows, as_json=options.json)


if __name__ == "__main__":
    main()

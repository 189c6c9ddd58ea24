"""Emissions of bursts on small pools of new machines, against the best of all assignments.

Each pool (``support/small_pools``) is placed by the core and by brute force, which knows the true
times and takes the least emissions among the assignments with the fewest late first words.
``total_by_least`` is the ratio of all pools' emissions, ``p90_by_least`` the ninth decile of the
pools' ratios, ``late`` the number of late first words of ``jobs``. Methods: ``ours`` is the default
policy; ``no_margins`` expects the likely times without a margin; ``hard_margins`` lets no grams
outweigh the risk of a late first word. ``--frontier`` varies ``carbon.late_weight``.

``late_weight`` was chosen on the first half of the seeds (``tuned``); ``judged`` is the other half.

    python -m benchmarks.small_pools [--json] [--frontier] [--pools N] [--first SEED]
"""

import sys
from collections.abc import Sequence
from statistics import quantiles

import msgspec
from benchmarks.support.common import make_parser, print_rows
from benchmarks.support.small_pools import (
    COOP,
    Outcome,
    SmallPool,
    best_assignment,
    draw_pool,
    outcome_of,
    place_jobs,
)
from msgspec import Struct

from entraide.types import JobClass
from entraide_scheduler.core.policy import Carbon, CoopTerms, Policy

POOLS = 200  # of each sample; about 900 jobs
SAMPLES = {"tuned": 0, "judged": 1_000_000}  # by name, the first seed
FRONTIER = "frontier"
NEVER = 1_000.0  # a weight that no grams outweigh
WEIGHTS = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 15.0, 20.0, 40.0, NEVER)


class Row(Struct, frozen=True):
    """A method on a sample of pools; see the module's docstring."""

    sample: str
    method: str
    late_weight: float
    pools: int
    jobs: int
    total_by_least: float
    p90_by_least: float
    late: int
    reference_least_late: int


def make_policy(late_weight: float, *, margins: bool = True) -> Policy:
    """Returns the default policy with another weight, or without margins for interactive jobs."""
    policy = Policy("small", (CoopTerms(COOP),), carbon=Carbon(late_weight=late_weight))
    if margins:
        return policy
    classes = tuple(
        msgspec.structs.replace(terms, confidence=0.5)
        if terms.job_class is JobClass.INTERACTIVE
        else terms
        for terms in policy.classes
    )
    return msgspec.structs.replace(policy, classes=classes)


def measure(
    sample: str, method: str, policy: Policy, pools: Sequence[SmallPool], least: Sequence[Outcome]
) -> Row:
    """Returns the row of a policy."""
    outcomes = [outcome_of(pool, place_jobs(pool, policy)) for pool in pools]
    ratios = [ours.carbon_ug / best.carbon_ug for ours, best in zip(outcomes, least, strict=True)]
    total_ug = sum(outcome.carbon_ug for outcome in outcomes)
    return Row(
        sample,
        method,
        policy.carbon.late_weight,
        len(pools),
        sum(len(pool.asks) for pool in pools),
        total_ug / sum(best.carbon_ug for best in least),
        quantiles(ratios, n=10)[-1],
        sum(outcome.late for outcome in outcomes),
        sum(best.late for best in least),
    )


def main(arguments: Sequence[str]) -> None:
    """Measures and prints the rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--frontier", action="store_true", help="vary the weight of a late word")
    parser.add_argument("--pools", type=int, default=POOLS, help="of each sample")
    parser.add_argument("--first", type=int, default=1, help="first seed, added to the sample's")
    options = parser.parse_args(arguments)
    policies = [
        ("ours", make_policy(Carbon().late_weight)),
        ("hard_margins", make_policy(NEVER)),
        ("no_margins", make_policy(NEVER, margins=False)),
    ]
    if options.frontier:
        policies += [(FRONTIER, make_policy(weight)) for weight in WEIGHTS]
    rows = []
    for sample, begin in SAMPLES.items():
        seeds = range(begin + options.first, begin + options.first + options.pools)
        pools = [draw_pool(seed) for seed in seeds]
        least = [best_assignment(pool) for pool in pools]
        rows += [measure(sample, name, policy, pools, least) for name, policy in policies]
    print_rows(rows, as_json=options.json)


if __name__ == "__main__":
    main(sys.argv[1:])

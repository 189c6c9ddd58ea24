"""Weighted max-min fair division of machines with different eligible co-ops, computed offline.

Assumes divisible work and a permanent backlog of every co-op: the lowest service over weight is
maximal, then the next. A set of co-ops can get at most the capacity of all machines that any of
them can use (Hall's condition, sufficient by max-flow min-cut), so the set with the tightest bound
is filled first, then the rest. All sets are enumerated, which limits the number of co-ops.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from itertools import chain, combinations

COOPS_MAX = 12


def max_min(
    weights: Mapping[str, float],
    eligible: Mapping[str, AbstractSet[str]],
    capacity: Mapping[str, float],
) -> dict[str, float]:
    """Returns what each co-op gets.

    Args:
        weights: by co-op, positive.
        eligible: the machines that each can use.
        capacity: of each machine.

    Raises:
        ValueError: too many co-ops to enumerate all sets.
    """
    if len(weights) > COOPS_MAX:
        raise ValueError(f"{len(weights)} co-ops: more than {COOPS_MAX}")
    given: dict[str, float] = {}
    used: set[str] = set()
    while len(given) < len(weights):
        left = sorted(set(weights) - set(given))
        sets = chain.from_iterable(combinations(left, size) for size in range(1, len(left) + 1))
        level, hardest = min(
            (
                (_room(subset, eligible, capacity, used) / _sum(weights, subset), subset)
                for subset in sets
            ),
            key=lambda level_and_set: (level_and_set[0], -len(level_and_set[1]), level_and_set[1]),
        )
        given |= {coop: level * weights[coop] for coop in hardest}
        used |= set[str]().union(*(eligible[coop] for coop in hardest))
    return given


def _room(
    coops: tuple[str, ...],
    eligible: Mapping[str, AbstractSet[str]],
    capacity: Mapping[str, float],
    used: AbstractSet[str],
) -> float:
    """Returns the remaining capacity of a set's machines."""
    machines = set[str]().union(*(eligible[coop] for coop in coops)) - used
    return sum(capacity[machine] for machine in sorted(machines))


def _sum(weights: Mapping[str, float], coops: tuple[str, ...]) -> float:
    return sum(weights[coop] for coop in coops)

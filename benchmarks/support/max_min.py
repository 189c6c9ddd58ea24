"""The weighted max-min fair division of machines that not everybody can use, reckoned offline.

Decides what each would get if work could be divided at will and everybody always had some waiting:
the least served over weight is as high as can be, then the next. A set of co-ops can together be
given no more than what all machines that any of them can use give (Hall's condition, and enough by
max-flow min-cut); so the set that this binds hardest is filled first, then the rest. Sets are
enumerated: for a handful of co-ops only. It refuses to know time and queues.
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
        capacity: of each machine, in whatever is divided.

    Raises:
        ValueError: more co-ops than sets can be enumerated for.
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
    """Returns what those of a set's machines give that are not used up."""
    machines = set[str]().union(*(eligible[coop] for coop in coops)) - used
    return sum(capacity[machine] for machine in sorted(machines))


def _sum(weights: Mapping[str, float], coops: tuple[str, ...]) -> float:
    return sum(weights[coop] for coop in coops)

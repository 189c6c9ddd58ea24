"""Schedule: the faults of a run, a pure function of its seed and its length.

Kills are of agents, engines, gateways, the scheduler and the bus; a cut takes a site's link away.
Where all machines are silent, every agent stands still and goes on later, as it was. Faults of a
kind are spread evenly over the time, each moved a little by chance.
"""

import random

from msgspec import Struct

from entraide_scheduler.store.trusted_time import FAR_AHEAD_S

SITE_BY_NODE = {
    "n1": "pool", "n2": "pool", "n3": "a", "n4": "a", "n5": "b", "n6": "b", "n7": "a", "n8": "b",
}  # fmt: skip
REAL_NODES = ("n7", "n8")  # have llama.cpp with the small model; the others count
NODES = tuple(SITE_BY_NODE)
GATEWAYS = ("g1", "g2")
SITES = ("a", "b")
SCHEDULER, BUS = "scheduler", "bus"
DISK = "disk"
ALL_NODES = "all nodes"

AGENT_KILLED, ENGINE_KILLED, GATEWAY_KILLED = "agent_killed", "engine_killed", "gateway_killed"
SCHEDULER_KILLED, BUS_KILLED = "scheduler_killed", "bus_killed"
LINK_CUT, CLOCK_MOVED, DISK_FULL = "link_cut", "clock_moved", "disk_full"
CLOCK_DAYS, CLOCK_AT_START = "clock_days", "clock_at_start"
ALL_SILENT = "all_silent"
SCHEDULER_ENDED = (SCHEDULER_KILLED, CLOCK_AT_START)
KILLS = (AGENT_KILLED, ENGINE_KILLED, GATEWAY_KILLED, SCHEDULER_KILLED, BUS_KILLED)


class Fault(Struct, frozen=True):
    """One fault.

    Attributes:
        at_s: time of the run at which it happens, seconds.
        kind: see above.
        target: node, gateway or site; ``scheduler``, ``bus``, ``disk`` or ``all nodes``.
        lasts_s: time until the process is started again or goes on, the link is mended, the clock
            is right or the disk has space; seconds.
        by_s: how far a clock is moved, seconds.
    """

    at_s: float
    kind: str
    target: str
    lasts_s: float
    by_s: float = 0.0


class Kind(Struct, frozen=True):
    """How often a kind of fault happens, to what, and how long it lasts.

    Attributes:
        per_min: faults a minute.
        targets: of which one is drawn.
        shortest_s, longest_s: bounds of its duration, seconds.
    """

    per_min: float
    targets: tuple[str, ...]
    shortest_s: float
    longest_s: float


# 25 kills and 5 cuts a minute: 500 and 100 in 20 minutes.
KINDS = {
    AGENT_KILLED: Kind(11.0, NODES, 0.2, 2.0),
    ENGINE_KILLED: Kind(9.0, NODES, 0.0, 0.0),  # its agent starts it again
    GATEWAY_KILLED: Kind(2.5, GATEWAYS, 0.2, 2.0),
    SCHEDULER_KILLED: Kind(1.25, (SCHEDULER,), 0.2, 2.0),
    BUS_KILLED: Kind(1.25, (BUS,), 0.2, 1.5),
    LINK_CUT: Kind(5.0, SITES, 0.5, 6.0),
    CLOCK_MOVED: Kind(1.0, (*NODES, *GATEWAYS, SCHEDULER), 5.0, 20.0),
    CLOCK_DAYS: Kind(0.5, (*NODES, *GATEWAYS, SCHEDULER), 5.0, 12.0),
    CLOCK_AT_START: Kind(0.25, (SCHEDULER,), 3.0, 12.0),  # it is killed, too, and waits meanwhile
    DISK_FULL: Kind(0.5, (DISK,), 2.0, 6.0),
    ALL_SILENT: Kind(0.5, (ALL_NODES,), 4.0, 9.0),
}
CLOCK_MAX_S = {CLOCK_MOVED: 7_200.0, CLOCK_DAYS: 400 * 86_400.0, CLOCK_AT_START: 400 * 86_400.0}


def make_schedule(
    seed: int, minutes: float, kinds: tuple[str, ...] = tuple(KINDS)
) -> tuple[Fault, ...]:
    """Returns the faults of a run in their order.

    Args:
        seed: the same seed gives the same faults.
        minutes: length of the run.
        kinds: the kinds of faults.
    """
    faults = []
    for name in kinds:
        draw = random.Random(f"{seed} {name}")
        kind = KINDS[name]
        number = max(round(kind.per_min * minutes), len(kinds) < len(KINDS))  # a chosen one happens
        every_s = 60.0 * minutes / max(1, number)
        for index in range(number):
            at_s = (index + draw.random()) * every_s
            lasts_s = draw.uniform(kind.shortest_s, kind.longest_s)
            by_s = draw.uniform(-1.0, 1.0) * CLOCK_MAX_S[name] if name in CLOCK_MAX_S else 0.0
            if name == CLOCK_AT_START and 0.0 < by_s <= FAR_AHEAD_S:
                by_s += FAR_AHEAD_S  # a start cannot tell less from a pool that stood still
            target = draw.choice(kind.targets)
            faults.append(Fault(round(at_s, 2), name, target, round(lasts_s, 2), round(by_s, 1)))
    return tuple(sorted(faults, key=lambda fault: (fault.at_s, fault.kind)))

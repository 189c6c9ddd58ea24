"""Expected slots: the slots for batch work in each coming hour, as the machines' owners leave them.

Each node's availability profile gives the part of an hour in which it usually takes work. Its
present state counts, too: what is usual in neither this hour nor those beside it is expected to go
on, for about as long again as it has lasted; a node that is away when it is usually there does not
count at all. So an hour has an expected number of slots. It has a
smaller number for sure, which is ``CAUTION`` standard deviations less, as if the nodes came and
went independently: a reserve for the promise that deferred work meets its deadlines.

Inputs: the eligible replicas, their nodes' profiles, the hour. Output: ``BatchSlots``. All sums are
of integers, so that the order of additions does not matter.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from entraide.types import Lending, NodeState
from entraide_scheduler.core.carbon import HOUR_S, BatchSlots, TokenTimes, ZoneCapacity
from entraide_scheduler.core.estimation import FULL, WEEK_HOURS
from entraide_scheduler.core.fleet import ReplicaView
from entraide_scheduler.core.records import Shape
from entraide_scheduler.core.state import State

CAUTION = 3
SURE_PART = 0.8  # part of an hour's sure slots in which runs begin and end
SLOTS_MAX = 1 << 16  # slots of one replica that count; bounds the sums
AHEAD = np.arange(WEEK_HOURS)


def find_batch_slots(
    state: State, shape: Shape, at: float, *, also: ReplicaView | None = None
) -> BatchSlots:
    """Returns the slots that a shape's work may hold, by zone.

    A node that is silent does not count. The energy and the time of a token come from the nodes'
    cards, at a full batch: the learned ones change with every run, and would change the plan each
    time.

    Args:
        state: the core's.
        shape: of the work.
        at: now, seconds since the epoch.
        also: a replica that counts as open, whatever its node accepts.
    """
    by_zone: dict[str, list[ReplicaView]] = {}
    for view in state.fleet.eligible_nodes(shape).views:
        if view.node.state is NodeState.LIVE and view is not also:
            by_zone.setdefault(view.zone, []).append(view)
    if also is not None:
        by_zone.setdefault(also.zone, []).append(also)
    hour = int(at) // HOUR_S
    pairs = [_find_zone(zone, by_zone[zone], shape, hour, also) for zone in sorted(by_zone)]
    return BatchSlots(tuple(slots for slots, _ in pairs), tuple(times for _, times in pairs))


def _find_zone(
    zone: str, views: Sequence[ReplicaView], shape: Shape, hour: int, also: ReplicaView | None
) -> tuple[ZoneCapacity, TokenTimes]:
    """Returns the slots of one zone's replicas, and the time of a token on them."""
    counts = [min(SLOTS_MAX, view.load.batch_slots) for view in views]
    takes = [
        view is also
        or (
            view.node.accepting
            and (view.node.lending is not Lending.OWN_ONLY or view.coop == shape.coop)
        )
        for view in views
    ]
    input_uwh = output_uwh = input_s = output_s = 0.0
    for count, view in zip(counts, views, strict=True):
        replica = view.replica
        rates = replica.rates
        input_uwh += count * view.typical_input_uwh
        output_uwh += count * view.typical_output_uwh
        input_s += count / rates.prefill_tokens_per_s
        output_s += count * (rates.tpot_base_s + rates.tpot_per_sequence_s * replica.slots)
    total = sum(counts)
    expected, sure = _hourly_slots(counts, takes, views, hour)
    now = float(sum(count for count, is_open in zip(counts, takes, strict=True) if is_open))
    capacity = ZoneCapacity(zone, now, input_uwh / total, output_uwh / total, expected, sure)
    return capacity, TokenTimes(total, input_s / total, output_s / total)


def _hourly_slots(
    counts: Sequence[int], takes: Sequence[bool], views: Sequence[ReplicaView], hour: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns the expected and the sure number of slots in each hour from the present one on."""
    profiles = [view.node.availability for view in views]
    raw = np.frombuffer(b"".join([profile.parts for profile in profiles]), np.uint8)
    parts = np.roll(raw.reshape(len(views), WEEK_HOURS), -hour, axis=1)
    now, around = np.array(takes, np.int64) * FULL, parts[:, [-1, 0, 1]].astype(np.int64)
    unusual = now - np.clip(now, around.min(1), around.max(1))
    rows = np.flatnonzero(unusual)
    change = unusual[rows, None]
    since = np.array([1 + profiles[row].lasted_hours(hour) for row in rows], np.int64)[:, None]
    lasting = np.clip(parts[rows] + change * since // (since + AHEAD), 0, FULL)
    parts[rows] = np.where(2 * change < -FULL, 0, lasting)
    doubts = np.array([[profile.doubt] for profile in profiles], np.uint8)
    low = np.maximum(parts, doubts) - doubts
    # Sums of integers below 2^53 are exact as floats, too, which are added faster.
    is_exact = sum(count * count for count in counts) * FULL * FULL < 1 << 53
    number: np.dtype[Any] = np.dtype(np.float64 if is_exact else np.int64)
    slots = np.array(counts, number)[:, None]
    low_slots, all_slots = slots * low.astype(number), slots * parts.astype(number)
    variance = (low_slots * (slots * FULL - low_slots)).sum(0)
    spread = CAUTION * np.sqrt(variance.astype(np.float64))
    sure = np.maximum(low_slots.sum(0) - spread, 0.0) * SURE_PART / FULL
    expected = all_slots.sum(0) / FULL
    return tuple(expected.tolist()), tuple(sure.tolist())

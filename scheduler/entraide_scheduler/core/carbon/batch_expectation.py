"""Batch expectation: when a batch is expected to run, and its grams then and at once. Pure.

The batch's work is put into the same hours as the shift planner would: the cheapest before its
latest start, beside the other work that waits for them. *At once* is what would happen without
waiting: all its slots work from now on, one hour after another.

Grams are energy times expected intensity, by hour and zone, as in ``emissions``. An hour without
a signal counts as the last one that has one.

Inputs: the batch's lines and run time, slots by zone, the forecast, other work. Output:
``BatchExpectation``.
"""

from collections.abc import Sequence

from msgspec import Struct

from entraide_scheduler.core.carbon.emissions import UNKNOWN_DIRECT_G_PER_KWH
from entraide_scheduler.core.carbon.intensity_forecast import (
    HORIZON_HOURS,
    HOUR_S,
    ExpectedIntensity,
    IntensityForecast,
    Signal,
)
from entraide_scheduler.core.carbon.shift_planner import (
    CheapestHours,
    ShiftReason,
    UsedHour,
    ZoneCapacity,
)
from entraide_scheduler.core.policy import Deferral, IntensityBasis

UNKNOWN = ExpectedIntensity(UNKNOWN_DIRECT_G_PER_KWH, Signal.DEFAULT)


class BatchWorkload(Struct, frozen=True):
    """What is left of a batch.

    Attributes:
        lines: number of lines.
        run_s: expected run time of one line, seconds.
        input_tokens, output_tokens: expected of one line.
        latest_hour: hour before which its lines must start; 0 if they may not wait.
        other_s: slot time of other work that waits for the same hours, seconds.
    """

    lines: int
    run_s: float
    input_tokens: float
    output_tokens: float
    latest_hour: int
    other_s: float = 0.0


class ExpectedHour(Struct, frozen=True, array_like=True):
    """A part of a batch's work in one hour of one zone.

    Attributes:
        zone, hour: grid zone and absolute hour.
        part: share of the batch's lines.
        g_per_kwh, signal: expected intensity and its source.
    """

    zone: str
    hour: int
    part: float
    g_per_kwh: float
    signal: Signal


class BatchExpectation(Struct, frozen=True, array_like=True):
    """When a batch is expected to run.

    Attributes:
        reason: why its lines wait, or do not.
        starts_at, ends_at: of its first and its last line, seconds since the epoch.
        hours: its work by hour and zone, in order of time.
        planned_uwh, planned_ug: energy and emissions in these hours.
        at_once_uwh, at_once_ug: the same if it ran at once.
        basis: emission factor of the intensities.
    """

    reason: ShiftReason
    starts_at: float
    ends_at: float
    hours: tuple[ExpectedHour, ...]
    planned_uwh: float
    planned_ug: float
    at_once_uwh: float
    at_once_ug: float
    basis: IntensityBasis = IntensityBasis.DIRECT

    @property
    def at_once_g_per_kwh(self) -> float:
        """Mean intensity of its energy if it ran at once; 1 uWh at 1 g/kWh is 1e-3 ug."""
        return self.at_once_ug * 1_000.0 / self.at_once_uwh if self.at_once_uwh else 0.0


def expect_batch(
    workload: BatchWorkload,
    capacities: Sequence[ZoneCapacity],
    forecast: IntensityForecast,
    *,
    at: float,
    terms: Deferral,
    basis: IntensityBasis = IntensityBasis.DIRECT,
) -> BatchExpectation | None:
    """Returns when a batch is expected to run; None without lines or without slots.

    Args:
        workload: what is left of the batch.
        capacities: slots that it may hold, one entry for each zone.
        forecast: expected intensities.
        at: now, seconds since the epoch.
        terms: the policy's section.
        basis: emission factor of the intensities.
    """
    free_now = [capacity for capacity in capacities if capacity.slots > 0.0]
    if workload.lines < 1 or workload.run_s <= 0.0 or not free_now:
        return None
    tokens = workload.input_tokens, workload.output_tokens
    hours = CheapestHours(capacities, forecast, at=at, terms=terms, tokens=tokens)
    own_s = workload.lines * workload.run_s
    total_s = own_s + workload.other_s
    reason, _, _ = hours.cost_needed(workload.latest_hour, total_s)
    at_once = _assign_at_once(workload, free_now, forecast, at=at)
    planned = at_once
    if reason is ShiftReason.LATER:
        share = own_s / total_s
        planned = [
            UsedHour(used.zone, used.hour, used.used_s * share) for used in hours.assign(total_s)
        ]
    shown = _describe(planned, workload, forecast, at)
    planned_uwh, planned_ug = _emissions(planned, workload, capacities, forecast, at)
    at_once_uwh, at_once_ug = _emissions(at_once, workload, capacities, forecast, at)
    by_zone = {capacity.zone: capacity for capacity in capacities}
    return BatchExpectation(
        reason=reason,
        starts_at=max(at, min(used.hour for used in planned) * float(HOUR_S)),
        ends_at=max(_end_of(used, by_zone[used.zone], workload, at) for used in planned),
        hours=shown,
        planned_uwh=planned_uwh,
        planned_ug=planned_ug,
        at_once_uwh=at_once_uwh,
        at_once_ug=at_once_ug,
        basis=basis,
    )


def _assign_at_once(
    workload: BatchWorkload,
    capacities: Sequence[ZoneCapacity],
    forecast: IntensityForecast,
    *,
    at: float,
) -> list[UsedHour]:
    """Returns the hours that a batch takes if its lines do not wait.

    Its lines hold the slots of least grams first, as placement picks, all at the same time.
    """
    first_hour, left = int(at) // HOUR_S, float(workload.lines)
    held: list[tuple[str, float]] = []
    costs = {
        capacity.zone: _line_ug(workload, capacity, _intensity(forecast, capacity.zone, 0, at))
        for capacity in capacities
    }
    for capacity in sorted(capacities, key=lambda each: (costs[each.zone], each.zone)):
        if left > 0.0:
            held.append((capacity.zone, min(left, capacity.slots)))
            left -= capacity.slots
    slots = sum(count for _, count in held)
    work_s, used = workload.lines * workload.run_s, []
    for ahead in range(HORIZON_HOURS):
        begins_at = at if ahead == 0 else float((first_hour + ahead) * HOUR_S)
        room_s = ((first_hour + ahead + 1) * HOUR_S - begins_at) * slots
        now_s = work_s if ahead == HORIZON_HOURS - 1 else min(work_s, room_s)
        used += [UsedHour(zone, first_hour + ahead, now_s * count / slots) for zone, count in held]
        work_s -= now_s
        if work_s <= 0.0:
            break
    return used


def _describe(
    used_hours: Sequence[UsedHour], workload: BatchWorkload, forecast: IntensityForecast, at: float
) -> tuple[ExpectedHour, ...]:
    own_s, first_hour = workload.lines * workload.run_s, int(at) // HOUR_S
    shown = []
    for used in sorted(used_hours, key=lambda used: (used.hour, used.zone)):
        expected = _intensity(forecast, used.zone, used.hour - first_hour, at)
        part = used.used_s / own_s
        shown.append(ExpectedHour(used.zone, used.hour, part, expected.g_per_kwh, expected.signal))
    return tuple(shown)


def _emissions(
    used_hours: Sequence[UsedHour],
    workload: BatchWorkload,
    capacities: Sequence[ZoneCapacity],
    forecast: IntensityForecast,
    at: float,
) -> tuple[float, float]:
    """Returns energy (uWh) and emissions (ug) of work in some hours."""
    first_hour = int(at) // HOUR_S
    by_zone = {capacity.zone: capacity for capacity in capacities}
    energy_uwh = emissions_ug = 0.0
    for used in used_hours:
        lines = used.used_s / workload.run_s
        expected = _intensity(forecast, used.zone, used.hour - first_hour, at)
        energy_uwh += lines * _line_uwh(workload, by_zone[used.zone])
        emissions_ug += lines * _line_ug(workload, by_zone[used.zone], expected)
    return energy_uwh, emissions_ug


def _line_uwh(workload: BatchWorkload, capacity: ZoneCapacity) -> float:
    return workload.input_tokens * capacity.input_uwh + workload.output_tokens * capacity.output_uwh


def _line_ug(workload: BatchWorkload, capacity: ZoneCapacity, expected: ExpectedIntensity) -> float:
    """Returns a line's emissions, micrograms; 1 uWh at 1 g/kWh is 1e-3 ug (see ``units``)."""
    return _line_uwh(workload, capacity) * expected.g_per_kwh / 1_000.0


def _intensity(forecast: IntensityForecast, zone: str, ahead: int, at: float) -> ExpectedIntensity:
    """Returns the expected intensity so many hours ahead, or of the last hour that has one."""
    curve = forecast.curve(zone, at=at)
    for place in range(min(ahead, len(curve) - 1), -1, -1):
        expected = curve[place]
        if expected is not None:
            return expected
    return UNKNOWN


def _end_of(used: UsedHour, capacity: ZoneCapacity, workload: BatchWorkload, at: float) -> float:
    """Returns when the work in an hour ends if it takes all slots from its begin, or from now."""
    begins_at = max(at, float(used.hour * HOUR_S))
    ahead = used.hour - int(at) // HOUR_S
    slots = capacity.expected_slots(ahead) if ahead else capacity.slots
    return begins_at + max(workload.run_s, used.used_s / min(slots, float(workload.lines)))

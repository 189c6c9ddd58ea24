"""Shift planner: the highest intensity at which a batch job may start now (carbon shifting).

Greedy over the cheapest hours: all work of a model with a latest start at or before a job's is
assigned to the hours that the job may still use, in order of cost. The costliest hour that the work
needs sets the job's limit; in a costlier hour the job waits. It may take a costlier hour that later
work needs. Work starts at once if the later hours cannot hold it for sure, or if none is known.

Cost of an hour: intensity times the energy of the job's tokens in the zone. An hour holds the work
of the slots that are expected in it; what the owners of the machines usually leave. Inputs: the
backlog by latest start, slots by zone and hour, the intensity forecast, the quarter of an hour.
Output: ``StartLimit``.
The result is a pure function of these inputs, so snapshots hold no plan. Evaluation:
docs/concepts/green-hours.md.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from enum import StrEnum
from heapq import merge
from math import inf

from msgspec import Struct, structs

from entraide_scheduler.core.carbon.batch_backlog import STEP_S, BatchBacklog
from entraide_scheduler.core.carbon.emissions import UNKNOWN_DIRECT_G_PER_KWH
from entraide_scheduler.core.carbon.intensity_forecast import (
    HORIZON_HOURS,
    HOUR_S,
    IntensityForecast,
    Signal,
)
from entraide_scheduler.core.carbon.run_lengths import RunLengths, TokenTimes
from entraide_scheduler.core.policy import Deferral
from entraide_scheduler.core.records import Job, Shape, StatedBatch

SHAPES_KEPT = 4_096  # shapes whose slots are cached
SLACK = 1.0 + 1e-9  # tolerance for rounding when a cost is compared with itself


class ShiftReason(StrEnum):
    """Reason of a start limit."""

    LATER = "later"  # starts above the cost of the costliest needed hour are deferred
    DUE = "due"  # the latest start is in the present hour or past
    SHORT = "short"  # the remaining hours cannot hold the waiting work
    UNKNOWN = "unknown"  # no later hour has an expected intensity


class ZoneCapacity(Struct, frozen=True):
    """Slots that batch work may hold in one zone.

    Attributes:
        zone: the grid zone.
        slots: number of concurrent jobs now.
        input_uwh, output_uwh: typical energy of a prompt token and of an answer token.
        expected: expected number in each hour from the present one on; () for ``slots`` in all.
        sure: number that each of these hours hardly falls short of; () for ``slots`` in all.
    """

    zone: str
    slots: float
    input_uwh: float = 0.0
    output_uwh: float = 1.0
    expected: tuple[float, ...] = ()
    sure: tuple[float, ...] = ()

    def expected_slots(self, ahead: int) -> float:
        """Returns the slots expected so many hours from now."""
        return self.expected[ahead] if self.expected else self.slots

    def sure_slots(self, ahead: int) -> float:
        """Returns the slots that the hour so many hours from now hardly falls short of."""
        return self.sure[ahead] if self.sure else self.slots

    @property
    def is_empty(self) -> bool:
        """Whether it has no slots in any hour."""
        return self.slots <= 0.0 and not any(self.expected)


class BatchSlots(Struct, frozen=True, eq=False):
    """The slots that the jobs of a shape may hold.

    Attributes:
        zones: number and energy, one entry for each zone.
        times: seconds of a token on them, one entry for each zone.
    """

    zones: tuple[ZoneCapacity, ...]
    times: tuple[TokenTimes, ...] = ()


class UsedHour(Struct, frozen=True, gc=False):
    """Work in one hour of one zone: slot time in seconds; ``hour`` is absolute."""

    zone: str
    hour: int
    used_s: float


class GreenerHour(Struct, frozen=True):
    """The cheapest hour after the present one: zone, absolute hour, intensity and its source."""

    zone: str
    hour: int
    g_per_kwh: float
    signal: Signal


class StartLimit(Struct, frozen=True):
    """Highest intensity at which work may start now.

    Attributes:
        reason: reason of the limit.
        max_g_per_kwh: limit by zone; None for no limit.
        later: the cheapest hour after this one; None when none is known.
        wake_at: end of validity, seconds since the epoch.
    """

    reason: ShiftReason
    max_g_per_kwh: dict[str, float] | None
    later: GreenerHour | None
    wake_at: float

    def allows(self, zone: str, g_per_kwh: float) -> bool:
        """Tells whether work may start now in a zone at an intensity."""
        most = self.max_g_per_kwh
        return most is None or g_per_kwh <= most.get(zone, 0.0)


AT_ONCE = StartLimit(ShiftReason.DUE, None, None, inf)


def latest_hour(hour: int, *, at: float, margin: float) -> int:
    """Returns the hour before which work is to start, with a margin for errors.

    The margin is a fraction of the time left, so it shrinks as the hour approaches. Of the hours
    within the margin only the sure slots count.

    Args:
        hour: latest start, as in ``BatchWork``.
        at: now, seconds since the epoch.
        margin: fraction of the time left.
    """
    latest_at = float(hour * HOUR_S)
    return int(latest_at - margin * max(0.0, latest_at - at)) // HOUR_S


def plan_starts(
    work: Sequence[tuple[int, float]],
    capacities: Sequence[ZoneCapacity],
    forecast: IntensityForecast,
    *,
    at: float,
    terms: Deferral,
    tokens: tuple[float, float] = (0.0, 1.0),
) -> dict[int, StartLimit]:
    """Returns the start limit for each hour of latest start that has work.

    Args:
        work: waiting slot time by hour of latest start, seconds, earliest first.
        capacities: slots, one entry for each zone.
        forecast: expected intensities.
        at: now, rounded down to a quarter of an hour.
        terms: the policy's section.
        tokens: prompt and answer tokens of the job, which weight the zones' energies.
    """
    hours = CheapestHours(capacities, forecast, at=at, terms=terms, tokens=tokens)
    total_s, needs = 0.0, []
    for hour, work_s in work:
        total_s += work_s
        needs.append((hour, *hours.cost_needed(hour, total_s)))
    limits, cost_needed = {}, 0.0
    for hour, reason, cost, later in reversed(needs):
        cost_needed = max(cost_needed, cost)
        limits[hour] = hours.start_limit(reason, cost_needed, later)
    return limits


class CheapestHours:
    """The hours of all zones in order of cost, added as the latest start advances."""

    def __init__(
        self,
        capacities: Sequence[ZoneCapacity],
        forecast: IntensityForecast,
        *,
        at: float,
        terms: Deferral,
        tokens: tuple[float, float],
    ) -> None:
        self._at = float(int(at) // STEP_S * STEP_S)
        self._hour = int(at) // HOUR_S
        self._worth, self._margin = 1.0 + terms.worth, terms.margin
        self._capacities = [capacity for capacity in capacities if not capacity.is_empty]
        self._unit_uwh = {
            capacity.zone: capacity.input_uwh * tokens[0] + capacity.output_uwh * tokens[1]
            for capacity in self._capacities
        }
        self._curves = {
            capacity.zone: forecast.curve(capacity.zone, at=at) for capacity in self._capacities
        }
        # Cost, free slot time in s, hour and zone; ascending.
        self._hour_costs: list[tuple[float, float, int, str]] = []
        self._later: tuple[float, int, str] | None = None
        self._added_until = self._hour + 1
        rest_s = (self._hour + 1) * HOUR_S - self._at
        # Slot time behind this quarter of an hour that is there for sure: of the present hour's
        # slots, those that the next hour has as well, since runs that begin late must end.
        self._sure_s = (rest_s - STEP_S) * sum(
            min(capacity.slots, capacity.sure_slots(1)) for capacity in self._capacities
        )
        for capacity in self._capacities:
            now = self._curves[capacity.zone][0]
            g_per_kwh = UNKNOWN_DIRECT_G_PER_KWH if now is None else now.g_per_kwh
            # The present hour is preferred by the policy's factor ``worth``.
            cost = g_per_kwh * self._unit_uwh[capacity.zone] / self._worth
            hour_cost = cost, capacity.slots * rest_s, self._hour, capacity.zone
            insort(self._hour_costs, hour_cost)

    def cost_needed(
        self, hour: int, work_s: float
    ) -> tuple[ShiftReason, float, GreenerHour | None]:
        """Returns the reason, the cost of the costliest hour needed, and the cheapest later hour.

        Args:
            hour: latest start, not below that of an earlier call.
            work_s: slot time with that latest start or an earlier one, seconds.
        """
        latest = latest_hour(hour, at=self._at, margin=self._margin)
        self._add_hours_before(latest)
        within, within_s = self._hours_within_margin(latest, hour)
        later = None
        cheapest = [self._later] if self._later is not None else []
        cheapest += [(cost, then, zone) for cost, _, then, zone in within[:1]]
        if cheapest:
            _, then, zone = min(cheapest)
            expected = self._curves[zone][then - self._hour]
            assert expected is not None
            later = GreenerHour(zone, then, expected.g_per_kwh, expected.signal)
        if hour <= self._hour:
            return ShiftReason.DUE, 0.0, later
        if later is None:
            return ShiftReason.UNKNOWN, 0.0, later
        if work_s > self._sure_s + within_s:
            return ShiftReason.SHORT, inf, later
        for cost, room_s, _, _ in merge(self._hour_costs, within):
            work_s -= room_s
            if work_s <= 0.0:
                return ShiftReason.LATER, cost, later
        return ShiftReason.SHORT, inf, later

    def _hours_within_margin(
        self, latest: int, hour: int
    ) -> tuple[list[tuple[float, float, int, str]], float]:
        """Returns the hours from ``latest`` on by cost, with their sure slots, and these in s."""
        hours: list[tuple[float, float, int, str]] = []
        sure_s = 0.0
        for then in range(max(latest, self._hour + 1), min(hour, self._hour + HORIZON_HOURS)):
            for capacity in self._capacities:
                expected = self._curves[capacity.zone][then - self._hour]
                room_s = capacity.sure_slots(then - self._hour) * HOUR_S
                sure_s += room_s
                if expected is not None and room_s > 0.0:
                    cost = expected.g_per_kwh * self._unit_uwh[capacity.zone]
                    hours.append((cost, room_s, then, capacity.zone))
        return sorted(hours), sure_s

    def assign(self, work_s: float) -> list[UsedHour]:
        """Returns the hours that slot time takes, the cheapest first; see ``cost_needed``."""
        used: list[UsedHour] = []
        for _, room_s, hour, zone in self._hour_costs:
            used_s = min(room_s, work_s)
            if used_s <= 0.0:
                break
            used.append(UsedHour(zone, hour, used_s))
            work_s -= used_s
        return used

    def start_limit(
        self, reason: ShiftReason, cost_needed: float, later: GreenerHour | None
    ) -> StartLimit:
        """Returns the start limit of work that needs hours up to a cost."""
        most = None
        if reason is ShiftReason.LATER and cost_needed == inf:
            reason = ShiftReason.SHORT
        if reason is ShiftReason.LATER:
            cost = cost_needed * self._worth * SLACK
            most = {zone: cost / unit if unit else inf for zone, unit in self._unit_uwh.items()}
        return StartLimit(reason, most, later, self._at + STEP_S)

    def _add_hours_before(self, latest: int) -> None:
        """Adds the hours before a latest start."""
        for hour in range(self._added_until, min(latest, self._hour + HORIZON_HOURS)):
            for capacity in self._capacities:
                expected = self._curves[capacity.zone][hour - self._hour]
                slots = capacity.expected_slots(hour - self._hour)
                self._sure_s += capacity.sure_slots(hour - self._hour) * HOUR_S
                if expected is not None and slots > 0.0:
                    cost = expected.g_per_kwh * self._unit_uwh[capacity.zone]
                    insort(self._hour_costs, (cost, slots * HOUR_S, hour, capacity.zone))
                    later = cost, hour, capacity.zone
                    self._later = later if self._later is None else min(self._later, later)
        self._added_until = max(self._added_until, latest)


class ShiftPlanner:
    """Start limits of the waiting work, cached until an input changes.

    A cached plan equals a new one, so queries do not influence each other.

    Attributes:
        forecast: expected intensities of the zones.
        backlog: the waiting batch work.
    """

    def __init__(self) -> None:
        self.forecast = IntensityForecast()
        self.backlog = BatchBacklog()
        self._slots_inputs: tuple[object, ...] = ()
        self._slots: dict[Shape, BatchSlots] = {}
        self._inputs: tuple[object, ...] = ()
        self._plans: dict[tuple[object, ...], list[tuple[int, StartLimit]]] = {}

    def add_job(self, job: Job) -> None:
        """Adds a waiting job's work to the backlog, if the job may be deferred."""
        if job.wait is not None:
            self.backlog.add(job.shape.model, job.facts.coop, job.wait)

    def remove_job(self, job: Job) -> None:
        """Removes the work that was added for a job, if any was."""
        if job.wait is not None:
            self.backlog.remove(job.shape.model, job.facts.coop, job.wait)

    def add_lines(self, batch: StatedBatch) -> None:
        """Adds the work of a batch's lines to the backlog, if they may be deferred."""
        if batch.work is not None:
            self.backlog.add_lines(batch.facts.model, batch.work)

    def remove_lines(self, batch: StatedBatch) -> None:
        """Removes the work that was added for a batch's lines, if any was."""
        if batch.work is not None:
            self.backlog.remove_lines(batch.facts.model, batch.work)

    def batch_slots(
        self, shape: Shape, *, at: float, version: int, find: Callable[[], BatchSlots]
    ) -> BatchSlots:
        """Returns the slots that a shape's jobs may hold; equal for all deadlines.

        Args:
            shape: of the jobs.
            at: now, seconds since the epoch.
            version: changes whenever the result of ``find`` may change within an hour.
            find: returns the slots; called once per version and hour.
        """
        inputs = int(at) // HOUR_S, version
        if inputs != self._slots_inputs:
            self._slots_inputs, self._slots, self._plans = inputs, {}, {}
        slots = self._slots.get(shape)
        if slots is None:
            undated = structs.replace(shape, green_h=0)
            slots = self._slots.get(undated)
            if len(self._slots) >= SHAPES_KEPT:
                self._slots.clear()
            if slots is None:
                slots = self._slots[undated] = find()
            self._slots[shape] = slots
        return slots

    def start_limit(
        self,
        model: str,
        hour: int,
        *,
        at: float,
        terms: Deferral,
        tokens: tuple[float, float],
        slots: BatchSlots,
        lengths: RunLengths,
    ) -> StartLimit:
        """Returns the start limit of a job that must start before an hour.

        Args:
            model: of the job.
            hour: latest start; for an hour without waiting work, the next hour's limit holds.
            at: now, seconds since the epoch.
            terms: the policy's section.
            tokens: of the job's prompt and answers.
            slots: as returned by ``batch_slots`` for the job.
            lengths: run times of the model's jobs.
        """
        if hour <= int(at) // HOUR_S:
            return AT_ONCE
        inputs = int(at) // STEP_S, terms, self.forecast.version, self.backlog.version
        if inputs != self._inputs:
            self._inputs, self._plans = inputs, {}
        key = model, slots, tokens, lengths
        limits = self._plans.get(key)
        if limits is None:
            limits = self._plans[key] = self._plan(
                model, slots.zones, lengths, at=at, terms=terms, tokens=tokens
            )
        return _limit_of(limits, hour)

    def start_limit_with(
        self,
        slots: BatchSlots,
        model: str,
        hour: int,
        *,
        at: float,
        terms: Deferral,
        tokens: tuple[float, float],
        lengths: RunLengths,
    ) -> StartLimit:
        """Returns the start limit that a job would have with other slots; nothing is cached.

        The arguments are those of ``start_limit``.
        """
        if hour <= int(at) // HOUR_S:
            return AT_ONCE
        limits = self._plan(model, slots.zones, lengths, at=at, terms=terms, tokens=tokens)
        return _limit_of(limits, hour)

    def _plan(
        self,
        model: str,
        capacities: tuple[ZoneCapacity, ...],
        lengths: RunLengths,
        *,
        at: float,
        terms: Deferral,
        tokens: tuple[float, float],
    ) -> list[tuple[int, StartLimit]]:
        work = self.backlog.work(model, lengths)
        made = plan_starts(work, capacities, self.forecast, at=at, terms=terms, tokens=tokens)
        return sorted(made.items())


def _limit_of(limits: list[tuple[int, StartLimit]], hour: int) -> StartLimit:
    place = bisect_left(limits, hour, key=lambda entry: entry[0])
    return limits[min(place, len(limits) - 1)][1] if limits else AT_ONCE

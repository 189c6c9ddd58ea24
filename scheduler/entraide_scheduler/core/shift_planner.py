"""Deferral: at what intensity may a batch job start now, or does a greener hour leave it time?

Decides by taking the cheapest hours first. All work of a model that must start as early as a job,
or earlier, is held against the hours that the job may still use, the cheapest first; the dearest
that it needs is the job's threshold, and what is dearer now must wait. Where work that may wait
longer needs a dearer hour, a job may take that hour in its place. Where the hours cannot hold the
work nothing waits, and where nothing is known of later hours nothing waits. It refuses to know
nodes and turns: the caller says what waits, which slots batch work may hold in which zone, what a
token takes there, and what an hour costs at the node it looks at.

All is a plain function of the waiting work, the capacities, the forecast and the quarter of an
hour: nothing here is kept in a snapshot, and nobody changes it by asking.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from enum import StrEnum
from math import inf

from msgspec import Struct

from entraide_scheduler.core.batch_backlog import BatchBacklog
from entraide_scheduler.core.carbon import UNKNOWN_DIRECT_G_PER_KWH
from entraide_scheduler.core.intensity_forecast import (
    HORIZON_HOURS,
    HOUR_S,
    IntensityForecast,
    Signal,
)
from entraide_scheduler.core.policy import Deferral
from entraide_scheduler.core.records import Shape

STEP_S = 900  # the present hour shrinks by such steps; between two of them answers stand
SLACK = 1.0 + 1e-9  # so that an hour is never dearer than itself by rounding


class ShiftReason(StrEnum):
    """Why work may start now, or waits."""

    LATER = "later"  # what costs more now than the dearest hour that the work needs waits
    DUE = "due"  # the latest start has come
    SHORT = "short"  # the hours that are left cannot hold the waiting work
    UNKNOWN = "unknown"  # nothing is known of later hours


class ZoneCapacity(Struct, frozen=True):
    """Slots that batch work may hold in one zone.

    Attributes:
        zone: the grid zone.
        slots: how many jobs may run there at once.
        input_uwh, output_uwh: what a token of a prompt and of an answer typically takes there.
    """

    zone: str
    slots: float
    input_uwh: float = 0.0
    output_uwh: float = 1.0


class GreenerHour(Struct, frozen=True):
    """The cheapest hour after the present one: where, when, at what intensity, by which signal."""

    zone: str
    hour: int
    g_per_kwh: float
    signal: Signal


class StartLimit(Struct, frozen=True):
    """At what intensity work may start now.

    Attributes:
        reason: why.
        max_g_per_kwh: by zone, the highest intensity at which it may start there; None when it
            starts at any.
        later: the cheapest hour after this one; None when none is known.
        wake_at: the answer stands until then at the most, seconds since the epoch.
    """

    reason: ShiftReason
    max_g_per_kwh: dict[str, float] | None
    later: GreenerHour | None
    wake_at: float

    def allows(self, zone: str, g_per_kwh: float) -> bool:
        """Tells whether work may start now where a kilowatt-hour costs so much."""
        most = self.max_g_per_kwh
        return most is None or g_per_kwh <= most.get(zone, 0.0)


AT_ONCE = StartLimit(ShiftReason.DUE, None, None, inf)


def latest_hour(hour: int, *, at: float, margin: float) -> int:
    """Returns the hour before whose beginning work must have started, surprises counted.

    The margin is a part of the time that is left, so it shrinks as the hour comes nearer.

    Args:
        hour: as in ``BatchWork``.
        at: now.
        margin: part of the time that is left which is kept for surprises.
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
    """Returns the verdict for each hour of latest start that has work.

    Args:
        work: seconds of slot time that wait, by hour of latest start, earliest first.
        capacities: where it may run, one for each zone.
        forecast: what to expect of their zones.
        at: now; only its quarter of an hour counts.
        terms: the policy's.
        tokens: of the job's prompt and answers; they weigh what zones take against each other.
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
    """The hours of all capacities, the cheapest first, opened one after the other."""

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
        self._capacities = [capacity for capacity in capacities if capacity.slots > 0.0]
        self._unit_uwh = {
            capacity.zone: capacity.input_uwh * tokens[0] + capacity.output_uwh * tokens[1]
            for capacity in self._capacities
        }
        self._curves = {
            capacity.zone: forecast.curve(capacity.zone, at=at) for capacity in self._capacities
        }
        self._hour_costs: list[tuple[float, float]] = []  # cost and room, the cheapest first
        self._later: tuple[float, int, str] | None = None
        self._added_until = self._hour + 1
        rest_s = (self._hour + 1) * HOUR_S - self._at
        for capacity in self._capacities:
            now = self._curves[capacity.zone][0]
            g_per_kwh = UNKNOWN_DIRECT_G_PER_KWH if now is None else now.g_per_kwh
            # A present hour counts as cheaper by ``worth``.
            cost = g_per_kwh * self._unit_uwh[capacity.zone] / self._worth
            insort(self._hour_costs, (cost, capacity.slots * rest_s))

    def cost_needed(
        self, hour: int, work_s: float
    ) -> tuple[ShiftReason, float, GreenerHour | None]:
        """Returns the cost of the dearest hour that work needs, with why, and the cheapest later.

        Args:
            hour: of its latest start, not below that of an earlier call.
            work_s: seconds of slot time that must start until then.
        """
        latest = latest_hour(hour, at=self._at, margin=self._margin)
        self._add_hours_before(latest)
        later = None
        if self._later is not None:
            _, then, zone = self._later
            expected = self._curves[zone][then - self._hour]
            assert expected is not None
            later = GreenerHour(zone, then, expected.g_per_kwh, expected.signal)
        if latest <= self._hour:
            return ShiftReason.DUE, 0.0, later
        if later is None:
            return ShiftReason.UNKNOWN, 0.0, later
        for cost, room_s in self._hour_costs:
            work_s -= room_s
            if work_s <= 0.0:
                return ShiftReason.LATER, cost, later
        return ShiftReason.SHORT, inf, later

    def start_limit(
        self, reason: ShiftReason, cost_needed: float, later: GreenerHour | None
    ) -> StartLimit:
        """Returns the verdict for work that needs hours up to a cost."""
        most = None
        if reason is ShiftReason.LATER and cost_needed == inf:
            reason = ShiftReason.SHORT
        if reason is ShiftReason.LATER:
            cost = cost_needed * self._worth * SLACK
            most = {zone: cost / unit if unit else inf for zone, unit in self._unit_uwh.items()}
        return StartLimit(reason, most, later, self._at + STEP_S)

    def _add_hours_before(self, latest: int) -> None:
        """Lets work use the hours before its latest start."""
        for hour in range(self._added_until, min(latest, self._hour + HORIZON_HOURS)):
            for capacity in self._capacities:
                expected = self._curves[capacity.zone][hour - self._hour]
                if expected is not None:
                    cost = expected.g_per_kwh * self._unit_uwh[capacity.zone]
                    insort(self._hour_costs, (cost, capacity.slots * HOUR_S))
                    hour_cost = cost, hour, capacity.zone
                    self._later = hour_cost if self._later is None else min(self._later, hour_cost)
        self._added_until = max(self._added_until, latest)


class ShiftPlanner:
    """Verdicts for the work that waits, planned again only when something that counts changed.

    What is kept is what a fresh plan would say, so nobody changes it by asking.

    Attributes:
        forecast: what to expect of the zones.
        backlog: the work that waits.
    """

    def __init__(self) -> None:
        self.forecast = IntensityForecast()
        self.backlog = BatchBacklog()
        self._inputs: tuple[object, ...] = ()
        self._capacities: dict[Shape, tuple[ZoneCapacity, ...]] = {}
        self._plans: dict[tuple[object, ...], list[tuple[int, StartLimit]]] = {}

    def start_limit(
        self,
        shape: Shape,
        hour: int,
        *,
        at: float,
        terms: Deferral,
        tokens: tuple[float, float],
        version: int,
        capacities: Callable[[], tuple[ZoneCapacity, ...]],
    ) -> StartLimit:
        """Returns the verdict for a job that must start before an hour.

        Args:
            shape: of the job.
            hour: of its latest start; of one without waiting work the next one's verdict holds.
            at: now, seconds since the epoch.
            terms: the policy's.
            tokens: of the job's prompt and answers.
            version: changes whenever ``capacities`` may give another answer.
            capacities: where the shape's work may run; asked only when a plan is made.
        """
        inputs = int(at) // STEP_S, version, terms, self.forecast.version, self.backlog.version
        if inputs != self._inputs:
            if self._inputs[1:2] != (version,):
                self._capacities = {}
            self._inputs, self._plans = inputs, {}
        known = self._capacities.get(shape)
        if known is None:
            known = self._capacities[shape] = capacities()
        key = shape.model, known, tokens
        limits = self._plans.get(key)
        if limits is None:
            work = self.backlog.work(shape.model)
            made = plan_starts(work, known, self.forecast, at=at, terms=terms, tokens=tokens)
            limits = self._plans[key] = sorted(made.items())
        place = bisect_left(limits, hour, key=lambda entry: entry[0])
        return limits[place][1] if place < len(limits) else AT_ONCE

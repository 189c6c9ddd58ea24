"""Deferral: may a batch job start now, and where, or does a greener hour leave it time enough?

Decides by filling the cheapest hours first. All the waiting batch work of a group of jobs that fit
the same nodes is poured, the earliest latest start first, into the cheapest hours that it may
still use. The dearest hour that it needs is its threshold: what is dearer now must wait. Where the
hours cannot hold the work nothing waits, and where nothing is known of later hours nothing waits.
It refuses to know jobs, nodes and turns: the caller says how much work waits, how many slots of
which zone batch work may hold, and what a unit of work takes there.

All is a plain function of the waiting work (counted, and rounded by size), the supplies, the
outlook and the quarter of an hour: nothing here must be kept in a snapshot.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from heapq import heappop, heappush
from math import inf

from msgspec import Struct

from entraide_scheduler.core.backlog import Backlog, Wait
from entraide_scheduler.core.carbon import UNKNOWN_DIRECT_G_PER_KWH
from entraide_scheduler.core.outlook import HORIZON_HOURS, HOUR_S, Expected, Outlook, Signal
from entraide_scheduler.core.policy import Deferral

STEP_S = 900  # the present hour shrinks by such steps; between two of them answers stand


class Reason(StrEnum):
    """Why work may start now, or waits."""

    GREEN = "green"  # now is among the cheapest hours that the work needs
    LATER = "later"  # later hours are cheaper, and hold the work
    DUE = "due"  # the latest start has come
    SHORT = "short"  # the hours that are left cannot hold the waiting work
    UNKNOWN = "unknown"  # nothing is known of later hours


class Supply(Struct, frozen=True):
    """Slots that batch work may hold in one place, where one intensity rules.

    Attributes:
        name: what the caller calls it: a zone, or a site with own generation.
        zone: the grid zone whose outlook counts.
        slots: how many jobs of the group may run there at once.
        wh_per_unit: what one unit of work typically takes there; only its ratio to the other
            supplies' matters.
        now_g_per_kwh: effective intensity now when it is not the grid's (own surplus).
    """

    name: str
    zone: str
    slots: float
    wh_per_unit: float = 1.0
    now_g_per_kwh: float | None = None


class Cell(Struct, frozen=True):
    """One hour of one supply.

    Attributes:
        name, zone: of the supply.
        hour: absolute hour.
        cost: expected mg of a unit of work there then.
        g_per_kwh, signal: the intensity behind it, and what that rests on.
    """

    name: str
    zone: str
    hour: int
    cost: float
    g_per_kwh: float
    signal: Signal | None


class Verdict(Struct, frozen=True):
    """Whether work may start now, and where.

    Attributes:
        names: supplies where it may; empty when it waits.
        reason: why.
        threshold: cost of the dearest hour that this work, or work that may start later, needs;
            infinite when nothing waits.
        present: the cheapest supply now; None when there is none.
        later: the cheapest hour after this one that had room; None when none is known.
        wake_at: the answer stands until then at the most, seconds since the epoch.
    """

    names: tuple[str, ...]
    reason: Reason
    threshold: float
    present: Cell | None
    later: Cell | None
    wake_at: float


def latest_hour(hour: int, *, at: float, margin: float) -> int:
    """Returns the hour before whose beginning work must have started, surprises counted.

    The margin is a part of the time that is left, so it shrinks as the hour comes nearer.

    Args:
        hour: as in ``Wait``.
        at: now.
        margin: part of the time that is left which is kept for surprises.
    """
    latest_at = float(hour * HOUR_S)
    return int(latest_at - margin * max(0.0, latest_at - at)) // HOUR_S


def plan(
    work: Sequence[tuple[int, float]],
    supplies: Sequence[Supply],
    outlook: Outlook,
    *,
    at: float,
    terms: Deferral,
) -> dict[int, Verdict]:
    """Returns the verdict for each hour of latest start that has work.

    Args:
        work: seconds of slot time that wait, by hour of latest start, earliest first.
        supplies: where it may run.
        outlook: what to expect of their zones.
        at: now; only its quarter of an hour counts.
        terms: the policy's.
    """
    sweep = Sweep(supplies, outlook, at=at, worth=terms.worth)
    needs = [
        (hour, *sweep.pour(work_s, latest_hour(hour, at=sweep.at, margin=terms.margin)))
        for hour, work_s in work
    ]
    verdicts, needed = {}, 0.0
    for hour, why, dearest, later in reversed(needs):
        # Work that may start later takes the place that this work leaves, if this work goes now.
        needed = max(needed, dearest)
        verdicts[hour] = sweep.verdict(needed, why, later=later)
    return verdicts


class Sweep:
    """One pouring of work into hours, the cheapest first.

    Attributes:
        at: the beginning of the present quarter of an hour.
    """

    def __init__(
        self, supplies: Sequence[Supply], outlook: Outlook, *, at: float, worth: float
    ) -> None:
        self.at = float(int(at) // STEP_S * STEP_S)
        self._hour = int(at) // HOUR_S
        self._worth = 1.0 + worth
        self._supplies = supplies
        self._curves = [outlook.curve(supply.zone, at=at) for supply in supplies]
        rest_s = (self._hour + 1) * HOUR_S - self.at
        present = [_present(*pair, self._hour) for pair in zip(supplies, self._curves, strict=True)]
        self._rooms = [supply.slots * rest_s for supply in supplies]
        self._present = present
        self._by_cost = sorted(range(len(present)), key=lambda place: (present[place].cost, place))
        self._later: list[tuple[float, int, int]] = []
        self._later_rooms: dict[tuple[int, int], float] = {}
        self._opened = self._hour + 1
        self._left_over_s = 0.0

    def pour(self, work_s: float, latest: int) -> tuple[Reason | None, float, Cell | None]:
        """Pours work that must start before an hour begins.

        Returns:
            Why it does not wait whatever the costs (or None), the cost of the dearest hour that
            it needs (infinite when the hours cannot hold it), and the cheapest hour after this one
            that it found open.
        """
        self._open(latest)
        later = self._cheapest_later()
        why = None
        if latest <= self._hour:
            why = Reason.DUE
        elif not self._later_rooms:
            why = Reason.UNKNOWN
        return why, self._fill(work_s + self._left_over_s), later

    def verdict(self, needed: float, why: Reason | None, *, later: Cell | None) -> Verdict:
        """Returns the verdict for work that needs hours up to a cost."""
        reason = why or (Reason.SHORT if needed == inf else Reason.GREEN)
        threshold = needed if reason is Reason.GREEN else inf
        names = tuple(cell.name for cell in self._present if cell.cost / self._worth <= threshold)
        if reason is Reason.GREEN and not names:
            reason = Reason.LATER
        return Verdict(
            names=names,
            reason=reason,
            threshold=threshold,
            present=self._present[self._by_cost[0]] if self._present else None,
            later=later,
            wake_at=self.at + STEP_S,
        )

    def _open(self, latest: int) -> None:
        """Lets the work use the hours before its latest start."""
        for hour in range(self._opened, min(latest, self._hour + HORIZON_HOURS)):
            for place, supply in enumerate(self._supplies):
                found = self._curves[place][hour - self._hour]
                if found is not None and supply.slots > 0.0:
                    cost = found.g_per_kwh * supply.wh_per_unit
                    heappush(self._later, (cost, hour, place))
                    self._later_rooms[(hour, place)] = supply.slots * HOUR_S
        self._opened = max(self._opened, latest)

    def _cheapest_later(self) -> Cell | None:
        if not self._later:
            return None
        cost, hour, place = self._later[0]
        supply = self._supplies[place]
        found = self._curves[place][hour - self._hour]
        assert found is not None
        return _cell(supply, hour, cost, found)

    def _fill(self, work_s: float) -> float:
        """Takes room for work, and returns the cost of the dearest; infinite when there is none.

        A present hour counts as cheaper by ``worth``; the costs compared are thus lowered.
        """
        dearest = 0.0
        while work_s > 0.0:
            place = next((place for place in self._by_cost if self._rooms[place] > 0.0), None)
            now = inf if place is None else self._present[place].cost / self._worth
            later = self._later[0][0] if self._later else inf
            if place is not None and now <= later:
                taken_s = min(work_s, self._rooms[place])
                self._rooms[place] -= taken_s
                dearest = max(dearest, now)
            elif self._later:
                key = self._later[0][1:]
                taken_s = min(work_s, self._later_rooms[key])
                self._later_rooms[key] -= taken_s
                if self._later_rooms[key] <= 0.0:
                    heappop(self._later)
                dearest = max(dearest, later)
            else:
                self._left_over_s = work_s
                return inf
            work_s -= taken_s
        self._left_over_s = 0.0
        return dearest


def _present(supply: Supply, curve: Sequence[Expected | None], hour: int) -> Cell:
    found = curve[0]
    g_per_kwh, signal = UNKNOWN_DIRECT_G_PER_KWH, None
    if supply.now_g_per_kwh is not None:
        g_per_kwh, signal = supply.now_g_per_kwh, Signal.ACTUAL
    elif found is not None:
        g_per_kwh, signal = found.g_per_kwh, found.signal
    cost = g_per_kwh * supply.wh_per_unit
    return Cell(supply.name, supply.zone, hour, cost, g_per_kwh, signal)


def _cell(supply: Supply, hour: int, cost: float, found: Expected) -> Cell:
    return Cell(supply.name, supply.zone, hour, cost, found.g_per_kwh, found.signal)


class Scene(Struct, frozen=True):
    """Where a group's work may run, and with whom it shares that.

    Attributes:
        supplies: its own.
        rivals: other groups whose work uses the same slots, and which part of it does.
    """

    supplies: tuple[Supply, ...]
    rivals: tuple[tuple[str, float], ...] = ()


class Kept(Struct, frozen=True):
    """A plan, and what it was made from."""

    scene: Scene
    made_from: tuple[object, ...]
    verdicts: dict[int, Verdict]


class GreenHours:
    """Verdicts for groups of waiting batch jobs, planned again only when something changed.

    Attributes:
        outlook: what to expect of the zones.
        backlog: the work that waits.
    """

    def __init__(self, outlook: Outlook) -> None:
        self.outlook = outlook
        self.backlog = Backlog()
        self._plans: dict[str, Kept] = {}

    def add(self, group: str, wait: Wait) -> None:
        """Counts a job that waits."""
        self.backlog.add(group, wait)

    def remove(self, group: str, wait: Wait) -> None:
        """Counts a job that waits no longer."""
        self.backlog.remove(group, wait)
        if not self.backlog.version(group):
            self._plans.pop(group, None)

    def verdict(
        self,
        group: str,
        wait: Wait,
        *,
        at: float,
        terms: Deferral,
        version: int,
        scene: Callable[[], Scene],
    ) -> Verdict:
        """Returns whether a job that was added may start now, and where.

        Args:
            group: of jobs that fit the same nodes.
            wait: as it was added.
            at: now, seconds since the epoch.
            terms: the policy's.
            version: changes whenever ``scene`` may give another answer.
            scene: where the group's work may run; asked only when a plan is made.
        """
        kept = self._plans.get(group)
        if kept is None or kept.made_from != self._made_from(
            group, kept.scene, at=at, terms=terms, version=version
        ):
            seen = scene()
            parts = ((group, 1.0), *seen.rivals)
            verdicts = plan(
                self.backlog.work(parts), seen.supplies, self.outlook, at=at, terms=terms
            )
            made_from = self._made_from(group, seen, at=at, terms=terms, version=version)
            kept = self._plans[group] = Kept(seen, made_from, verdicts)
        return kept.verdicts[wait.hour]

    def _made_from(
        self, group: str, scene: Scene, *, at: float, terms: Deferral, version: int
    ) -> tuple[object, ...]:
        versions = tuple(self.backlog.version(rival) for rival, _ in scene.rivals)
        step, mine = int(at) // STEP_S, self.backlog.version(group)
        return step, version, terms, self.outlook.version, mine, versions

"""Energy of jobs on one machine, by the rule of the equal share of what running adds.

What a job is charged grows by ``added_w * dt / n`` while it runs beside n - 1 others; ``added_w``
is what running adds to the machine's power at rest. Power at rest is charged to nobody: the
machine is on anyway, for its owner. So the jobs' energies add up to exactly what running added,
whoever came first, and batching makes each of them cheaper.

``added_w`` comes from readings where a meter is trusted: the mean power of each window between two
readings, less the power that the same meter told at rest. Until a window is read, and for jobs
that end within it, the last window's power stands for it; without any, the machine's ``Power``.

It knows neither clocks nor meters: time is an argument, in seconds, and power is told.
"""

import math

from msgspec import Struct
from msgspec.structs import replace

from entraide.types import Basis, Power
from entraide.units import uwh_from_joules

RUNNING_MAX = 4096
BUSY_FRACTION_MIN = 0.9  # of a window with work, for its power to count as power at work
IDLE_POWER_WEIGHT = (
    0.125  # of a new reading in the power at rest: about eight readings are remembered
)


class JobEnergy(Struct, frozen=True):
    """What one job was charged, in whole microwatt-hours.

    Attributes:
        prefill_uwh: until its first output token.
        decode_uwh: from then on.
        basis: ``measured`` when readings cover at least half of its time, ``estimated`` when an
            earlier reading stands for more, else how the machine's power was obtained.
    """

    prefill_uwh: int
    decode_uwh: int
    basis: Basis


class _Run(Struct):
    """A job's share of time, in seconds of the whole machine, and what it was charged for it."""

    begun_s: float
    settled_s: float
    first_s: float = math.inf
    measured_s: float = 0.0
    prefill_j: float = 0.0
    decode_j: float = 0.0

    def settle(self, until_s: float, added_w: float) -> float:
        """Charges the share of time up to a moment; returns how much that was."""
        share_s = until_s - self.settled_s
        prefill_s = min(share_s, max(0.0, self.first_s - self.settled_s))
        self.prefill_j += added_w * prefill_s
        self.decode_j += added_w * (share_s - prefill_s)
        self.settled_s = until_s
        return share_s


class EnergyAllocator:
    """Shares the power that running adds among the jobs that run.

    One sum grows for all: the share of time that a job would have had, had it run from the
    beginning. An event costs the same however many jobs run; only a reading visits each of them.
    """

    def __init__(self, power: Power, at: float) -> None:
        self._at = at
        self._window_at = at
        self._busy_s = 0.0  # of this window
        self._share_s = 0.0
        self._runs: dict[str, _Run] = {}
        self._power = power
        self._rest_w: float | None = None
        self._added_w: float | None = None

    @property
    def running(self) -> int:
        """How many jobs share now."""
        return len(self._runs)

    @property
    def idle_w(self) -> float | None:
        """What the meter says at rest, watts; None before it was asked then."""
        return self._rest_w

    @property
    def added_w(self) -> float:
        """What running adds to the power at rest, watts, as far as is known."""
        if self._added_w is not None:
            return self._added_w
        return max(0.0, self._power.active_w - self._power.idle_w)

    @property
    def power(self) -> Power:
        """The machine's power: as measured once rest and work have both been read."""
        if self._rest_w is None or self._added_w is None:
            return self._power
        active_w = self._rest_w + self._added_w
        return replace(self._power, idle_w=self._rest_w, active_w=active_w, basis=Basis.MEASURED)

    def set_power(self, power: Power, at: float) -> None:
        """From now on the machine draws this, where no reading says otherwise."""
        self._settle_all(at)
        self._power = power

    def begin_job(self, job: str, at: float) -> None:
        """A job begins to be computed; a clock that went back counts as no time."""
        assert job not in self._runs, f"job {job} runs already"
        assert len(self._runs) < RUNNING_MAX
        self._advance(at)
        self._runs[job] = _Run(self._share_s, self._share_s)

    def note_first_token(self, job: str, at: float) -> None:
        """A job's prefill is over; only the first call for a job counts."""
        self._advance(at)
        run = self._runs.get(job)
        if run is not None:
            run.first_s = min(run.first_s, self._share_s)

    def end_job(self, job: str, at: float) -> JobEnergy:
        """A job is over; returns what it is charged, which is nothing if it never began.

        The parts are rounded so that they add up to the rounded whole.
        """
        self._advance(at)
        run = self._runs.pop(job, None)
        if run is None:
            return JobEnergy(0, 0, self._power.basis)
        run.settle(self._share_s, self.added_w)
        whole_uwh = uwh_from_joules(run.prefill_j + run.decode_j)
        prefill_uwh = min(whole_uwh, uwh_from_joules(run.prefill_j))
        return JobEnergy(prefill_uwh, whole_uwh - prefill_uwh, self._basis(run))

    def add_reading(self, mean_w: float, at: float) -> None:
        """Takes a reading: the machine's mean power since the window began, which ends here.

        A window at rest tells the power at rest, one with work what running adds. One with some
        of each tells neither: jobs that still run are charged for it at the next one's power.
        """
        self._advance(at)
        window_s = at - self._window_at
        if window_s > 0.0:
            if self._busy_s <= 0.0:
                self._rested(mean_w)
            elif self._rest_w is not None and self._busy_s >= BUSY_FRACTION_MIN * window_s:
                self._added_w = max(0.0, mean_w - self._rest_w) * window_s / self._busy_s
                for run in self._runs.values():
                    run.measured_s += run.settle(self._share_s, self._added_w)
        self.open_window(at)

    def open_window(self, at: float) -> None:
        """The next reading is about the time from here on."""
        self._advance(at)
        self._window_at, self._busy_s = at, 0.0

    def reset(self, at: float) -> None:
        """The meter is another one, or none: what the last one told does not hold for it."""
        self._settle_all(at)
        self._rest_w = self._added_w = None
        self.open_window(at)

    def _rested(self, mean_w: float) -> None:
        old_w = self._rest_w
        self._rest_w = mean_w if old_w is None else old_w + IDLE_POWER_WEIGHT * (mean_w - old_w)

    def _basis(self, run: _Run) -> Basis:
        share_s = run.settled_s - run.begun_s
        if share_s > 0.0 and run.measured_s >= share_s / 2:
            return Basis.MEASURED
        return self._power.basis if self._added_w is None else Basis.ESTIMATED

    def _settle_all(self, at: float) -> None:
        self._advance(at)
        for run in self._runs.values():
            run.settle(self._share_s, self.added_w)

    def _advance(self, at: float) -> None:
        elapsed_s = max(0.0, at - self._at)
        if self._runs:
            self._share_s += elapsed_s / len(self._runs)
            self._busy_s += elapsed_s
        else:
            self._share_s = 0.0  # nobody holds a mark: keep the sum small and exact
        self._at = max(self._at, at)

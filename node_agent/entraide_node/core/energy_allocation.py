"""Energy allocation: shares the energy of one machine among its concurrent jobs.

Each of n concurrent jobs is charged ``added_w * dt / n``, where ``added_w`` is the machine's power
above its idle power. Idle power is charged to no job, because the machine is on for its owner
anyway. The charges therefore add up exactly to the energy that the jobs added, and batching lowers
the charge of each job.

Input: begin, first token and end of each job, and readings of a trusted meter; times in seconds,
power in watts. Output: energy of each job in microwatt-hours and its basis. ``added_w`` is the mean
power of the window between two readings minus the idle power of the same meter. Until a window is
read, the power of the last window applies; without any reading, the machine's ``Power``.
"""

import math

from msgspec import Struct
from msgspec.structs import replace

from entraide.types import Basis, Power
from entraide.units import uwh_from_joules

RUNNING_MAX = 4096
BUSY_FRACTION_MIN = 0.9  # of a window that must be busy for its power to count as active power
IDLE_POWER_WEIGHT = (
    0.125  # of a new reading in the mean idle power: about 8 readings are remembered
)


class JobEnergy(Struct, frozen=True):
    """The energy that one job is charged, in whole microwatt-hours.

    Attributes:
        prefill_uwh: until its first output token.
        decode_uwh: from its first output token on.
        basis: ``measured`` if readings cover at least half of the job's time, ``estimated`` if an
            earlier reading applies to more than half, else the basis of the machine's power.
    """

    prefill_uwh: int
    decode_uwh: int
    basis: Basis


class _Run(Struct):
    """A job's share of machine time in seconds, and the energy charged for it in joules."""

    begun_s: float
    settled_s: float
    first_s: float = math.inf
    measured_s: float = 0.0
    prefill_j: float = 0.0
    decode_j: float = 0.0

    def settle(self, until_s: float, added_w: float) -> float:
        """Charges the share of time up to a moment; returns that share in seconds."""
        share_s = until_s - self.settled_s
        prefill_s = min(share_s, max(0.0, self.first_s - self.settled_s))
        self.prefill_j += added_w * prefill_s
        self.decode_j += added_w * (share_s - prefill_s)
        self.settled_s = until_s
        return share_s


class EnergyAllocator:
    """Allocates the power above idle among the running jobs.

    A single sum grows over time: the share that a job would have if it had run since the sum began.
    A job's share is the difference of that sum between its end and its begin, so an event costs
    O(1) whatever the number of jobs; only a reading visits each job.
    """

    def __init__(self, power: Power, at: float) -> None:
        self._at = at
        self._window_at = at
        self._busy_s = 0.0  # of this window
        self._share_s = 0.0
        self._runs: dict[str, _Run] = {}
        self._power = power
        self._idle_w: float | None = None
        self._added_w: float | None = None

    @property
    def running(self) -> int:
        """Number of jobs that run now."""
        return len(self._runs)

    @property
    def idle_w(self) -> float | None:
        """The meter's idle power, watts; None before it was read at idle."""
        return self._idle_w

    @property
    def added_w(self) -> float:
        """Power above idle while jobs run, watts: measured, else from the machine's ``Power``."""
        if self._added_w is not None:
            return self._added_w
        return max(0.0, self._power.active_w - self._power.idle_w)

    @property
    def power(self) -> Power:
        """The machine's power; measured once both idle and active power have been read."""
        if self._idle_w is None or self._added_w is None:
            return self._power
        active_w = self._idle_w + self._added_w
        return replace(self._power, idle_w=self._idle_w, active_w=active_w, basis=Basis.MEASURED)

    def set_power(self, power: Power, at: float) -> None:
        """Sets the power that applies where there is no reading."""
        self._settle_all(at)
        self._power = power

    def begin_job(self, job: str, at: float) -> None:
        """Begins to charge a job; a clock that went back counts as no time."""
        assert job not in self._runs, f"job {job} runs already"
        assert len(self._runs) < RUNNING_MAX
        self._advance(at)
        self._runs[job] = _Run(self._share_s, self._share_s)

    def note_first_token(self, job: str, at: float) -> None:
        """Ends a job's prefill; only the first call for a job has an effect."""
        self._advance(at)
        run = self._runs.get(job)
        if run is not None:
            run.first_s = min(run.first_s, self._share_s)

    def end_job(self, job: str, at: float) -> JobEnergy:
        """Ends a job and returns its charge; zero for a job that never began.

        The parts are rounded so that they add up to the rounded total.
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
        """Adds a reading: the machine's mean power of the current window, which ends here.

        A window without jobs gives the idle power, a window full of jobs the power above idle. A
        mixed window gives neither; the jobs that still run are charged for it at the power of the
        next window.
        """
        self._advance(at)
        window_s = at - self._window_at
        if window_s > 0.0:
            if self._busy_s <= 0.0:
                self._observe_idle(mean_w)
            elif self._idle_w is not None and self._busy_s >= BUSY_FRACTION_MIN * window_s:
                self._added_w = max(0.0, mean_w - self._idle_w) * window_s / self._busy_s
                for run in self._runs.values():
                    run.measured_s += run.settle(self._share_s, self._added_w)
        self.open_window(at)

    def open_window(self, at: float) -> None:
        """Starts the window of the next reading here."""
        self._advance(at)
        self._window_at, self._busy_s = at, 0.0

    def reset(self, at: float) -> None:
        """Drops the readings of a meter that is no longer in use."""
        self._settle_all(at)
        self._idle_w = self._added_w = None
        self.open_window(at)

    def _observe_idle(self, mean_w: float) -> None:
        previous_w = self._idle_w
        self._idle_w = (
            mean_w if previous_w is None else previous_w + IDLE_POWER_WEIGHT * (mean_w - previous_w)
        )

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
            self._share_s = 0.0  # no job refers to the sum: keep it small and exact
        self._at = max(self._at, at)

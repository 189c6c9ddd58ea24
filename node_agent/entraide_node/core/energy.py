"""Energy of jobs on one machine, by the rule of the equal share of what running adds.

While at least one job runs, the machine draws ``active_w``; at rest it draws ``idle_w``. What a
job is charged grows by ``(active_w - idle_w) * dt / n`` while it runs beside n - 1 others. Idle
power is charged to nobody: the machine is on anyway, for its owner. So the jobs' energies add up
to exactly what running added, whoever came first, and batching makes each of them cheaper.

It knows neither clocks nor meters: time is an argument, in seconds, and power is told.
"""

from msgspec import Struct

from entraide.types import Basis, Power
from entraide.units import uwh_from_joules

RUNNING_MAX = 4096


class JobEnergy(Struct, frozen=True):
    """What one job was charged, in whole microwatt-hours.

    Attributes:
        prefill_uwh: until its first output token.
        decode_uwh: from then on.
        basis: how the power behind it was obtained.
    """

    prefill_uwh: int
    decode_uwh: int
    basis: Basis


class _Mark(Struct):
    begin_j: float
    decode_j: float | None = None


class EnergyMeter:
    """Shares the power that running adds among the jobs that run.

    One sum grows for all: the joules that a job would have been charged had it run from the
    beginning. A job's energy is the difference of that sum between two moments, so that each
    event costs the same however many jobs run.
    """

    def __init__(self, power: Power, at: float) -> None:
        self._at = at
        self._per_job_j = 0.0
        self._jobs: dict[str, _Mark] = {}
        self._power = power

    @property
    def running(self) -> int:
        """How many jobs share now."""
        return len(self._jobs)

    def set_power(self, power: Power, at: float) -> None:
        """From now on the machine draws this."""
        self._advance(at)
        self._power = power

    def begin(self, job: str, at: float) -> None:
        """A job begins to be computed; a clock that went back counts as no time."""
        assert job not in self._jobs, f"job {job} runs already"
        assert len(self._jobs) < RUNNING_MAX
        self._advance(at)
        self._jobs[job] = _Mark(self._per_job_j)

    def first_token(self, job: str, at: float) -> None:
        """A job's prefill is over; only the first call for a job counts."""
        self._advance(at)
        mark = self._jobs.get(job)
        if mark is not None and mark.decode_j is None:
            mark.decode_j = self._per_job_j

    def end(self, job: str, at: float) -> JobEnergy:
        """A job is over; returns what it is charged, which is nothing if it never began.

        The parts are rounded so that they add up to the rounded whole.
        """
        self._advance(at)
        mark = self._jobs.pop(job, None)
        if mark is None:
            return JobEnergy(0, 0, self._power.basis)
        whole_uwh = uwh_from_joules(self._per_job_j - mark.begin_j)
        if mark.decode_j is None:
            return JobEnergy(whole_uwh, 0, self._power.basis)
        prefill_uwh = min(whole_uwh, uwh_from_joules(mark.decode_j - mark.begin_j))
        return JobEnergy(prefill_uwh, whole_uwh - prefill_uwh, self._power.basis)

    def _advance(self, at: float) -> None:
        if self._jobs:
            added_w = max(0.0, self._power.active_w - self._power.idle_w)
            self._per_job_j += added_w * max(0.0, at - self._at) / len(self._jobs)
        else:
            self._per_job_j = 0.0  # nobody holds a mark: keep the sum small and exact
        self._at = max(self._at, at)

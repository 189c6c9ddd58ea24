"""The power above idle is allocated to the jobs, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entraide.types import Basis, Power
from entraide.units import uwh_from_joules
from entraide_node.core.energy_allocation import EnergyAllocator, JobEnergy

POWER = Power("test", idle_w=10.0, active_w=46.0, basis=Basis.ESTIMATED)  # running adds 36 W


def test_one_job_alone() -> None:
    """A single job is charged the whole power above idle, prefill and decode apart."""
    meter = EnergyAllocator(POWER, 100.0)
    meter.begin_job("a", 200.0)
    meter.note_first_token("a", 202.0)

    energy = meter.end_job("a", 205.0)

    assert JobEnergy(prefill_uwh=20_000, decode_uwh=30_000, basis=Basis.ESTIMATED) == energy


def test_two_jobs_share() -> None:
    """Two concurrent jobs are charged half each, whichever came first."""
    meter = EnergyAllocator(POWER, 0.0)
    meter.begin_job("a", 0.0)
    meter.begin_job("b", 10.0)
    a = meter.end_job("a", 20.0)
    b = meter.end_job("b", 30.0)

    assert (150_000, 150_000) == (a.prefill_uwh, b.prefill_uwh)


def test_rest_is_not_charged() -> None:
    """Idle power and idle time are charged to no job."""
    meter = EnergyAllocator(POWER, 0.0)
    meter.begin_job("a", 0.0)
    first = meter.end_job("a", 1.0)
    meter.begin_job("b", 1_000.0)
    second = meter.end_job("b", 1_001.0)

    assert first == second


def test_a_job_that_never_began() -> None:
    """A job that never ran is charged nothing, and first tokens of unknown jobs are ignored."""
    meter = EnergyAllocator(POWER, 0.0)
    meter.note_first_token("a", 1.0)

    assert JobEnergy(0, 0, Basis.ESTIMATED) == meter.end_job("a", 2.0)


def test_power_may_change() -> None:
    """New power figures apply from the time they are set, and never below zero."""
    meter = EnergyAllocator(POWER, 0.0)
    meter.begin_job("a", 0.0)
    meter.set_power(Power("m", 50.0, 40.0, Basis.MEASURED), 10.0)

    assert JobEnergy(100_000, 0, Basis.MEASURED) == meter.end_job("a", 20.0)


def test_a_clock_that_goes_back() -> None:
    """Time that runs backwards is no time."""
    meter = EnergyAllocator(POWER, 0.0)
    meter.begin_job("a", 10.0)
    meter.note_first_token("a", 5.0)

    assert JobEnergy(0, 100_000, Basis.ESTIMATED) == meter.end_job("a", 20.0)


def test_a_job_begins_once() -> None:
    """The same job cannot run twice at the same time."""
    meter = EnergyAllocator(POWER, 0.0)
    meter.begin_job("a", 0.0)

    with pytest.raises(AssertionError):
        meter.begin_job("a", 1.0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "first", "end"]),
        st.integers(0, 6),
        st.floats(0.0, 600.0, allow_nan=False),
    ),
    max_size=60,
)


@given(STEPS, st.floats(0, 500), st.floats(0, 900))
def test_the_shares_add_up(
    steps: list[tuple[str, int, float]], idle_w: float, active_w: float
) -> None:
    """The jobs' energies add up to the energy above idle, within rounding."""
    meter = EnergyAllocator(Power("test", idle_w, active_w, Basis.DEFAULT), 0.0)
    now, busy_s, running, charged = 0.0, 0.0, set[str](), list[JobEnergy]()
    for kind, number, dt in [*steps, *(("end", n, 1.0) for n in range(7))]:
        job = f"job-{number}"
        now += dt
        busy_s += dt if running else 0.0
        if kind == "begin" and job not in running:
            meter.begin_job(job, now)
            running.add(job)
        elif kind == "first":
            meter.note_first_token(job, now)
        elif kind == "end":
            charged.append(meter.end_job(job, now))
            running.discard(job)

    added_uwh = uwh_from_joules(max(0.0, active_w - idle_w) * busy_s)
    total_uwh = sum(energy.prefill_uwh + energy.decode_uwh for energy in charged)
    assert added_uwh == pytest.approx(total_uwh, abs=len(charged) + 1)
    assert all(energy.prefill_uwh >= 0 and energy.decode_uwh >= 0 for energy in charged)
    assert 0 == meter.running

"""The energy of jobs with meter readings, and the readings that are rejected."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entraide.types import Basis, Power
from entraide_node.core import meter_health
from entraide_node.core.energy_allocation import EnergyAllocator, JobEnergy
from entraide_node.core.meter_health import MeterHealth

POWER = Power("test", idle_w=10.0, active_w=46.0, basis=Basis.DEFAULT)  # running adds 36 W
UWH_PER_J = 1e6 / 3600


def at_rest(meter: EnergyAllocator, rest_w: float, until: float = 10.0) -> EnergyAllocator:
    """A meter that was read once at idle."""
    meter.add_reading(rest_w, until)
    return meter


def test_a_job_is_charged_what_the_readings_say() -> None:
    """Each window's power above idle is charged for that window, split at the first token."""
    meter = at_rest(EnergyAllocator(POWER, 0.0), 20.0)
    meter.begin_job("a", 10.0)
    meter.add_reading(92.0, 11.0)
    meter.note_first_token("a", 11.5)
    meter.add_reading(56.0, 12.0)

    # 72 J of the first window and half of the second's 36 J, then the other half.
    assert JobEnergy(25_000, 5_000, Basis.MEASURED) == meter.end_job("a", 12.0)


def test_the_last_reading_stands_for_the_end_of_a_job() -> None:
    """Time after the last window is charged at the last window's power."""
    meter = at_rest(EnergyAllocator(POWER, 0.0), 20.0)
    meter.begin_job("a", 10.0)
    meter.add_reading(56.0, 11.0)

    assert JobEnergy(15_000, 0, Basis.MEASURED) == meter.end_job("a", 11.5)


def test_a_job_between_two_readings_is_estimated() -> None:
    """A job within one window is charged at the last window's power, as estimated."""
    meter = at_rest(EnergyAllocator(POWER, 0.0), 20.0)
    meter.begin_job("a", 10.0)
    meter.add_reading(56.0, 11.0)
    meter.end_job("a", 11.0)
    meter.begin_job("b", 11.2)

    assert JobEnergy(2_000, 0, Basis.ESTIMATED) == meter.end_job("b", 11.4)


def test_two_jobs_share_a_window_by_their_time() -> None:
    """Who runs beside another one is charged half for as long as both run."""
    meter = at_rest(EnergyAllocator(POWER, 0.0), 20.0)
    meter.begin_job("a", 10.0)
    meter.begin_job("b", 11.0)
    meter.add_reading(56.0, 12.0)

    assert (15_000, 5_000) == (
        meter.end_job("a", 12.0).prefill_uwh,
        meter.end_job("b", 12.0).prefill_uwh,
    )


def test_a_window_of_rest_and_work_tells_neither() -> None:
    """A window that is only partly at work is charged at the next one's power."""
    meter = at_rest(EnergyAllocator(POWER, 0.0), 20.0)
    meter.begin_job("a", 15.0)
    meter.add_reading(38.0, 20.0)
    meter.add_reading(56.0, 25.0)

    assert JobEnergy(100_000, 0, Basis.MEASURED) == meter.end_job("a", 25.0)


def test_a_meter_that_never_saw_rest_charges_nothing() -> None:
    """Without an idle reading, the catalogue's power applies."""
    meter = EnergyAllocator(POWER, 0.0)
    meter.begin_job("a", 0.0)
    meter.add_reading(300.0, 1.0)
    meter.add_reading(300.0, 2.0)

    assert JobEnergy(20_000, 0, Basis.DEFAULT) == meter.end_job("a", 2.0)


def test_another_meter_begins_anew() -> None:
    """After a change of meters the catalogue applies until both powers have been read."""
    meter = at_rest(EnergyAllocator(POWER, 0.0), 20.0)
    meter.begin_job("a", 10.0)
    meter.add_reading(92.0, 11.0)
    meter.reset(11.0)

    assert JobEnergy(30_000, 0, Basis.MEASURED) == meter.end_job("a", 12.0)
    assert POWER == meter.power


def test_the_machines_power_is_what_was_measured() -> None:
    """After idle and active readings, the card has both as measured."""
    meter = at_rest(EnergyAllocator(POWER, 0.0), 20.0)
    meter.begin_job("a", 10.0)
    meter.add_reading(56.0, 11.0)

    assert Power("test", 20.0, 56.0, Basis.MEASURED) == meter.power


def test_power_at_rest_follows_slowly() -> None:
    """One unusual idle reading changes the idle power by an eighth."""
    meter = at_rest(EnergyAllocator(POWER, 0.0), 20.0)
    meter.add_reading(100.0, 11.0)

    assert 30.0 == meter.idle_w


WINDOWS = st.lists(st.tuples(st.floats(20.0, 400.0), st.integers(1, 4)), min_size=1, max_size=20)


@given(WINDOWS)
def test_measured_shares_add_up(windows: list[tuple[float, int]]) -> None:
    """Jobs over whole windows are charged the metered energy above idle in total."""
    meter = at_rest(EnergyAllocator(POWER, 0.0), 20.0)
    now, added_j, charged_uwh, count = 10.0, 0.0, 0, 0
    for mean_w, jobs in windows:
        for n in range(jobs):
            meter.begin_job(f"{now}-{n}", now)
        now += 1.0
        meter.add_reading(mean_w, now)
        added_j += mean_w - 20.0
        for n in range(jobs):
            energy = meter.end_job(f"{now - 1.0}-{n}", now)
            charged_uwh += energy.prefill_uwh + energy.decode_uwh
            count += 1

    assert added_j * UWH_PER_J == pytest.approx(charged_uwh, abs=count)


LIES = {
    "not a number": (math.nan, meter_health.NOT_A_NUMBER),
    "no end": (math.inf, meter_health.NOT_A_NUMBER),
    "less than nothing": (-3.0, meter_health.NEGATIVE),
    "a unit mistaken by a thousand": (45_000.0, meter_health.TOO_HIGH),
}


@pytest.mark.parametrize("name", LIES)
def test_one_lie_is_dropped_and_three_put_a_meter_aside(name: str) -> None:
    """A single bad reading is forgiven; three in a row are not, for a minute."""
    power_w, fault = LIES[name]
    belief = MeterHealth(meter_health.power_limit_w(60.0))
    believed = [belief.accept_reading(power_w, busy=False, idle_w=None, at=n) for n in (0.0, 1.0)]
    forgiven = belief.is_usable(1.0)
    belief.accept_reading(power_w, busy=False, idle_w=None, at=2.0)

    assert [False, False] == believed
    assert forgiven
    assert fault == belief.fault
    assert (False, True) == (belief.is_usable(61.9), belief.is_usable(62.0))


def test_a_good_reading_forgives_the_ones_before() -> None:
    """Faults count only in a row."""
    belief = MeterHealth(1_000.0)
    for n in range(12):
        belief.accept_reading(-1.0 if n % 3 else 40.0 + n, busy=False, idle_w=None, at=float(n))

    assert belief.is_usable(12.0)


def test_a_meter_that_lies_again_stays_aside_longer() -> None:
    """Each time aside is twice as long, and at most an hour."""
    belief, at, waits = MeterHealth(1_000.0), 0.0, []
    for _ in range(9):
        for _ in range(3):
            belief.add_fault(meter_health.NEGATIVE, at)
        waits.append(belief.suspended_until - at)
        at = belief.suspended_until
        belief.accept_reading(40.0 + at, busy=False, idle_w=None, at=at)

    assert [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600] == waits


def test_a_meter_that_does_not_notice_work_is_not_believed() -> None:
    """A meter whose busy readings equal its idle reading is suspended."""
    belief = MeterHealth(1_000.0, meter_health.added_power_min_w(10.0, 46.0))
    said = [belief.accept_reading(20.0 + n / 10, busy=True, idle_w=20.0, at=n) for n in range(5)]

    assert [True, True, True, True, False] == said
    assert meter_health.NOTHING == belief.fault


def test_a_meter_that_is_stuck_is_not_believed() -> None:
    """A meter whose reading never changes between idle and busy is suspended."""
    belief = MeterHealth(1_000.0)
    said = [belief.accept_reading(44.0, busy=n % 2 == 1, idle_w=None, at=n) for n in range(6)]

    assert [True, True, True, True, False, False] == said
    assert meter_health.UNMOVED == belief.fault


def test_a_steady_plug_is_believed() -> None:
    """A plug with whole watts repeats values, but changes with the load, and is accepted."""
    belief = MeterHealth(1_000.0)
    said = [
        belief.accept_reading(47.0 if busy else 12.0, busy=busy, idle_w=12.0, at=0.0)
        for busy in [False, True, False, True, False, True]
        for _ in range(100)
    ]

    assert all(said)

"""When an engine is measured again, because its runs show another speed for long."""

from tests.cases import all_cases

from entraide.types import Basis, Rates
from entraide_node.core.rate_drift import (
    DEVIATION_MIN_S,
    MEASUREMENT_INTERVAL_S,
    RUNS_MIN,
    RateDrift,
    add_run,
    is_measurement_due,
)

RATES = Rates(
    prefill_tokens_per_s=1_000.0, tpot_base_s=0.02, tpot_per_sequence_s=0.005, basis=Basis.MEASURED
)
DAY = MEASUREMENT_INTERVAL_S

CASES = {
    "as measured": ((1_000, 1.0), (100, 2.5), 1.0, RUNS_MIN, False),
    "a little slower": ((1_000, 1.2), (100, 3.0), 1.0, RUNS_MIN, False),
    "reads at half the speed": ((1_000, 2.0), (100, 2.5), 1.0, RUNS_MIN, True),
    "writes at half the speed": ((1_000, 1.0), (100, 5.0), 1.0, RUNS_MIN, True),
    "writes twice as fast": ((1_000, 1.0), (100, 1.25), 1.0, RUNS_MIN, True),
    "slower because others run": ((1_000, 1.0), (100, 4.0), 4.0, RUNS_MIN, False),
    "too few runs to tell": ((1_000, 2.0), (100, 5.0), 1.0, RUNS_MIN - 1, False),
    "prompts too short to tell": ((100, 2.0), (100, 2.5), 1.0, RUNS_MIN, False),
    "answers too short to tell": ((1_000, 1.0), (15, 5.0), 1.0, RUNS_MIN, False),
    "an engine that tells no times": ((1_000, 0.0), (100, 0.0), 1.0, RUNS_MIN, False),
}


@all_cases("name", CASES)
def test_departure(name: str) -> None:
    """Runs depart when they are a third slower or faster than measured, over many of them."""
    read, write, beside, runs, expected = CASES[name]
    drift = RateDrift()
    for n in range(runs):
        drift = add_run(
            drift, RATES, prefill=read, decode=write, sequences_mean=beside, at=float(n)
        )

    assert expected is (drift.deviates_since_s is not None)


def slow(drift: RateDrift, at: float) -> RateDrift:
    """One more run at half the speed."""
    return add_run(drift, RATES, prefill=(1_000, 2.0), decode=(100, 5.0), sequences_mean=1.0, at=at)


def test_only_what_lasts_is_measured_again() -> None:
    """It must depart for long, and the last measurement must be a day old."""
    drift = RateDrift()
    for n in range(RUNS_MIN):
        drift = slow(drift, DAY + n)
    begun = DAY + RUNS_MIN - 1

    assert not is_measurement_due(drift, measured_s=0.0, at=begun + DEVIATION_MIN_S - 1)
    assert is_measurement_due(drift, measured_s=0.0, at=begun + DEVIATION_MIN_S)
    assert not is_measurement_due(drift, measured_s=begun, at=begun + DEVIATION_MIN_S)


def test_what_mends_itself_is_not_measured() -> None:
    """Once runs go as measured again, nothing is due."""
    drift = RateDrift()
    for n in range(RUNS_MIN):
        drift = slow(drift, float(n))
    for n in range(60):
        drift = add_run(
            drift, RATES, prefill=(1_000, 1.0), decode=(100, 2.5), sequences_mean=1.0, at=100.0 + n
        )

    assert drift.deviates_since_s is None
    assert not is_measurement_due(drift, measured_s=-DAY, at=10 * DAY)

"""Shift planner: batch work takes the cheapest hours and starts before its latest start."""

from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.core import green_year
from tests.core.builders import START

from entraide_scheduler.core import events
from entraide_scheduler.core.carbon import (
    HOUR_S,
    STEP_S,
    BatchSlots,
    GreenerHour,
    RunLengths,
    ShiftPlanner,
    Signal,
    StartLimit,
    ZoneCapacity,
    latest_start_hour,
)
from entraide_scheduler.core.carbon.batch_backlog import BatchBacklog
from entraide_scheduler.core.carbon.intensity_forecast import IntensityForecast
from entraide_scheduler.core.carbon.shift_planner import ShiftReason, latest_hour, plan_starts
from entraide_scheduler.core.policy import Deferral
from entraide_scheduler.core.records import BatchWork

HOUR = int(START) // HOUR_S + 1
AT = float(HOUR * HOUR_S)
EXACT = Deferral(worth=0.0, margin=0.0)
ONE = (ZoneCapacity("CA-ON", 1.0),)


def forecast_of(**zones: tuple[float, ...]) -> IntensityForecast:
    """Forecasts by zone (``CA_ON``), the first value being the present hour's actual one."""
    forecast = IntensityForecast()
    for name, values in zones.items():
        zone = name.replace("_", "-")
        forecast.record_forecast(events.ForecastIssued(1, AT, zone, AT, AT, values))
        record_intensity(forecast, zone, values[0])
    return forecast


def record_intensity(
    forecast: IntensityForecast, zone: str, g_per_kwh: float, *, hour: int = HOUR
) -> None:
    at = float(hour * HOUR_S)
    forecast.record_intensity(
        events.IntensityChanged(2, at, zone, g_per_kwh, g_per_kwh, "measured", at + HOUR_S)
    )


def limit_for(
    forecast: IntensityForecast,
    *,
    latest: int,
    work_h: float = 1.0,
    capacities: tuple[ZoneCapacity, ...] = ONE,
    others: tuple[tuple[int, float], ...] = (),
    at: float = AT,
    terms: Deferral = EXACT,
) -> StartLimit:
    """The start limit of work that must start ``latest`` hours from now, beside others' work."""
    work = {HOUR + hours: float(HOUR_S) * amount for hours, amount in others}
    work[HOUR + latest] = work.get(HOUR + latest, 0.0) + work_h * HOUR_S
    return plan_starts(sorted(work.items()), capacities, forecast, at=at, terms=terms)[
        HOUR + latest
    ]


def starts(
    limit: StartLimit,
    forecast: IntensityForecast,
    capacities: tuple[ZoneCapacity, ...] = ONE,
    *,
    at: float = AT,
) -> tuple[str, ...]:
    """The zones where work may start now on the grid."""
    now = {capacity.zone: forecast.curve(capacity.zone, at=at)[0] for capacity in capacities}
    costs = {zone: 760.0 if point is None else point.g_per_kwh for zone, point in now.items()}
    return tuple(
        capacity.zone
        for capacity in capacities
        if limit.allows(capacity.zone, costs[capacity.zone])
    )


def start_hours(forecast: IntensityForecast, waits: list[int], slots: int = 1) -> list[int]:
    """The hours from now in which jobs of an hour start, each with its hour of latest start."""
    waiting, started = sorted(waits), []
    capacities = (ZoneCapacity("CA-ON", float(slots)),)
    for hour in range(HOUR, HOUR + 200):
        at = float(hour * HOUR_S)
        for _ in range(slots):
            if not waiting:
                return started
            work = [(zone, float(HOUR_S) * waiting.count(zone)) for zone in sorted(set(waiting))]
            limit = plan_starts(work, capacities, forecast, at=at, terms=EXACT)[waiting[0]]
            if starts(limit, forecast, capacities, at=at):
                waiting.pop(0)
                started.append(hour - HOUR)
    return started


# One job, one zone.


def test_work_waits_for_a_greener_hour() -> None:
    """Where the hour after next is cheaper, work waits, and the limit names that hour."""
    forecast = forecast_of(CA_ON=(50.0, 60.0, 20.0, 30.0))
    limit = limit_for(forecast, latest=4)

    assert () == starts(limit, forecast)
    assert ShiftReason.LATER is limit.reason
    assert GreenerHour("CA-ON", HOUR + 2, 20.0, Signal.FORECAST) == limit.later
    assert AT + STEP_S == limit.wake_at


def test_work_starts_in_the_greenest_hour() -> None:
    """In the cheapest hour before its latest start, work may start."""
    forecast = forecast_of(CA_ON=(20.0, 60.0, 50.0, 30.0))

    assert ("CA-ON",) == starts(limit_for(forecast, latest=4), forecast)


def test_a_greener_hour_that_comes_too_late_does_not_count() -> None:
    """Work does not wait for an hour that begins with, or after, its latest start."""
    forecast = forecast_of(CA_ON=(50.0, 60.0, 20.0, 30.0))

    assert ("CA-ON",) == starts(limit_for(forecast, latest=2), forecast)


def test_a_deadline_within_the_hour_does_not_wait() -> None:
    """Work whose latest start lies in the present hour, or is over, starts at once."""
    forecast = forecast_of(CA_ON=(50.0, 10.0))

    assert [ShiftReason.DUE, ShiftReason.DUE] == [
        limit_for(forecast, latest=latest).reason for latest in (0, -3)
    ]
    assert ("CA-ON",) == starts(limit_for(forecast, latest=0), forecast)


def test_nobody_waits_on_nothing() -> None:
    """Without an expected intensity of later hours, work starts at once in every zone."""
    forecast = IntensityForecast()
    record_intensity(forecast, "CA-ON", 50.0)
    capacities = (*ONE, ZoneCapacity("CA-SK", 1.0))
    limit = limit_for(forecast, latest=20, capacities=capacities)

    assert ShiftReason.UNKNOWN is limit.reason
    assert ("CA-ON", "CA-SK") == starts(limit, forecast, capacities)
    assert None is limit.later


def test_no_waiting_where_all_hours_are_alike() -> None:
    """Work does not wait for an hour as green as this one."""
    forecast = forecast_of(CA_ON=(50.0,) * 24)

    assert ("CA-ON",) == starts(limit_for(forecast, latest=20), forecast)


@pytest.mark.parametrize(("later_g", "waits"), [(49.5, False), (48.5, True)])
def test_a_greener_hour_must_be_worth_the_wait(later_g: float, waits: bool) -> None:
    """Work waits for an hour that is greener by the policy's part, and not for less."""
    terms, forecast = Deferral(worth=0.02, margin=0.0), forecast_of(CA_ON=(50.0, later_g))
    limit = limit_for(forecast, latest=2, terms=terms)

    assert waits is not bool(starts(limit, forecast))


def test_a_forecast_that_promises_for_ever_is_not_believed_for_ever() -> None:
    """Where each hour brings a forecast of still greener hours, work starts at its latest start."""
    forecast, started = IntensityForecast(), None
    for hour in range(HOUR, HOUR + 24):
        at = float(hour * HOUR_S)
        forecast.record_forecast(
            events.ForecastIssued(1, at, "CA-ON", at, at, (50.0,) + (5.0,) * 48)
        )
        record_intensity(forecast, "CA-ON", 50.0, hour=hour)
        limit = plan_starts([(HOUR + 10, float(HOUR_S))], ONE, forecast, at=at, terms=EXACT)[
            HOUR + 10
        ]
        if starts(limit, forecast, at=at):
            started = hour - HOUR
            break

    assert 9 == started


def test_the_margin_is_a_part_of_the_time_that_is_left() -> None:
    """A tenth of the time that is left is kept for surprises, less as the hour comes nearer."""
    assert [HOUR + 18, HOUR + 19, HOUR - 2] == [
        latest_hour(HOUR + 20, at=AT, margin=0.1),
        latest_hour(HOUR + 20, at=AT + 12 * HOUR_S, margin=0.1),
        latest_hour(HOUR - 2, at=AT, margin=0.1),
    ]


def test_an_hour_within_the_margin_counts_where_it_is_sure() -> None:
    """Work waits for the green last hour before its latest start if its slots are sure then."""
    forecast, work = forecast_of(CA_ON=(*[50.0] * 19, 10.0)), [(HOUR + 20, float(HOUR_S))]
    for sure in (1.0, 0.0):
        slots = (ZoneCapacity("CA-ON", 1.0, expected=(1.0,) * 20, sure=(*[1.0] * 18, sure, sure)),)
        limit = plan_starts(work, slots, forecast, at=AT, terms=Deferral())[HOUR + 20]

        assert starts(limit, forecast) != bool(sure)


def test_the_latest_start_leaves_time_to_run() -> None:
    """A job must start so early that even a long run ends by its deadline."""
    lengths = RunLengths(0.0, 1.0, 0.0, 90.0, 1_800.0)

    assert 90.0 == lengths.expected_s(BatchWork(0, 1, 50, 5_000))
    assert 3_600.0 == lengths.upper_s(50, 5_000)
    assert HOUR + 22 == latest_start_hour(AT + 24 * HOUR_S - 1.0, lengths.upper_s(50, 5_000))


def test_hours_hold_the_slots_that_are_expected_in_them() -> None:
    """Work that the green hours hold only with all slots also takes the next best one."""
    forecast = forecast_of(CA_ON=(50.0, 10.0, 90.0))
    half = (ZoneCapacity("CA-ON", 1.0, expected=(1.0, 0.5, 1.0), sure=(1.0,) * 3),)

    assert [(), ("CA-ON",)] == [
        starts(limit_for(forecast, latest=3, work_h=0.8, capacities=capacities), forecast)
        for capacities in (ONE, half)
    ]


def test_work_that_later_hours_do_not_hold_for_sure_starts_now() -> None:
    """Work does not wait for slots that are only likely to be there."""
    forecast = forecast_of(CA_ON=(50.0, 10.0, 10.0))
    likely = (ZoneCapacity("CA-ON", 1.0, expected=(1.0, 0.9, 0.9), sure=(1.0, 0.5, 0.1)),)
    limits = [
        limit_for(forecast, latest=3, work_h=hours, capacities=likely) for hours in (0.9, 1.0)
    ]

    assert [ShiftReason.LATER, ShiftReason.SHORT] == [limit.reason for limit in limits]


# Shared capacity.


def test_work_that_shares_an_hour_is_spread_over_the_next_best() -> None:
    """Jobs that cannot all have the best hour take the next best ones, and no more than needed."""
    forecast = forecast_of(CA_ON=(50.0, 40.0, 60.0, 10.0, 30.0, 70.0))

    assert [1, 3, 4] == start_hours(forecast, [HOUR + 6] * 3)


def test_nothing_waits_where_the_hours_cannot_hold_the_work() -> None:
    """More work than the hours before its latest start can hold starts at once."""
    forecast = forecast_of(CA_ON=(50.0, 10.0, 10.0, 10.0))
    limits = [limit_for(forecast, latest=4, work_h=hours) for hours in (3.0, 3.5, 4.5)]

    assert [(), ("CA-ON",), ("CA-ON",)] == [starts(limit, forecast) for limit in limits]
    assert ShiftReason.SHORT is limits[-1].reason


def test_work_in_a_hurry_leaves_less_room() -> None:
    """Work with an earlier latest start reduces the free slot time of later work."""
    forecast = forecast_of(CA_ON=(50.0, 10.0, 60.0))
    hurried = limit_for(forecast, latest=3, others=((2, 1.0),))

    assert () == starts(limit_for(forecast, latest=3), forecast)
    assert ("CA-ON",) == starts(hurried, forecast)


def test_work_in_a_hurry_goes_first_when_the_hour_is_needed() -> None:
    """Where later work needs the present hour, earlier work may use it in its place."""
    work, forecast = (
        [(HOUR + 2, 3_600.0), (HOUR + 3, 3_600.0)],
        forecast_of(CA_ON=(50.0, 10.0, 60.0)),
    )
    limits = plan_starts(work, ONE, forecast, at=AT, terms=EXACT)

    assert [("CA-ON",), ("CA-ON",)] == [starts(limits[HOUR + hours], forecast) for hours in (2, 3)]


def test_work_that_may_wait_longer_does_not_hurry_for_the_hurried() -> None:
    """Work with greener hours behind the others' latest start waits for them."""
    forecast = forecast_of(CA_ON=(50.0, 50.0, 60.0, 10.0, 10.0, 10.0))
    work = [(HOUR + 2, 7_000.0), (HOUR + 6, 3_600.0)]
    limits = plan_starts(work, ONE, forecast, at=AT, terms=EXACT)

    assert [("CA-ON",), ()] == [starts(limits[HOUR + hours], forecast) for hours in (2, 6)]


def test_what_is_over_of_the_hour_is_no_room() -> None:
    """Later in an hour less slot time is left, so the costly zone is used too."""
    forecast = forecast_of(CA_ON=(10.0, 60.0), CA_AB=(40.0, 60.0))
    capacities = (*ONE, ZoneCapacity("CA-AB", 1.0))

    assert [("CA-ON",), ("CA-ON",), ("CA-ON", "CA-AB")] == [
        starts(
            limit_for(forecast, latest=2, work_h=0.7, capacities=capacities, at=AT + late_s),
            forecast,
            capacities,
        )
        for late_s in (0.0, STEP_S + 100.0, 2.0 * STEP_S)
    ]


# Several zones.


def test_the_dear_zone_waits_while_the_green_one_works() -> None:
    """Work may start in the zone whose hour it needs, and not in a dearer one."""
    forecast = forecast_of(CA_QC=(1.0,) * 24, CA_AB=(400.0,) * 24)
    capacities = (ZoneCapacity("CA-QC", 2.0), ZoneCapacity("CA-AB", 8.0))

    assert [("CA-QC",), ("CA-QC",), ("CA-QC", "CA-AB")] == [
        starts(
            limit_for(forecast, latest=10, work_h=hours, capacities=capacities),
            forecast,
            capacities,
        )
        for hours in (1.0, 19.0, 21.0)
    ]


def test_a_zone_that_takes_more_energy_costs_more() -> None:
    """What is compared is grams of the work: intensity times the zone's energy."""
    forecast = forecast_of(CA_ON=(30.0,) * 4, CA_AB=(40.0,) * 4)
    capacities = (ZoneCapacity("CA-ON", 1.0, 0.0, 2.0), ZoneCapacity("CA-AB", 1.0, 0.0, 1.0))

    assert ("CA-AB",) == starts(
        limit_for(forecast, latest=3, capacities=capacities), forecast, capacities
    )


def test_a_jobs_own_prompt_counts_in_what_a_zone_takes() -> None:
    """A zone with costly prefill and cheap decode is costly only for long prompts."""
    forecast = forecast_of(CA_ON=(40.0,) * 4, CA_AB=(40.0,) * 4)
    capacities = (ZoneCapacity("CA-ON", 1.0, 9.0, 1.0), ZoneCapacity("CA-AB", 1.0, 1.0, 2.0))
    work = [(HOUR + 3, 3_600.0)]
    limits = [
        plan_starts(work, capacities, forecast, at=AT, terms=EXACT, tokens=tokens)[HOUR + 3]
        for tokens in ((10.0, 100.0), (1_000.0, 100.0))
    ]

    assert [("CA-ON",), ("CA-AB",)] == [starts(limit, forecast, capacities) for limit in limits]


def test_own_surplus_is_used_while_it_is_there() -> None:
    """A site with its own surplus now does not wait for the grid's greener hour."""
    limit = limit_for(forecast_of(CA_ON=(50.0, 10.0)), latest=2)

    assert [True, True, False] == [limit.allows("CA-ON", g_per_kwh) for g_per_kwh in (0.0, 9.0, 20)]


def test_an_unknown_zone_never_looks_green() -> None:
    """A zone of which nothing is known costs as much as the worst grid."""
    forecast = forecast_of(CA_ON=(50.0,) * 4)
    capacities = (*ONE, ZoneCapacity("CA-NU", 1.0))

    assert ("CA-ON",) == starts(
        limit_for(forecast, latest=3, capacities=capacities), forecast, capacities
    )


def test_nothing_is_promised_where_nobody_can_work() -> None:
    """Without capacities there is no hour to wait for."""
    limit = limit_for(forecast_of(CA_ON=(50.0,)), latest=3, capacities=())

    assert (ShiftReason.UNKNOWN, None) == (limit.reason, limit.later)


# What waits, and plans that are kept.


def test_a_backlog_forgets_the_order() -> None:
    """The same waiting jobs give the same work, whatever came and went before."""
    waits = [BatchWork((HOUR + n % 5) * 4, 1, 100 + 37 * n, n) for n in range(40)]
    lengths = RunLengths(0.1, 1.0, 0.0)
    once, again = BatchBacklog(), BatchBacklog()
    for wait in waits:
        again.add("petit", "alpha", wait)
    for wait in waits[::2]:
        again.remove("petit", "alpha", wait)
    for wait in reversed(waits[1::2]):
        once.add("petit", "alpha", wait)
    left, jobs = again.work("petit", lengths), again.jobs("alpha")
    for wait in waits[1::2]:
        again.remove("petit", "alpha", wait)

    assert (once.work("petit", lengths), 20) == (left, jobs)
    assert ([], 0) == (again.work("petit", lengths), again.jobs("alpha"))


@given(
    costs=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    data=st.data(),
    slots=st.integers(1, 2),
)
@settings(max_examples=150, deadline=None)
def test_planning_again_is_as_good_as_planning_perfectly(
    costs: list[int], data: st.DataObject, slots: int
) -> None:
    """With true forecasts and no arrivals, starts cost what the best assignment of all costs."""
    ends = data.draw(st.lists(st.integers(1, len(costs)), min_size=1, max_size=4).map(sorted))
    assume(all(sum(end <= hour for end in ends) <= slots * hour for hour in ends))
    best = min(
        sum(costs[hour] for hour in hours)
        for hours in product(*(range(end) for end in ends))
        if all(hours.count(hour) <= slots for hour in hours)
    )
    forecast = forecast_of(CA_ON=tuple(float(cost) for cost in costs))
    started = start_hours(forecast, [HOUR + end for end in ends], slots)
    took = sum(costs[hour] for hour in started)

    assert all(hour < end for hour, end in zip(started, ends, strict=True))
    assert best == took


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_kept_plan_is_what_a_fresh_one_would_be(data: st.DataObject) -> None:
    """After any sequence of changes and queries, a limit equals that of a new planner."""
    green, waits = ShiftPlanner(), []
    slots, lengths = BatchSlots(ONE), RunLengths(1.0, 0.0, 0.0)
    green.forecast = forecast_of(CA_ON=(50.0, 30.0, 60.0, 10.0, 30.0, 20.0))
    for _ in range(data.draw(st.integers(1, 12))):
        if waits and data.draw(st.booleans()):
            wait = waits.pop(data.draw(st.integers(0, len(waits) - 1)))
            green.backlog.remove("petit", "alpha", wait)
        else:
            due = (HOUR + data.draw(st.integers(0, 6))) * HOUR_S // STEP_S
            waits.append(BatchWork(due, 1, data.draw(st.integers(1, 5_000)), 0))
            green.backlog.add("petit", "alpha", waits[-1])
        fresh = ShiftPlanner()
        fresh.forecast = green.forecast
        for wait in reversed(waits):
            fresh.backlog.add("petit", "alpha", wait)
        at = AT + data.draw(st.sampled_from((0.0, 100.0, 1_000.0, 4_000.0)))
        given_now, given_fresh = (
            [
                planner.start_limit(
                    "petit",
                    latest_start_hour(wait.due * STEP_S, lengths.upper_line_s(wait)),
                    at=at,
                    terms=Deferral(),
                    tokens=(9.0, 1.0),
                    slots=slots,
                    lengths=lengths,
                )
                for wait in waits
            ]
            for planner in (green, fresh)
        )

        assert given_fresh == given_now


# A year of Ontario and Alberta.


@pytest.mark.long
@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("zone", "slots"), [("CA-ON", green_year.SPARE), ("CA-ON", 4), ("CA-AB", 4)]
)
@pytest.mark.parametrize("forecast", [True, False], ids=["forecast", "profile"])
def test_a_year_of_waiting_saves_what_commitment_would(
    zone: str, slots: int, forecast: bool
) -> None:
    """Planning again saves at least 97 % of what committing at arrival to the same signal does."""
    guess = green_year.by_forecast(zone) if forecast else green_year.by_yesterday(zone)
    committed = green_year.committed(zone, guess, slots=slots)
    terms = Deferral() if zone == "CA-ON" else Deferral(worth=0.0)
    saved = green_year.planned(zone, slots=slots, forecast=forecast, terms=terms)

    assert 0 == saved.late
    assert 0.97 * committed <= saved.percent
    assert saved.percent < green_year.committed(zone, green_year.by_oracle(zone), slots=slots)


@pytest.mark.long
@pytest.mark.shared_data
@pytest.mark.parametrize("slots", [green_year.SPARE, 4])
def test_a_year_by_an_inverted_forecast_saves_what_the_profile_does(slots: int) -> None:
    """A forecast that says low where it is high costs next to nothing: after a day nobody believes
    it, and the zone's own recent days speak."""
    inverted = green_year.planned("CA-ON", slots=slots, forecast=True, changed=green_year.inverted)
    profile = green_year.planned("CA-ON", slots=slots, forecast=False)

    assert profile.percent - 1.0 <= inverted.percent


@pytest.mark.shared_data
def test_the_references_are_the_published_ones() -> None:
    """With capacity to spare, committing saves in Ontario what the study of the series found."""
    zone = "CA-ON"
    oracle, forecast = (
        green_year.committed(zone, guess, slots=green_year.SPARE)
        for guess in (green_year.by_oracle(zone), green_year.by_forecast(zone))
    )

    assert (54.9, 47.7) == (round(oracle, 1), round(forecast, 1))

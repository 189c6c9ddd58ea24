"""Deferral and deadlines: owners' hours, learned run lengths and long jobs leave time to run."""

import pytest
from tests.core.builders import Pool, card, of, packed, rates, replica
from tests.core.test_carbon_shifting import HOUR_S, PATIENT, batch

from entraide_scheduler.core import commands, events
from entraide_scheduler.core.evaluation import slots_and_lengths
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Deferral

MONDAY = 1_700_438_400.0  # midnight, UTC
GREEN = range(10, 15)  # hours of 10 g/kWh; all others have 90
STEP_S = 300.0


class Week:
    """A pool in Ontario with one machine, whose owner needs it in some hours of each day.

    Runs take a fixed time. Those that run when the owner comes are finished.
    """

    def __init__(self, *, run_s: float, away: range = range(0), **card_changes) -> None:
        self.pool = Pool(
            CoopTerms("alpha"), CoopTerms("beta"), timing=PATIENT, deferral=Deferral(margin=0.0)
        )
        self.pool.now = MONDAY
        self.run_s, self.away, self.is_away = run_s, away, False
        self.ended: dict[str, float] = {}
        self._running: list[tuple[float, commands.Place]] = []
        self._seen = 0
        self._tell_hour()
        self.pool.join(card("n1", zone="CA-ON", **card_changes))

    def _tell_hour(self) -> None:
        pool, hour = self.pool, int(self.pool.now // HOUR_S)
        values = [10.0 if ahead % 24 in GREEN else 90.0 for ahead in range(hour, hour + 48)]
        until = pool.now + HOUR_S
        pool.tell(events.IntensityChanged, "CA-ON", values[0], values[0], "measured", until)
        if hour % 24 == 0:
            pool.tell(events.ForecastIssued, "CA-ON", pool.now, pool.now, tuple(values))

    def go_on(self, hours: float, *, step_s: float = STEP_S) -> None:
        """Lives on for some hours; a step is at most an hour."""
        until = self.pool.now + hours * HOUR_S
        while self.pool.now < until:
            self.pool.now += step_s
            hour = self.pool.now / HOUR_S
            if hour == int(hour):
                self._tell_hour()
            is_away = int(hour) % 24 in self.away
            if is_away is not self.is_away:
                reason = "owner_active" if is_away else ""
                self.pool.tell(events.NodeChanged, "n1", not is_away, reason, None)
                self.is_away = is_away
            self.pool.tell(events.NodesSeen, ("n1",))
            self._note_runs()
            for _, place in self._running:
                self.pool.progress(place, 1)
            self._end_runs()

    def _note_runs(self) -> None:
        for command in self.pool.asked[self._seen :]:
            if isinstance(command, commands.Place):
                self._running.append((command.terms.placed_at + self.run_s, command))
        self._seen = len(self.pool.asked)

    def _end_runs(self) -> None:
        for end_at, place in sorted(self._running, key=lambda run: run[0]):
            if end_at <= self.pool.now:
                self._running.remove((end_at, place))
                self.ended[place.job] = end_at
                self.pool.report(place, run_s=self.run_s, ttft_s=1.0)

    def forget_places(self) -> None:
        """Leaves the placements so far to the test."""
        self._seen = len(self.pool.asked)

    def late(self, deadline_at: float, jobs: int) -> int:
        """The number of jobs that did not end by their deadline."""
        return jobs - sum(end_at <= deadline_at for end_at in self.ended.values())


def learn_runs(week: Week) -> None:
    """Two live jobs of about the same size show how long runs take."""
    for number in range(2):
        (place,) = of(week.pool.ask(f"live-{number}"), commands.Place)
        week.pool.report(place, run_s=week.run_s, ttft_s=1.0)
    week.forget_places()


@pytest.mark.parametrize(("away", "run_s"), [(range(9, 17), 600.0), (range(8, 18), 300.0)])
def test_jobs_do_not_wait_for_hours_that_the_owner_usually_needs(away: range, run_s: float) -> None:
    """Thirty jobs whose greenest hours are the owner's end by their deadline in the evening."""
    week = Week(run_s=run_s, away=away)
    learn_runs(week)
    week.go_on(14 * 24 + 6, step_s=HOUR_S)
    deadline_at = week.pool.now + 12 * HOUR_S
    for number in range(30):
        batch(week.pool, f"b{number:02}", hours=12.0)
    week.go_on(13)

    assert week.late(deadline_at, 30) == 0


def test_jobs_wait_for_green_hours_that_the_owner_leaves() -> None:
    """Where the owner comes at night, the same jobs run in the greenest hours."""
    week = Week(run_s=600.0, away=range(6))
    week.go_on(14 * 24 + 6, step_s=HOUR_S)
    for number in range(12):
        batch(week.pool, f"b{number:02}", hours=12.0)
    week.go_on(13)
    hours = {int((end_at - week.run_s) // HOUR_S) % 24 for end_at in week.ended.values()}

    assert len(week.ended) == 12
    assert hours <= set(GREEN)


def test_jobs_wait_while_the_owner_is_there_and_start_afterwards() -> None:
    """Work that comes in the owner's hours waits for the night's hours, and none is late."""
    week = Week(run_s=600.0, away=range(9, 17))
    week.go_on(14 * 24 + 10, step_s=HOUR_S)
    deadline_at = week.pool.now + 14 * HOUR_S
    for number in range(12):
        batch(week.pool, f"b{number:02}", hours=14.0)
    week.go_on(15)

    assert week.late(deadline_at, 12) == 0


def test_a_restored_core_knows_the_owners_hours() -> None:
    """After a snapshot the same jobs start at the same moments."""
    week = Week(run_s=600.0, away=range(9, 17))
    week.go_on(8 * 24 + 6, step_s=HOUR_S)
    again = Core.restore(week.pool.core.snapshot())
    before = len(week.pool.events)
    for number in range(30):
        batch(week.pool, f"b{number:02}", hours=12.0)
    week.go_on(3)
    replayed = [again.handle(event) for event in week.pool.events[before:]]
    answers = [command for commands_of in replayed for command in commands_of]

    assert of(answers, commands.Place)
    assert packed(answers) == packed(week.pool.asked[-len(answers) :])


def test_the_profile_is_bounded() -> None:
    """A node's hours take the same room after a day as after two months."""
    week = Week(run_s=600.0, away=range(9, 17))
    week.go_on(24, step_s=HOUR_S)
    after_a_day = len(week.pool.core.snapshot())
    week.go_on(60 * 24, step_s=HOUR_S)

    assert len(week.pool.core.snapshot()) < after_a_day + 200


def test_a_waiting_job_follows_learned_run_lengths() -> None:
    """A job admitted as one of seconds leaves two hours once runs turn out to take two."""
    week = Week(run_s=2 * HOUR_S)
    week.go_on(2)
    deadline_at = MONDAY + 11.5 * HOUR_S  # the greenest hour begins at ten

    assert batch(week.pool, "b1", hours=9.5) == []

    learn_runs(week)
    week.go_on(10)

    assert week.ended["b1"] <= deadline_at


def test_work_that_turns_out_longer_starts_earlier() -> None:
    """Thirty jobs that fitted into the greenest hours by their first estimate begin before these
    once their runs take an hour."""
    week = Week(run_s=HOUR_S, replicas=(replica(slots=8),))
    week.go_on(1)
    for number in range(30):
        assert batch(week.pool, f"b{number:02}", hours=14.5) == []
    learn_runs(week)
    week.go_on(15)

    assert week.late(MONDAY + 15.5 * HOUR_S, 30) == 0


LONG = {
    "prompt": ({"prefill_tokens_per_s": 1.0}, {"input_tokens_est": 14_400}),
    "answer": (
        {"tpot_base_s": 0.9, "tpot_per_sequence_s": 0.1},
        {"output_tokens_max": 14_400},
    ),
}


@pytest.mark.parametrize("kind", LONG)
def test_a_job_of_four_hours_does_not_start_three_hours_before_its_deadline(kind: str) -> None:
    """A job that alone takes four hours starts with that time left, though greener hours come."""
    pace, size = LONG[kind]
    alone = (replica(slots=1, context_tokens=32_768, rates=rates(**pace)),)
    week = Week(run_s=4 * HOUR_S, replicas=alone)
    sizes = {"input_tokens_max": 14_500, **size} if kind == "prompt" else size
    batch(week.pool, "long", hours=13.0, **sizes)
    week.go_on(15)
    ends_h = (week.ended["long"] - MONDAY) / HOUR_S

    assert ends_h <= 13.0


def test_a_long_job_does_not_wait_behind_short_ones() -> None:
    """A job of hours starts in time, though short jobs of the same deadline still wait."""
    alone = (replica(slots=1, context_tokens=32_768, rates=rates(prefill_tokens_per_s=1.0)),)
    week = Week(run_s=4 * HOUR_S, replicas=alone)
    batch(week.pool, "short", hours=13.0, input_tokens_est=1)
    batch(week.pool, "long", hours=13.0, input_tokens_est=14_400, input_tokens_max=14_500)
    week.go_on(12)

    assert [place.job for place in week.pool.places()][:1] == ["long"]


def expected(week: Week) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The expected and the sure slots of the only zone, by hour from now on."""
    state = week.pool.core._state
    batch(week.pool, "probe", hours=24.0)
    slots, _ = slots_and_lengths(state, state.jobs["probe"].shape, state.now)
    (zone,) = slots.zones
    return zone.expected, zone.sure


def test_what_is_unusual_lasts_as_long_as_it_has_lasted() -> None:
    """An owner who stays away on a usual day is expected to stay away for a while longer."""
    week = Week(run_s=600.0, away=range(9, 17))
    week.go_on(14 * 24 + 8, step_s=HOUR_S)
    week.away = range(0)
    week.go_on(4, step_s=HOUR_S)
    now, later = (expected(week)[0][ahead] for ahead in (0, 4))

    assert 0.5 < later < now


def test_sure_slots_are_fewer_where_a_node_comes_and_goes() -> None:
    """Hours that are always the same are sure; of those that differ nothing is counted on."""
    week = Week(run_s=600.0)
    for day in range(28):
        week.away = range(9, 17) if day % 2 else range(0)
        week.go_on(24, step_s=HOUR_S)
    means, sure = expected(week)

    assert 2.0 == means[3]
    assert sure[3] > 1.0
    assert 0.4 < means[12] < 1.6
    assert 0.0 == sure[12]

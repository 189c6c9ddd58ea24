"""Ends of runs: the commands sent, the usage billed, and the job's next state."""

from itertools import pairwise

import msgspec
import pytest
from tests.core.builders import START, Pool, card, facts, of, placed, replica, usage

from entraide.types import Basis, JobKind, JobState, Outcome
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.accounting import Quotas, to_quota_unit
from entraide_scheduler.core.fleet import MOST
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Lend, Period, PrefixTerms, Quota, QuotaKind
from entraide_scheduler.core.policy.policy import Limits
from entraide_scheduler.core.settlement import settlement

HEARD = ("qc-1", "on-1", "ab-1")
WH = 1_000_000
ALPHA = facts("j1", "alpha")


def cancel_run(pool: Pool, place: commands.Place) -> commands.CancelRun:
    """The command that stops a placement, caused by the latest event."""
    return commands.CancelRun(pool.events[-1].id, place.job, place.epoch, place.node)


def end_job(pool: Pool, place: commands.Place, state: JobState, code: str, **values: int):
    """The command that ends a placement's job, caused by the latest event."""
    return commands.EndJob(
        pool.events[-1].id, place.job, "gw-2", state, code, place.epoch, dict(values)
    )


class TestCommands:
    """Each command has its cause, job, epoch and addressee."""

    def test_a_cancelled_run_is_stopped_and_ended_by_name(self, three: Pool) -> None:
        """The node gets the run, the gateway gets the job."""
        place = placed(three, gateway="gw-2")
        asked = three.tell(events.JobCancelled, "j1", "client_gone")

        assert asked == [
            cancel_run(three, place),
            end_job(three, place, JobState.CANCELLED, "client_gone"),
        ]

    def test_a_completed_run_is_settled_and_ended_by_name(self, three: Pool) -> None:
        """Settlement, gateway and node get the same epoch."""
        place = placed(three, gateway="gw-2")
        settle, end, ack = three.report(place)
        cause = three.events[-1].id

        assert (settle.cause, settle.job, settle.terms) == (cause, "j1", place.terms)
        assert end == end_job(three, place, JobState.COMPLETED, "")
        assert ack == commands.AckUsage(cause, place.node, "j1", place.epoch)

    def test_a_refused_run_is_ended_by_name(self, three: Pool) -> None:
        """A request that no engine takes ends with the epoch that was refused."""
        place = placed(three, gateway="gw-2")
        asked = three.decline(place, "engine_refused", most=7)

        assert asked == [end_job(three, place, JobState.FAILED, "engine_refused", most=7)]

    def test_the_last_attempt_is_ended_by_name(self) -> None:
        """Too many attempts: the epoch of the last one."""
        pool = Pool("alpha", limits=Limits(attempts=1))
        pool.join(card("n1"))
        place = placed(pool, gateway="gw-2")
        asked = pool.decline(place, "stale")

        assert asked == [end_job(pool, place, JobState.FAILED, "too_many_attempts", attempts=1)]

    def test_silent_nodes_are_told_to_stop_all_that_they_run(self, three: Pool) -> None:
        """A lost node gets a cancellation for each run that is not being stopped already."""
        places = [placed(three, f"j{number}") for number in range(3)]
        assert {place.node for place in places} == {"qc-1"}
        for place in places:
            three.accept(place)
        three.tell(events.JobCancelled, "j1", "client_gone")
        asked = three.wait(10.0, seen=HEARD[1:])
        stopped = [(run.job, run.epoch, run.node) for run in of(asked, commands.CancelRun)]

        assert stopped == [(place.job, place.epoch, place.node) for place in (places[0], places[2])]
        assert {run.cause for run in of(asked, commands.CancelRun)} == {three.events[-1].id}
        assert [place.job for place in of(asked, commands.Place)] == ["j0", "j2"]

    def test_nodes_that_leave_are_told_nothing(self, three: Pool) -> None:
        """A node that said goodbye has stopped its runs itself."""
        place = placed(three)
        asked = three.tell(events.NodeLeft, place.node, "goodbye")

        assert of(asked, commands.CancelRun) == []
        assert [again.node for again in of(asked, commands.Place)] == ["on-1"]


class TestStops:
    """A stopped run has a full lease duration from the stop on."""

    def test_an_offer_that_is_stopped_has_the_whole_time_of_a_lease(self, three: Pool) -> None:
        """The timeout is not the five seconds of an offer, because the run may have begun."""
        placed(three)
        three.tell(events.JobCancelled, "j1", "client_gone")
        three.wait(11.0, seen=HEARD)
        held = "j1" in three.core._state.leases
        three.wait(1.0, seen=HEARD)

        assert held
        assert three.core._state.leases == {}

    @pytest.mark.parametrize(
        "used",
        [
            {"energy_decode_uwh": 1},
            {"energy_prefill_uwh": 1},
            {"output_tokens": 1},
            {"input_tokens": 1, "output_tokens": 1},
        ],
    )
    def test_the_least_use_is_billed(self, three: Pool, used: dict[str, int]) -> None:
        """One token or one microwatt-hour is use."""
        nothing = {
            "input_tokens": 0,
            "output_tokens": 0,
            "energy_prefill_uwh": 0,
            "energy_decode_uwh": 0,
        }
        place = placed(three)
        three.tell(events.JobCancelled, "j1", "client_gone")

        assert len(of(three.report(place, **{**nothing, **used}), commands.Settle)) == 1

    def test_a_stopped_run_is_billed_by_what_the_gateway_counted(self, three: Pool) -> None:
        """The gateway's count replaces a report beyond the grant, for stopped runs too."""
        place = placed(three)
        three.tell(events.JobCancelled, "j1", "client_gone")
        three.tell(events.RunExceeded, "j1", place.epoch, place.node, "stream_bytes", 8)
        (settle,) = of(three.report(place, output_tokens=10**6), commands.Settle)

        assert settle.usage.output_tokens == 8


class TestAgain:
    """A job whose run was lost is placed first, on another node, up to the attempts limit."""

    def test_a_lost_run_counts_as_an_attempt(self) -> None:
        """A job with two attempts fails when its second node leaves."""
        pool = Pool("alpha", limits=Limits(attempts=2))
        pool.join(card("n1"), card("n2"))
        first = placed(pool)
        (second,) = of(pool.tell(events.NodeLeft, first.node, "goodbye"), commands.Place)
        (end,) = of(pool.tell(events.NodeLeft, second.node, "goodbye"), commands.EndJob)

        assert (end.code, end.values) == ("too_many_attempts", {"attempts": 2})

    def test_an_owner_who_comes_back_takes_one_attempt_back(self) -> None:
        """What the owner ended does not count; what was declined before goes on counting."""
        pool = Pool("alpha", limits=Limits(attempts=9))
        pool.join(*(card(f"n{number}") for number in range(4)))
        place = placed(pool)
        for code in ("not_loaded", "not_loaded", "owner_terms"):
            (place,) = of(pool.decline(place, code), commands.Place)

        assert pool.core._state.jobs["j1"].attempts == 3

    def test_the_node_that_lost_a_run_is_not_the_next(self, three: Pool) -> None:
        """A run without progress is placed on another node, even if that node is less green."""
        first = placed(three)
        three.accept(first)
        (second,) = of(three.wait(12.0, seen=HEARD), commands.Place)

        assert three.core._state.jobs["j1"].avoid == (first.node,)
        assert (first.node, second.node) == ("qc-1", "on-1")

    def test_a_lost_run_goes_before_what_waited_longer(self, pool: Pool) -> None:
        """The priority of a lost run ends when the job runs again."""
        pool.join(card("n1", replicas=(replica(slots=1),)))
        pool.join(card("n2", zone="CA-AB", replicas=(replica(slots=1),)))
        first = placed(pool)
        placed(pool, "j2")
        pool.ask("j3")
        pool.decline(first, "stale")
        front = [job.facts.job for job in pool.core._state.queue.jobs() if job.front]
        (again,) = of(pool.report(pool.places()[1]), commands.Place)

        assert front == ["j1"]
        assert again.job == "j1"
        assert not pool.core._state.jobs["j1"].front

    def test_a_lost_run_is_charged_to_nobody(self, three: Pool) -> None:
        """The charges for prompt, output and expected output are refunded."""
        place = placed(three)
        three.accept(place)
        three.progress(place, 40)
        bill = three.core._state.leases["j1"].bill
        charged = bill.charged()
        three.decline(place, "context_length_exceeded")

        assert charged == 100 + 2 * 40
        assert bill.charged() == 0.0


class TestBelief:
    """Bounds on reported usage, and the estimate that replaces an invalid report."""

    @pytest.mark.parametrize(
        ("changes", "sound"),
        [
            ({"ttft_s": 0.0, "run_s": 0.0}, True),
            ({"ttft_s": MOST}, False),
            ({"run_s": MOST}, False),
            ({"run_s": -0.1}, False),
            ({"cached_tokens": 90}, True),
            ({"cached_tokens": -1}, False),
            ({"input_tokens": 0}, True),
        ],
    )
    def test_times_are_from_nothing_to_the_most(self, changes: dict, *, sound: bool) -> None:
        """Zero is valid; negative and impossibly large values are not."""
        assert settlement._is_sound(usage(**changes)) is sound

    def test_a_report_that_cannot_be_true_teaches_nothing(self, three: Pool) -> None:
        """An estimate does not change the node's performance model."""
        place = placed(three)
        three.accept(place)
        load = three.core._state.fleet.nodes[place.node].loads[place.terms.model]
        before = msgspec.msgpack.encode(load.pace)
        three.report(place, run_s=float("nan"))

        assert msgspec.msgpack.encode(load.pace) == before

    def test_a_run_that_failed_teaches_nothing(self, three: Pool) -> None:
        """The delivered output of a failed run does not change the performance model."""
        place = placed(three, stream=True)
        three.accept(place)
        load = three.core._state.fleet.nodes[place.node].loads[place.terms.model]
        before = msgspec.msgpack.encode(load.pace)
        three.report(place, Outcome.FAILED, code="engine_failed", delivered=True, run_s=9.0)

        assert msgspec.msgpack.encode(load.pace) == before

    def test_an_estimate_is_progress_at_the_nodes_rates(self, three: Pool) -> None:
        """Prompt and reported tokens at the node's rates, within the run's time."""
        place = placed(three)
        three.accept(place)
        three.progress(place, 30)
        state = Core.restore(three.core.snapshot())._state
        pace = state.fleet.nodes[place.node].loads[place.terms.model].pace
        state.now = START + 4.0
        estimate = settlement.estimate_usage(state, state.leases["j1"])

        assert pace.token_uwh > 0.0
        assert estimate == usage(
            input_tokens=100,
            cached_tokens=0,
            output_tokens=30,
            counted=Basis.ESTIMATED,
            energy_prefill_uwh=round(100 * pace.prefill_uwh_per_token),
            energy_decode_uwh=round(30 * (pace.step_uwh + pace.token_uwh)),
            energy_basis=Basis.ESTIMATED,
            ttft_s=0.0,
            run_s=4.0,
        )

    def test_a_model_that_is_gone_is_estimated_without_energy(self, three: Pool) -> None:
        """Without the model's rates the estimate has no energy."""
        place = placed(three)
        three.accept(place)
        three.progress(place, 30)
        state = Core.restore(three.core.snapshot())._state
        del state.fleet.nodes[place.node].replicas[place.terms.model]
        estimate = settlement.estimate_usage(state, state.leases["j1"])

        assert (estimate.energy_prefill_uwh, estimate.energy_decode_uwh) == (0, 0)

    @pytest.mark.parametrize(
        ("warm", "counted"), [((), [140, 114, 59]), (None, [140, 140, 140])], ids=["kept", "none"]
    )
    def test_a_cached_token_counts_the_part_that_the_policy_names(
        self, warm: tuple[()] | None, counted: list[int]
    ) -> None:
        """In turns, quota and ledger, rounded up; a node that may keep nothing has none cached."""
        quota = Quota(QuotaKind.TOKENS, 100_000, Period.DAY)
        prefix = PrefixTerms(cached_token_part=0.1)
        pool = Pool("alpha", "beta", quotas={"beta": (quota,)}, prefix=prefix)
        pool.tell(events.PeriodBegan, Period.DAY, START + 86_400.0)
        pool.join(card("n1"))
        charged, booked, used = [], [], [0]
        for cached in (0, 29, 90):
            place = placed(pool, f"j{cached}", "beta", warm=warm)
            bill = pool.core._state.leases[place.job].bill
            commanded = pool.report(place, input_tokens=90, cached_tokens=cached, output_tokens=50)
            (settle,) = of(commanded, commands.Settle)
            charged.append(bill.charged() - 50.0)
            booked.append(settle.entries[0].amount)
            used.append(pool.core.quota_left("beta")[0].used)

        assert (charged, booked) == (counted, counted)
        assert [after - before for before, after in pairwise(used)] == counted


def test_lent_energy_that_came_back_is_for_whoever_waits() -> None:
    """A run of beta's that took nothing of what was promised lets gamma's job run elsewhere."""
    pool = Pool(CoopTerms("alpha", lend=Lend(energy_wh_per_day=1)), "beta", "gamma")
    pool.tell(events.PeriodBegan, Period.DAY, START + 86_400.0)
    pool.join(*(card(f"n{number}") for number in range(30)))
    while of(pool.ask(f"b{len(pool.asked)}", "beta", kind=JobKind.KEPT), commands.Place):
        pass
    waiting = of(pool.ask("g1", "gamma", kind=JobKind.KEPT), commands.Place)
    asked = []
    for place in pool.places()[:2]:
        asked += pool.report(place, energy_prefill_uwh=0, energy_decode_uwh=1)

    assert waiting == []
    assert "g1" in [place.job for place in of(asked, commands.Place)]


def test_a_job_that_waited_to_run_alone_frees_its_replica(pool: Pool) -> None:
    """If the job is cancelled in the queue, its reserved replica is released."""
    pool.join(card("n1"), card("n2", "beta", "CA-ON"))
    held = placed(pool, "held", "beta", jurisdiction="CA-ON", input_tokens_est=50)
    pool.accept(held)
    place = placed(pool)
    pool.accept(place)
    pool.report(place, Outcome.FAILED, code="engine_exited")
    reserved = set(pool.core._state.exclusive_replicas)
    pool.tell(events.JobCancelled, "j1", "client_gone")

    assert (reserved, pool.core._state.exclusive_replicas) == ({"j1"}, {})


def test_explanations_of_ended_jobs_are_a_set() -> None:
    """A core and its restored snapshot keep explanations of the same jobs."""
    pool = Pool("alpha")
    pool.join(card("n1"))
    pool.report(placed(pool))
    again = Core.restore(pool.core.snapshot())

    assert pool.core._state.explained == again._state.explained == {"j1": None}


class TestQuotas:
    """Quota accounts."""

    def agreed(self, *quotas: Quota) -> Quotas:
        quotas_book = Quotas()
        quotas_book.apply_policy((CoopTerms("alpha", quotas=quotas),))
        return quotas_book

    def test_use_adds_up(self) -> None:
        """Two runs of one period count together, also when a hold before them is of an old one."""
        quotas = self.agreed(
            Quota(QuotaKind.TOKENS, 100, Period.MINUTE), Quota(QuotaKind.TOKENS, 100, Period.DAY)
        )
        for _ in range(2):
            quotas.settle(
                "alpha", quotas.reserve(ALPHA, {QuotaKind.TOKENS: 30}), {QuotaKind.TOKENS: 20}
            )
        holds = quotas.reserve(ALPHA, {QuotaKind.TOKENS: 30})
        quotas.begin_period(Period.MINUTE, START + 60.0)
        quotas.settle("alpha", holds, {QuotaKind.TOKENS: 20})
        used = {quota.period: book.used for quota, book in quotas.of("alpha")}

        assert used == {Period.MINUTE: 0, Period.DAY: 60}

    def test_books_that_nobody_used_have_no_serial(self) -> None:
        """The first that is used has the first one."""
        quotas = self.agreed(Quota(QuotaKind.TOKENS, 100, Period.DAY))
        unused = [book.serial for _, book in quotas.of("alpha")]
        (hold,) = quotas.reserve(ALPHA, {QuotaKind.TOKENS: 1})

        assert (unused, hold.serial) == ([0], 1)

    def test_the_last_microwatt_hour_is_not_nothing(self) -> None:
        """A quota is exhausted only when nothing is left of it."""
        quotas = self.agreed(Quota(QuotaKind.ENERGY_WH, 1, Period.DAY))
        quotas.reserve_at_placement(ALPHA, WH - 1, 0)
        before = quotas.exhausted(ALPHA)
        quotas.reserve_at_placement(ALPHA, 1, 0)

        assert before is None
        assert quotas.exhausted(ALPHA) is not None

    def test_counts_stay_whole(self) -> None:
        """Tokens are shown as integers, energy in watt-hours."""
        tokens = to_quota_unit(QuotaKind.TOKENS, 3)

        assert (tokens, type(tokens)) == (3, int)
        assert to_quota_unit(QuotaKind.ENERGY_WH, WH // 2) == 0.5

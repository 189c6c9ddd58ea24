"""Leases: offers, replies and timeouts; each job is billed at most once."""

import msgspec
import pytest
from tests.core.builders import START, Pool, card, kinds, of, place_in, placed, replica

from entraide.types import Basis, JobClass, JobKind, JobState, Outcome
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.leases.run_events import UNCOUNTED_ENDS_MAX
from entraide_scheduler.core.policy.policy import Limits
from entraide_scheduler.core.settlement import settlement
from entraide_scheduler.core.state import EPOCHS_PER_INCARNATION

HEARD = ("qc-1", "on-1", "ab-1")


def test_one_job_from_request_to_books(three: Pool) -> None:
    """A job is offered, accepted, progresses and reports; then it is settled."""
    place = placed(three)
    three.now += 0.1
    accepted, progress = three.accept(place), three.progress(place, 10)
    three.now += 1.9
    settle, end, ack = three.report(place)

    assert place.epoch == EPOCHS_PER_INCARNATION + 1
    assert (accepted, progress) == ([], [])
    assert (settle.state, end.state, end.code) == (JobState.COMPLETED, JobState.COMPLETED, "")
    assert (ack.node, ack.job, ack.epoch) == (place.node, "j1", place.epoch)
    assert three.core.job("j1").ended_at == START + 2.0


def test_commands_carry_the_event_that_caused_them(three: Pool) -> None:
    """Each command has the current event as its cause."""
    asked = three.ask("j1")

    assert [command.cause for command in asked] == [three.events[-1].id]


def test_a_report_stands_for_an_acceptance_that_was_lost(three: Pool) -> None:
    """A report settles a run whose acceptance message was lost."""
    assert kinds(three.report(placed(three))) == ["Settle", "EndJob", "AckUsage"]


def test_a_report_that_comes_again_is_acknowledged_only(three: Pool) -> None:
    """A repeated report changes no balance and is acknowledged."""
    place = placed(three)
    three.report(place)

    assert kinds(three.report(place)) == ["Dropped", "AckUsage"]


def test_an_offer_without_an_answer_goes_elsewhere(three: Pool) -> None:
    """A node that is live but silent about an offer is told to stop, and another one tried."""
    first = placed(three)
    asked = three.wait(5.0, seen=HEARD)

    assert kinds(asked) == ["CancelRun", "Place"]
    assert (asked[0].epoch, asked[0].node) == (first.epoch, "qc-1")
    assert asked[1].node != "qc-1"


def test_a_run_without_a_sign_of_life_goes_elsewhere(three: Pool) -> None:
    """A live node whose engine hangs loses the run 12 s after its last progress."""
    place = placed(three)
    three.accept(place)
    three.wait(10.0, seen=HEARD)
    three.progress(place, 0)
    still = three.wait(11.0, seen=HEARD)
    over = three.wait(1.0, seen=HEARD)

    assert still == []
    assert kinds(over) == ["CancelRun", "Place"]


def test_a_node_that_did_not_answer_is_left_alone_for_a_while(three: Pool) -> None:
    """After an offer without an answer other jobs go elsewhere, until the pause is over."""
    placed(three)
    (again,) = of(three.wait(5.0, seen=HEARD), commands.Place)
    meanwhile = placed(three, "j2")
    three.report(again)
    three.report(meanwhile)
    three.wait(5.0, seen=HEARD)
    later = placed(three, "j3")

    assert meanwhile.node != "qc-1"
    assert later.node == "qc-1"


def test_old_messages_stop_the_old_run_and_change_nothing(three: Pool) -> None:
    """A node that still runs a lost epoch is told to stop; its usage is never billed."""
    old = placed(three)
    new = place_in(three.wait(5.0, seen=HEARD))
    accepted, progress = three.accept(old), three.progress(old, 7)
    report = three.report(old)

    assert kinds(accepted) == kinds(progress) == ["Dropped", "CancelRun"]
    assert (progress[1].epoch, progress[1].node) == (old.epoch, old.node)
    assert kinds(report) == ["Dropped", "AckUsage"]
    assert kinds(three.report(new)) == ["Settle", "EndJob", "AckUsage"]


def test_another_nodes_message_is_not_the_nodes(three: Pool) -> None:
    """A message with the right job and epoch from the wrong node is dropped."""
    place = placed(three)
    asked = three.report(msgspec.structs.replace(place, node="ab-1"))

    assert kinds(asked) == ["Dropped", "AckUsage"]
    assert three.core.job("j1").state is JobState.OFFERED


class TestDeclines:
    """A node declines a run."""

    @pytest.mark.parametrize("code", ["full", "draining", "not_loaded", "stale"])
    def test_what_another_node_may_take_goes_there(self, three: Pool, code: str) -> None:
        """A decline that concerns the node sends the job to another one."""
        again = place_in(three.decline(placed(three), code))

        assert again.node == "on-1"

    @pytest.mark.parametrize("code", ["context_length_exceeded", "engine_refused"])
    def test_what_no_node_would_take_ends_the_job(self, three: Pool, code: str) -> None:
        """A decline that concerns the request ends the job with the node's numbers."""
        asked = three.decline(placed(three), code, context_tokens=4_096)
        (end,) = asked

        assert (end.state, end.code) == (JobState.FAILED, code)
        assert end.values == {"context_tokens": 4_096}

    def test_a_full_node_is_full_for_all(self, three: Pool) -> None:
        """The next job does not try a node that has just said it is full; a second later it may."""
        three.decline(placed(three), "full")
        meanwhile = placed(three, "j2")
        three.wait(1.0, seen=HEARD)
        later = placed(three, "j3")

        assert (meanwhile.node, later.node) == ("on-1", "qc-1")

    def test_a_draining_node_gets_nothing_until_it_says_so(self, three: Pool) -> None:
        """A node that declined as draining gets no work until it accepts again."""
        three.decline(placed(three), "draining")
        meanwhile = placed(three, "j2")
        three.tell(events.NodeChanged, "qc-1", True, "", None)
        later = placed(three, "j3")

        assert (meanwhile.node, later.node) == ("on-1", "qc-1")

    def test_a_hello_ends_a_pause(self, three: Pool) -> None:
        """A node that declined as not loaded gets work after its next hello."""
        three.decline(placed(three), "not_loaded")
        three.join(card("qc-1", "alpha", "CA-QC"))

        assert placed(three, "j2").node == "qc-1"

    def test_the_only_node_is_asked_again(self, pool: Pool) -> None:
        """A job avoids a node that declined it only while another node is eligible."""
        pool.join(card("n1"))
        pool.decline(placed(pool), "full")
        asked = pool.wait(1.0, seen=("n1",))

        assert [place.node for place in of(asked, commands.Place)] == ["n1"]

    def test_a_full_node_takes_no_attempt(self) -> None:
        """A slot that the core believed free is taken by a run that it has given up: the job waits
        for it, whatever its policy's attempts, but a bounded number of times."""
        pool = Pool("alpha", limits=Limits(attempts=2))
        pool.join(card("n1"))
        place = placed(pool)
        for _ in range(UNCOUNTED_ENDS_MAX):
            pool.decline(place, "full")
            place = place_in(pool.wait(1.0, seen=("n1",)))
        attempts = pool.core._state.jobs["j1"].attempts
        pool.decline(place, "full")
        (end,) = pool.decline(place_in(pool.wait(1.0, seen=("n1",))), "full")

        assert 1 == attempts
        assert ("too_many_attempts", {"attempts": 2}) == (end.code, end.values)

    def test_too_many_attempts_end_the_job(self) -> None:
        """After as many placements as the policy allows the job fails, and says how many."""
        pool = Pool("alpha", limits=Limits(attempts=2))
        pool.join(card("n1"))
        pool.decline(placed(pool), "stale")
        again = place_in(pool.wait(5.0, seen=("n1",)))
        (end,) = pool.decline(again, "stale")

        assert (end.code, end.values) == ("too_many_attempts", {"attempts": 2})

    def test_a_run_that_nobody_answers_is_an_attempt(self) -> None:
        """The job of the only node, which stays silent about it, ends as others do."""
        pool = Pool("alpha", limits=Limits(attempts=2))
        pool.join(card("n1"))
        pool.ask("j1")
        ends: list[commands.EndJob] = []
        for _ in range(60):
            ends += of(pool.wait(1.0, seen=("n1",)), commands.EndJob)

        assert [(end.code, end.values) for end in ends] == [("too_many_attempts", {"attempts": 2})]


class TestFailures:
    """A run fails on its node."""

    def test_it_runs_elsewhere_when_nothing_was_sent(self, three: Pool) -> None:
        """A failed run without output to the client is placed on another node and not billed."""
        place = placed(three, stream=True)
        three.accept(place)
        asked = three.report(place, Outcome.FAILED, code="engine_failed")

        assert kinds(asked) == ["AckUsage", "Place"]
        assert asked[1].node != place.node

    def test_a_stream_that_broke_ends_and_is_billed_for_what_came(self, three: Pool) -> None:
        """When the client has part of the answer the job ends, and what was produced is settled."""
        place = placed(three, stream=True)
        three.accept(place)
        settle, end, _ = three.report(place, Outcome.FAILED, code="engine_failed", delivered=True)

        assert (end.state, end.code) == (JobState.FAILED, "engine_failed")
        assert (settle.state, settle.usage.output_tokens) == (JobState.FAILED, 50)

    def test_an_answer_in_one_piece_runs_again_whatever_was_sent(self, three: Pool) -> None:
        """Nothing reaches the client of a request that is not streamed before it is complete."""
        place = placed(three)
        asked = three.report(place, Outcome.FAILED, code="engine_failed", delivered=True)

        assert kinds(asked) == ["AckUsage", "Place"]

    def test_a_kept_job_runs_again_whatever_was_sent(self, three: Pool) -> None:
        """A kept job's result is fetched when it is whole, streamed or not."""
        place = placed(three, kind=JobKind.KEPT, stream=True)
        asked = three.report(place, Outcome.FAILED, code="engine_failed", delivered=True)

        assert kinds(asked) == ["AckUsage", "Place"]

    def test_a_request_that_the_engine_refuses_ends(self, three: Pool) -> None:
        """A failure that every engine would repeat ends the job, unbilled."""
        asked = three.report(placed(three), Outcome.FAILED, code="engine_refused")

        assert kinds(asked) == ["EndJob", "AckUsage"]
        assert asked[0].code == "engine_refused"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"output_tokens": -5_000},
            {"energy_decode_uwh": -1},
            {"cached_tokens": 91},
            {"run_s": float("nan")},
            {"ttft_s": -0.1},
        ],
    )
    def test_a_report_that_cannot_be_true_is_replaced_by_an_estimate(
        self, three: Pool, wrong: dict
    ) -> None:
        """Negative counts, or more cached than input tokens, make a report invalid."""
        place = placed(three)
        three.accept(place)
        three.progress(place, 20)
        settle = three.report(place, **wrong)[0]

        assert (settle.usage.output_tokens, settle.usage.counted) == (20, Basis.ESTIMATED)


class TestCancelling:
    """The owner cancels, or the client disconnects."""

    def test_a_waiting_job_just_ends(self, pool: Pool) -> None:
        """A waiting job leaves the queue and is not billed."""
        pool.join(card("n1", replicas=(replica(slots=1),)))
        placed(pool)
        pool.ask("j2")
        (end,) = pool.tell(events.JobCancelled, "j2", "cancelled")

        assert (end.state, end.code, end.epoch) == (JobState.CANCELLED, "cancelled", 0)

    def test_a_running_job_ends_now_and_is_settled_by_its_report(self, three: Pool) -> None:
        """The job ends at once; usage until the stop is billed."""
        place = placed(three)
        three.accept(place)
        stopped = three.tell(events.JobCancelled, "j1", "client_gone")
        settled = three.report(place, Outcome.CANCELLED, output_tokens=12)

        assert kinds(stopped) == ["CancelRun", "EndJob"]
        assert (stopped[1].code, stopped[1].epoch) == ("client_gone", place.epoch)
        assert kinds(settled) == ["Settle", "AckUsage"]
        assert (settled[0].state, settled[0].usage.output_tokens) == (JobState.CANCELLED, 12)

    def test_its_slot_is_not_given_away_before_the_node_is_done(self, pool: Pool) -> None:
        """The next job starts when the node has reported the stopped run, not before."""
        pool.join(card("n1", replicas=(replica(slots=1),)))
        place = placed(pool)
        pool.ask("j2")
        stopped = pool.tell(events.JobCancelled, "j1", "cancelled")
        reported = pool.report(place, Outcome.CANCELLED)

        assert of(stopped, commands.Place) == []
        assert [place.job for place in of(reported, commands.Place)] == ["j2"]

    def test_without_a_report_it_is_settled_by_what_is_known(self, three: Pool) -> None:
        """After the lease's time the progress seen is billed, marked as estimated."""
        place = placed(three)
        three.accept(place)
        three.progress(place, 30)
        three.tell(events.JobCancelled, "j1", "cancelled")
        settle = of(three.wait(12.0, seen=HEARD), commands.Settle)[0]

        assert settle.usage.output_tokens == 30
        assert settle.usage.counted is settle.usage.energy_basis is Basis.ESTIMATED
        assert settle.usage.energy_decode_uwh > 0
        assert kinds(three.report(place)) == ["Dropped", "AckUsage"]

    def test_a_run_that_never_began_is_not_billed(self, three: Pool) -> None:
        """A job cancelled while it was offered costs nothing when the node never reports."""
        placed(three)
        three.tell(events.JobCancelled, "j1", "cancelled")

        assert three.wait(12.0, seen=HEARD) == []

    def test_an_empty_report_is_not_billed(self, three: Pool) -> None:
        """A stopped run that used nothing is acknowledged and not billed."""
        place = placed(three)
        three.tell(events.JobCancelled, "j1", "cancelled")
        nothing = {"input_tokens": 0, "output_tokens": 0}
        asked = three.report(
            place, Outcome.CANCELLED, energy_prefill_uwh=0, energy_decode_uwh=0, **nothing
        )

        assert kinds(asked) == ["AckUsage"]

    def test_a_run_that_takes_the_job_after_all_is_stopped_again(self, three: Pool) -> None:
        """If a node accepts a run that was stopped before it arrived, the stop is repeated."""
        place = placed(three)
        three.tell(events.JobCancelled, "j1", "cancelled")

        assert kinds(three.accept(place)) == ["CancelRun"]

    def test_on_a_node_that_is_lost_it_is_settled_at_once(self, three: Pool) -> None:
        """A stopped run whose node is lost is billed by its progress."""
        place = placed(three)
        three.accept(place)
        three.progress(place, 30)
        three.tell(events.JobCancelled, "j1", "cancelled")
        asked = three.tell(events.NodeLeft, place.node, "goodbye")

        assert kinds(asked) == ["NodeTurned", "Settle"]

    def test_what_is_over_or_unknown_cannot_be_cancelled(self, three: Pool) -> None:
        """Such a cancellation is dropped and counted."""
        three.report(placed(three))
        over = three.tell(events.JobCancelled, "j1", "cancelled")
        unknown = three.tell(events.JobCancelled, "nobody", "cancelled")

        assert [drop.what for drop in over + unknown] == ["cancelled", "cancelled"]


class TestAbandoning:
    """The gateway cannot use a placement."""

    def test_a_stream_that_cannot_be_joined_ends(self, three: Pool) -> None:
        """If the client already has part of the answer, a second placement ends the job."""
        first = placed(three, stream=True)
        three.accept(first)
        second = place_in(three.tell(events.NodeLeft, first.node, "goodbye"))
        asked = three.tell(events.JobAbandoned, "j1", second.epoch, "stream_broken")

        assert kinds(asked) == ["CancelRun", "EndJob"]
        assert (asked[1].state, asked[1].code) == (JobState.FAILED, "stream_broken")

    def test_an_old_placement_cannot_be_abandoned(self, three: Pool) -> None:
        """Only the present epoch counts."""
        first = placed(three)
        three.decline(first, "stale")
        asked = three.tell(events.JobAbandoned, "j1", first.epoch, "stream_broken")

        assert kinds(asked) == ["Dropped"]


class TestDeadlines:
    """Jobs with a deadline."""

    def test_a_waiting_job_fails_when_it_passes(self, pool: Pool) -> None:
        """A job that is still queued at its deadline fails."""
        pool.join(card("n1", replicas=(replica(slots=1),)))
        placed(pool)
        pool.ask("j2", deadline_at=START + 3.0)
        (end,) = of(pool.wait(3.0, seen=("n1",)), commands.EndJob)

        assert (end.job, end.code) == ("j2", "deadline_exceeded")

    def test_a_running_job_is_stopped_when_it_passes(self, three: Pool) -> None:
        """A run that is too late is stopped; what it used is billed by its report."""
        place = placed(three, job_class=JobClass.BATCH, deadline_at=START + 3.0)
        three.accept(place)
        asked = three.wait(3.0, seen=HEARD)

        assert kinds(asked) == ["CancelRun", "EndJob"]
        assert asked[1].code == "deadline_exceeded"
        assert kinds(three.report(place, Outcome.CANCELLED)) == ["Settle", "AckUsage"]

    def test_an_ended_job_has_none(self, three: Pool) -> None:
        """The deadline of a completed job has no effect."""
        three.report(placed(three, deadline_at=START + 3.0))

        assert three.wait(5.0, seen=HEARD) == []


def test_ended_jobs_are_forgotten(three: Pool) -> None:
    """An ended job can be queried for ten minutes, then it is deleted."""
    three.report(placed(three))
    three.wait(599.0, seen=HEARD)
    before = three.core.job("j1")
    three.wait(1.0, seen=HEARD)

    assert before is not None
    assert three.core.job("j1") is None
    assert three.core.explain("j1", three.now) is None


def test_a_job_can_be_looked_at(three: Pool) -> None:
    """The view has the state, the progress and the node of a job."""
    place = placed(three)
    three.accept(place)
    three.progress(place, 10)
    running = three.core.job("j1")
    three.report(place)
    over = three.core.job("j1")

    assert (running.state, running.node, running.output_tokens) == (JobState.ACTIVE, "qc-1", 10)
    assert running.terms == place.terms
    assert (over.state, over.node, over.terms) == (JobState.COMPLETED, "qc-1", None)
    assert [view.job for view in three.core.jobs("alpha")] == ["j1"]
    assert three.core.jobs("beta") == []


def test_only_so_many_ended_jobs_are_kept(three: Pool, monkeypatch) -> None:
    """However fast jobs end, the core remembers a bounded number, and fewer explanations."""
    monkeypatch.setattr(settlement, "ENDED_KEPT", 5)
    monkeypatch.setattr(settlement, "EXPLANATIONS_KEPT", 2)
    for number in range(9):
        three.report(placed(three, f"j{number}"))
    kept = [view.job for view in three.core.jobs()]
    explained = [job for job in kept if three.core.explain(job, three.now) is not None]

    assert kept == ["j4", "j5", "j6", "j7", "j8"]
    assert explained == ["j7", "j8"]

"""Node lifecycle: silent, lost, returning and departed nodes; lost gateways; restarts."""

from itertools import permutations

import pytest
from tests.core.builders import START, Pool, card, kinds, of, placed, rates, replica
from tests.core.test_resumption import moved, resumed
from tests.core.test_resumption import node as able

from entraide.types import JobKind, JobState, NodeState, Outcome
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.state import EPOCHS_PER_INCARNATION


def turns(asked: list[commands.Command]) -> list[tuple[str, str]]:
    return [(turn.node, turn.state.value) for turn in of(asked, commands.NodeTurned)]


def test_a_first_hello_makes_a_node_live(pool: Pool) -> None:
    """A node that says hello becomes live, and the change is reported."""
    asked = pool.tell(events.NodeJoined, card("n1"), True, "")

    assert turns(asked) == [("n1", "live")]


def test_silence_makes_a_node_suspect_then_lost(pool: Pool) -> None:
    """After 4 s of silence a node is suspect, after 10 s it is lost."""
    pool.join(card("n1"))
    turned = []
    for _ in range(12):
        turned += [(pool.now - START, *turn) for turn in turns(pool.wait(1.0))]

    assert turned == [(4.0, "n1", "suspect"), (10.0, "n1", "lost")]


def test_a_heartbeat_is_a_sign_of_life(pool: Pool) -> None:
    """A node that is heard each second stays live."""
    pool.join(card("n1"))

    assert turns(pool.wait(30.0, seen=("n1",))) == []


def test_the_core_asks_to_be_woken_for_silence(pool: Pool) -> None:
    """Its next deadline is the moment at which the silence counts."""
    pool.join(card("n1"))

    assert pool.core.next_deadline() == START + 4.0


def test_a_suspect_node_gets_no_work_until_it_is_heard(pool: Pool) -> None:
    """A job waits for a suspect node, and starts when the node is heard."""
    pool.join(card("n1"))
    pool.wait(5.0)

    assert kinds(pool.ask("j1")) == []
    assert kinds(pool.tell(events.NodesSeen, ("n1",))) == ["NodeTurned", "Place"]


def test_a_lost_node_that_is_heard_is_live_again(pool: Pool) -> None:
    """A node that was lost comes back by itself, without a hello."""
    pool.join(card("n1"))
    pool.wait(12.0)
    asked = pool.tell(events.NodesSeen, ("n1",))

    assert turns(asked) == [("n1", "live")]


def test_jobs_of_a_lost_node_run_elsewhere(three: Pool) -> None:
    """What ran on a lost node is placed again, with a higher epoch, on another one."""
    (first,) = of(three.ask("j1"), commands.Place)
    three.accept(first)
    asked = three.wait(11.0, seen=("on-1", "ab-1"))
    (second,) = of(asked, commands.Place)

    assert (first.node, second.node) == ("qc-1", "on-1")
    assert second.epoch == first.epoch + 1
    assert of(asked, commands.EndJob) == []


def test_a_restart_of_a_node_is_the_same_node(three: Pool) -> None:
    """A hello of a node that is known makes no second node, and voids no lease."""
    (place,) = of(three.ask("j1"), commands.Place)
    three.accept(place)
    three.join(card(place.node, "alpha", "CA-QC"))
    ended = three.report(place)

    assert [view.card.node for view in three.core.nodes()] == ["ab-1", "on-1", "qc-1"]
    assert kinds(ended) == ["Settle", "EndJob", "AckUsage"]


def test_a_node_that_restarted_frees_the_leases_that_it_no_longer_holds(pool: Pool) -> None:
    """At its new hello a run that is gone is placed again, at once; one whose report waits is not,
    nor is anything freed by a hello of the same life."""
    for node in ("n1", "n2"):
        pool.tell(events.NodeJoined, card(node), True, "", boot="b1")
    placed = [place for job in "abcd" for place in of(pool.ask(job), commands.Place)]
    for place in placed:
        pool.accept(place)
    mine = [place for place in placed if place.node == "n1"]
    again = pool.tell(events.NodeJoined, card("n1"), True, "", boot="b1")
    gone, reported = mine[0], mine[1]
    pool.now += 0.5
    restarted = pool.tell(
        events.NodeJoined, card("n1"), True, "", boot="b2", held=((reported.job, reported.epoch),)
    )

    assert len(mine) == 2
    assert of(again, commands.Place) == []
    assert [place.job for place in of(restarted, commands.Place)] == [gone.job]
    assert of(restarted, commands.Place)[0].epoch > gone.epoch
    assert pool.core._state.leases[reported.job].terms.epoch == reported.epoch


def test_a_restarted_node_frees_the_slots_of_runs_that_were_being_stopped(pool: Pool) -> None:
    """A cancelled run that nobody will report any more holds no slot after the new hello."""
    pool.tell(events.NodeJoined, card("n1"), True, "", boot="b1")
    (place,) = of(pool.ask("a"), commands.Place)
    pool.accept(place)
    pool.tell(events.JobCancelled, "a", "client_gone")
    before = pool.core._state.fleet.nodes["n1"].leases
    pool.tell(events.NodeJoined, card("n1"), True, "", boot="b2")

    assert (before, pool.core._state.fleet.nodes["n1"].leases) == (1, 0)


def test_a_node_that_left_is_gone_until_it_says_hello(three: Pool) -> None:
    """After goodbye a heartbeat changes nothing; a hello brings the node back."""
    three.tell(events.NodeLeft, "qc-1", "goodbye")
    ignored = three.tell(events.NodesSeen, ("qc-1",))
    back = three.tell(events.NodeJoined, card("qc-1"), True, "")

    assert kinds(ignored) == ["Dropped"]
    assert turns(back) == [("qc-1", "live")]


def test_a_revoked_node_loses_its_jobs_at_once(three: Pool) -> None:
    """A revoked node's jobs are placed on other nodes during the same event."""
    (first,) = of(three.ask("j1"), commands.Place)
    asked = three.tell(events.NodeLeft, first.node, "revoked")

    assert [place.node for place in of(asked, commands.Place)] == ["on-1"]


def test_a_node_that_left_is_forgotten(three: Pool) -> None:
    """The record of a node that left is deleted after ``job_kept_s``."""
    three.tell(events.NodeLeft, "qc-1", "goodbye")
    three.wait(601.0, seen=("on-1", "ab-1"))

    assert [view.card.node for view in three.core.nodes()] == ["ab-1", "on-1"]


def test_a_node_that_came_back_is_not_forgotten(three: Pool) -> None:
    """A goodbye that was followed by a hello has no late effect."""
    three.tell(events.NodeLeft, "qc-1", "goodbye")
    three.join(card("qc-1"))
    three.wait(601.0, seen=("qc-1", "on-1", "ab-1"))

    assert [view.card.node for view in three.core.nodes()] == ["ab-1", "on-1", "qc-1"]


def test_an_unknown_node_is_asked_nothing(pool: Pool) -> None:
    """A heartbeat or a change of a node that never said hello is dropped and counted."""
    dropped = pool.tell(events.NodesSeen, ("ghost",))
    changed = pool.tell(events.NodeChanged, "ghost", True, "", None)

    assert [drop.what for drop in dropped + changed] == ["unknown_node", "unknown_node"]


@pytest.mark.parametrize(
    "wrong",
    [
        card("n1", rtt_s=float("nan")),
        card("n1", rtt_s=-1.0),
        card("n1", replicas=(replica(rates=rates(prefill_tokens_per_s=0.0)),)),
        card("n1", replicas=(replica(rates=rates(tpot_base_s=float("inf"))),)),
        card("n1", replicas=(replica(slots=0),)),
    ],
)
def test_a_card_that_cannot_be_reckoned_with_is_refused(pool: Pool, wrong) -> None:
    """A node whose card has invalid numbers does not join."""
    asked = pool.tell(events.NodeJoined, wrong, True, "")

    assert [drop.what for drop in asked] == ["unsound_card"]
    assert pool.core.nodes() == []


def test_a_paused_node_keeps_what_it_runs_and_gets_nothing_new(three: Pool) -> None:
    """When its owner comes back a node takes no new job; the running one ends there."""
    (first,) = of(three.ask("j1"), commands.Place)
    three.tell(events.NodeChanged, "qc-1", False, "owner_busy", None)
    (second,) = of(three.ask("j2"), commands.Place)

    assert (first.node, second.node) == ("qc-1", "on-1")
    assert kinds(three.report(first)) == ["Settle", "EndJob", "AckUsage"]


def test_waiting_live_jobs_end_when_no_node_is_left(pool: Pool) -> None:
    """When the last node that could serve them is lost, live jobs end and kept ones wait."""
    pool.join(card("n1", replicas=(replica(slots=1),)))
    pool.ask("running", kind=JobKind.KEPT)
    pool.ask("live")
    pool.ask("kept", kind=JobKind.KEPT)
    ended = of(pool.wait(11.0), commands.EndJob)

    assert [(end.job, end.code) for end in ended] == [("live", "no_node_live")]
    assert [view.job for view in pool.core.jobs() if view.state is JobState.QUEUED] == [
        "running",
        "kept",
    ]


def test_a_lost_gateway_takes_its_live_jobs_along(three: Pool) -> None:
    """Live jobs of a lost gateway end; their runs are stopped; others' go on."""
    three.ask("mine", gateway="gw-2")
    three.ask("other")
    asked = three.tell(events.GatewayLost, "gw-2")

    assert kinds(asked) == ["CancelRun", "EndJob"]
    assert (asked[1].job, asked[1].code) == ("mine", "gateway_lost")
    assert three.core.job("other").state is JobState.OFFERED


def test_a_lost_gateways_streams_are_billed_by_what_it_said(three: Pool) -> None:
    """Its clients have 37 tokens of one and none of the other, though nodes have written 60."""
    named, other = (placed(three, job, gateway="gw-2", stream=True) for job in ("j1", "j2"))
    for place in (named, other):
        three.accept(place)
        three.progress(place, 50)
    three.tell(events.GatewayLost, "gw-2", (("j1", named.epoch, 37),))
    for place in (named, other):
        three.report(place, Outcome.CANCELLED, delivered=True, output_tokens=60)
    (settled,) = of(three.asked, commands.Settle)

    assert ("j1", 37, 90) == (
        settled.job,
        settled.usage.output_tokens,
        settled.usage.input_tokens,
    )


@pytest.mark.parametrize(
    ("said", "billed"), [("the newest", [4, 35]), ("nothing since", [4]), ("the first", [4])]
)
def test_a_lost_gateways_word_counts_for_a_run_that_has_ended_before_it(
    pool: Pool, said: str, billed: list[int]
) -> None:
    """The second machine fails after 44 tokens, and its gateway is lost before it heard of that."""
    pool.join(able("n1", "beta"), able("n2", "gamma"), able("n3", "delta"))
    first = placed(pool, resumable=True, stream=True)
    pool.accept(first)
    pool.report(first, Outcome.FAILED, code="owner_terms", delivered=True, output_tokens=4)
    second = pool.places()[-1]
    resumed(pool, second, (first, 4))
    pool.accept(second)
    pool.report(second, Outcome.FAILED, code="owner_terms", delivered=True, output_tokens=44)
    sent = {"the newest": (second, 35), "the first": (first, 3)}
    words = tuple((place.job, place.epoch, n) for place, n in [sent[said]]) if said in sent else ()
    pool.tell(events.GatewayLost, "gw", words)
    pool.report(pool.places()[-1], Outcome.CANCELLED, output_tokens=0)
    (settled,) = of(pool.asked, commands.SettleResumed)

    assert billed == [run.usage.output_tokens for run in settled.runs]


def test_text_of_a_run_that_is_not_billed_is_no_prompt(pool: Pool) -> None:
    """The gateway of a resumed answer is lost: of the first run, which its node has not reported,
    nothing is billed; the second one read its 30 tokens with the 90 of the prompt."""
    pool.join(able("n1", "beta"), able("n2", "gamma"))
    first, second = moved(pool)
    resumed(pool, second, (first, 30))
    pool.accept(second)
    pool.progress(second, 12)
    pool.tell(events.GatewayLost, "gw", (("j1", second.epoch, 10),))
    pool.report(second, Outcome.CANCELLED, delivered=True, input_tokens=120, output_tokens=12)
    (settled,) = of(pool.asked, commands.Settle)

    assert (90, 10) == (settled.usage.input_tokens, settled.usage.output_tokens)


def test_what_was_placed_before_the_schedulers_start_is_billed_by_its_node(three: Pool) -> None:
    """The word that its answer had come was said while no scheduler was there."""
    place = placed(three, gateway="gw-2", stream=True)
    three.accept(place)
    three.tell(events.SchedulerStarted, 2, "gw")
    three.tell(events.GatewayLost, "gw-2")
    (settled,) = of(three.report(place, output_tokens=60), commands.Settle)

    assert 60 == settled.usage.output_tokens


NOTICES = ("lost", "abandoned", "started")


@pytest.mark.parametrize(
    "notices", [order for count in (1, 2, 3) for order in permutations(NOTICES, count)]
)
def test_the_loss_of_a_gateway_takes_one_attempt_at_most(
    three: Pool, notices: tuple[str, ...]
) -> None:
    """In whichever ways, and in whichever order, it is noticed."""
    place = placed(three, gateway="gw-2", kind=JobKind.KEPT)
    for notice in notices:
        match notice:
            case "lost":
                three.tell(events.GatewayLost, "gw-2")
            case "abandoned":
                three.tell(events.JobAbandoned, "j1", place.epoch, "gateway_lost")
            case _:
                three.tell(events.SchedulerStarted, 2, "gw-2")
                three.tell(events.NodesSeen, ("qc-1", "on-1", "ab-1"))

    assert three.core._state.jobs["j1"].attempts <= 2


def test_a_lost_gateways_kept_job_runs_again(three: Pool) -> None:
    """A kept job of a lost gateway survives: its run is stopped and it is placed again."""
    (first,) = of(three.ask("j1", gateway="gw-2", kind=JobKind.KEPT), commands.Place)
    asked = three.tell(events.GatewayLost, "gw-2")

    assert kinds(asked) == ["CancelRun", "Place"]
    assert asked[1].epoch == first.epoch + 1


class TestRestart:
    """The scheduler dies and starts again."""

    def test_nodes_must_be_heard_before_they_get_work(self, three: Pool) -> None:
        """After a start every node is suspect until it is heard."""
        asked = three.tell(events.SchedulerStarted, 2, "gw")
        waiting = three.ask("j1")
        heard = three.tell(events.NodesSeen, ("qc-1",))

        assert turns(asked) == [("ab-1", "suspect"), ("on-1", "suspect"), ("qc-1", "suspect")]
        assert waiting == []
        assert kinds(heard) == ["NodeTurned", "Place"]

    def test_live_jobs_of_its_own_gateway_are_over(self, three: Pool) -> None:
        """Their clients saw the connection close; their runs are stopped."""
        three.ask("j1")
        asked = three.tell(events.SchedulerStarted, 2, "gw")

        assert [end.code for end in of(asked, commands.EndJob)] == ["gateway_lost"]
        assert len(of(asked, commands.CancelRun)) == 1

    def test_live_jobs_of_another_gateway_go_on(self, three: Pool) -> None:
        """A gateway of its own process is still there, and so is its run."""
        (place,) = of(three.ask("j1", gateway="gw-2"), commands.Place)
        three.accept(place)
        three.now += 11.0
        three.tell(events.SchedulerStarted, 2, "gw")
        three.wait(3.0, seen=("qc-1", "on-1", "ab-1"))

        assert kinds(three.report(place)) == ["Settle", "EndJob", "AckUsage"]

    def test_kept_jobs_run_again_before_others(self, pool: Pool) -> None:
        """A kept job that ran is first in the queue, with an epoch of the new start."""
        pool.join(card("n1", replicas=(replica(slots=1),)))
        (first,) = of(pool.ask("ran", kind=JobKind.KEPT), commands.Place)
        pool.ask("waited", kind=JobKind.KEPT)
        pool.tell(events.SchedulerStarted, 7, "gw")
        (second,) = of(pool.tell(events.NodesSeen, ("n1",)), commands.Place)
        late = pool.report(first)

        assert (second.job, second.epoch) == ("ran", 7 * EPOCHS_PER_INCARNATION + 1)
        assert kinds(late) == ["Dropped", "AckUsage"]

    def test_an_answered_kept_job_is_settled_by_its_first_run(self, pool: Pool) -> None:
        """Its answer is stored, so it does not run again: its node reports once more."""
        pool.join(card("n1"))
        (place,) = of(pool.ask("j1", kind=JobKind.KEPT), commands.Place)
        pool.accept(place)
        started = pool.tell(events.SchedulerStarted, 7, "gw", ("j1",))
        heard = pool.tell(events.NodesSeen, ("n1",))
        reported = pool.report(place)

        assert ["NodeTurned"] == kinds(started) == kinds(heard)
        assert ["Settle", "EndJob", "AckUsage"] == kinds(reported)

    def test_restarts_use_up_no_attempts(self, pool: Pool) -> None:
        """Restarts of the scheduler do not count as attempts of a kept job."""
        pool.join(card("n1"))
        pool.ask("j1", kind=JobKind.KEPT)
        for incarnation in range(2, 12):
            pool.tell(events.SchedulerStarted, incarnation, "gw")
            pool.tell(events.NodesSeen, ("n1",))

        assert pool.core.job("j1").state is JobState.OFFERED

    def test_an_unanswered_offer_gets_its_full_time_once(self, three: Pool) -> None:
        """A scheduler that starts again and again has the job run elsewhere in the end."""
        (place,) = of(three.ask("j1", gateway="gw-2"), commands.Place)
        places = []
        for incarnation in range(2, 7):
            three.tell(events.SchedulerStarted, incarnation, "gw")
            places += of(three.wait(6.0, seen=("qc-1", "on-1", "ab-1")), commands.Place)

        assert [3, 5] == [each.epoch // EPOCHS_PER_INCARNATION for each in places]
        assert place.node != places[0].node

    def test_a_node_lost_before_stays_lost(self, three: Pool) -> None:
        """A start does not make a lost node look as if it might be there."""
        three.wait(11.0, seen=("on-1", "ab-1"))
        three.tell(events.SchedulerStarted, 2, "gw")
        states = {view.card.node: view.state for view in three.core.nodes()}

        assert states == {
            "qc-1": NodeState.LOST,
            "on-1": NodeState.SUSPECT,
            "ab-1": NodeState.SUSPECT,
        }


def test_time_never_goes_back(three: Pool) -> None:
    """An event dated before the last one takes the last one's time."""
    three.wait(2.0, seen=("qc-1", "on-1", "ab-1"))
    three.now -= 60.0
    (place,) = of(three.ask("j1"), commands.Place)

    assert place.terms.placed_at == START + 2.0

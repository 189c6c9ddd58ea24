"""How a machine steps aside and comes back: every step of the table, and what cannot flap."""

from entraide.types import Lending
from entraide_node.core.machine_state import GIB, MachineState
from entraide_node.core.owner_policy import (
    LENDING,
    EndRuns,
    LendingState,
    OwnerPolicy,
    PolicyOutcome,
)
from entraide_node.core.owner_terms import OwnerTerms, PresencePolicy, ResourceCaps

TERMS = OwnerTerms(idle_min=5.0, give_back_s=30.0, settle_s=30.0)
THERE, GONE = MachineState(idle_s=0.0), MachineState(idle_s=900.0)


class Life:
    """One owner, told in moments."""

    def __init__(self, terms: OwnerTerms = TERMS) -> None:
        self.terms = terms
        self.core = OwnerPolicy()
        self.asked: list[tuple[float, EndRuns]] = []
        self.turns: list[tuple[float, LendingState]] = []

    def see(
        self, at: float, now: MachineState, *, running: int = 0, foreign: int = 0
    ) -> PolicyOutcome:
        """Takes in a moment and keeps what follows."""
        lent, asked = self.core.evaluate(self.terms, now, at=at, running=running, foreign=foreign)
        self.asked += [(at, step) for step in asked]
        if not self.turns or self.turns[-1][1] is not lent.state:
            self.turns.append((at, lent.state))
        return lent


def test_each_state_can_be_left_and_each_is_reached() -> None:
    """No state is a dead end, and none is unreachable."""
    table = LENDING.table

    assert set(LendingState) == {state for state, _ in table} == set(table.values())


def test_a_machine_with_nobody_there_works_from_the_first_look() -> None:
    """Nothing is waited for at the start, when nothing objects."""
    assert None is Life().see(0.0, GONE).reason


def test_an_owner_who_comes_stops_new_work_at_once() -> None:
    """The first moment with somebody there takes the machine out of work; nothing is ended yet."""
    life = Life()
    life.see(0.0, GONE)
    lent = life.see(10.0, THERE, running=2)

    assert lent.reason is not None
    assert (9, "owner_busy", LendingState.OBJECTING) == (
        lent.reason.number,
        lent.reason.code,
        lent.state,
    )
    assert [] == life.asked
    assert 40.0 == life.core.next_deadline(TERMS)


def test_what_still_runs_after_the_promised_time_is_given_back_once() -> None:
    """At the deadline, and not before, the runs are told to end; then the machine is away."""
    life = Life()
    life.see(0.0, GONE)
    for at in (10.0, 25.0, 39.9, 40.0, 40.1, 41.0):
        life.see(at, THERE, running=2)
    gone = life.see(42.0, THERE)

    assert [(40.0, EndRuns(foreign_only=False))] == life.asked
    assert LendingState.AWAY is gone.state


def test_what_ends_by_itself_is_not_given_back() -> None:
    """Runs that end within the promised time end well."""
    life = Life()
    life.see(0.0, GONE)
    life.see(10.0, THERE, running=2)
    life.see(30.0, THERE)
    life.see(100.0, THERE)

    assert [] == life.asked
    assert LendingState.AWAY is life.turns[-1][1]


def test_work_begins_again_only_after_a_while_without_objection() -> None:
    """The machine waits, says that it waits and until when, and starts over at a new objection."""
    life = Life()
    life.see(0.0, THERE)
    waiting = life.see(10.0, GONE)
    life.see(39.0, THERE)
    life.see(40.0, GONE)
    still = life.see(69.0, GONE)
    works = life.see(70.0, GONE)

    assert waiting.reason is not None
    assert (13, "settling", 40.0) == (waiting.reason.number, waiting.reason.code, waiting.until)
    assert still.reason is not None
    assert None is works.reason


def test_an_owner_who_leaves_in_time_lets_the_runs_go_on() -> None:
    """Runs that had begun are not ended when the objection is over before the promised time."""
    life = Life()
    life.see(0.0, GONE)
    life.see(10.0, THERE, running=1)
    life.see(20.0, GONE, running=1)
    life.see(80.0, GONE, running=1)

    assert [] == life.asked
    assert LendingState.WORKING is life.turns[-1][1]


def test_work_cut_short_again_and_again_waits_longer_each_time() -> None:
    """The wait doubles up to eightfold, and is the first one again after work that lasted."""
    life, at, waits = Life(), 0.0, []
    life.see(at, GONE)
    for worked_s in (60.0, 60.0, 60.0, 60.0, 60.0, 700.0):
        at += worked_s
        life.see(at, THERE)
        away = life.see(at + 1.0, GONE)
        assert away.until is not None
        waits.append(away.until - at - 1.0)
        at = away.until
        life.see(at, GONE)

    assert [60.0, 120.0, 240.0, 240.0, 240.0, 30.0] == waits


def test_an_owner_who_trembles_cannot_make_it_flap() -> None:
    """Somebody who comes and goes every second for an hour turns the machine around very little."""
    life = Life()
    for second in range(3_600):
        life.see(float(second), (THERE, GONE)[second % 2], running=1)
    works = [state for _, state in life.turns if state is LendingState.WORKING]

    assert 0 == len(works)


def test_only_the_others_work_is_given_back_where_own_work_goes_on() -> None:
    """Beside its owner the machine works on for its own co-op."""
    life = Life(OwnerTerms(present=PresencePolicy.OWN, give_back_s=20.0, settle_s=30.0))
    alone = life.see(0.0, GONE, running=3, foreign=2)
    beside = life.see(10.0, THERE, running=3, foreign=2)
    life.see(30.0, THERE, running=3, foreign=2)
    life.see(31.0, THERE, running=1)
    early = life.see(400.0, GONE, running=1)
    later = life.see(460.0, GONE, running=1)

    assert [False, True, True, False] == [
        lent.limits.lending is Lending.OWN_ONLY for lent in (alone, beside, early, later)
    ]
    assert [None] * 4 == [lent.reason for lent in (alone, beside, early, later)]
    assert [(30.0, EndRuns(foreign_only=True))] == life.asked


def test_caps_differ_between_idle_and_in_use() -> None:
    """Memory and power that work may take are less while somebody is there."""
    terms = OwnerTerms(
        present=PresencePolicy.ALL,
        caps_idle=ResourceCaps(memory_gb=8.0),
        caps_present=ResourceCaps(memory_gb=2.0, power_w=60.0),
    )
    machine = {"idle_w": 20.0, "active_w": 100.0, "slots": 4}
    life = Life(terms)
    idle = life.see(0.0, MachineState(**machine))  # type: ignore[arg-type]
    used = life.see(1.0, MachineState(idle_s=0.0, **machine))  # type: ignore[arg-type]

    assert (None, 8 * GIB) == (idle.limits.slots, idle.limits.models_bytes)
    assert (2, 2 * GIB) == (used.limits.slots, used.limits.models_bytes)


def test_what_holds_at_the_first_look_counts_at_once() -> None:
    """A machine that starts while its processors are taken does not begin to work first."""
    life = Life(OwnerTerms(load_max_percent=20.0))

    assert life.see(0.0, MachineState(load_percent=90.0)).reason is not None


def test_a_rule_that_must_last_sets_when_to_look_again() -> None:
    """The core names the moment from which a condition counts."""
    life = Life(OwnerTerms(load_max_percent=20.0))
    life.see(0.0, GONE)
    life.see(100.0, MachineState(load_percent=90.0))

    assert 110.0 == life.core.next_deadline(life.terms)
    assert None is life.see(109.0, MachineState(load_percent=90.0)).reason
    assert life.see(110.0, MachineState(load_percent=90.0)).reason is not None

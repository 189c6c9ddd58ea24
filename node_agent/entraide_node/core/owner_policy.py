"""Stewardship: how a machine steps aside for its owner, and when it comes back.

It decides, as one table, what an objection leads to: no new work at once, what runs given back
after the promised time, and work again only once nothing has objected for a while; for longer each
time that work was soon cut short, so that nothing flaps. The same table holds for all work and for
the others' alone. It reads no clock and knows no engine: it is told how many runs there are, and
answers with what to give back.
"""

from enum import StrEnum
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from entraide_node.core.machine_state import GIB, MachineState, current_caps, slots_within_cap
from entraide_node.core.owner_rules import (
    FOREIGN_WORK_RULES,
    RULES,
    SETTLING,
    ActiveRule,
    OwnerRule,
    RuleReason,
    evaluate_rules,
    first_reason,
)
from entraide_node.core.owner_terms import OwnerTerms

SHORT_WORK_S = 600.0  # work cut short before that makes the next wait longer
DOUBLINGS_MAX = 3  # how often the wait doubles at most


class LendingState(StrEnum):
    """Where the machine stands."""

    WORKING = "working"
    OBJECTING = "objecting"  # takes nothing new; what runs may still end by itself
    GIVING_BACK = "giving-back"  # what still ran was told to end
    AWAY = "away"  # nothing runs
    SETTLING = "settling"  # nothing objects any more; takes nothing new yet


class LendingEvent(StrEnum):
    """What moves it on."""

    OBJECTED = "objected"
    CLEARED = "cleared"  # nothing objects
    EMPTY = "empty"  # nothing runs
    TIME_UP = "time-up"  # the time to give back is over
    SETTLED = "settled"  # nothing has objected for long enough


TRANSITIONS: dict[tuple[LendingState, LendingEvent], LendingState] = {
    (LendingState.WORKING, LendingEvent.OBJECTED): LendingState.OBJECTING,
    (LendingState.OBJECTING, LendingEvent.CLEARED): LendingState.SETTLING,  # what runs goes on
    (LendingState.OBJECTING, LendingEvent.EMPTY): LendingState.AWAY,
    (LendingState.OBJECTING, LendingEvent.TIME_UP): LendingState.GIVING_BACK,
    (LendingState.GIVING_BACK, LendingEvent.EMPTY): LendingState.AWAY,
    (LendingState.AWAY, LendingEvent.CLEARED): LendingState.SETTLING,
    (LendingState.SETTLING, LendingEvent.OBJECTED): LendingState.OBJECTING,
    (LendingState.SETTLING, LendingEvent.SETTLED): LendingState.WORKING,
}


def next_state(state: LendingState, sign: LendingEvent) -> LendingState:
    """Returns the state that follows; a sign without meaning in a state changes nothing.

    >>> next_state(LendingState.AWAY, LendingEvent.OBJECTED)
    <LendingState.AWAY: 'away'>
    """
    return TRANSITIONS.get((state, sign), state)


class PolicyState(Struct, frozen=True):
    """Where the machine stands, and since when.

    Attributes:
        state: see there.
        since: when it came to it, by the caller's clock.
        held: the rules that hold.
        longer: how often the wait before it works again has doubled.
    """

    state: LendingState = LendingState.AWAY
    since: float = -inf
    active_rules: tuple[ActiveRule, ...] = ()
    doublings: int = 0

    def settle_s(self, terms: OwnerTerms) -> float:
        """Returns how long nothing must object before it works again."""
        return terms.settle_s * (1 << self.doublings)


def advance(
    standing: PolicyState,
    terms: OwnerTerms,
    now: MachineState,
    *,
    at: float,
    running: int,
    rules: tuple[OwnerRule, ...] = RULES,
) -> PolicyState:
    """Moves on as far as a moment leads.

    Args:
        standing: where it stood.
        terms: of the owner.
        now: the moment.
        at: when that is, seconds by a clock that does not go back.
        running: how many runs there are.
        rules: that may object.
    """
    held = evaluate_rules(terms, now, at=at, before=standing.active_rules, rules=rules)
    if standing.since == -inf:  # the first look: what holds then need not last to count
        held = tuple(replace(one, is_effective=True) for one in held)
    objecting = any(one.is_effective for one in held)
    found = replace(standing, active_rules=held)
    while True:
        sign = _lending_event(found, terms, at=at, objecting=objecting, running=running)
        state = next_state(found.state, sign)
        if state is found.state:
            return found
        found = replace(found, state=state, since=at, doublings=_count_doublings(found, sign, at))


def _lending_event(
    standing: PolicyState, terms: OwnerTerms, *, at: float, objecting: bool, running: int
) -> LendingEvent:
    waited_s = at - standing.since
    if standing.state is LendingState.GIVING_BACK:
        return LendingEvent.CLEARED if running else LendingEvent.EMPTY
    if not objecting:
        settled = waited_s >= standing.settle_s(terms)
        return (
            LendingEvent.SETTLED
            if standing.state is LendingState.SETTLING and settled
            else LendingEvent.CLEARED
        )
    if standing.state is LendingState.OBJECTING:
        if not running:
            return LendingEvent.EMPTY
        return LendingEvent.TIME_UP if waited_s >= terms.give_back_s else LendingEvent.OBJECTED
    return LendingEvent.OBJECTED


def _count_doublings(standing: PolicyState, sign: LendingEvent, at: float) -> int:
    """Returns how often the next wait doubles, after a step."""
    if standing.state is not LendingState.WORKING or sign is not LendingEvent.OBJECTED:
        return standing.doublings
    return min(DOUBLINGS_MAX, standing.doublings + 1) if at - standing.since < SHORT_WORK_S else 0


def next_deadline(standing: PolicyState, terms: OwnerTerms) -> float | None:
    """Returns when the time alone will change something; None when it will not."""
    found = inf
    if standing.state is LendingState.OBJECTING:
        found = standing.since + terms.give_back_s
    if standing.state is LendingState.SETTLING:
        found = standing.since + standing.settle_s(terms)
    afters = {rule.number: rule.after_s for rule in (*RULES, *FOREIGN_WORK_RULES)}
    for held in standing.active_rules:
        if not held.is_effective:
            found = min(found, held.since + afters[held.number])
    return None if found == inf else found


class PolicyOutcome(Struct, frozen=True):
    """What the machine gives now.

    Attributes:
        reason: why it takes nothing at all; None when it does.
        own_only: whether it takes its own co-op's work only.
        slots: jobs at once that its cap of power leaves; None for as many as it can run.
        models_bytes: memory for models that the pool loads; None for no cap.
        state: where it stands.
        since: from when on, by the caller's clock.
        until: when it will work again if nothing objects until then; None when that is not known.
    """

    reason: RuleReason | None
    own_only: bool
    slots: int | None
    models_bytes: int | None
    state: LendingState
    since: float
    until: float | None


class EndRuns(Struct, frozen=True):
    """Command: what runs must end now; the others' runs, or all."""

    foreign_only: bool


class OwnerPolicy:
    """One machine's owner, over time.

    Attributes:
        all, others: where it stands with all work, and with the others'.
    """

    def __init__(self) -> None:
        """Works from the first look on, if nothing objects then."""
        self.all_work = PolicyState(LendingState.SETTLING)
        self.foreign_work = PolicyState(LendingState.SETTLING)

    def evaluate(
        self, terms: OwnerTerms, now: MachineState, *, at: float, running: int, foreign: int
    ) -> tuple[PolicyOutcome, tuple[EndRuns, ...]]:
        """Takes in a moment.

        Args:
            terms: of the owner.
            now: the moment.
            at: when that is, seconds by a clock that does not go back.
            running: how many runs there are.
            foreign: how many of them are other co-ops'.

        Returns:
            What the machine gives now, and what it must give back.
        """
        before = self.all_work, self.foreign_work
        self.all_work = advance(self.all_work, terms, now, at=at, running=running)
        self.foreign_work = advance(
            self.foreign_work, terms, now, at=at, running=foreign, rules=FOREIGN_WORK_RULES
        )
        asked = []
        if _began_giving_back(before[0], self.all_work):
            asked.append(EndRuns(foreign_only=False))
        elif _began_giving_back(before[1], self.foreign_work):
            asked.append(EndRuns(foreign_only=True))
        return self._outcome(terms, now), tuple(asked)

    def next_deadline(self, terms: OwnerTerms) -> float | None:
        """Returns when to look again at the latest, if nothing else happens."""
        found = [next_deadline(self.all_work, terms), next_deadline(self.foreign_work, terms)]
        known = [at for at in found if at is not None]
        return min(known) if known else None

    def _outcome(self, terms: OwnerTerms, now: MachineState) -> PolicyOutcome:
        standing = self.all_work
        reason = first_reason(standing.active_rules, terms, now)
        until = None
        if reason is None and standing.state is not LendingState.WORKING:
            reason = RuleReason(*SETTLING)
            if standing.state is LendingState.SETTLING:
                until = standing.since + standing.settle_s(terms)
        caps = current_caps(terms, now)
        return PolicyOutcome(
            reason=reason,
            own_only=self.foreign_work.state is not LendingState.WORKING,
            slots=slots_within_cap(caps, now) if caps.power_w else None,
            models_bytes=int(caps.memory_gb * GIB) if caps.memory_gb else None,
            state=standing.state,
            since=standing.since,
            until=until,
        )


def _began_giving_back(before: PolicyState, now: PolicyState) -> bool:
    return before.state is not LendingState.GIVING_BACK and now.state is LendingState.GIVING_BACK

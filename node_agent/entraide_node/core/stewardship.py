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

from entraide_node.core.objections import (
    OTHERS,
    RULES,
    SETTLING,
    Held,
    Reason,
    Rule,
    objections,
    reason_of,
)
from entraide_node.core.situation import GIB, Situation, caps_now, slots_within
from entraide_node.core.terms import OwnerTerms

SHORT_S = 600.0  # work cut short before that makes the next wait longer
LONGER_MAX = 3  # how often the wait doubles at most


class State(StrEnum):
    """Where the machine stands."""

    WORKING = "working"
    OBJECTING = "objecting"  # takes nothing new; what runs may still end by itself
    GIVING_BACK = "giving-back"  # what still ran was told to end
    AWAY = "away"  # nothing runs
    SETTLING = "settling"  # nothing objects any more; takes nothing new yet


class Sign(StrEnum):
    """What moves it on."""

    OBJECTED = "objected"
    CLEARED = "cleared"  # nothing objects
    EMPTY = "empty"  # nothing runs
    TIME_UP = "time-up"  # the time to give back is over
    SETTLED = "settled"  # nothing has objected for long enough


TABLE: dict[tuple[State, Sign], State] = {
    (State.WORKING, Sign.OBJECTED): State.OBJECTING,
    (State.OBJECTING, Sign.CLEARED): State.SETTLING,  # what runs goes on
    (State.OBJECTING, Sign.EMPTY): State.AWAY,
    (State.OBJECTING, Sign.TIME_UP): State.GIVING_BACK,
    (State.GIVING_BACK, Sign.EMPTY): State.AWAY,
    (State.AWAY, Sign.CLEARED): State.SETTLING,
    (State.SETTLING, Sign.OBJECTED): State.OBJECTING,
    (State.SETTLING, Sign.SETTLED): State.WORKING,
}


def after(state: State, sign: Sign) -> State:
    """Returns the state that follows; a sign without meaning in a state changes nothing.

    >>> after(State.AWAY, Sign.OBJECTED)
    <State.AWAY: 'away'>
    """
    return TABLE.get((state, sign), state)


class Standing(Struct, frozen=True):
    """Where the machine stands, and since when.

    Attributes:
        state: see there.
        since: when it came to it, by the caller's clock.
        held: the rules that hold.
        longer: how often the wait before it works again has doubled.
    """

    state: State = State.AWAY
    since: float = -inf
    held: tuple[Held, ...] = ()
    longer: int = 0

    def settle_s(self, terms: OwnerTerms) -> float:
        """Returns how long nothing must object before it works again."""
        return terms.settle_s * (1 << self.longer)


def step(
    standing: Standing,
    terms: OwnerTerms,
    now: Situation,
    *,
    at: float,
    running: int,
    rules: tuple[Rule, ...] = RULES,
) -> Standing:
    """Moves on as far as a moment leads.

    Args:
        standing: where it stood.
        terms: of the owner.
        now: the moment.
        at: when that is, seconds by a clock that does not go back.
        running: how many runs there are.
        rules: that may object.
    """
    held = objections(terms, now, at=at, before=standing.held, rules=rules)
    if standing.since == -inf:  # the first look: what holds then need not last to count
        held = tuple(replace(one, counts=True) for one in held)
    objecting = any(one.counts for one in held)
    found = replace(standing, held=held)
    while True:
        sign = _sign(found, terms, at=at, objecting=objecting, running=running)
        state = after(found.state, sign)
        if state is found.state:
            return found
        found = replace(found, state=state, since=at, longer=_longer(found, sign, at))


def _sign(
    standing: Standing, terms: OwnerTerms, *, at: float, objecting: bool, running: int
) -> Sign:
    waited_s = at - standing.since
    if standing.state is State.GIVING_BACK:
        return Sign.CLEARED if running else Sign.EMPTY
    if not objecting:
        settled = waited_s >= standing.settle_s(terms)
        return Sign.SETTLED if standing.state is State.SETTLING and settled else Sign.CLEARED
    if standing.state is State.OBJECTING:
        if not running:
            return Sign.EMPTY
        return Sign.TIME_UP if waited_s >= terms.give_back_s else Sign.OBJECTED
    return Sign.OBJECTED


def _longer(standing: Standing, sign: Sign, at: float) -> int:
    """Returns how often the next wait doubles, after a step."""
    if standing.state is not State.WORKING or sign is not Sign.OBJECTED:
        return standing.longer
    return min(LONGER_MAX, standing.longer + 1) if at - standing.since < SHORT_S else 0


def deadline(standing: Standing, terms: OwnerTerms) -> float | None:
    """Returns when the time alone will change something; None when it will not."""
    found = inf
    if standing.state is State.OBJECTING:
        found = standing.since + terms.give_back_s
    if standing.state is State.SETTLING:
        found = standing.since + standing.settle_s(terms)
    afters = {rule.number: rule.after_s for rule in (*RULES, *OTHERS)}
    for held in standing.held:
        if not held.counts:
            found = min(found, held.since + afters[held.number])
    return None if found == inf else found


class Lent(Struct, frozen=True):
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

    reason: Reason | None
    own_only: bool
    slots: int | None
    models_bytes: int | None
    state: State
    since: float
    until: float | None


class GiveBack(Struct, frozen=True):
    """Command: what runs must end now; the others' runs, or all."""

    others_only: bool


class Stewardship:
    """One machine's owner, over time.

    Attributes:
        all, others: where it stands with all work, and with the others'.
    """

    def __init__(self) -> None:
        """Works from the first look on, if nothing objects then."""
        self.all = Standing(State.SETTLING)
        self.others = Standing(State.SETTLING)

    def look(
        self, terms: OwnerTerms, now: Situation, *, at: float, running: int, foreign: int
    ) -> tuple[Lent, tuple[GiveBack, ...]]:
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
        before = self.all, self.others
        self.all = step(self.all, terms, now, at=at, running=running)
        self.others = step(self.others, terms, now, at=at, running=foreign, rules=OTHERS)
        asked = []
        if _turned_to_give(before[0], self.all):
            asked.append(GiveBack(others_only=False))
        elif _turned_to_give(before[1], self.others):
            asked.append(GiveBack(others_only=True))
        return self._lent(terms, now), tuple(asked)

    def next_deadline(self, terms: OwnerTerms) -> float | None:
        """Returns when to look again at the latest, if nothing else happens."""
        found = [deadline(self.all, terms), deadline(self.others, terms)]
        known = [at for at in found if at is not None]
        return min(known) if known else None

    def _lent(self, terms: OwnerTerms, now: Situation) -> Lent:
        standing = self.all
        reason = reason_of(standing.held, terms, now)
        until = None
        if reason is None and standing.state is not State.WORKING:
            reason = Reason(*SETTLING)
            if standing.state is State.SETTLING:
                until = standing.since + standing.settle_s(terms)
        caps = caps_now(terms, now)
        return Lent(
            reason=reason,
            own_only=self.others.state is not State.WORKING,
            slots=slots_within(caps, now) if caps.power_w else None,
            models_bytes=int(caps.memory_gb * GIB) if caps.memory_gb else None,
            state=standing.state,
            since=standing.since,
            until=until,
        )


def _turned_to_give(before: Standing, now: Standing) -> bool:
    return before.state is not State.GIVING_BACK and now.state is State.GIVING_BACK

"""Owner policy: when a machine stops working for the pool, and when it starts again.

Input: the owner's terms, the machine's state and the number of runs, observed about once a second.
Output: what the machine lends now, and commands to end runs. No other module decides that: the
driver ``owner.policy_driver`` reads the inputs and carries out the commands.

One transition table serves both for all jobs and for the jobs of other co-ops. When a rule becomes
effective, no new run is accepted; runs that are left after ``give_back_s`` are ended. Work starts
again after no rule was effective for ``settle_s``; that wait doubles each time that work was
interrupted within ``SHORT_WORK_S``, at most ``DOUBLINGS_MAX`` times, so that the state does not
oscillate.
"""

from enum import StrEnum
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from entraide.state_machine import StateMachine
from entraide.types import DataClass, Lending
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

SHORT_WORK_S = 600.0  # an interruption of work sooner than this doubles the next wait
DOUBLINGS_MAX = 3
ENDED_FOR_OWNER = "owner_terms"  # end code of a run that is ended for the owner


class LendingState(StrEnum):
    """Whether the machine works for the pool."""

    WORKING = "working"
    OBJECTING = "objecting"  # accepts no new run; current runs may finish
    GIVING_BACK = "giving-back"  # the remaining runs were told to end
    AWAY = "away"  # no run is left
    SETTLING = "settling"  # no rule is effective; accepts no new run yet


class LendingEvent(StrEnum):
    """An event that may change the lending state."""

    OBJECTED = "objected"
    CLEARED = "cleared"  # no rule is effective
    EMPTY = "empty"  # no run is left
    TIME_UP = "time-up"  # ``give_back_s`` has passed
    SETTLED = "settled"  # no rule was effective for ``settle_s``


LENDING = StateMachine(
    "lending",
    {
        (LendingState.WORKING, LendingEvent.OBJECTED): LendingState.OBJECTING,
        (
            LendingState.OBJECTING,
            LendingEvent.CLEARED,
        ): LendingState.SETTLING,  # current runs continue
        (LendingState.OBJECTING, LendingEvent.EMPTY): LendingState.AWAY,
        (LendingState.OBJECTING, LendingEvent.TIME_UP): LendingState.GIVING_BACK,
        (LendingState.GIVING_BACK, LendingEvent.EMPTY): LendingState.AWAY,
        (LendingState.AWAY, LendingEvent.CLEARED): LendingState.SETTLING,
        (LendingState.SETTLING, LendingEvent.OBJECTED): LendingState.OBJECTING,
        (LendingState.SETTLING, LendingEvent.SETTLED): LendingState.WORKING,
    },
    starts=(LendingState.SETTLING,),
)


class PolicyState(Struct, frozen=True):
    """A lending state, and the data that its transitions need.

    Attributes:
        state: the lending state.
        since: when it was entered, on the caller's clock.
        active_rules: the rules that apply.
        doublings: how often the wait before the next work has doubled.
    """

    state: LendingState = LendingState.SETTLING
    since: float = -inf
    active_rules: tuple[ActiveRule, ...] = ()
    doublings: int = 0

    def settle_s(self, terms: OwnerTerms) -> float:
        """Returns how long no rule may be effective before work starts again, seconds."""
        return terms.settle_s * (1 << self.doublings)


def advance(
    state: PolicyState,
    terms: OwnerTerms,
    now: MachineState,
    *,
    at: float,
    running: int,
    rules: tuple[OwnerRule, ...] = RULES,
) -> PolicyState:
    """Returns the policy state after one observation.

    Args:
        state: where it stood.
        terms: of the owner.
        now: the machine's state.
        at: time of that state, seconds on a monotonic clock.
        running: number of current runs.
        rules: rules to evaluate.
    """
    active_rules = evaluate_rules(terms, now, at=at, before=state.active_rules, rules=rules)
    if state.since == -inf:  # the first observation: active rules are effective at once
        active_rules = tuple(replace(rule, is_effective=True) for rule in active_rules)
    objecting = any(rule.is_effective for rule in active_rules)
    next_policy = replace(state, active_rules=active_rules)
    while True:
        event = _due_event(next_policy, terms, at=at, objecting=objecting, running=running)
        if event is None:
            return next_policy
        next_policy = replace(
            next_policy,
            state=LENDING.step(next_policy.state, event, subject="owner"),
            since=at,
            doublings=_count_doublings(next_policy, event, at),
        )


def _due_event(
    policy: PolicyState, terms: OwnerTerms, *, at: float, objecting: bool, running: int
) -> LendingEvent | None:
    """Returns the event that changes the lending state now, or None."""
    waited_s = at - policy.since
    match policy.state:
        case LendingState.WORKING:
            return LendingEvent.OBJECTED if objecting else None
        case LendingState.OBJECTING:
            if not objecting:
                return LendingEvent.CLEARED
            if not running:
                return LendingEvent.EMPTY
            return LendingEvent.TIME_UP if waited_s >= terms.give_back_s else None
        case LendingState.GIVING_BACK:
            return None if running else LendingEvent.EMPTY
        case LendingState.AWAY:
            return None if objecting else LendingEvent.CLEARED
        case LendingState.SETTLING:
            if objecting:
                return LendingEvent.OBJECTED
            return LendingEvent.SETTLED if waited_s >= policy.settle_s(terms) else None


def _count_doublings(policy: PolicyState, event: LendingEvent, at: float) -> int:
    """Returns how often the next wait is doubled, after an event."""
    if policy.state is not LendingState.WORKING or event is not LendingEvent.OBJECTED:
        return policy.doublings
    return min(DOUBLINGS_MAX, policy.doublings + 1) if at - policy.since < SHORT_WORK_S else 0


def next_deadline(policy: PolicyState, terms: OwnerTerms) -> float | None:
    """Returns when time alone will change the state; None if it will not."""
    deadline = inf
    if policy.state is LendingState.OBJECTING:
        deadline = policy.since + terms.give_back_s
    if policy.state is LendingState.SETTLING:
        deadline = policy.since + policy.settle_s(terms)
    delays_s = {rule.number: rule.after_s for rule in (*RULES, *FOREIGN_WORK_RULES)}
    for active in policy.active_rules:
        if not active.is_effective:
            deadline = min(deadline, active.since + delays_s[active.number])
    return None if deadline == inf else deadline


class LendingLimits(Struct, frozen=True):
    """What the owner lends to the pool now; None where the owner sets no limit.

    Attributes:
        slots: concurrent sequences that the power cap leaves, summed over all engines.
        models_bytes: memory for models that the pool loads.
        lending: for whose jobs.
        data_classes: data classes that the node may process.
    """

    slots: int | None = None
    models_bytes: int | None = None
    lending: Lending = Lending.ALL
    data_classes: tuple[DataClass, ...] = tuple(DataClass)


class PolicyOutcome(Struct, frozen=True):
    """Whether the machine works now, and what it lends.

    Attributes:
        reason: why it accepts no run; None if it does.
        limits: how much it lends, and for whose jobs.
        state: the lending state.
        since: when it was entered, on the caller's clock.
        until: when work will start again if no rule becomes effective before; None if unknown.
    """

    reason: RuleReason | None
    limits: LendingLimits
    state: LendingState
    since: float
    until: float | None


class EndRuns(Struct, frozen=True):
    """Command: end all runs now, or only the runs of other co-ops."""

    foreign_only: bool


class OwnerPolicy:
    """The owner policy of one machine over time.

    Attributes:
        all_work, foreign_work: state for all jobs, and for the jobs of other co-ops.
    """

    def __init__(self) -> None:
        """Starts so that work is allowed at the first observation if no rule is effective then."""
        self.all_work = PolicyState()
        self.foreign_work = PolicyState()

    def evaluate(
        self, terms: OwnerTerms, now: MachineState, *, at: float, running: int, foreign: int
    ) -> tuple[PolicyOutcome, tuple[EndRuns, ...]]:
        """Handles one observation of the machine.

        Args:
            terms: of the owner.
            now: the machine's state.
            at: time of that state, seconds on a monotonic clock.
            running: number of current runs.
            foreign: number of current runs of other co-ops.

        Returns:
            What the machine lends now, and the runs that must end.
        """
        previous = self.all_work, self.foreign_work
        self.all_work = advance(self.all_work, terms, now, at=at, running=running)
        self.foreign_work = advance(
            self.foreign_work, terms, now, at=at, running=foreign, rules=FOREIGN_WORK_RULES
        )
        commands = []
        if _began_giving_back(previous[0], self.all_work):
            commands.append(EndRuns(foreign_only=False))
        elif _began_giving_back(previous[1], self.foreign_work):
            commands.append(EndRuns(foreign_only=True))
        return self._outcome(terms, now), tuple(commands)

    def next_deadline(self, terms: OwnerTerms) -> float | None:
        """Returns when to evaluate again at the latest, if nothing else happens."""
        deadlines = [next_deadline(self.all_work, terms), next_deadline(self.foreign_work, terms)]
        known = [at for at in deadlines if at is not None]
        return min(known) if known else None

    def _outcome(self, terms: OwnerTerms, now: MachineState) -> PolicyOutcome:
        policy = self.all_work
        reason = first_reason(policy.active_rules, terms, now)
        until = None
        if reason is None and policy.state is not LendingState.WORKING:
            reason = RuleReason(*SETTLING)
            if policy.state is LendingState.SETTLING:
                until = policy.since + policy.settle_s(terms)
        limits = self._limits(terms, now)
        return PolicyOutcome(reason, limits, policy.state, policy.since, until)

    def _limits(self, terms: OwnerTerms, now: MachineState) -> LendingLimits:
        caps = current_caps(terms, now)
        lending = Lending.OWN_FIRST if terms.own_first else Lending.ALL
        if self.foreign_work.state is not LendingState.WORKING:
            lending = Lending.OWN_ONLY
        return LendingLimits(
            slots=slots_within_cap(caps, now) if caps.power_w else None,
            models_bytes=int(caps.memory_gb * GIB) if caps.memory_gb else None,
            lending=lending,
            data_classes=terms.data_classes,
        )


def _began_giving_back(previous: PolicyState, now: PolicyState) -> bool:
    return previous.state is not LendingState.GIVING_BACK and now.state is LendingState.GIVING_BACK

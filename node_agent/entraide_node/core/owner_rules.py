"""Owner rules: which of the owner's rules forbid work now.

Input: the owner's terms, the machine's state, and the rules that were active before. Output: the
rules that are active now, and the first effective one as the reason that a person reads. Each rule
has a number and a code that never change. Rules have hysteresis: an active rule ends only when its
value is better than the limit by a band, so a value that fluctuates around the limit does not
switch the node on and off. A value that could not be read (None) makes no rule active, except for
the owner's presence, which has a rule of its own.
"""

from collections.abc import Callable

from msgspec import Struct

from entraide_node.core.machine_state import (
    GIB,
    MachineState,
    current_caps,
    is_owner_present,
    slots_within_cap,
)
from entraide_node.core.owner_terms import OwnerTerms, PresencePolicy, is_within_hours

# Hysteresis: how much better than its limit a value must be before an active rule ends.
CHARGE_BAND_PERCENT = 5.0
TEMPERATURE_BAND_C = 5.0
LOAD_BAND = 0.7
MEMORY_BAND = 1.25
SURPLUS_BAND = 1.1

Values = dict[str, str | int | float]


class RuleReason(Struct, frozen=True):
    """Why the machine accepts no work.

    Attributes:
        number: of the rule, which people may quote.
        code: stable; the message catalogue has its sentences.
        values: numbers and names in the sentences.
    """

    number: int
    code: str
    values: Values = {}


class OwnerRule(Struct, frozen=True):
    """One rule.

    Attributes:
        number, code: see ``RuleReason``.
        applies: whether it applies; the last argument tells whether it was effective before.
        values: returns the numbers and names in its sentences.
        after_s: how long it must apply before it is effective, seconds.
    """

    number: int
    code: str
    applies: Callable[[OwnerTerms, MachineState, bool], bool]
    values: Callable[[OwnerTerms, MachineState], Values] = lambda *_: {}
    after_s: float = 0.0


def _is_over_power_cap(terms: OwnerTerms, now: MachineState, _: bool) -> bool:
    return now.slots > 0 and slots_within_cap(current_caps(terms, now), now) == 0


def _is_outside_hours(terms: OwnerTerms, now: MachineState, _: bool) -> bool:
    return not is_within_hours(terms.hours, now.day, now.minute)


def _is_charge_low(terms: OwnerTerms, now: MachineState, is_active: bool) -> bool:
    band = CHARGE_BAND_PERCENT if is_active and terms.charge_min_percent else 0.0
    limit = min(100.0, terms.charge_min_percent + band)
    return now.charge_percent is not None and now.charge_percent < limit


def _is_too_hot(terms: OwnerTerms, now: MachineState, is_active: bool) -> bool:
    if not terms.temperature_max_c:
        return False
    limit = terms.temperature_max_c - (TEMPERATURE_BAND_C if is_active else 0.0)
    return now.throttled or (now.temperature_c is not None and now.temperature_c >= limit)


def _heat_values(terms: OwnerTerms, now: MachineState) -> Values:
    measured = {} if now.temperature_c is None else {"temperature_c": now.temperature_c}
    return {"limit_c": terms.temperature_max_c, **measured}


def _is_busy_elsewhere(terms: OwnerTerms, now: MachineState, is_active: bool) -> bool:
    if not terms.load_max_percent or now.load_percent is None:
        return False
    return now.load_percent > terms.load_max_percent * (LOAD_BAND if is_active else 1.0)


def _is_memory_low(terms: OwnerTerms, now: MachineState, is_active: bool) -> bool:
    if not terms.memory_free_min_gb or now.memory_free_bytes is None:
        return False
    limit = terms.memory_free_min_gb * GIB * (MEMORY_BAND if is_active else 1.0)
    return now.memory_free_bytes < limit


def _lacks_surplus(terms: OwnerTerms, now: MachineState, is_active: bool) -> bool:
    limit = now.extra_w * (SURPLUS_BAND if is_active else 1.0)
    return terms.surplus_only and (now.surplus_w <= 0.0 or now.surplus_w < limit)


def _idle_values(terms: OwnerTerms, _: MachineState) -> Values:
    return {"idle_min": terms.idle_min}


RULES = (
    OwnerRule(1, "paused", lambda _, now, __: now.paused),
    OwnerRule(2, "outside_hours", _is_outside_hours),
    OwnerRule(3, "on_battery", lambda terms, now, _: now.on_battery and not terms.on_battery),
    OwnerRule(
        4,
        "charge_low",
        _is_charge_low,
        lambda terms, now: {
            "charge_percent": now.charge_percent or 0.0,
            "limit_percent": min(100.0, terms.charge_min_percent + CHARGE_BAND_PERCENT),
        },
    ),
    OwnerRule(5, "too_hot", _is_too_hot, _heat_values, after_s=5.0),
    OwnerRule(
        6,
        "busy_elsewhere",
        _is_busy_elsewhere,
        lambda terms, now: {
            "load_percent": now.load_percent or 0.0,
            "limit_percent": terms.load_max_percent,
        },
        after_s=10.0,
    ),
    OwnerRule(
        7,
        "memory_low",
        _is_memory_low,
        lambda terms, now: {
            "free_gb": (now.memory_free_bytes or 0) / GIB,
            "limit_gb": terms.memory_free_min_gb,
        },
        after_s=5.0,
    ),
    OwnerRule(
        8,
        "program_open",
        lambda _, now, __: bool(now.programs),
        lambda _, now: {"program": now.programs[0]},
    ),
    OwnerRule(
        9,
        "owner_busy",
        lambda terms, now, _: (
            terms.present is PresencePolicy.NOTHING
            and now.idle_s is not None
            and is_owner_present(terms, now)
        ),
        _idle_values,
    ),
    OwnerRule(
        10,
        "activity_unknown",
        lambda terms, now, _: (
            terms.present is PresencePolicy.NOTHING
            and now.idle_s is None
            and is_owner_present(terms, now)
        ),
        _idle_values,
    ),
    OwnerRule(
        11,
        "no_surplus",
        _lacks_surplus,
        lambda _, now: {"surplus_w": now.surplus_w, "needed_w": now.extra_w},
        after_s=60.0,
    ),
    OwnerRule(
        12,
        "power_cap",
        _is_over_power_cap,
        lambda terms, now: {
            "cap_w": current_caps(terms, now).power_w,
            "needed_w": now.idle_w + now.extra_w / max(1, now.slots),
        },
    ),
)

# Not a rule: no rule is active any more, but not yet for ``settle_s``.
SETTLING = 13, "settling"

# Rules that forbid only the jobs of other co-ops.
FOREIGN_WORK_RULES = (
    OwnerRule(
        14,
        "own_only",
        lambda terms, now, _: terms.present is PresencePolicy.OWN and is_owner_present(terms, now),
        _idle_values,
    ),
)


class ActiveRule(Struct, frozen=True):
    """A rule that applies now.

    Attributes:
        number: of the rule.
        since: since when it applies, on the caller's clock.
        is_effective: whether it has applied for ``after_s``, and so forbids work.
    """

    number: int
    since: float
    is_effective: bool


def evaluate_rules(
    terms: OwnerTerms,
    now: MachineState,
    *,
    at: float,
    before: tuple[ActiveRule, ...] = (),
    rules: tuple[OwnerRule, ...] = RULES,
) -> tuple[ActiveRule, ...]:
    """Evaluates each rule, in order.

    Args:
        terms: of the owner.
        now: the machine's state.
        at: time of that state, seconds on a monotonic clock.
        before: previous result.
        rules: all rules.

    Returns:
        The rules that apply, those that are not effective yet included.
    """
    previous = {active.number: active for active in before}
    rules_now: list[ActiveRule] = []
    for rule in rules:
        active_before = previous.get(rule.number)
        if rule.applies(terms, now, active_before is not None and active_before.is_effective):
            since = at if active_before is None else active_before.since
            counts = (
                active_before is not None and active_before.is_effective
            ) or at - since >= rule.after_s
            rules_now.append(ActiveRule(rule.number, since, counts))
    return tuple(rules_now)


def first_reason(
    active_rules: tuple[ActiveRule, ...],
    terms: OwnerTerms,
    now: MachineState,
    *,
    rules: tuple[OwnerRule, ...] = RULES,
) -> RuleReason | None:
    """Returns the first effective rule as a reason; None if no rule is effective."""
    effective = {active.number for active in active_rules if active.is_effective}
    for rule in rules:
        if rule.number in effective:
            return RuleReason(rule.number, rule.code, rule.values(terms, now))
    return None

"""The owner's terms: sixty situations in plain words, and the reason that each comes to."""

from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cases import all_cases
from tests.node.test_terms_file import spans as any_span

from entraide_node.core.machine_state import GIB, MachineState
from entraide_node.core.owner_rules import (
    FOREIGN_WORK_RULES,
    RULES,
    RuleReason,
    evaluate_rules,
    first_reason,
)
from entraide_node.core.owner_terms import (
    UNRESTRICTED_TERMS,
    OwnerTerms,
    PresencePolicy,
    ResourceCaps,
    UnknownPresencePolicy,
    WeeklyHours,
    format_hours,
    is_within_hours,
    minutes_until_hours_change,
    parse_hours,
)

NIGHTS = WeeklyHours((0, 1, 2, 3, 4), 18 * 60, 8 * 60)
WEEKEND = WeeklyHours((5, 6), 0, 24 * 60)

SPANS = {
    "each day": ("18:00-08:00", WeeklyHours(tuple(range(7)), 1_080, 480)),
    "working nights": ("mo-fr 18:00-08:00", NIGHTS),
    "weekend": ("SA,SU 00:00-24:00", WeeklyHours((5, 6), 0, 1_440)),
    "over the week's end": ("fr-mo 9:30-12:00", WeeklyHours((0, 4, 5, 6), 570, 720)),
    "a day said twice": ("mo,mo-tu 9:30-12:00", WeeklyHours((0, 1), 570, 720)),
    "no end": ("18:00", None),
    "no such day": ("xx 18:00-19:00", None),
    "no such hour": ("mo 25:00-26:00", None),
    "no such minute": ("mo 10:75-11:00", None),
    "too many words": ("mo fr 10:00-11:00", None),
    "nothing": ("", None),
}

MINUTE, HOUR = 60.0, 3_600.0
NOON = 12 * 60
EVENING, NIGHT, DAWN = 18 * 60 + 20, 23 * 60, 5 * 60

CAREFUL = OwnerTerms()
HOURS = OwnerTerms(hours=(NIGHTS, WEEKEND))
LAPTOP = OwnerTerms(charge_min_percent=40.0)
ON_BATTERY_TOO = OwnerTerms(on_battery=True, charge_min_percent=40.0)
COOL = OwnerTerms(temperature_max_c=80.0)
SHARED = OwnerTerms(load_max_percent=25.0)
ROOMY = OwnerTerms(memory_free_min_gb=4.0)
MAKERS = OwnerTerms(programs=("blender", "obs"))
OWN_BESIDE = OwnerTerms(present=PresencePolicy.OWN)
ALL_BESIDE = OwnerTerms(present=PresencePolicy.ALL)
TRUSTING = OwnerTerms(unseen=UnknownPresencePolicy.ABSENT)
SUNNY = OwnerTerms(surplus_only=True)
THRIFTY = OwnerTerms(
    present=PresencePolicy.ALL,
    caps_idle=ResourceCaps(power_w=60.0),
    caps_present=ResourceCaps(power_w=30.0),
)
QUICK = OwnerTerms(idle_min=1.0)
ANY_HEAT = OwnerTerms(temperature_max_c=0.0)
EVERYTHING = OwnerTerms(
    hours=(NIGHTS,), charge_min_percent=40.0, programs=("blender",), surplus_only=True
)
WORST: dict[str, Any] = {
    "day": 2, "minute": NOON, "paused": True, "on_battery": True, "charge_percent": 5.0,
    "temperature_c": 99.0, "load_percent": 90.0, "memory_free_bytes": 0, "programs": ("blender",),
    "idle_s": 0.0, "surplus_w": 0.0, "active_w": 80.0,
}  # fmt: skip

# From plain words to: the terms, what is different from a quiet machine with nobody there, and the
# reason's number (0: it works).
SITUATIONS: dict[str, tuple[OwnerTerms, dict[str, Any], int]] = {
    # Paused.
    "nobody there, nothing special": (CAREFUL, {}, 0),
    "paused by its owner": (CAREFUL, {"paused": True}, 1),
    "paused, and the owner is there too": (CAREFUL, {"paused": True, "idle_s": 0.0}, 1),
    "paused on a machine without terms": (UNRESTRICTED_TERMS, {"paused": True}, 1),
    # Hours.
    "Monday evening, after hours begin": (HOURS, {"day": 0, "minute": EVENING}, 0),
    "Monday, the first minute of the hours": (HOURS, {"day": 0, "minute": 18 * 60}, 0),
    "Monday, the minute before": (HOURS, {"day": 0, "minute": 18 * 60 - 1}, 2),
    "Tuesday dawn, Monday's night goes on": (HOURS, {"day": 1, "minute": DAWN}, 0),
    "Tuesday, the minute the night ends": (HOURS, {"day": 1, "minute": 8 * 60}, 2),
    "Monday dawn, no night of ours": (HOURS, {"day": 0, "minute": DAWN}, 2),
    "Saturday noon": (HOURS, {"day": 5, "minute": NOON}, 0),
    "Saturday dawn, Friday's night goes on": (HOURS, {"day": 5, "minute": DAWN}, 0),
    "Wednesday noon, nobody there all the same": (HOURS, {"day": 2, "minute": NOON}, 2),
    "Wednesday noon, somebody there: hours go first":
        (HOURS, {"day": 2, "minute": NOON, "idle_s": 0.0}, 2),
    "Monday evening, somebody stays late":
        (HOURS, {"day": 0, "minute": EVENING, "idle_s": 3.0}, 9),
    "Wednesday noon where no hours are set": (CAREFUL, {"day": 2, "minute": NOON}, 0),
    # Battery.
    "unplugged": (LAPTOP, {"on_battery": True, "charge_percent": 100.0}, 3),
    "unplugged and nearly empty: the plug goes first":
        (LAPTOP, {"on_battery": True, "charge_percent": 3.0}, 3),
    "plugged in and full": (LAPTOP, {"charge_percent": 100.0}, 0),
    "plugged in, and still too empty": (LAPTOP, {"charge_percent": 39.0}, 4),
    "plugged in, exactly as full as asked": (LAPTOP, {"charge_percent": 40.0}, 0),
    "unplugged where that is allowed": (ON_BATTERY_TOO, {"on_battery": True,
                                                         "charge_percent": 80.0}, 0),
    "unplugged where that is allowed, too empty":
        (ON_BATTERY_TOO, {"on_battery": True, "charge_percent": 20.0}, 4),
    "empty battery, no limit set": (CAREFUL, {"charge_percent": 1.0}, 0),
    "a desktop without a battery": (LAPTOP, {"charge_percent": None}, 0),
    # Heat.
    "cool enough": (COOL, {"temperature_c": 79.9}, 0),
    "as hot as the limit": (COOL, {"temperature_c": 80.0}, 5),
    "the system slows down for heat": (COOL, {"throttled": True}, 5),
    "hot, and the owner wants no limit": (ANY_HEAT, {"temperature_c": 120.0,
                                                     "throttled": True}, 0),
    "a machine that tells no temperature": (COOL, {"temperature_c": None}, 0),
    # Other programs.
    "other programs idle": (SHARED, {"load_percent": 3.0}, 0),
    "other programs use as much as allowed": (SHARED, {"load_percent": 25.0}, 0),
    "other programs use more": (SHARED, {"load_percent": 26.0}, 6),
    "load that cannot be told apart": (SHARED, {"load_percent": None}, 0),
    "busy where no limit is set": (UNRESTRICTED_TERMS, {"load_percent": 100.0}, 0),
    "a night job of the owner's runs, nobody there":
        (CAREFUL, {"load_percent": 80.0, "idle_s": inf}, 6),
    # Memory.
    "memory enough": (ROOMY, {"memory_free_bytes": 4 * GIB}, 0),
    "memory short": (ROOMY, {"memory_free_bytes": 4 * GIB - 1}, 7),
    "memory not told": (ROOMY, {"memory_free_bytes": None}, 0),
    "nearly no memory, careful terms": (CAREFUL, {"memory_free_bytes": GIB // 4}, 7),
    # Chosen programs.
    "a chosen program runs": (MAKERS, {"programs": ("blender",)}, 8),
    "a chosen program runs while somebody is there: the program goes first":
        (MAKERS, {"programs": ("obs",), "idle_s": 0.0}, 8),
    "none of the chosen programs runs": (MAKERS, {"programs": ()}, 0),
    # Somebody there.
    "somebody types": (CAREFUL, {"idle_s": 0.0}, 9),
    "somebody typed four minutes ago": (CAREFUL, {"idle_s": 4 * MINUTE}, 9),
    "somebody typed just short of five minutes ago": (CAREFUL, {"idle_s": 5 * MINUTE - 1}, 9),
    "somebody typed five minutes ago": (CAREFUL, {"idle_s": 5 * MINUTE}, 0),
    "a minute is enough for this owner": (QUICK, {"idle_s": 61.0}, 0),
    "nobody is signed in": (CAREFUL, {"idle_s": inf}, 0),
    "somebody types where all work goes on": (ALL_BESIDE, {"idle_s": 0.0}, 0),
    "somebody types where own work goes on": (OWN_BESIDE, {"idle_s": 0.0}, 0),
    "somebody types on a machine without terms": (UNRESTRICTED_TERMS, {"idle_s": 0.0}, 0),
    # Nobody can tell.
    "activity cannot be detected: as if somebody were there": (CAREFUL, {"idle_s": None}, 10),
    "activity cannot be detected, outside the hours nothing changes":
        (HOURS, {"day": 2, "minute": NOON, "idle_s": None}, 2),
    "activity cannot be detected, the owner trusts it": (TRUSTING, {"idle_s": None}, 0),
    "activity cannot be detected where all work goes on": (ALL_BESIDE, {"idle_s": None}, 0),
    # Own surplus.
    "the sun gives more than work takes": (SUNNY, {"surplus_w": 100.0, "active_w": 80.0}, 0),
    "the sun gives less": (SUNNY, {"surplus_w": 79.0, "active_w": 80.0}, 11),
    "no sun, and work that takes next to nothing": (SUNNY, {"surplus_w": 0.0}, 11),
    "sun enough, but somebody is there":
        (SUNNY, {"surplus_w": 100.0, "active_w": 80.0, "idle_s": 1.0}, 9),
    # Power.
    "the cap leaves some slots": (THRIFTY, {"idle_w": 20.0, "active_w": 100.0, "slots": 4}, 0),
    "the cap leaves none while somebody is there":
        (THRIFTY, {"idle_w": 20.0, "active_w": 100.0, "slots": 4, "idle_s": 0.0}, 12),
    # All at once.
    "everything objects: the pause goes first": (EVERYTHING, WORST, 1),
    "everything but the pause": (EVERYTHING, WORST | {"paused": False}, 2),
}  # fmt: skip


@all_cases("case", SPANS)
def test_hours_are_read_as_people_write_them(case: str) -> None:
    """A text becomes the hours that it says, or nothing; hours become a text that says them."""
    text, expected = SPANS[case]

    assert expected == parse_hours(text)
    assert expected is None or expected == parse_hours(format_hours(expected))


def settled(terms: OwnerTerms, now: MachineState) -> RuleReason | None:
    """The reason once each rule has held for as long as it needs."""
    held = evaluate_rules(terms, now, at=0.0)
    return first_reason(evaluate_rules(terms, now, at=HOUR, before=held), terms, now)


@all_cases("case", SITUATIONS)
def test_a_situation_comes_to_one_reason(case: str) -> None:
    """The first rule that objects is the reason, by its number."""
    terms, differences, expected = SITUATIONS[case]
    reason = settled(terms, MachineState(**differences))

    assert expected == (0 if reason is None else reason.number)


def test_there_are_sixty_situations_and_each_rule_has_some() -> None:
    """The table is as long as promised, and no rule goes without a case."""
    numbers = {expected for _, _, expected in SITUATIONS.values()}

    assert 60 <= len(SITUATIONS)
    assert {0, *(rule.number for rule in RULES)} == numbers


def test_rules_are_numbered_in_the_order_in_which_they_are_asked() -> None:
    """Numbers ascend, and no code is used twice."""
    numbers = [rule.number for rule in (*RULES, *FOREIGN_WORK_RULES)]

    assert sorted(set(numbers)) == numbers
    assert len(numbers) == len({rule.code for rule in (*RULES, *FOREIGN_WORK_RULES)})


def test_the_next_objection_shows_once_the_first_is_gone() -> None:
    """Taking the objections away one by one shows the others in their order."""
    gone: list[dict[str, Any]] = [
        {"paused": False}, {"minute": NIGHT}, {"on_battery": False}, {"charge_percent": 90.0},
        {"temperature_c": 40.0}, {"load_percent": 1.0}, {"memory_free_bytes": 8 * GIB},
        {"programs": ()}, {"idle_s": HOUR}, {"surplus_w": 500.0},
    ]  # fmt: skip
    codes, now = [], dict(WORST)
    for difference in gone:
        reason = settled(EVERYTHING, MachineState(**now))
        codes.append("" if reason is None else reason.code)
        now |= difference

    assert [
        "paused", "outside_hours", "on_battery", "charge_low", "too_hot", "busy_elsewhere",
        "memory_low", "program_open", "owner_busy", "no_surplus",
    ] == codes  # fmt: skip
    assert None is settled(EVERYTHING, MachineState(**now))


# A value that trembles: the terms, what is just beyond the limit, just within, well within, and
# how long it must last to count.
TREMBLING: dict[str, tuple[OwnerTerms, str, Any, Any, Any, float]] = {
    "charge": (LAPTOP, "charge_percent", 39.9, 41.0, 45.0, 0.0),
    "heat": (COOL, "temperature_c", 80.5, 79.0, 74.9, 5.0),
    "load": (SHARED, "load_percent", 26.0, 24.0, 17.0, 10.0),
    "memory": (ROOMY, "memory_free_bytes", 4 * GIB - 1, 4 * GIB + 1, 5 * GIB, 5.0),
    "surplus": (SUNNY, "surplus_w", 79.0, 81.0, 88.1, 60.0),
}


@pytest.mark.parametrize("case", TREMBLING)
def test_a_rule_lets_go_only_well_within_its_limit(case: str) -> None:
    """Beyond the limit it objects after a while, just within it goes on, well within it ends."""
    terms, name, beyond, within, well, after_s = TREMBLING[case]

    def moment(value: Any) -> MachineState:
        return MachineState(**{"active_w": 80.0, "surplus_w": 500.0, name: value})

    first = evaluate_rules(terms, moment(beyond), at=0.0)
    early = evaluate_rules(terms, moment(beyond), at=after_s / 2, before=first)
    late = evaluate_rules(terms, moment(beyond), at=after_s, before=early)
    still = evaluate_rules(terms, moment(within), at=after_s + 1, before=late)

    assert [after_s == 0.0] == [held.is_effective for held in early]
    assert [True] == [held.is_effective for held in late]
    assert [True] == [held.is_effective for held in still]
    assert () == evaluate_rules(terms, moment(well), at=after_s + 2, before=still)
    assert () == evaluate_rules(terms, moment(within), at=after_s + 3)


def test_reasons_bring_the_numbers_of_their_sentence() -> None:
    """A reason says what was measured and what the owner allows."""
    reason = settled(COOL, MachineState(temperature_c=91.5))

    assert RuleReason(5, "too_hot", {"limit_c": 80.0, "temperature_c": 91.5}) == reason
    assert {"program": "obs"} == settled(MAKERS, MachineState(programs=("obs",))).values  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("terms", "idle_s", "expected"),
    [
        (OWN_BESIDE, 0.0, 14),
        (OWN_BESIDE, HOUR, 0),
        (OWN_BESIDE, None, 14),
        (ALL_BESIDE, 0.0, 0),
        (CAREFUL, 0.0, 0),
    ],
)
def test_only_own_work_beside_the_owner(
    terms: OwnerTerms, idle_s: float | None, expected: int
) -> None:
    """Where own work goes on while somebody is there, the others' does not."""
    now = MachineState(idle_s=idle_s)
    reason = first_reason(
        evaluate_rules(terms, now, at=0.0, rules=FOREIGN_WORK_RULES),
        terms,
        now,
        rules=FOREIGN_WORK_RULES,
    )

    assert expected == (0 if reason is None else reason.number)


@given(st.lists(any_span, max_size=3).map(tuple), st.integers(0, 6), st.integers(0, 1_439))
def test_the_next_change_of_hours_is_the_first_minute_that_differs(
    hours: tuple[WeeklyHours, ...], day: int, minute: int
) -> None:
    """Minute after minute through a week, the first that differs is the change."""
    now = day * 1_440 + minute
    week = [(at % 10_080 // 1_440, at % 1_440) for at in range(now + 1, now + 10_081)]
    is_open = is_within_hours(hours, day, minute)
    differing = (
        number for number, at in enumerate(week, 1) if is_within_hours(hours, *at) is not is_open
    )

    assert next(differing, None) == minutes_until_hours_change(hours, day, minute)

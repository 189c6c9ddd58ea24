"""Objections: what of an owner's terms stands against work at a moment.

It decides by rules asked in order; each has a number and a code that never change, and the first
that objects is the reason that a person reads. A rule that objects already lets go only well on the
other side of its limit, so that a value that trembles around it changes nothing. It refuses to know
how anything is measured: what could not be measured is None, and objects to nothing but for the
owner's presence, where not knowing is a reason of its own.
"""

from collections.abc import Callable
from math import inf

from msgspec import Struct

from entraide_node.core.terms import Caps, OwnerTerms, Present, Unseen

# How far on the other side of its limit a value must be before the rule lets go.
CHARGE_BAND_PERCENT = 5.0
TEMPERATURE_BAND_C = 5.0
LOAD_BAND = 0.7
MEMORY_BAND = 1.25
SURPLUS_BAND = 1.1

GIB = 1_073_741_824

Values = dict[str, str | int | float]


class Situation(Struct, frozen=True, kw_only=True):
    """A moment at the machine, as its owner lives it.

    Attributes:
        day, minute: local, 0 (Monday) to 6, and minute of the day.
        paused: whether the owner paused the node.
        on_battery: whether it runs on its battery.
        charge_percent: how full the battery is; None without one.
        temperature_c: of the hottest part that computes; None where it is not told.
        throttled: whether the system slows the machine down for its heat.
        load_percent: of all processors, used by other programs; None where it cannot be told.
        memory_free_bytes: that programs could still take; None where it is not told.
        programs: those of the terms that run, in their order.
        idle_s: since somebody last touched it; infinite where nobody is signed in, None where it
            cannot be detected.
        surplus_w: of the site's own generation.
        idle_w, active_w: what the machine draws without and with work.
        slots: jobs that it can run at once.
    """

    day: int = 0
    minute: int = 0
    paused: bool = False
    on_battery: bool = False
    charge_percent: float | None = None
    temperature_c: float | None = None
    throttled: bool = False
    load_percent: float | None = None
    memory_free_bytes: int | None = None
    programs: tuple[str, ...] = ()
    idle_s: float | None = inf
    surplus_w: float = 0.0
    idle_w: float = 0.0
    active_w: float = 0.0
    slots: int = 0

    @property
    def extra_w(self) -> float:
        """What work adds to what the machine draws."""
        return max(0.0, self.active_w - self.idle_w)


class Reason(Struct, frozen=True):
    """Why the machine takes no work.

    Attributes:
        number: of the rule, which people may quote.
        code: stable; the catalogue has its sentences.
        values: the numbers and names in them.
    """

    number: int
    code: str
    values: Values = {}


class Rule(Struct, frozen=True):
    """One rule.

    Attributes:
        number, code: see ``Reason``.
        objects: whether it objects; the last argument tells whether it did so before.
        values: the numbers and names in its sentences.
        after_s: how long it must hold before it counts, seconds.
    """

    number: int
    code: str
    objects: Callable[[OwnerTerms, Situation, bool], bool]
    values: Callable[[OwnerTerms, Situation], Values] = lambda *_: {}
    after_s: float = 0.0


def somebody_there(terms: OwnerTerms, now: Situation) -> bool:
    """Tells whether somebody is at the machine, or must be taken to be."""
    if now.idle_s is None:
        return terms.unseen is Unseen.PRESENT
    return now.idle_s <= 0.0 or now.idle_s < terms.idle_min * 60.0


def caps_now(terms: OwnerTerms, now: Situation) -> Caps:
    """Returns what the work may take of the machine at a moment."""
    return terms.caps_present if somebody_there(terms, now) else terms.caps_idle


def slots_within(caps: Caps, now: Situation) -> int:
    """Returns how many of a machine's slots its cap of power leaves, in proportion.

    Between idle and full work the power is taken to rise evenly: an estimate, told as such.

    >>> slots_within(Caps(power_w=60.0), Situation(idle_w=20.0, active_w=100.0, slots=4))
    2
    """
    if not caps.power_w or now.active_w <= caps.power_w:
        return now.slots
    if caps.power_w <= now.idle_w:
        return 0
    return int(now.slots * (caps.power_w - now.idle_w) / (now.active_w - now.idle_w))


def _capped(terms: OwnerTerms, now: Situation, _: bool) -> bool:
    return now.slots > 0 and slots_within(caps_now(terms, now), now) == 0


def _outside_hours(terms: OwnerTerms, now: Situation, _: bool) -> bool:
    return bool(terms.hours) and not any(span.holds(now.day, now.minute) for span in terms.hours)


def _charge_low(terms: OwnerTerms, now: Situation, held: bool) -> bool:
    band = CHARGE_BAND_PERCENT if held and terms.charge_min_percent else 0.0
    limit = min(100.0, terms.charge_min_percent + band)
    return now.charge_percent is not None and now.charge_percent < limit


def _too_hot(terms: OwnerTerms, now: Situation, held: bool) -> bool:
    if not terms.temperature_max_c:
        return False
    limit = terms.temperature_max_c - (TEMPERATURE_BAND_C if held else 0.0)
    return now.throttled or (now.temperature_c is not None and now.temperature_c >= limit)


def _heat(terms: OwnerTerms, now: Situation) -> Values:
    told = {} if now.temperature_c is None else {"temperature_c": now.temperature_c}
    return {"limit_c": terms.temperature_max_c, **told}


def _busy(terms: OwnerTerms, now: Situation, held: bool) -> bool:
    if not terms.load_max_percent or now.load_percent is None:
        return False
    return now.load_percent > terms.load_max_percent * (LOAD_BAND if held else 1.0)


def _memory_low(terms: OwnerTerms, now: Situation, held: bool) -> bool:
    if not terms.memory_free_min_gb or now.memory_free_bytes is None:
        return False
    limit = terms.memory_free_min_gb * GIB * (MEMORY_BAND if held else 1.0)
    return now.memory_free_bytes < limit


def _no_surplus(terms: OwnerTerms, now: Situation, held: bool) -> bool:
    limit = now.extra_w * (SURPLUS_BAND if held else 1.0)
    return terms.surplus_only and (now.surplus_w <= 0.0 or now.surplus_w < limit)


def _idle(terms: OwnerTerms, _: Situation) -> Values:
    return {"idle_min": terms.idle_min}


RULES = (
    Rule(1, "paused", lambda _, now, __: now.paused),
    Rule(2, "outside_hours", _outside_hours),
    Rule(3, "on_battery", lambda terms, now, _: now.on_battery and not terms.on_battery),
    Rule(
        4,
        "charge_low",
        _charge_low,
        lambda terms, now: {
            "charge_percent": now.charge_percent or 0.0,
            "limit_percent": min(100.0, terms.charge_min_percent + CHARGE_BAND_PERCENT),
        },
    ),
    Rule(5, "too_hot", _too_hot, _heat, after_s=5.0),
    Rule(
        6,
        "busy_elsewhere",
        _busy,
        lambda terms, now: {
            "load_percent": now.load_percent or 0.0,
            "limit_percent": terms.load_max_percent,
        },
        after_s=10.0,
    ),
    Rule(
        7,
        "memory_low",
        _memory_low,
        lambda terms, now: {
            "free_gb": (now.memory_free_bytes or 0) / GIB,
            "limit_gb": terms.memory_free_min_gb,
        },
        after_s=5.0,
    ),
    Rule(
        8,
        "program_open",
        lambda _, now, __: bool(now.programs),
        lambda _, now: {"program": now.programs[0]},
    ),
    Rule(
        9,
        "owner_busy",
        lambda terms, now, _: (
            terms.present is Present.NOTHING
            and now.idle_s is not None
            and somebody_there(terms, now)
        ),
        _idle,
    ),
    Rule(
        10,
        "activity_unknown",
        lambda terms, now, _: (
            terms.present is Present.NOTHING and now.idle_s is None and somebody_there(terms, now)
        ),
        _idle,
    ),
    Rule(
        11,
        "no_surplus",
        _no_surplus,
        lambda _, now: {"surplus_w": now.surplus_w, "needed_w": now.extra_w},
        after_s=60.0,
    ),
    Rule(
        12,
        "power_cap",
        _capped,
        lambda terms, now: {
            "cap_w": caps_now(terms, now).power_w,
            "needed_w": now.idle_w + now.extra_w / max(1, now.slots),
        },
    ),
)

# Not a rule: nothing objects any more, and that has not lasted for long enough.
SETTLING = 13, "settling"

# What stands against the others' work only.
OTHERS = (
    Rule(
        14,
        "own_only",
        lambda terms, now, _: terms.present is Present.OWN and somebody_there(terms, now),
        _idle,
    ),
)


class Held(Struct, frozen=True):
    """A rule that holds.

    Attributes:
        number: its number.
        since: from when on, by the caller's clock.
        counts: whether that was long enough to object.
    """

    number: int
    since: float
    counts: bool


def objections(
    terms: OwnerTerms,
    now: Situation,
    *,
    at: float,
    before: tuple[Held, ...] = (),
    rules: tuple[Rule, ...] = RULES,
) -> tuple[Held, ...]:
    """Asks each rule, in order.

    Args:
        terms: of the owner.
        now: the moment.
        at: when that is, seconds by any clock that does not go back.
        before: what this returned the last time.
        rules: all of them.

    Returns:
        The rules that hold, those that do not count yet too.
    """
    known = {held.number: held for held in before}
    found: list[Held] = []
    for rule in rules:
        was = known.get(rule.number)
        if rule.objects(terms, now, was is not None and was.counts):
            since = at if was is None else was.since
            counts = (was is not None and was.counts) or at - since >= rule.after_s
            found.append(Held(rule.number, since, counts))
    return tuple(found)


def reason_of(
    held: tuple[Held, ...],
    terms: OwnerTerms,
    now: Situation,
    *,
    rules: tuple[Rule, ...] = RULES,
) -> Reason | None:
    """Returns the first objection that counts, as a reason; None when there is none."""
    counting = {one.number for one in held if one.counts}
    for rule in rules:
        if rule.number in counting:
            return Reason(rule.number, rule.code, rule.values(terms, now))
    return None


def objection(terms: OwnerTerms, now: Situation) -> str:
    """Returns the code of the first rule that holds at a moment seen alone, or "".

    >>> from entraide_node.core.terms import parse_span
    >>> nights = OwnerTerms(hours=(parse_span("mo-fr 18:00-08:00"),))
    >>> objection(nights, Situation(day=5, minute=60))
    ''
    >>> objection(nights, Situation(day=5, minute=720, idle_s=0.0))
    'outside_hours'
    """
    return next((rule.code for rule in RULES if rule.objects(terms, now, False)), "")

"""Owner terms: the vocabulary of what an owner allows the machine to do, and its defaults.

Input: hours as text. Output: the terms as one struct. By default the machine does not work while
the owner is present or while it runs on its battery. ``owner_rules`` evaluates the terms.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct

from entraide.lent_terms import LentCaps, LentHours, LentTerms
from entraide.types import DataClass, Lending

DAY_MIN = 1_440
DAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
WEEK_MIN = len(DAYS) * DAY_MIN


class WeeklyHours(Struct, frozen=True):
    """A time range on some days of the week.

    Attributes:
        days: 0 (Monday) to 6.
        begin_min, end_min: minutes of the local day; an end that is not after the begin is on the
            next day.
    """

    days: tuple[int, ...]
    begin_min: int
    end_min: int

    def contains(self, day: int, minute: int) -> bool:
        """Tells whether a local time is in this range."""
        if self.begin_min < self.end_min:
            return day in self.days and self.begin_min <= minute < self.end_min
        evening = day in self.days and minute >= self.begin_min
        return evening or ((day - 1) % 7 in self.days and minute < self.end_min)


class PresencePolicy(StrEnum):
    """For whose jobs the machine works while the owner is present."""

    NOTHING = "nothing"
    OWN = "own"  # jobs of its own co-op only
    ALL = "all"


class UnknownPresencePolicy(StrEnum):
    """How the owner counts if presence cannot be detected."""

    PRESENT = "present"  # counts as present
    ABSENT = "absent"  # counts as absent


class ReasonNotice(StrEnum):
    """What the pool is told of the owner's terms."""

    TERMS = "terms"  # the hours and the caps, and the code of a rule that forbids work
    REASON = "reason"  # that code only
    STATE = "state"  # only that the terms do not allow work, while they do not


class ResourceCaps(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Caps on what jobs may use of the machine; 0 for no cap.

    Attributes:
        memory_gb: memory of the models that the pool loads, gigabytes.
        power_w: power of the whole machine, watts; it limits the concurrent jobs.
    """

    memory_gb: float = 0.0
    power_w: float = 0.0


class PrefixMemory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the machine may hold of prompts that engines have read.

    Attributes:
        memory_part: part of the machine's memory for states at rest, of all engines together; 0 for
            what the engines' own slots hold only.
    """

    memory_part: float = 0.1


class OwnerTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner's terms.

    Attributes:
        hours: when the machine may work; empty for always.
        present: for whose jobs it works while the owner is present.
        idle_min: minutes without input after which the owner counts as absent.
        unseen: how the owner counts if presence cannot be detected.
        on_battery: whether it works on its battery.
        charge_min_percent: charge below which it does not work, even while charging; 0 for no
            limit.
        temperature_max_c: temperature from which it does not work; 0 for no limit.
        load_max_percent: share of all processors that other programs may use while it works; 0 for
            no limit.
        memory_free_min_gb: memory that must stay free for other programs, gigabytes; 0 for no
            limit.
        programs: names of programs; while one of them runs, the machine does not work.
        surplus_only: whether it works only on the site's own surplus.
        own_first: whether a slot is always kept free for its own co-op.
        data_classes: data classes that it may process.
        give_back_s: how long a run may continue after a rule became effective, seconds.
        settle_s: how long no rule may be effective before work starts again, seconds.
        caps_idle, caps_present: caps while the owner is absent, and while present.
        prefix: what it may hold of prompts that engines have read.
        tell_pool: what the pool is told of the terms.
        keep_awake: whether the machine is kept from falling asleep by itself while runs are active.
    """

    hours: tuple[WeeklyHours, ...] = ()
    present: PresencePolicy = PresencePolicy.NOTHING
    idle_min: float = 5.0
    unseen: UnknownPresencePolicy = UnknownPresencePolicy.PRESENT
    on_battery: bool = False
    charge_min_percent: float = 0.0
    temperature_max_c: float = 90.0
    load_max_percent: float = 50.0
    memory_free_min_gb: float = 0.5
    programs: tuple[str, ...] = ()
    surplus_only: bool = False
    own_first: bool = False
    data_classes: tuple[DataClass, ...] = tuple(DataClass)
    give_back_s: float = 30.0
    settle_s: float = 30.0
    caps_idle: ResourceCaps = ResourceCaps()
    caps_present: ResourceCaps = ResourceCaps()
    tell_pool: ReasonNotice = ReasonNotice.REASON
    keep_awake: bool = True
    prefix: PrefixMemory = PrefixMemory()


_LENT_WHILE_PRESENT: Mapping[PresencePolicy, Lending] = MappingProxyType(
    {PresencePolicy.OWN: Lending.OWN_ONLY, PresencePolicy.ALL: Lending.ALL}
)

# The terms of an owner who has set none.
UNRESTRICTED_TERMS = OwnerTerms(
    present=PresencePolicy.ALL,
    on_battery=True,
    temperature_max_c=0.0,
    load_max_percent=0.0,
    memory_free_min_gb=0.0,
    settle_s=0.0,
)


def told_terms(terms: OwnerTerms) -> LentTerms | None:
    """Returns what of the terms goes to the pool beside a rule's code; None for nothing."""
    if terms.tell_pool is not ReasonNotice.TERMS:
        return None
    return LentTerms(
        hours=tuple(LentHours(span.days, span.begin_min, span.end_min) for span in terms.hours),
        caps_idle=_told_caps(terms.caps_idle),
        present=_LENT_WHILE_PRESENT.get(terms.present),
        caps_present=_told_caps(terms.caps_present),
    )


def _told_caps(caps: ResourceCaps) -> LentCaps:
    return LentCaps(caps.memory_gb, caps.power_w)


def is_within_hours(hours: tuple[WeeklyHours, ...], day: int, minute: int) -> bool:
    """Tells whether the machine may work at a local time: in one of its hours, or it has none."""
    return not hours or any(span.contains(day, minute) for span in hours)


def minutes_until_hours_change(hours: tuple[WeeklyHours, ...], day: int, minute: int) -> int | None:
    """Returns after how many minutes the hours begin or end; None if they never do.

    >>> minutes_until_hours_change((WeeklyHours((0,), 1_080, 480),), day=0, minute=1_000)
    80
    """
    now_min = day * DAY_MIN + minute
    ends = {
        (span_day * DAY_MIN + end_min) % WEEK_MIN
        for span in hours
        for span_day in span.days
        for end_min in (span.begin_min, span.end_min, span.end_min + DAY_MIN)
    }
    may_work = is_within_hours(hours, day, minute)
    for wait_min in sorted((end - now_min - 1) % WEEK_MIN + 1 for end in ends):
        at_min = (now_min + wait_min) % WEEK_MIN
        if is_within_hours(hours, at_min // DAY_MIN, at_min % DAY_MIN) is not may_work:
            return wait_min
    return None


def parse_hours(text: str) -> WeeklyHours | None:
    """Parses ``mo-fr 18:00-08:00``, ``sa,su 00:00-24:00`` or ``18:00-08:00`` (every day).

    Returns:
        The hours, or None if the text is invalid.
    """
    words = text.lower().split()
    if not 1 <= len(words) <= 2:
        return None
    days = _parse_days(words[0]) if len(words) == 2 else tuple(range(len(DAYS)))
    begin, dash, end = words[-1].partition("-")
    begin_min, end_min = _parse_minute(begin), _parse_minute(end)
    if not days or not dash or begin_min is None or end_min is None or begin_min == DAY_MIN:
        return None
    return WeeklyHours(days, begin_min, end_min)


def format_hours(span: WeeklyHours) -> str:
    """Returns hours in the form that ``parse_hours`` reads.

    >>> format_hours(WeeklyHours((0, 1, 2, 5), 1_080, 480))
    'mo,tu,we,sa 18:00-08:00'
    """
    hours = f"{_format_minute(span.begin_min)}-{_format_minute(span.end_min)}"
    if len(span.days) == len(DAYS):
        return hours
    return f"{','.join(DAYS[day] for day in span.days)} {hours}"


def _format_minute(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _parse_days(text: str) -> tuple[int, ...]:
    days: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last and last not in DAYS):
            return ()
        begin = DAYS.index(first)
        length = (DAYS.index(last or first) - begin) % len(DAYS)
        days += [(begin + step) % len(DAYS) for step in range(length + 1)]
    return tuple(sorted(set(days)))


def _parse_minute(text: str) -> int | None:
    hours, colon, minutes = text.partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal()):
        return None
    if len(hours) > 2 or len(minutes) != 2:
        return None
    minute = int(hours) * 60 + int(minutes)
    return minute if minute <= DAY_MIN and int(minutes) < 60 else None

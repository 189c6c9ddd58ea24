"""Terms: what an owner allows the machine to do, and the hours as people write them.

It decides the vocabulary and the defaults, which are careful: nothing runs while somebody is there
or on a battery. What the terms mean at a moment, ``objections`` decides. It refuses to know
calendars and files: the local day and minute are arguments, and hours come as text.
"""

from enum import StrEnum

from msgspec import Struct

from entraide.types import DataClass

DAY_MIN = 1_440
DAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")


class WeeklyHours(Struct, frozen=True):
    """Hours of some days of the week.

    Attributes:
        days: 0 (Monday) to 6.
        begin_min, end_min: minutes of the local day; an end that is not after the begin lies on
            the next day.
    """

    days: tuple[int, ...]
    begin_min: int
    end_min: int

    def contains(self, day: int, minute: int) -> bool:
        """Tells whether a local moment lies in these hours."""
        if self.begin_min < self.end_min:
            return day in self.days and self.begin_min <= minute < self.end_min
        evening = day in self.days and minute >= self.begin_min
        return evening or ((day - 1) % 7 in self.days and minute < self.end_min)


class PresencePolicy(StrEnum):
    """What the machine works for while somebody is there."""

    NOTHING = "nothing"
    OWN = "own"  # its own co-op only
    ALL = "all"


class UnknownPresencePolicy(StrEnum):
    """What it means that nobody can tell whether somebody is there."""

    PRESENT = "present"  # as if somebody were
    ABSENT = "absent"  # as if nobody were


class ResourceCaps(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the work may take of the machine; 0 for no cap.

    Attributes:
        memory_gb: memory of the models that the pool loads, gigabytes.
        power_w: power of the whole machine, watts; it bounds how many jobs run at once.
    """

    memory_gb: float = 0.0
    power_w: float = 0.0


class OwnerTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an owner allows.

    Attributes:
        hours: when the machine may work; empty for always.
        present: what it works for while somebody is there.
        idle_min: for so long without a key or a pointer moved, nobody is there, minutes.
        unseen: what it means that activity cannot be detected.
        on_battery: whether it works on its battery.
        charge_min_percent: below, it does not work, even while it charges; 0 for no limit.
        temperature_max_c: from there on it rests; 0 for no limit.
        load_max_percent: of all processors, that other programs may use beside; 0 for no limit.
        memory_free_min_gb: what must stay free for other programs, gigabytes; 0 for no limit.
        programs: names of programs during which it rests.
        surplus_only: whether it works on the site's own surplus only.
        own_first: whether its own co-op always finds a slot free.
        data_classes: what it may process.
        give_back_s: how long a run may go on once the machine should step aside, seconds.
        settle_s: how long nothing must object before it works again, seconds.
        caps_idle, caps_present: what the work may take while nobody is there, and otherwise.
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


# The machine of an owner who has set no terms.
UNRESTRICTED_TERMS = OwnerTerms(
    present=PresencePolicy.ALL,
    on_battery=True,
    temperature_max_c=0.0,
    load_max_percent=0.0,
    memory_free_min_gb=0.0,
    settle_s=0.0,
)


def parse_hours(text: str) -> WeeklyHours | None:
    """Reads ``mo-fr 18:00-08:00``, ``sa,su 00:00-24:00`` or ``18:00-08:00`` (every day).

    Returns:
        The hours, or None when the text says none.
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
    """Returns hours as ``parse_span`` reads them.

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
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last and last not in DAYS):
            return ()
        begin = DAYS.index(first)
        long = (DAYS.index(last or first) - begin) % len(DAYS)
        found += [(begin + step) % len(DAYS) for step in range(long + 1)]
    return tuple(sorted(set(found)))


def _parse_minute(text: str) -> int | None:
    hours, colon, minutes = text.partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal()):
        return None
    if len(hours) > 2 or len(minutes) != 2:
        return None
    found = int(hours) * 60 + int(minutes)
    return found if found <= DAY_MIN and int(minutes) < 60 else None

"""Terms: when an owner lets the machine work, and when it must step aside.

Decides, from the owner's hours and whether somebody is there, if the node takes new work and if
what runs may go on. The rules are asked in order, the first that objects gives the reason: outside
the hours, then somebody there. What runs when a rule objects has ``give_back_s`` to end; then it is
given back. It refuses to know how presence is noticed, and calendars: the local day and minute are
arguments.
"""

from msgspec import Struct

# Why a node takes no work; the catalogue has the sentence under `node-reason-CODE`.
OUTSIDE_HOURS = "outside_hours"
OWNER_BUSY = "owner_busy"

DAY_MIN = 1_440
DAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")


class Span(Struct, frozen=True):
    """Hours of some days of the week.

    Attributes:
        days: 0 (Monday) to 6.
        begin_min, end_min: minutes of the local day; an end that is not after the begin lies on
            the next day.
    """

    days: tuple[int, ...]
    begin_min: int
    end_min: int

    def holds(self, day: int, minute: int) -> bool:
        """Tells whether a local moment lies in these hours."""
        if self.begin_min < self.end_min:
            return day in self.days and self.begin_min <= minute < self.end_min
        evening = day in self.days and minute >= self.begin_min
        return evening or ((day - 1) % 7 in self.days and minute < self.end_min)


class OwnerTerms(Struct, frozen=True):
    """What an owner allows.

    Attributes:
        hours: when the machine may work; empty for always.
        works_present: whether it works on while somebody is there.
        give_back_s: how long a run may go on once the machine should step aside.
    """

    hours: tuple[Span, ...] = ()
    works_present: bool = False
    give_back_s: float = 30.0


class Moment(Struct, frozen=True):
    """A moment as the owner lives it.

    Attributes:
        day, minute: local, 0 (Monday) to 6, and minute of the day.
        present: whether somebody is at the machine.
    """

    day: int
    minute: int
    present: bool


def objection(terms: OwnerTerms, moment: Moment) -> str:
    """Returns the stable code of why the machine should not work now, or "" when it may.

    >>> nights = OwnerTerms(hours=(parse_span("mo-fr 18:00-08:00"),))
    >>> objection(nights, Moment(day=5, minute=60, present=False))
    ''
    >>> objection(nights, Moment(day=5, minute=720, present=True))
    'outside_hours'
    """
    if terms.hours and not any(span.holds(moment.day, moment.minute) for span in terms.hours):
        return OUTSIDE_HOURS
    if moment.present and not terms.works_present:
        return OWNER_BUSY
    return ""


def must_give_back(terms: OwnerTerms, *, objected_s: float) -> bool:
    """Tells whether what runs must end, so long after the first objection."""
    return objected_s >= terms.give_back_s


def parse_span(text: str) -> Span | None:
    """Reads ``mo-fr 18:00-08:00``, ``sa,su 00:00-24:00`` or ``18:00-08:00`` (every day).

    Returns:
        The hours, or None when the text says none.
    """
    words = text.lower().split()
    if not 1 <= len(words) <= 2:
        return None
    days = _days(words[0]) if len(words) == 2 else tuple(range(len(DAYS)))
    begin, dash, end = words[-1].partition("-")
    begin_min, end_min = _minute(begin), _minute(end)
    if not days or not dash or begin_min is None or end_min is None or begin_min == DAY_MIN:
        return None
    return Span(days, begin_min, end_min)


def _days(text: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last and last not in DAYS):
            return ()
        begin = DAYS.index(first)
        long = (DAYS.index(last or first) - begin) % len(DAYS)
        found += [(begin + step) % len(DAYS) for step in range(long + 1)]
    return tuple(sorted(found))


def _minute(text: str) -> int | None:
    hours, colon, minutes = text.partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2):
        return None
    found = int(hours) * 60 + int(minutes)
    return found if found <= DAY_MIN and int(minutes) < 60 else None

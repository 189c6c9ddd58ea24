"""Lent terms: the owner's hours and caps, as far as the owner lets the pool know them.

A node sends them with its card if the owner says ``tell_pool = "terms"``. They are shown to those
who run the owner's co-op; nothing is decided by them.
"""

from msgspec import Struct

from entraide.enums import Lending


class LentHours(Struct, frozen=True, gc=False):
    """A time range on some days of the week, by the machine's own clock.

    Attributes:
        days: 0 (Monday) to 6.
        begin_min, end_min: minutes of the day, 0 to 1,440; an end that is not after the begin is on
            the next day.
    """

    days: tuple[int, ...]
    begin_min: int
    end_min: int


class LentCaps(Struct, frozen=True, gc=False):
    """Caps on what the pool's jobs may use of the machine; 0 for no cap.

    Attributes:
        memory_gb: memory of the models that the pool loads, gigabytes.
        power_w: power of the whole machine, watts.
    """

    memory_gb: float = 0.0
    power_w: float = 0.0


class LentTerms(Struct, frozen=True, gc=False):
    """Hours and caps of one machine.

    Attributes:
        hours: when it may work; empty for always.
        caps_idle: caps while its owner is absent.
        present: for whom it works while its owner is present; None for nobody.
        caps_present: caps while its owner is present.
    """

    hours: tuple[LentHours, ...] = ()
    caps_idle: LentCaps = LentCaps()
    present: Lending | None = None
    caps_present: LentCaps = LentCaps()

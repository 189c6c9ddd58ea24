"""Situation: a moment at the machine, as its owner lives it, and what follows from it alone.

It decides whether somebody is there, and what the work may take of the machine then. It refuses to
know how anything is measured: what could not be is None.
"""

from math import inf

from msgspec import Struct

from entraide_node.core.owner_terms import OwnerTerms, ResourceCaps, UnknownPresencePolicy

GIB = 1_073_741_824


class MachineState(Struct, frozen=True, kw_only=True):
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


def is_owner_present(terms: OwnerTerms, now: MachineState) -> bool:
    """Tells whether somebody is at the machine, or must be taken to be."""
    if now.idle_s is None:
        return terms.unseen is UnknownPresencePolicy.PRESENT
    return now.idle_s <= 0.0 or now.idle_s < terms.idle_min * 60.0


def current_caps(terms: OwnerTerms, now: MachineState) -> ResourceCaps:
    """Returns what the work may take of the machine at a moment."""
    return terms.caps_present if is_owner_present(terms, now) else terms.caps_idle


def slots_within_cap(caps: ResourceCaps, now: MachineState) -> int:
    """Returns how many of a machine's slots its cap of power leaves, in proportion.

    Between idle and full work the power is taken to rise evenly: an estimate, told as such.

    >>> now = MachineState(idle_w=20.0, active_w=100.0, slots=4)
    >>> slots_within_cap(ResourceCaps(power_w=60.0), now)
    2
    """
    if not caps.power_w or now.active_w <= caps.power_w:
        return now.slots
    if caps.power_w <= now.idle_w:
        return 0
    return int(now.slots * (caps.power_w - now.idle_w) / (now.active_w - now.idle_w))

"""Machine state: one observation of the machine, and what it implies under the owner's terms.

Input: values that ``machine_probes`` reads; None for a value that could not be read. Output:
whether the owner counts as present, the caps that apply, and the slots that a power cap leaves.
"""

from math import inf

from msgspec import Struct

from entraide_node.core.owner_terms import OwnerTerms, ResourceCaps, UnknownPresencePolicy

GIB = 1_073_741_824


class MachineState(Struct, frozen=True, kw_only=True):
    """One observation of the machine.

    Attributes:
        day, minute: local day, 0 (Monday) to 6, and minute of the day.
        paused: whether the owner paused the node.
        on_battery: whether the machine runs on its battery.
        charge_percent: charge of the battery; None without one.
        temperature_c: of the hottest processor; None if it cannot be read.
        throttled: whether the system slows the machine down for its heat.
        load_percent: share of all processors that other programs use; None if unknown.
        memory_free_bytes: memory that programs could still use; None if unknown.
        programs: programs of the owner's list that run, in the list's order.
        idle_s: seconds since the last input; infinite if nobody is signed in, None if it cannot be
            detected.
        surplus_w: surplus of the site's own generation.
        idle_w, active_w: power of the machine without and with jobs.
        slots: concurrent jobs that it can run.
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
        """Power that jobs add to the machine's idle power, watts."""
        return max(0.0, self.active_w - self.idle_w)


def is_owner_present(terms: OwnerTerms, now: MachineState) -> bool:
    """Tells whether the owner is at the machine, or counts as present because it is unknown."""
    if now.idle_s is None:
        return terms.unseen is UnknownPresencePolicy.PRESENT
    return now.idle_s <= 0.0 or now.idle_s < terms.idle_min * 60.0


def current_caps(terms: OwnerTerms, now: MachineState) -> ResourceCaps:
    """Returns the resource caps that apply now."""
    return terms.caps_present if is_owner_present(terms, now) else terms.caps_idle


def slots_within_cap(caps: ResourceCaps, now: MachineState) -> int:
    """Returns how many of a machine's slots its power cap leaves.

    Power is assumed to grow linearly from idle to all slots: slots * (cap - idle) / (active -
    idle), rounded down.

    >>> now = MachineState(idle_w=20.0, active_w=100.0, slots=4)
    >>> slots_within_cap(ResourceCaps(power_w=60.0), now)
    2
    """
    if not caps.power_w or now.active_w <= caps.power_w:
        return now.slots
    if caps.power_w <= now.idle_w:
        return 0
    return int(now.slots * (caps.power_w - now.idle_w) / (now.active_w - now.idle_w))

"""Battery: what a site's own generation gives to its machines, now and later, and what it does not.

Decides where the watts go. The machines use the site's surplus first, then what the battery gives,
then the grid; what the machines leave of the surplus charges the battery, and the rest is given
away. The battery gives down to its floor and never feeds the grid; its losses are taken when it
charges. Between two changes all flows are even, so its charge moves along a straight line, and the
next moment at which it is full or at its floor is known. It counts in joules, so that at every
step

    surplus + grid = used + lost + given away + (held now - held at first)

It refuses to know grams (``nodes``) and who is told (``surroundings``).
"""

from math import inf

import msgspec
from msgspec import Struct

ROUNDING_S = 1e-6  # moments are told apart down to less than this


class Battery(Struct, frozen=True):
    """A battery, or a part of one.

    Attributes:
        capacity_j: what it can hold.
        power_w: most that it takes, and that it gives.
        efficiency: part of what goes in that comes out.
        floor_j: it gives nothing below; it begins with so much.
    """

    capacity_j: float
    power_w: float
    efficiency: float
    floor_j: float


class EnergyBalance(Struct):
    """What went where since the beginning, joules.

    Attributes:
        surplus_j: own generation beyond the site's own use.
        own_j: of it, used by the machines at once.
        battery_j: used by them out of the battery.
        grid_j: used by them from the grid.
        charged_j: taken by the battery, its losses included.
        lost_j: of that, lost.
        unused_j: given away: nobody had a use for it.
    """

    surplus_j: float = 0.0
    own_j: float = 0.0
    battery_j: float = 0.0
    grid_j: float = 0.0
    charged_j: float = 0.0
    lost_j: float = 0.0
    unused_j: float = 0.0

    @property
    def used_j(self) -> float:
        """What the machines used."""
        return self.own_j + self.battery_j + self.grid_j


class PowerFlows(Struct, frozen=True):
    """Where the watts go now."""

    surplus_w: float = 0.0
    own_w: float = 0.0
    battery_w: float = 0.0
    grid_w: float = 0.0
    charge_w: float = 0.0
    unused_w: float = 0.0


class SiteSupply:
    """A site's surplus and battery at work.

    Attributes:
        held_j: what the battery holds.
        flows: since the last ``allocate_power``.
        balance: up to the last ``advance``.
    """

    def __init__(self, battery: Battery | None) -> None:
        self.battery = battery
        self.held_j = 0.0 if battery is None else battery.floor_j
        self.flows = PowerFlows()
        self.balance = EnergyBalance()

    @property
    def discharge_limit_w(self) -> float:
        """What the battery could give, were it asked to."""
        battery = self.battery
        return battery.power_w if battery is not None and self.held_j > battery.floor_j else 0.0

    def advance(self, long_s: float) -> None:
        """Lets the flows go on for so long; not beyond ``turn_s``."""
        flows, sums = self.flows, self.balance
        sums.surplus_j += flows.surplus_w * long_s
        sums.own_j += flows.own_w * long_s
        sums.battery_j += flows.battery_w * long_s
        sums.grid_j += flows.grid_w * long_s
        sums.unused_j += flows.unused_w * long_s
        battery = self.battery
        if battery is None:
            return
        charged_j = flows.charge_w * long_s
        sums.charged_j += charged_j
        sums.lost_j += charged_j * (1.0 - battery.efficiency)
        held_j = self.held_j + charged_j * battery.efficiency - flows.battery_w * long_s
        self.held_j = _snap_to_limit(held_j, battery)
        sums.unused_j += held_j - self.held_j

    def allocate_power(self, surplus_w: float, draw_w: float) -> PowerFlows:
        """Sets the flows anew, and returns them.

        Args:
            surplus_w: own generation beyond the site's own use.
            draw_w: what the machines draw.
        """
        own_w = min(surplus_w, draw_w)
        left_w, wanted_w = surplus_w - own_w, draw_w - own_w
        charge_w = 0.0
        battery = self.battery
        if battery is not None and self.held_j < battery.capacity_j:
            charge_w = min(left_w, battery.power_w)
        gives_w = min(wanted_w, self.discharge_limit_w)
        self.flows = PowerFlows(
            surplus_w, own_w, gives_w, wanted_w - gives_w, charge_w, left_w - charge_w
        )
        return self.flows

    def time_to_limit_s(self) -> float:
        """Returns after how long the battery is full or at its floor; infinite for never."""
        battery, flows = self.battery, self.flows
        if battery is None:
            return inf
        if flows.charge_w > 0.0:
            return (battery.capacity_j - self.held_j) / (flows.charge_w * battery.efficiency)
        if flows.battery_w > 0.0:
            return (self.held_j - battery.floor_j) / flows.battery_w
        return inf


def _snap_to_limit(held_j: float, battery: Battery) -> float:
    """Returns what is held, at an end where the rounding of moments leaves it just beside."""
    beside_j = battery.power_w * ROUNDING_S
    if held_j < battery.floor_j + beside_j:
        return battery.floor_j
    if held_j > battery.capacity_j - beside_j:
        return battery.capacity_j
    return held_j


def scale_battery(battery: Battery, share: float) -> Battery:
    """Returns a share of a battery, as if it were one."""
    return msgspec.structs.replace(
        battery,
        capacity_j=battery.capacity_j * share,
        power_w=battery.power_w * share,
        floor_j=battery.floor_j * share,
    )

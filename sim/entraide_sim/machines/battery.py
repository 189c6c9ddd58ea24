"""Battery: power flows between a site's surplus, its battery, its machines and the grid.

Machines use the surplus first, then the battery, then the grid. Surplus that the machines leave
charges the battery; the rest is unused. The battery discharges to its floor and never feeds the
grid; its losses are counted when it charges. Between two changes all flows are constant, so the
charge is linear in time and the next moment at which the battery is full or empty is known. At
every step, in joules::

    surplus + grid = used + lost + unused + (held now - held at the start)
"""

from math import inf

import msgspec
from msgspec import Struct

ROUNDING_S = 1e-6  # upper bound of the rounding error of moments


class Battery(Struct, frozen=True):
    """A battery, or a share of one.

    Attributes:
        capacity_j: energy when full.
        power_w: maximum charge and discharge power.
        efficiency: of the round trip.
        floor_j: minimum charge, and the initial one.
    """

    capacity_j: float
    power_w: float
    efficiency: float
    floor_j: float


class EnergyBalance(Struct):
    """Energy flows since the start, joules.

    Attributes:
        surplus_j: own generation minus the site's own use.
        own_j: surplus used by the machines directly.
        battery_j: used by the machines from the battery.
        grid_j: used by the machines from the grid.
        charged_j: taken by the battery, losses included.
        lost_j: battery losses.
        unused_j: surplus without a use.
    """

    surplus_j: float = 0.0
    own_j: float = 0.0
    battery_j: float = 0.0
    grid_j: float = 0.0
    charged_j: float = 0.0
    lost_j: float = 0.0
    unused_j: float = 0.0


class PowerFlows(Struct, frozen=True):
    """Current power flows."""

    surplus_w: float = 0.0
    own_w: float = 0.0
    battery_w: float = 0.0
    grid_w: float = 0.0
    charge_w: float = 0.0
    unused_w: float = 0.0


class SiteSupply:
    """State of a site's surplus and battery.

    Attributes:
        held_j: current charge of the battery.
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
        """Maximum power that the battery can supply now."""
        battery = self.battery
        return battery.power_w if battery is not None and self.held_j > battery.floor_j else 0.0

    def advance(self, duration_s: float) -> None:
        """Adds the flows over ``duration_s``, which must not exceed ``time_to_limit_s``."""
        flows, sums = self.flows, self.balance
        sums.surplus_j += flows.surplus_w * duration_s
        sums.own_j += flows.own_w * duration_s
        sums.battery_j += flows.battery_w * duration_s
        sums.grid_j += flows.grid_w * duration_s
        sums.unused_j += flows.unused_w * duration_s
        battery = self.battery
        if battery is None:
            return
        charged_j = flows.charge_w * duration_s
        sums.charged_j += charged_j
        sums.lost_j += charged_j * (1.0 - battery.efficiency)
        held_j = self.held_j + charged_j * battery.efficiency - flows.battery_w * duration_s
        self.held_j = _snap_to_limit(held_j, battery)
        sums.unused_j += held_j - self.held_j

    def allocate_power(self, surplus_w: float, draw_w: float) -> PowerFlows:
        """Recomputes the flows, and returns them.

        Args:
            surplus_w: own generation minus the site's own use.
            draw_w: added power of the machines.
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
        """Returns the time until the battery is full or empty; infinite for never."""
        battery, flows = self.battery, self.flows
        if battery is None:
            return inf
        if flows.charge_w > 0.0:
            return (battery.capacity_j - self.held_j) / (flows.charge_w * battery.efficiency)
        if flows.battery_w > 0.0:
            return (self.held_j - battery.floor_j) / flows.battery_w
        return inf


def _snap_to_limit(held_j: float, battery: Battery) -> float:
    """Returns the charge, set to the floor or capacity where only rounding separates them."""
    beside_j = battery.power_w * ROUNDING_S
    if held_j < battery.floor_j + beside_j:
        return battery.floor_j
    if held_j > battery.capacity_j - beside_j:
        return battery.capacity_j
    return held_j


def scale_battery(battery: Battery, share: float) -> Battery:
    """Returns a battery scaled by ``share``."""
    return msgspec.structs.replace(
        battery,
        capacity_j=battery.capacity_j * share,
        power_w=battery.power_w * share,
        floor_j=battery.floor_j * share,
    )

"""Site surplus: the power of a site's own generation that a node's jobs can use.

Input: readings of the site's meters, watts, and the power that the node's jobs add now
(``added_w``). Output: the surplus, watts: the load that could be added without drawing from the
grid. The readings include the node's jobs, so ``added_w`` is added back.

    gross = generation - use        if both are known, else
    gross = battery power - grid power
    surplus = gross + added_w - reserved battery charging + available battery power

Signs: generation and use are never negative; grid power is positive when drawn and negative when
fed in; battery power is positive while it charges. Charging power is reserved for
the battery below ``enough_percent`` of charge; battery power is available to jobs above
``floor_percent``. The caller replaces readings that are too old with None.
"""

from msgspec import Struct

from entraide.types import Basis


class SiteReadings(Struct, frozen=True):
    """Readings of the site's meters, watts; None without a meter or if the reading is too old.

    Attributes:
        surplus_w: the surplus, if a meter computes it.
        generation_w: own generation.
        use_w: the site's total consumption, including this node's.
        use_basis: ``declared`` if the consumption is not measured.
        grid_w: power drawn from the grid; negative when the site feeds the grid.
        battery_w: power that charges the battery; negative when the battery discharges.
        battery_percent: charge of the battery.
        enough_percent: charge from which jobs may use the power that charges the battery.
        battery_gives_w: power that the owner lets the battery supply to the pool's jobs.
        floor_percent: charge below which the battery supplies no power to jobs.
    """

    surplus_w: float | None = None
    generation_w: float | None = None
    use_w: float | None = None
    use_basis: Basis = Basis.MEASURED
    grid_w: float | None = None
    battery_w: float | None = None
    battery_percent: float | None = None
    enough_percent: float = 90.0
    battery_gives_w: float = 0.0
    floor_percent: float = 20.0


class Surplus(Struct, frozen=True):
    """A surplus in watts, and its basis."""

    surplus_w: float
    basis: Basis


def compute_surplus(readings: SiteReadings, *, added_w: float) -> Surplus | None:
    """Returns the surplus that a node's jobs can use; None if the readings do not suffice.

    Args:
        readings: readings of the site's meters.
        added_w: power that the node's jobs add to the site's consumption now.

    >>> compute_surplus(SiteReadings(generation_w=900.0, use_w=300.0), added_w=40.0)
    Surplus(surplus_w=640.0, basis=<Basis.MEASURED: 'measured'>)
    """
    if readings.surplus_w is not None:
        return Surplus(max(0.0, readings.surplus_w), Basis.MEASURED)
    if readings.generation_w is not None and readings.use_w is not None:
        use_is_measured = readings.use_basis is Basis.MEASURED
        gross_w = readings.generation_w - readings.use_w + (added_w if use_is_measured else 0.0)
        basis = readings.use_basis
    elif readings.grid_w is not None:
        gross_w = (readings.battery_w or 0.0) - readings.grid_w + added_w
        basis = Basis.MEASURED
    else:
        return None
    return Surplus(
        max(0.0, gross_w - _reserved_charging_w(readings) + _available_battery_w(readings)), basis
    )


def _reserved_charging_w(readings: SiteReadings) -> float:
    """Charging power that jobs must not use."""
    charging_w = max(0.0, readings.battery_w or 0.0)
    is_full = (
        readings.battery_percent is not None and readings.battery_percent >= readings.enough_percent
    )
    return 0.0 if is_full else charging_w


def _available_battery_w(readings: SiteReadings) -> float:
    """Battery power that jobs may use."""
    percent = readings.battery_percent
    return (
        readings.battery_gives_w
        if percent is not None and percent > readings.floor_percent
        else 0.0
    )

"""Site: the surplus of own generation at a site, from what its meters tell.

The surplus is what an extra load could draw without drawing from the grid. It is told as if the
node were at rest: what running adds now (``added_w``) is in the site's use already, and is added
back. Signs: generation and use are never negative; the grid's power is positive when it is drawn
and negative when it is fed in; a battery's is positive while it charges.

    gross = generation - use        where both are known, else
    gross = battery - grid
    surplus = gross + added - what the battery keeps + what it may give

A battery that charges comes first, until it holds ``enough_percent``. What it may give counts while
it holds more than ``floor_percent``, for it is not drawn from the grid either. It knows neither
meters nor clocks: each value comes with its age, and what is too old is not told to it.
"""

from msgspec import Struct

from entraide.types import Basis


class SiteReadings(Struct, frozen=True):
    """What the site's meters tell, watts; None where there is no meter or it is too old.

    Attributes:
        surplus_w: the surplus itself, where something else works it out.
        generation_w: own generation.
        use_w: the site's whole use, this node's included.
        use_basis: declared when nobody measures it.
        grid_w: drawn from the grid; negative when fed in.
        battery_w: taken by the battery; negative when it gives.
        battery_percent: how full it is.
        enough_percent: from where it stops coming first.
        battery_gives_w: what the owner lets the battery give to the pool's work.
        floor_percent: how full it must stay.
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
    """A surplus, and how it was obtained."""

    surplus_w: float
    basis: Basis


def compute_surplus(told: SiteReadings, *, added_w: float) -> Surplus | None:
    """Returns the surplus that a node's work can use; None when too little is known.

    Args:
        told: what the meters tell.
        added_w: what the node's work adds to the site's use now.

    >>> compute_surplus(SiteReadings(generation_w=900.0, use_w=300.0), added_w=40.0)
    Surplus(surplus_w=640.0, basis=<Basis.MEASURED: 'measured'>)
    """
    if told.surplus_w is not None:
        return Surplus(max(0.0, told.surplus_w), Basis.MEASURED)
    if told.generation_w is not None and told.use_w is not None:
        measured = told.use_basis is Basis.MEASURED
        gross_w = told.generation_w - told.use_w + (added_w if measured else 0.0)
        basis = told.use_basis
    elif told.grid_w is not None:
        gross_w = (told.battery_w or 0.0) - told.grid_w + added_w
        basis = Basis.MEASURED
    else:
        return None
    return Surplus(max(0.0, gross_w - _battery_kept_w(told) + _battery_given_w(told)), basis)


def _battery_kept_w(told: SiteReadings) -> float:
    """What the battery keeps for itself."""
    charging_w = max(0.0, told.battery_w or 0.0)
    full = told.battery_percent is not None and told.battery_percent >= told.enough_percent
    return 0.0 if full else charging_w


def _battery_given_w(told: SiteReadings) -> float:
    """What the battery may give."""
    percent = told.battery_percent
    return told.battery_gives_w if percent is not None and percent > told.floor_percent else 0.0

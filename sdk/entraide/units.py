"""Units: the conversions that all components share.

Counted quantities are integers: tokens, energy in microwatt-hours (``_uwh``), carbon in micrograms
(``_ug``). Measured quantities are floats in the unit that ends their name. Rounding happens in this
module only, half up, so that it is the same on every machine.
"""

UWH_PER_WH = 1_000_000
UG_PER_G = 1_000_000
JOULES_PER_WH = 3_600
COUNT_MAX = 2**53  # up to this number a float represents every integer; int64 does too


def round_half_up(value: float) -> int:
    """Rounds to the nearest integer, halves up, within ``COUNT_MAX``; NaN gives 0.

    >>> round_half_up(2.5), round_half_up(float("inf")) == COUNT_MAX, round_half_up(float("nan"))
    (3, True, 0)
    """
    if -COUNT_MAX < value < COUNT_MAX:
        return int(value + 0.5)
    return COUNT_MAX if value > 0.0 else -COUNT_MAX if value < 0.0 else 0


def uwh_from_joules(energy_j: float) -> int:
    """Converts joules to whole microwatt-hours (1 Wh = 3,600 J)."""
    return round_half_up(energy_j * UWH_PER_WH / JOULES_PER_WH)


def wh_from_uwh(energy_uwh: int) -> float:
    """Converts microwatt-hours to watt-hours."""
    return energy_uwh / UWH_PER_WH


def g_from_ug(carbon_ug: int) -> float:
    """Converts micrograms to grams."""
    return carbon_ug / UG_PER_G


# Below either, two masses of CO2e count as equal: intensities are known to two or three figures,
# and one milligram is less than what the chat page tells of one answer.
DIFFERENCE_MIN_PART = 0.01
DIFFERENCE_MIN_G = 0.001


def compare_g(saved_g: float, used_g: float) -> str:
    """Returns whether ``used_g`` is ``less`` or ``more`` than with ``saved_g``, or the ``same``.

    >>> compare_g(0.000_000_939, 0.0), compare_g(0.5, 80.0), compare_g(2.0, 80.0)
    ('same', 'same', 'less')
    """
    most_g = max(used_g, used_g + saved_g)
    if abs(saved_g) < max(DIFFERENCE_MIN_G, DIFFERENCE_MIN_PART * most_g):
        return "same"
    return "less" if saved_g > 0.0 else "more"


def carbon_ug(energy_uwh: int, intensity_g_per_kwh: float) -> int:
    """Returns the emissions of an amount of energy, in whole micrograms of CO2 equivalent.

    1 uWh at 1 g/kWh is 1e-9 g, that is 1e-3 ug (location-based, GHG Protocol scope 2).

    >>> carbon_ug(1_000_000, 340.0)
    340000
    """
    return round_half_up(energy_uwh * intensity_g_per_kwh / 1_000)

"""Amount limits: the largest counts that the core keeps.

Snapshots, journal rows and database columns hold signed 64-bit integers. The limits of one run are
far below that, so millions of runs can be summed; a balance or a counter saturates at its limit
instead of overflowing.
"""

TOKENS_MAX = 2**32  # of one run
ENERGY_MAX_UWH = 10**12  # of one run: 1 MWh
CARBON_MAX_UG = 10**13  # of one run: 10 t
TOTAL_MAX = 2**62  # of a balance or of a counter over many runs


def clamp_amount(amount: int, most: int) -> int:
    """Clamps an amount to the range from 0 to ``most``."""
    return min(max(0, amount), most)

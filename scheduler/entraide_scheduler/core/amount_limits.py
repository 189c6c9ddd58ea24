"""Amounts: the largest counts that the core keeps, so that each fits what it is written into.

A snapshot, a journal row and a database column hold integers of 64 bits with a sign. One run stays
far below that, so that millions of runs can be added up; a balance or a counter stops at its
limit and never overflows.
"""

TOKENS_MAX = 2**32  # of one run
ENERGY_MAX_UWH = 10**12  # of one run: 1 MWh
CARBON_MAX_UG = 10**13  # of one run: 10 t
TOTAL_MAX = 2**62  # of a balance or of a counter over many runs


def clamp_amount(amount: int, most: int) -> int:
    """Returns an amount that is not negative and not above a limit."""
    return min(max(0, amount), most)

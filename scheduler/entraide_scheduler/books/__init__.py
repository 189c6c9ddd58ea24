"""Books: the statements of co-ops, by calendar month.

Input: settlements in the store. Output: totals of a month, of what was given and received.

``statements`` adds up, ``calendar`` says when periods begin and end.
"""

from entraide_scheduler.books.calendar import PERIODS, day_starts, month_of, month_span, period_end
from entraide_scheduler.books.statements import amounts_of, make_node_statement, make_statement

__all__ = [
    "PERIODS",
    "amounts_of",
    "day_starts",
    "make_node_statement",
    "make_statement",
    "month_of",
    "month_span",
    "period_end",
]

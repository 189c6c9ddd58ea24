"""Books: the statements of co-ops, by calendar month.

Input: settlements in the store. Output: totals of a month, of what was given and received; and the
signed file of a month that is closed.

``statements`` adds up, ``calendar`` says when periods begin and end, ``closing`` closes months, for
which ``month_export`` writes the file.
"""

from entraide_scheduler.books.calendar import PERIODS, day_starts, month_of, month_span, period_end
from entraide_scheduler.books.closing import ClosingTerms, MonthCloser, export_in_child
from entraide_scheduler.books.month_export import export_from_environment
from entraide_scheduler.books.statements import amounts_of, make_node_statement, make_statement

__all__ = [
    "PERIODS",
    "ClosingTerms",
    "MonthCloser",
    "amounts_of",
    "day_starts",
    "export_from_environment",
    "export_in_child",
    "make_node_statement",
    "make_statement",
    "month_of",
    "month_span",
    "period_end",
]

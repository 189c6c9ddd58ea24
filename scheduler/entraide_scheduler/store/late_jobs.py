"""Late jobs: settled after the month of their receipt was closed, they correct the next open one.

The job stands in the open month with its receipt, and no sum of that month counts it: a correction
that is named after it has its lines of the ledger. A job on a machine of its own co-op corrects
nothing, and counts for the open month.
"""

from collections import Counter
from collections.abc import Sequence

from entraide import i18n
from entraide_scheduler.core.commands import Entry
from entraide_scheduler.store.rows import CorrectionRow, SettlementRow

LATE_PREFIX = "late/"  # of the correction's name


def is_late(row: SettlementRow, booking_start_at: float, lines: Sequence[Entry]) -> bool:
    """Whether a job is of a closed month and changes a balance; else it counts for the open one."""
    if row.receipt.issued_at >= booking_start_at:
        return False
    changes: Counter[tuple[str, str]] = Counter()
    for line in lines:
        changes[line.account, line.unit] += line.amount
    return any(changes.values())


def make_correction(
    row: SettlementRow, booking_start_at: float, lines: Sequence[Entry]
) -> CorrectionRow:
    """Returns the correction of the open month; its reason is in both languages of the pages."""
    reason = " / ".join(i18n.text("books-late-reason", lang) for lang in ("fr", "en"))
    return CorrectionRow(f"{LATE_PREFIX}{row.job}", reason, booking_start_at, tuple(lines))

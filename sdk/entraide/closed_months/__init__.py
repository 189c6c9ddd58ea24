"""Closed months: a pool's books of a month in one signed file, ``DIR/closed/YYYY-MM.entraide``.

``records`` has what a file holds, ``file_format`` writes and reads its bytes, ``verification`` says
whether a pool signed it as it is. A file names persons, keys and machines by their numbers only:
their names stand in the pool's store, where they can be forgotten.
"""

from entraide.closed_months.file_format import (
    MAGIC,
    MonthFault,
    MonthFile,
    MonthWriter,
    open_month,
)
from entraide.closed_months.records import (
    CORRECTION_PREFIX,
    FORMAT,
    AccountSum,
    ClosedCorrection,
    ClosedEntry,
    ClosedJob,
    ClosedRun,
    ExchangeSum,
    MonthHead,
    MonthSums,
    Record,
    decode_record,
)
from entraide.closed_months.verification import MonthDefect, VerifiedMonth, verify_month

__all__ = [
    "CORRECTION_PREFIX",
    "FORMAT",
    "MAGIC",
    "AccountSum",
    "ClosedCorrection",
    "ClosedEntry",
    "ClosedJob",
    "ClosedRun",
    "ExchangeSum",
    "MonthDefect",
    "MonthFault",
    "MonthFile",
    "MonthHead",
    "MonthSums",
    "MonthWriter",
    "Record",
    "VerifiedMonth",
    "decode_record",
    "open_month",
    "verify_month",
]

"""Verification of a closed month, without the pool: its signature, its tree and its sums.

In: the file, and the keys that the pool publishes, present and retired. Out: a verdict, and what is
wrong. Nothing that the file says is believed before: the root, the sums and the numbers are
computed again from its records.
"""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import BinaryIO

import msgspec
from msgspec import Struct

from entraide.closed_months.file_format import MonthFault, MonthFile, open_month
from entraide.closed_months.records import ClosedJob, MonthHead, MonthSums, Record, decode_record
from entraide.merkle import MerkleTree
from entraide.receipts import ReceiptKey, Verdict, is_signed


class MonthDefect(StrEnum):
    """What is wrong with a file."""

    NONE = ""
    UNREADABLE = "unreadable"  # not a closed month, cut short, or a damaged block
    SIGNATURE = "signature"  # not of this key over this head
    KEY = "key"  # the pool publishes no such key, or had retired it
    ORDER = "order"  # a record stands twice, or not in its place
    RECORD = "record"  # lines that do not sum to zero, a receipt of another job, another month
    SUMS = "sums"  # the head's sums are not those of the records
    ROOT = "root"  # the head's root is not that of the records


class VerifiedMonth(Struct, frozen=True):
    """A closed month with its verdict.

    Attributes:
        verdict: only ``GENUINE`` means that the pool signed these books.
        defect: what is wrong.
        head: as the file says; None where it is unreadable.
        key: the published key with its key identifier; None where there is none.
    """

    verdict: Verdict
    defect: MonthDefect = MonthDefect.NONE
    head: MonthHead | None = None
    key: ReceiptKey | None = None


def verify_month(file: BinaryIO, keys: Mapping[str, ReceiptKey]) -> VerifiedMonth:
    """Verifies a file, which may be of anybody.

    Args:
        file: at its beginning.
        keys: the pool's keys, from ``read_keys``.

    Raises:
        OSError: it cannot be read.
    """
    try:
        month = open_month(file)
    except MonthFault:
        return VerifiedMonth(Verdict.MALFORMED, MonthDefect.UNREADABLE)
    head = month.head
    key = keys.get(head.key)
    if key is None:
        return VerifiedMonth(Verdict.UNKNOWN_KEY, MonthDefect.KEY, head)
    if not is_signed(month.signed, month.signature, key):
        return VerifiedMonth(Verdict.ALTERED, MonthDefect.SIGNATURE, head, key)
    if key.until and head.closed_at > key.until:
        return VerifiedMonth(Verdict.RETIRED_KEY, MonthDefect.KEY, head, key)
    try:
        defect = _find_defect(month)
    except MonthFault:
        defect = MonthDefect.UNREADABLE
    verdict = Verdict.ALTERED if defect else Verdict.GENUINE
    return VerifiedMonth(verdict, defect, head, key)


def _find_defect(month: MonthFile) -> MonthDefect:
    head, tree, sums, last = month.head, MerkleTree(), MonthSums(), ""
    sums_max = len(head.sums) + len(head.accounts)
    for leaf in month.read_leaves():
        try:
            record = decode_record(leaf)
        except msgspec.DecodeError:
            raise MonthFault("not a record") from None
        if record.name <= last:
            return MonthDefect.ORDER
        last = record.name
        if not _is_sound(record, head):
            return MonthDefect.RECORD
        tree.append(leaf)
        sums.add(record)
        if sums.size > sums_max:
            return MonthDefect.SUMS
    if (tree.root().hex(), tree.size) != (head.root, head.records):
        return MonthDefect.ROOT
    computed = sums.pairs(), sums.accounts(), sums.jobs
    return (
        MonthDefect.NONE if computed == (head.sums, head.accounts, head.jobs) else MonthDefect.SUMS
    )


def _is_sound(record: Record, head: MonthHead) -> bool:
    """Whether a record's lines sum to zero in each unit, and it is of the month."""
    units: Counter[str] = Counter()
    for entry in record.entries:
        units[entry.unit] += entry.amount
    at = record.settled_at if isinstance(record, ClosedJob) else record.at
    is_own = not isinstance(record, ClosedJob) or (
        record.receipt.job == record.job and bool(record.runs)
    )
    return is_own and not any(units.values()) and head.start_at <= at < head.end_at

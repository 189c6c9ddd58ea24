"""A small closed month, made as a pool makes it, and its parts, with which tests forge one."""

import io
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace
from tests.scheduler.rows import settle_row

from entraide.closed_months import (
    FORMAT,
    ClosedCorrection,
    ClosedEntry,
    ClosedJob,
    ClosedRun,
    MonthHead,
    MonthSums,
    MonthWriter,
    Record,
)
from entraide.merkle import MerkleTree
from entraide_scheduler.nats.receipt_keys import describe_key

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = describe_key(KEY)
KEYS = {PUBLIC.id: PUBLIC}
START, END, CLOSED = 1_000.0, 2_000.0, 2_500.0


def job(number: int, **changes: object) -> ClosedJob:
    """A job of alpha on a machine of beta, or of its own co-op."""
    name = f"job-{number:08x}"
    borrower = ("alpha", "beta")[number % 2]
    row = settle_row(name, borrower=borrower, at=START + number / 2, output_tokens=number)
    closed = ClosedJob(
        job=name,
        coop=row.coop,
        key=f"person-{number % 3:012x}",
        project="p",
        state=row.state.value,
        settled_at=row.receipt.issued_at,
        receipt=row.receipt,
        runs=(ClosedRun(row.terms, row.usage, row.settlement),),
        entries=tuple(ClosedEntry(e.account, e.unit, e.amount) for e in row.entries),
    )
    return replace(closed, **changes)


def correction(name: str = "c1") -> ClosedCorrection:
    """A correction between two co-ops."""
    lines = (ClosedEntry("alpha", "tokens", 9), ClosedEntry("beta", "tokens", -9))
    return ClosedCorrection(name, START, lines)


def records(jobs: int = 1_200) -> list[Record]:
    """A correction and some jobs, which fill several blocks."""
    return [correction(), *map(job, range(jobs))]


def head_of(written: Iterable[Record], leaves: Iterable[bytes], **changes: object) -> MonthHead:
    """The head of some records, with their root and sums unless others are given."""
    tree, sums = MerkleTree(), MonthSums()
    for leaf in leaves:
        tree.append(leaf)
    for record in written:
        sums.add(record)
    head = MonthHead(
        format=FORMAT,
        pool="Parc",
        month="1970-01",
        timezone="UTC",
        start_at=START,
        end_at=END,
        closed_at=CLOSED,
        jobs=sums.jobs,
        records=tree.size,
        root=tree.root().hex(),
        previous="",
        sums=sums.pairs(),
        accounts=sums.accounts(),
        key=PUBLIC.id,
    )
    return replace(head, **changes)


def month_file(
    written: Iterable[Record], signer: Ed25519PrivateKey = KEY, **changes: object
) -> bytes:
    """The bytes of a file with some records, signed; ``changes`` are of its head."""
    content, written = io.BytesIO(), list(written)
    writer = MonthWriter(content)
    leaves = [writer.add(record) for record in written]
    writer.finish(head_of(written, leaves, **changes), signer.sign)
    return content.getvalue()

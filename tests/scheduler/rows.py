"""Rows for the store, with sensible values."""

from typing import Any

from sqlalchemy import Connection, delete
from tests.core.builders import facts, usage

from entraide.types import Basis, JobClass, JobState, Terms
from entraide_scheduler.core.carbon import make_receipt, settle
from entraide_scheduler.core.commands import Entry
from entraide_scheduler.store import trusted_time
from entraide_scheduler.store.rows import KeptJobRow, SettlementRow
from entraide_scheduler.store.schema import trusted_time as table
from entraide_scheduler.store.store import Store


def kept_row(job: str, coop: str = "alpha", **changes: Any) -> KeptJobRow:
    """Returns a kept job that waits."""
    values: dict[str, Any] = {
        "job": job,
        "coop": coop,
        "key": f"key-{coop}",
        "model": "petit",
        "job_class": "batch",
        "facts": facts(job, coop),
        "sealed_body": b"sealed",
        "path": "/v1/chat/completions",
        "submitted_at": 100.0,
        "keep_s": 86_400.0,
    }
    return KeptJobRow(**{**values, **changes})


def terms(job: str, *, borrower: str = "alpha", lender: str = "beta") -> Terms:
    """Returns terms of a job of one co-op on a node of another."""
    return Terms(
        job=job,
        epoch=1,
        borrower=borrower,
        node="n1",
        lender=lender,
        site="home",
        zone="CA-QC",
        engine="llama.cpp/1",
        model="petit",
        revision="sha256:abc",
        job_class=JobClass.INTERACTIVE,
        objective_ttft_s=2.0,
        intensity_direct_g_per_kwh=1.0,
        intensity_lifecycle_g_per_kwh=30.0,
        intensity_basis=Basis.DEFAULT,
        surplus_basis=None,
        requested_at=100.0,
        placed_at=100.1,
        policy_version="1",
        at_risk=False,
    )


def settle_row(
    job: str, *, borrower: str = "alpha", lender: str = "beta", at: float = 110.0, **used_: Any
) -> SettlementRow:
    """Returns the books of a job of one co-op that another ran."""
    fixed, used = terms(job, borrower=borrower, lender=lender), usage(**used_)
    come_to = settle(fixed, used)
    return SettlementRow(
        job=job,
        coop=borrower,
        state=JobState.COMPLETED,
        terms=fixed,
        usage=used,
        settlement=come_to,
        receipt=make_receipt(fixed, used, come_to, settled=True, issued_at=at),
        entries=(Entry(lender, "tokens", 7), Entry(borrower, "tokens", -7)),
    )


async def trust(store: Store, at: float) -> None:
    """Lets a time count for deletions by age, as after days that a test does not wait for."""

    def begin(connection: Connection) -> None:
        connection.execute(delete(table))
        trusted_time.advance(connection, at)

    await store.write(begin)

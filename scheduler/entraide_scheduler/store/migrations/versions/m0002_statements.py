"""Columns for the amounts that statements sum, and a table of ledger corrections."""

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BATCH_ROWS = 1_000


def upgrade() -> None:
    """Adds the columns, computes them from each row's encoded structs, and makes the table."""
    op.add_column("settled", sa.Column("lender", sa.String, nullable=False, server_default=""))
    for name in ("tokens", "energy_uwh", "carbon_direct_ug", "carbon_lifecycle_ug"):
        op.add_column("settled", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    op.create_index("settled_by_time", "settled", ["settled_at"])
    op.create_table(
        "corrections",
        sa.Column("correction", sa.String, primary_key=True),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("corrections_by_time", "corrections", ["at"])
    _fill_columns(op.get_bind())


def _fill_columns(connection: sa.Connection) -> None:
    columns = ("job", "lender", "tokens", "energy_uwh", "carbon_direct_ug", "carbon_lifecycle_ug")
    settled = sa.table("settled", *map(sa.column, (*columns, "terms", "usage", "settlement")))
    encoded = (settled.c.job, settled.c.terms, settled.c.usage, settled.c.settlement)
    update = sa.update(settled).where(settled.c.job == sa.bindparam("settled_job"))
    last_job = ""
    while True:
        query = sa.select(*encoded).where(settled.c.job > last_job).order_by(settled.c.job)
        rows = connection.execute(query.limit(BATCH_ROWS)).all()
        if not rows:
            return
        connection.execute(update, [_column_values(*row) for row in rows])
        last_job = rows[-1].job


def _column_values(job: str, terms: bytes, usage: bytes, settlement: bytes) -> dict[str, object]:
    tokens, amounts = msgspec.msgpack.decode(usage), msgspec.msgpack.decode(settlement)
    return {
        "settled_job": job,
        "lender": msgspec.msgpack.decode(terms)["lender"],
        "tokens": tokens["input_tokens"] + tokens["output_tokens"],
        "energy_uwh": amounts["energy_uwh"],
        "carbon_direct_ug": amounts["carbon_direct_ug"],
        "carbon_lifecycle_ug": amounts["carbon_lifecycle_ug"],
    }

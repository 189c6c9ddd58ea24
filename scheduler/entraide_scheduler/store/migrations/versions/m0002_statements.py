"""What statements add up, as columns; corrections of the books."""

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROWS_AT_ONCE = 1_000


def upgrade() -> None:
    """Adds the columns, fills them from the structs beside them, and makes the new table."""
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
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    columns = ("job", "lender", "tokens", "energy_uwh", "carbon_direct_ug", "carbon_lifecycle_ug")
    settled = sa.table("settled", *map(sa.column, (*columns, "terms", "usage", "settlement")))
    packed = (settled.c.job, settled.c.terms, settled.c.usage, settled.c.settlement)
    change = sa.update(settled).where(settled.c.job == sa.bindparam("of"))
    last = ""
    while True:
        query = sa.select(*packed).where(settled.c.job > last).order_by(settled.c.job)
        rows = connection.execute(query.limit(ROWS_AT_ONCE)).all()
        if not rows:
            return
        connection.execute(change, [_amounts(*row) for row in rows])
        last = rows[-1].job


def _amounts(job: str, terms: bytes, usage: bytes, settlement: bytes) -> dict[str, object]:
    used, settled = msgspec.msgpack.decode(usage), msgspec.msgpack.decode(settlement)
    return {
        "of": job,
        "lender": msgspec.msgpack.decode(terms)["lender"],
        "tokens": used["input_tokens"] + used["output_tokens"],
        "energy_uwh": settled["energy_uwh"],
        "carbon_direct_ug": settled["carbon_direct_ug"],
        "carbon_lifecycle_ug": settled["carbon_lifecycle_ug"],
    }

"""Columns for the sender, the model and the node of a settled job, which usage sums."""

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BATCH_ROWS = 1_000


def upgrade() -> None:
    """Adds the columns; model and node come from each row's terms, key and project are unknown."""
    for name in ("key", "project", "model", "node"):
        op.add_column("settled", sa.Column(name, sa.String, nullable=False, server_default=""))
    op.create_index("settled_by_lender", "settled", ["lender", "settled_at"])
    _fill_columns(op.get_bind())


def _fill_columns(connection: sa.Connection) -> None:
    settled = sa.table("settled", *map(sa.column, ("job", "terms", "model", "node")))
    update = sa.update(settled).where(settled.c.job == sa.bindparam("settled_job"))
    last_job = ""
    while True:
        query = sa.select(settled.c.job, settled.c.terms).where(settled.c.job > last_job)
        rows = connection.execute(query.order_by(settled.c.job).limit(BATCH_ROWS)).all()
        if not rows:
            return
        connection.execute(update, [_column_values(*row) for row in rows])
        last_job = rows[-1].job


def _column_values(job: str, terms: bytes) -> dict[str, object]:
    decoded = msgspec.msgpack.decode(terms)
    return {"settled_job": job, "model": decoded["model"], "node": decoded["node"]}

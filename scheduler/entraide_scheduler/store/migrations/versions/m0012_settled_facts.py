"""Columns for the zone, the class, the promise and the bases of a settled job."""

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BATCH_ROWS = 1_000
# Column, and the struct and field that it copies.
FIELDS = {
    "zone": ("terms", "zone"),
    "job_class": ("terms", "job_class"),
    "promise": ("settlement", "promise"),
    "energy_basis": ("usage", "energy_basis"),
    "intensity_basis": ("terms", "intensity_basis"),
    "surplus_basis": ("terms", "surplus_basis"),
}
STRUCTS = ("terms", "usage", "settlement")


def upgrade() -> None:
    """Adds the columns; their values come from each row's structs."""
    for name in FIELDS:
        op.add_column("settled", sa.Column(name, sa.String, nullable=False, server_default=""))
    _fill_columns(op.get_bind())


def _fill_columns(connection: sa.Connection) -> None:
    settled = sa.table("settled", *map(sa.column, ("job", *STRUCTS, *FIELDS)))
    update = sa.update(settled).where(settled.c.job == sa.bindparam("settled_job"))
    last_job = ""
    while True:
        columns = (settled.c[name] for name in ("job", *STRUCTS))
        query = sa.select(*columns).where(settled.c.job > last_job)
        rows = connection.execute(query.order_by(settled.c.job).limit(BATCH_ROWS)).all()
        if not rows:
            return
        connection.execute(update, [_column_values(*row) for row in rows])
        last_job = rows[-1].job


def _column_values(job: str, *packed: bytes) -> dict[str, object]:
    decoded = dict(zip(STRUCTS, map(msgspec.msgpack.decode, packed), strict=True))
    values = {name: decoded[part].get(field) or "" for name, (part, field) in FIELDS.items()}
    return {"settled_job": job, **values}

"""A row for each run of a job that several machines answered, one after another."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INDEXES = {
    "settled_by_coop": ["coop", "settled_at"],
    "settled_by_lender": ["lender", "settled_at"],
    "settled_by_time": ["settled_at"],
}


def upgrade() -> None:
    """Adds the run to the primary key; the jobs of before have one run each.

    SQLite cannot change a primary key, so the table is made anew.
    """
    connection = op.get_bind()
    before = sa.Table("settled", sa.MetaData(), autoload_with=connection)
    rest = [
        sa.Column(
            column.name, column.type, nullable=column.nullable, server_default=column.server_default
        )
        for column in before.columns
        if column.name != "job"
    ]
    run = sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False, server_default="0")
    after = op.create_table(
        "settled_runs", sa.Column("job", sa.String, primary_key=True), run, *rest
    )
    names = [column.name for column in before.columns]
    connection.execute(sa.insert(after).from_select(names, sa.select(before)))
    op.drop_table("settled")
    op.rename_table("settled_runs", "settled")
    for name, columns in INDEXES.items():
        op.create_index(name, "settled", columns)

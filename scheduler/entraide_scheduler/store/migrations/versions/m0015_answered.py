"""Kept jobs whose answers are stored and not settled yet."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table; jobs that an earlier version answered are settled by their nodes' reports."""
    op.create_table(
        "answered",
        sa.Column("job", sa.String, primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("node", sa.String, nullable=False),
        sa.Column("usage", sa.LargeBinary, nullable=False),
    )

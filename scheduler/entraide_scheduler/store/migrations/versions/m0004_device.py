"""The device with which each node was approved: what its reports of energy are held to."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; the next hello of a node that joined before fills it."""
    device = sa.Column("device", sa.String, nullable=False, server_default="")
    op.add_column("nodes", device)

"""What the operator imported and chose for each zone's intensity."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table; until the operator says something, the configuration decides."""
    op.create_table(
        "grid_zones",
        sa.Column("zone", sa.String, primary_key=True),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("series", sa.LargeBinary, nullable=False),
        sa.Column("file", sa.String, nullable=False),
        sa.Column("imported_at", sa.Double, nullable=False),
    )

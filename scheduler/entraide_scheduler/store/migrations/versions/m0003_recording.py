"""What a replay needs: when each snapshot was taken, and the digests of what was decided."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the two columns; of events that stand there already no digest is known."""
    at = sa.Column("at", sa.Double, nullable=False, server_default="0")
    op.add_column("snapshots", at)
    digest = sa.Column("digest", sa.LargeBinary, nullable=True)
    op.add_column("journal", digest)

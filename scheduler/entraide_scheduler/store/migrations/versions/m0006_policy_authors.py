"""Who put each version of the policy into force, when and why."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns; of earlier versions neither author nor moment is known."""
    op.add_column("policies", sa.Column("at", sa.Double, nullable=False, server_default="0"))
    for name in ("author", "reason"):
        op.add_column("policies", sa.Column(name, sa.String, nullable=False, server_default=""))

"""What the operator vouches for a node: who controls its owner, and its data classes."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the two columns; for a node that joined before, nothing is vouched."""
    for name in ("controlled_by", "data_classes"):
        op.add_column("nodes", sa.Column(name, sa.String, nullable=False, server_default=""))

"""What backs a node's surplus, as the operator vouches, and when and by whom."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns; for a token or a node of before, no evidence is vouched."""
    for table in ("nodes", "join_tokens"):
        for name in ("surplus_evidence", "evidence_document"):
            op.add_column(table, sa.Column(name, sa.String, nullable=False, server_default=""))
    op.add_column("nodes", sa.Column("vouched_at", sa.Double, nullable=False, server_default="0"))
    op.add_column("nodes", sa.Column("vouched_by", sa.String, nullable=False, server_default=""))

"""What the operator vouches for in a join token, and a node's key for sealed prompts."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TOKEN_COLUMNS = ("used_by", "site", "zone", "controlled_by", "data_classes")


def upgrade() -> None:
    """Adds the columns; a token or a node of before vouches for nothing and has no such key."""
    for name in TOKEN_COLUMNS:
        op.add_column("join_tokens", sa.Column(name, sa.String, nullable=False, server_default=""))
    op.add_column("nodes", sa.Column("sealing_key", sa.String, nullable=False, server_default=""))

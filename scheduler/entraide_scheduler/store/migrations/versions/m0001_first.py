"""The first schema: keys, policies, nodes, tokens, kept jobs, journal, books, explanations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes every table."""
    _members()
    _kept()
    _journal()
    _books()


def _members() -> None:
    op.create_table(
        "keys",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("coop", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("label", sa.String, nullable=False),
        sa.Column("revoked", sa.Boolean, nullable=False),
    )
    op.create_table(
        "policies",
        sa.Column("version", sa.String, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False, unique=True),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "nodes",
        sa.Column("node", sa.String, primary_key=True),
        sa.Column("coop", sa.String, nullable=False),
        sa.Column("site", sa.String, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("public_key", sa.String, nullable=False),
        sa.Column("approval", sa.String, nullable=False),
        sa.Column("jwt_issued_at", sa.Double, nullable=False),
        sa.Column("jwt_expires_at", sa.Double, nullable=False),
    )
    op.create_table(
        "join_tokens",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("coop", sa.String, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double, nullable=True),
    )


def _kept() -> None:
    op.create_table(
        "kept",
        sa.Column("job", sa.String, primary_key=True),
        sa.Column("coop", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("job_class", sa.String, nullable=False),
        sa.Column("facts", sa.LargeBinary, nullable=False),
        sa.Column("sealed_body", sa.LargeBinary, nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("submitted_at", sa.Double, nullable=False),
        sa.Column("keep_s", sa.Double, nullable=False),
        sa.Column("idempotency", sa.String, nullable=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("sealed_result", sa.LargeBinary, nullable=False),
        sa.Column("receipt_json", sa.LargeBinary, nullable=False),
        sa.Column("ended_at", sa.Double, nullable=False),
        sa.UniqueConstraint("coop", "idempotency", name="kept_idempotency"),
    )
    op.create_index("kept_by_coop", "kept", ["coop", "submitted_at"])
    op.create_index("kept_by_end", "kept", ["ended_at"])


def _journal() -> None:
    for name, column in (("journal", "event"), ("snapshots", "state")):
        op.create_table(
            name,
            sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column(column, sa.LargeBinary, nullable=False),
        )


def _books() -> None:
    op.create_table(
        "settled",
        sa.Column("job", sa.String, primary_key=True),
        sa.Column("coop", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("settled_at", sa.Double, nullable=False),
        sa.Column("terms", sa.LargeBinary, nullable=False),
        sa.Column("usage", sa.LargeBinary, nullable=False),
        sa.Column("settlement", sa.LargeBinary, nullable=False),
        sa.Column("receipt", sa.LargeBinary, nullable=False),
    )
    op.create_index("settled_by_coop", "settled", ["coop", "settled_at"])
    op.create_table(
        "entries",
        sa.Column("job", sa.String, primary_key=True),
        sa.Column("line", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
    )
    op.create_index("entries_by_account", "entries", ["account", "unit"])
    op.create_table(
        "explanations",
        sa.Column("job", sa.String, primary_key=True),
        sa.Column("coop", sa.String, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_index("explanations_by_age", "explanations", ["at"])

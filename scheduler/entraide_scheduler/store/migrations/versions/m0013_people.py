"""People of the co-ops, their sign-in links and sessions, and the sender of an explained job."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the tables and the column; a job of before was sent with a key."""
    op.create_table(
        "people",
        sa.Column("person", sa.String, primary_key=True),
        *_required(sa.String, "coop", "name"),
        sa.Column("email", sa.String, nullable=True, unique=True),
        *_required(sa.String, "role", "project", "lang"),
        *_required(sa.Double, "created_at", "disabled_at"),
        sa.Column("oidc_issuer", sa.String, nullable=True),
        sa.Column("oidc_subject", sa.String, nullable=True),
        sa.UniqueConstraint("oidc_issuer", "oidc_subject", name="people_oidc"),
    )
    op.create_index("people_by_coop", "people", ["coop"])
    op.create_table(
        "signin_links",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        *_required(sa.String, "person"),
        *_required(sa.Double, "expires_at", "used_at"),
        *_required(sa.String, "made_by"),
        *_required(sa.Double, "made_at"),
    )
    op.create_index("signin_links_by_person", "signin_links", ["person"])
    op.create_table(
        "signin_sessions",
        sa.Column("session", sa.String, primary_key=True),
        sa.Column("secret_hash", sa.String(64), nullable=False, unique=True),
        *_required(sa.String, "person"),
        *_required(sa.Double, "made_at", "seen_at", "expires_at"),
        *_required(sa.String, "device"),
        *_required(sa.Double, "ended_at"),
    )
    op.create_index("signin_sessions_by_person", "signin_sessions", ["person"])
    op.add_column("explanations", sa.Column("key", sa.String, nullable=False, server_default=""))


def _required(kind: type[sa.types.TypeEngine[Any]], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in names]

"""Files, batches and their results, and the batch of a kept job."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the tables and the columns; a kept job of before belongs to no batch."""
    _add_files()
    _add_batches()
    op.add_column("kept", sa.Column("batch", sa.String, nullable=False, server_default=""))
    op.add_column("kept", sa.Column("line", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("kept", sa.Column("sealed_name", sa.LargeBinary, nullable=True))
    op.create_index("kept_by_batch", "kept", ["batch"])


def _add_files() -> None:
    op.create_table(
        "files",
        sa.Column("file", sa.String, primary_key=True),
        *_required(sa.String, "coop", "project", "key", "purpose"),
        *_required(sa.LargeBinary, "sealed_name"),
        *_required(sa.BigInteger, "bytes"),
        *_required(sa.Boolean, "complete"),
        *_required(sa.Double, "created_at", "expires_at"),
    )
    op.create_index("files_by_coop", "files", ["coop", "created_at"])
    op.create_index("files_by_expiry", "files", ["expires_at"])
    op.create_table(
        "file_parts",
        sa.Column("file", sa.String, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        *_required(sa.LargeBinary, "sealed"),
    )


def _add_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("batch", sa.String, primary_key=True),
        *_required(sa.String, "coop", "project", "key", "endpoint", "input_file"),
        *_required(sa.LargeBinary, "options", "sealed_metadata"),
        *_required(sa.String, "lang", "state"),
        *_required(sa.Double, "created_at", "deadline_at", "keep_s", "started_at"),
        *_required(sa.Double, "finalizing_at", "cancelling_at", "ended_at", "expires_at"),
        *_required(sa.BigInteger, "lines", "completed", "failed"),
        *_required(sa.LargeBinary, "progress", "faults", "expected", "outcome"),
    )
    op.create_index("batches_by_coop", "batches", ["coop", "created_at"])
    op.create_index("batches_by_state", "batches", ["state"])
    op.create_table(
        "batch_results",
        sa.Column("batch", sa.String, primary_key=True),
        sa.Column("line", sa.BigInteger, primary_key=True, autoincrement=False),
        *_required(sa.BigInteger, "position"),
        *_required(sa.String, "job", "code"),
        *_required(sa.LargeBinary, "sealed_name", "sealed_result"),
    )
    op.create_index("batch_results_by_position", "batch_results", ["batch", "position"])


def _required(kind: type[sa.types.TypeEngine[Any]], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in names]

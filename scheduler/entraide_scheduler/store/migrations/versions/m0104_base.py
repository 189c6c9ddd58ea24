"""The first schema: members, people, kept jobs, batches, journal, and the books."""

import sqlalchemy as sa
from alembic import op

revision = "0104"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes every table."""
    _members()
    _nodes()
    _people()
    _browser_halves()
    _registers()
    _kept_jobs()
    _files()
    _batches()
    _journal()
    _books()
    _settled()
    _leadership()
    _closed_months()


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
        sa.Column("at", sa.Double, nullable=False, server_default="0"),
        sa.Column("author", sa.String, nullable=False, server_default=""),
        sa.Column("reason", sa.String, nullable=False, server_default=""),
    )
    op.create_table(
        "grid_zones",
        sa.Column("zone", sa.String, primary_key=True),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("series", sa.LargeBinary, nullable=False),
        sa.Column("file", sa.String, nullable=False),
        sa.Column("imported_at", sa.Double, nullable=False),
    )
    op.create_table(
        "join_tokens",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("coop", sa.String, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double, nullable=True),
        sa.Column("used_by", sa.String, nullable=False, server_default=""),
        sa.Column("site", sa.String, nullable=False, server_default=""),
        sa.Column("zone", sa.String, nullable=False, server_default=""),
        sa.Column("controlled_by", sa.String, nullable=False, server_default=""),
        sa.Column("data_classes", sa.String, nullable=False, server_default=""),
        sa.Column("surplus_evidence", sa.String, nullable=False, server_default=""),
        sa.Column("evidence_document", sa.String, nullable=False, server_default=""),
        sa.Column("created_at", sa.Double, nullable=False, server_default="0"),
    )


def _nodes() -> None:
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
        sa.Column("device", sa.String, nullable=False, server_default=""),
        sa.Column("controlled_by", sa.String, nullable=False, server_default=""),
        sa.Column("data_classes", sa.String, nullable=False, server_default=""),
        sa.Column("sealing_key", sa.String, nullable=False, server_default=""),
        sa.Column("surplus_evidence", sa.String, nullable=False, server_default=""),
        sa.Column("evidence_document", sa.String, nullable=False, server_default=""),
        sa.Column("vouched_at", sa.Double, nullable=False, server_default="0"),
        sa.Column("vouched_by", sa.String, nullable=False, server_default=""),
        sa.Column("said_zone", sa.String, nullable=False, server_default=""),
    )
    op.create_table(
        "node_names",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("public_key", sa.String, nullable=False),
    )


def _people() -> None:
    op.create_table(
        "people",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("coop", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("email", sa.String, nullable=True, unique=True),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("lang", sa.String, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("disabled_at", sa.Double, nullable=False),
        sa.Column("oidc_issuer", sa.String, nullable=True),
        sa.Column("oidc_subject", sa.String, nullable=True),
        sa.Column("oidc_start", sa.String, nullable=False, server_default=""),
        sa.Column("email_by", sa.String, nullable=False, server_default=""),
        sa.Column("confirmed_email", sa.String, nullable=False, server_default=""),
        sa.Column("confirmed_start", sa.String, nullable=False, server_default=""),
        sa.Column("machine_mail_at", sa.Double, nullable=False, server_default="0"),
        sa.UniqueConstraint("oidc_issuer", "oidc_subject", name="people_oidc"),
    )
    op.create_index("people_by_coop", "people", ["coop"])
    op.create_table(
        "signin_links",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("person", sa.String, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double, nullable=False),
        sa.Column("made_by", sa.String, nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("start", sa.String, nullable=False, server_default=""),
        sa.Column("email", sa.String, nullable=False, server_default=""),
    )
    op.create_index("signin_links_by_person", "signin_links", ["person"])
    op.create_table(
        "signin_sessions",
        sa.Column("session", sa.String, primary_key=True),
        sa.Column("secret_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("person", sa.String, nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("device", sa.String, nullable=False),
        sa.Column("ended_at", sa.Double, nullable=False),
        sa.Column("start", sa.String, nullable=False),
        sa.Column("proven_email", sa.String, nullable=False, server_default=""),
        sa.Column("way", sa.String, nullable=False, server_default="link"),
        sa.Column("made_by", sa.String, nullable=False, server_default=""),
    )
    op.create_index("signin_sessions_by_person", "signin_sessions", ["person"])
    op.create_table(
        "signin_starts",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("start", sa.String, primary_key=True),
        sa.Column("joined", sa.String, nullable=False),
        sa.Column("way", sa.String, nullable=False),
        sa.Column("made_by", sa.String, nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("asked_at", sa.Double, nullable=False),
    )


def _browser_halves() -> None:
    op.create_table(
        "browser_halves",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("browser", sa.String, primary_key=True),
        sa.Column("session", sa.String, nullable=False),
        sa.Column("start", sa.String, nullable=False),
        sa.Column("half", sa.LargeBinary, nullable=False),
        sa.Column("used_at", sa.Double, nullable=False),
    )


def _registers() -> None:
    op.create_table(
        "former_names",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_table(
        "erasures",
        sa.Column("subject", sa.String, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("erasures_by_time", "erasures", ["at"])
    op.create_table(
        "incidents",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("entered_at", sa.Double, nullable=False),
        sa.Column("entered_by", sa.String, nullable=False),
        sa.Column("amends", sa.BigInteger, nullable=False),
        sa.Column("happened", sa.String, nullable=False),
        sa.Column("noticed", sa.String, nullable=False),
        sa.Column("circumstances", sa.String, nullable=False),
        sa.Column("information", sa.String, nullable=False),
        sa.Column("persons", sa.BigInteger, nullable=False),
        sa.Column("risk", sa.String, nullable=False),
        sa.Column("risk_reasons", sa.String, nullable=False),
        sa.Column("told", sa.String, nullable=False),
        sa.Column("measures", sa.String, nullable=False),
    )


def _kept_jobs() -> None:
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
        sa.Column("batch", sa.String, nullable=False, server_default=""),
        sa.Column("line", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("sealed_name", sa.LargeBinary, nullable=True),
        sa.UniqueConstraint("coop", "idempotency", name="kept_idempotency"),
    )
    op.create_index("kept_by_batch", "kept", ["batch"])
    op.create_index("kept_by_coop", "kept", ["coop", "submitted_at"])
    op.create_index("kept_by_end", "kept", ["ended_at"])
    op.create_table(
        "answered",
        sa.Column("job", sa.String, primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("node", sa.String, nullable=False),
        sa.Column("usage", sa.LargeBinary, nullable=False),
    )


def _files() -> None:
    op.create_table(
        "files",
        sa.Column("file", sa.String, primary_key=True),
        sa.Column("coop", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("sealed_name", sa.LargeBinary, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("places", sa.LargeBinary, nullable=False),
    )
    op.create_index("files_by_coop", "files", ["coop", "created_at"])
    op.create_index("files_by_expiry", "files", ["expires_at"])
    op.create_table(
        "file_parts",
        sa.Column("file", sa.String, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )


def _batches() -> None:
    op.create_table(
        "batches",
        sa.Column("batch", sa.String, primary_key=True),
        sa.Column("coop", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("input_file", sa.String, nullable=False),
        sa.Column("options", sa.LargeBinary, nullable=False),
        sa.Column("sealed_metadata", sa.LargeBinary, nullable=False),
        sa.Column("lang", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("deadline_at", sa.Double, nullable=False),
        sa.Column("keep_s", sa.Double, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("finalizing_at", sa.Double, nullable=False),
        sa.Column("cancelling_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("lines", sa.BigInteger, nullable=False),
        sa.Column("completed", sa.BigInteger, nullable=False),
        sa.Column("failed", sa.BigInteger, nullable=False),
        sa.Column("progress", sa.LargeBinary, nullable=False),
        sa.Column("sealed_faults", sa.LargeBinary, nullable=False),
        sa.Column("expected", sa.LargeBinary, nullable=False),
        sa.Column("outcome", sa.LargeBinary, nullable=False),
        sa.Column("places", sa.LargeBinary, nullable=False),
    )
    op.create_index("batches_by_coop", "batches", ["coop", "created_at"])
    op.create_index("batches_by_state", "batches", ["state"])
    op.create_table(
        "batch_results",
        sa.Column("batch", sa.String, primary_key=True),
        sa.Column("line", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("job", sa.String, nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("sealed_name", sa.LargeBinary, nullable=False),
        sa.Column("sealed_result", sa.LargeBinary, nullable=False),
    )
    op.create_index("batch_results_by_position", "batch_results", ["batch", "position"])


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("event", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=True),
    )
    op.create_table(
        "snapshots",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.Double, nullable=False, server_default="0"),
    )
    op.create_table(
        "trusted_time",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("clock_at", sa.Double, nullable=False),
    )


def _books() -> None:
    op.create_table(
        "corrections",
        sa.Column("correction", sa.String, primary_key=True),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("corrections_by_time", "corrections", ["at"])
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
        sa.Column("key", sa.String, nullable=False, server_default=""),
    )
    op.create_index("explanations_by_age", "explanations", ["at"])


def _leadership() -> None:
    op.create_table(
        "leadership",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("leader", sa.String, nullable=False),
        sa.Column("term", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("commits", sa.BigInteger, nullable=False),
    )


def _settled() -> None:
    op.create_table(
        "settled",
        sa.Column("job", sa.String, primary_key=True),
        sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False, server_default="0"),
        sa.Column("coop", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("settled_at", sa.Double, nullable=False),
        sa.Column("terms", sa.LargeBinary, nullable=False),
        sa.Column("usage", sa.LargeBinary, nullable=False),
        sa.Column("settlement", sa.LargeBinary, nullable=False),
        sa.Column("receipt", sa.LargeBinary, nullable=False),
        sa.Column("lender", sa.String, nullable=False, server_default=""),
        sa.Column("tokens", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("energy_uwh", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("carbon_direct_ug", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("carbon_lifecycle_ug", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("key", sa.String, nullable=False, server_default=""),
        sa.Column("project", sa.String, nullable=False, server_default=""),
        sa.Column("model", sa.String, nullable=False, server_default=""),
        sa.Column("node", sa.String, nullable=False, server_default=""),
        sa.Column("zone", sa.String, nullable=False, server_default=""),
        sa.Column("job_class", sa.String, nullable=False, server_default=""),
        sa.Column("promise", sa.String, nullable=False, server_default=""),
        sa.Column("energy_basis", sa.String, nullable=False, server_default=""),
        sa.Column("intensity_basis", sa.String, nullable=False, server_default=""),
        sa.Column("surplus_basis", sa.String, nullable=False, server_default=""),
        sa.Column("idempotency", sa.String, nullable=False, server_default=""),
        sa.Column("late", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_index(
        "settled_by_idempotency",
        "settled",
        ["idempotency"],
        sqlite_where=sa.text("idempotency != ''"),
        postgresql_where=sa.text("idempotency != ''"),
    )
    op.create_index("settled_by_coop", "settled", ["coop", "settled_at"])
    op.create_index("settled_by_lender", "settled", ["lender", "settled_at"])
    op.create_index("settled_by_time", "settled", ["settled_at"])


def _closed_months() -> None:
    op.create_table(
        "closed_months",
        sa.Column("month", sa.String, primary_key=True),
        sa.Column("start_at", sa.Double, nullable=False),
        sa.Column("end_at", sa.Double, nullable=False),
        sa.Column("closed_at", sa.Double, nullable=False),
        sa.Column("root", sa.String, nullable=False),
        sa.Column("jobs", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )
    names = (
        "coop", "lender", "key", "project", "model", "node", "zone", "job_class", "promise",
        "energy_basis", "intensity_basis", "surplus_basis",
    )  # fmt: skip
    amounts = ("jobs", "tokens", "energy_uwh", "carbon_direct_ug", "carbon_lifecycle_ug")
    op.create_table(
        "closed_sums",
        sa.Column("month", sa.String, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("settled_at", sa.Double, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in names),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in amounts),
    )
    op.create_index("closed_sums_by_coop", "closed_sums", ["coop", "settled_at"])
    op.create_index("closed_sums_by_lender", "closed_sums", ["lender", "settled_at"])
    op.create_table(
        "closed_balances",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("unit", sa.String, primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "counts",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )

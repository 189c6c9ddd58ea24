"""Schema: the tables as SQLAlchemy Core objects; ``migrations`` creates them.

Structs that no query inspects are MessagePack in a binary column. Codes of the vocabulary are text.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

from entraide.types import Control, SurplusEvidence
from entraide_scheduler.store.code_columns import CodeColumn, DataClassesColumn

metadata = MetaData()

keys = Table(
    "keys",
    metadata,
    Column("key", String, primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("coop", String, nullable=False),
    Column("project", String, nullable=False),
    Column("label", String, nullable=False),
    Column("revoked", Boolean, nullable=False),
)

policies = Table(
    "policies",
    metadata,
    Column("version", String, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("document", LargeBinary, nullable=False),
    Column("at", Double, nullable=False, server_default="0"),
    Column("author", String, nullable=False, server_default=""),
    Column("reason", String, nullable=False, server_default=""),
)

nodes = Table(
    "nodes",
    metadata,
    Column("node", String, primary_key=True),
    Column("coop", String, nullable=False),
    Column("site", String, nullable=False),
    Column("zone", String, nullable=False),
    Column("public_key", String, nullable=False),
    Column("approval", String, nullable=False),
    Column("jwt_issued_at", Double, nullable=False),
    Column("jwt_expires_at", Double, nullable=False),
    Column("device", String, nullable=False, server_default=""),
    Column("controlled_by", CodeColumn(Control), nullable=False, server_default=""),
    Column("data_classes", DataClassesColumn, nullable=False, server_default=""),
    Column("sealing_key", String, nullable=False, server_default=""),
    Column("surplus_evidence", CodeColumn(SurplusEvidence), nullable=False, server_default=""),
    Column("evidence_document", String, nullable=False, server_default=""),
    Column("vouched_at", Double, nullable=False, server_default="0"),
    Column("vouched_by", String, nullable=False, server_default=""),
    Column("said_zone", String, nullable=False, server_default=""),
)

node_names = Table(  # all that were given, also to nodes whose record was deleted
    "node_names",
    metadata,
    Column("digest", String(64), primary_key=True),  # SHA-256 of the name, which may be a person's
    Column("public_key", String, nullable=False),
)

people = Table(
    "people",
    metadata,
    Column("person", String, primary_key=True),
    Column("coop", String, nullable=False),
    Column("name", String, nullable=False),
    Column("email", String, nullable=True, unique=True),  # NULL, not "", so that it is unique
    Column("role", String, nullable=False),
    Column("project", String, nullable=False),
    Column("lang", String, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("disabled_at", Double, nullable=False),
    Column("oidc_issuer", String, nullable=True),
    Column("oidc_subject", String, nullable=True),
    Column("oidc_start", String, nullable=False, server_default=""),
    Column("email_by", String, nullable=False, server_default=""),
    Column("confirmed_email", String, nullable=False, server_default=""),
    Column("confirmed_start", String, nullable=False, server_default=""),
    Column("machine_mail_at", Double, nullable=False, server_default="0"),
    UniqueConstraint("oidc_issuer", "oidc_subject", name="people_oidc"),
    Index("people_by_coop", "coop"),
)

former_names = Table(  # names and addresses that persons had, for their erasure
    "former_names",
    metadata,
    Column("person", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("at", Double, nullable=False),
)

signin_links = Table(
    "signin_links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("person", String, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("used_at", Double, nullable=False),
    Column("made_by", String, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("start", String, nullable=False, server_default=""),
    Column("email", String, nullable=False, server_default=""),
    Index("signin_links_by_person", "person"),
)

signin_starts = Table(
    "signin_starts",
    metadata,
    Column("person", String, primary_key=True),
    Column("start", String, primary_key=True),
    Column("joined", String, nullable=False),
    Column("way", String, nullable=False),
    Column("made_by", String, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("asked_at", Double, nullable=False),
)

signin_sessions = Table(
    "signin_sessions",
    metadata,
    Column("session", String, primary_key=True),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("person", String, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("device", String, nullable=False),
    Column("ended_at", Double, nullable=False),
    Column("start", String, nullable=False),
    Column("proven_email", String, nullable=False, server_default=""),
    Column("way", String, nullable=False, server_default="link"),
    Column("made_by", String, nullable=False, server_default=""),
    Index("signin_sessions_by_person", "person"),
)

browser_halves = Table(  # in no dump of the store
    "browser_halves",
    metadata,
    Column("person", String, primary_key=True),
    Column("browser", String, primary_key=True),
    Column("session", String, nullable=False),
    Column("start", String, nullable=False),
    Column("half", LargeBinary, nullable=False),
    Column("used_at", Double, nullable=False),
)

# The register of confidentiality incidents, to which rows are only added.
incidents = Table(
    "incidents",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("entered_at", Double, nullable=False),
    Column("entered_by", String, nullable=False),
    Column("amends", BigInteger, nullable=False),
    Column("happened", String, nullable=False),
    Column("noticed", String, nullable=False),
    Column("circumstances", String, nullable=False),
    Column("information", String, nullable=False),
    Column("persons", BigInteger, nullable=False),
    Column("risk", String, nullable=False),
    Column("risk_reasons", String, nullable=False),
    Column("told", String, nullable=False),
    Column("measures", String, nullable=False),
)

# What was erased, by its number. Restores repeat these.
erasures = Table(
    "erasures",
    metadata,
    Column("subject", String, primary_key=True),
    Column("at", Double, nullable=False),
    Index("erasures_by_time", "at"),
)

grid_zones = Table(
    "grid_zones",
    metadata,
    Column("zone", String, primary_key=True),
    Column("source", String, nullable=False),
    Column("series", LargeBinary, nullable=False),
    Column("file", String, nullable=False),
    Column("imported_at", Double, nullable=False),
)

join_tokens = Table(
    "join_tokens",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("coop", String, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("used_at", Double, nullable=True),
    Column("used_by", String, nullable=False, server_default=""),  # a node's public key
    Column("site", String, nullable=False, server_default=""),
    Column("zone", String, nullable=False, server_default=""),
    Column("controlled_by", CodeColumn(Control), nullable=False, server_default=""),
    Column("data_classes", DataClassesColumn, nullable=False, server_default=""),
    Column("surplus_evidence", CodeColumn(SurplusEvidence), nullable=False, server_default=""),
    Column("evidence_document", String, nullable=False, server_default=""),
    Column("created_at", Double, nullable=False, server_default="0"),
)

kept = Table(
    "kept",
    metadata,
    Column("job", String, primary_key=True),
    Column("coop", String, nullable=False),
    Column("key", String, nullable=False),
    Column("model", String, nullable=False),
    Column("job_class", String, nullable=False),
    Column("facts", LargeBinary, nullable=False),
    Column("sealed_body", LargeBinary, nullable=False),
    Column("path", String, nullable=False),
    Column("submitted_at", Double, nullable=False),
    Column("keep_s", Double, nullable=False),
    Column(
        "idempotency", String, nullable=True
    ),  # NULL, not "", so that jobs without a key do not conflict
    Column("state", String, nullable=False),
    Column("code", String, nullable=False),
    Column("sealed_result", LargeBinary, nullable=False),
    Column("receipt_json", LargeBinary, nullable=False),
    Column("ended_at", Double, nullable=False),
    # Of a line of a batch; "" for any other job.
    Column("batch", String, nullable=False, server_default=""),
    Column("line", BigInteger, nullable=False, server_default="0"),
    Column("sealed_name", LargeBinary, nullable=True),
    UniqueConstraint("coop", "idempotency", name="kept_idempotency"),
    Index("kept_by_coop", "coop", "submitted_at"),
    Index("kept_by_end", "ended_at"),
    Index("kept_by_batch", "batch"),
)

files = Table(
    "files",
    metadata,
    Column("file", String, primary_key=True),
    Column("coop", String, nullable=False),
    Column("project", String, nullable=False),
    Column("key", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("sealed_name", LargeBinary, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("places", LargeBinary, nullable=False),
    Index("files_by_coop", "coop", "created_at"),
    Index("files_by_expiry", "expires_at"),
)

file_parts = Table(
    "file_parts",
    metadata,
    Column("file", String, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)

batches = Table(
    "batches",
    metadata,
    Column("batch", String, primary_key=True),
    Column("coop", String, nullable=False),
    Column("project", String, nullable=False),
    Column("key", String, nullable=False),
    Column("endpoint", String, nullable=False),
    Column("input_file", String, nullable=False),
    Column("options", LargeBinary, nullable=False),
    Column("sealed_metadata", LargeBinary, nullable=False),
    Column("lang", String, nullable=False),
    Column("state", String, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("deadline_at", Double, nullable=False),
    Column("keep_s", Double, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("finalizing_at", Double, nullable=False),
    Column("cancelling_at", Double, nullable=False),
    Column("ended_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("completed", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("progress", LargeBinary, nullable=False),
    Column("sealed_faults", LargeBinary, nullable=False),
    Column("expected", LargeBinary, nullable=False),
    Column("outcome", LargeBinary, nullable=False),
    Column("places", LargeBinary, nullable=False),
    Index("batches_by_coop", "coop", "created_at"),
    Index("batches_by_state", "state"),
)

batch_results = Table(
    "batch_results",
    metadata,
    Column("batch", String, primary_key=True),
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("job", String, nullable=False),
    Column("code", String, nullable=False),
    Column("sealed_name", LargeBinary, nullable=False),
    Column("sealed_result", LargeBinary, nullable=False),
    Index("batch_results_by_position", "batch", "position"),
)

journal = Table(
    "journal",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("event", LargeBinary, nullable=False),
    Column(
        "digest", LargeBinary, nullable=True
    ),  # hash chain up to this event; NULL without retention
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("state", LargeBinary, nullable=False),
    Column("at", Double, nullable=False, server_default="0"),
)

# One row: the time up to which what is old is deleted, which follows the scheduler's clock by small
# steps, and that clock at the last step.
trusted_time = Table(
    "trusted_time",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("clock_at", Double, nullable=False),
)

# Kept jobs whose answers are stored and not settled yet.
answered = Table(
    "answered",
    metadata,
    Column("job", String, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("node", String, nullable=False),
    Column("usage", LargeBinary, nullable=False),
)

# One row for each job: of the run that ended it, with run 0 and the receipt. A resumed answer has a
# row for each earlier run, too, from run 1 on, oldest first.
settled = Table(
    "settled",
    metadata,
    Column("job", String, primary_key=True),
    Column("run", BigInteger, primary_key=True, autoincrement=False, server_default="0"),
    Column("coop", String, nullable=False),
    Column("state", String, nullable=False),
    Column("settled_at", Double, nullable=False),
    Column("terms", LargeBinary, nullable=False),
    Column("usage", LargeBinary, nullable=False),
    Column("settlement", LargeBinary, nullable=False),
    Column("receipt", LargeBinary, nullable=False),
    # Copies of fields of the structs above, and the sender's key and project: statements sum them.
    Column("lender", String, nullable=False, server_default=""),
    Column("tokens", BigInteger, nullable=False, server_default="0"),
    Column("energy_uwh", BigInteger, nullable=False, server_default="0"),
    Column("carbon_direct_ug", BigInteger, nullable=False, server_default="0"),
    Column("carbon_lifecycle_ug", BigInteger, nullable=False, server_default="0"),
    Column("key", String, nullable=False, server_default=""),
    Column("project", String, nullable=False, server_default=""),
    Column("model", String, nullable=False, server_default=""),
    Column("node", String, nullable=False, server_default=""),
    # The same of the terms and the receipt, for promises and for how the figures were obtained.
    Column("zone", String, nullable=False, server_default=""),
    Column("job_class", String, nullable=False, server_default=""),
    Column("promise", String, nullable=False, server_default=""),
    Column("energy_basis", String, nullable=False, server_default=""),
    Column("intensity_basis", String, nullable=False, server_default=""),
    Column("surplus_basis", String, nullable=False, server_default=""),
    # Keyed hash of the client's idempotency key; "" without one, and for all runs but the last.
    Column("idempotency", String, nullable=False, server_default=""),
    # 1 if its month was closed before: a correction of the next month has its lines.
    Column("late", BigInteger, nullable=False, server_default="0"),
    Index(
        "settled_by_idempotency",
        "idempotency",
        sqlite_where=text("idempotency != ''"),
        postgresql_where=text("idempotency != ''"),
    ),
    Index("settled_by_coop", "coop", "settled_at"),
    Index("settled_by_lender", "lender", "settled_at"),
    Index("settled_by_time", "settled_at"),
)

# Months whose jobs and lines are in files; see ``closed_months``.
closed_months = Table(
    "closed_months",
    metadata,
    Column("month", String, primary_key=True),
    Column("start_at", Double, nullable=False),
    Column("end_at", Double, nullable=False),
    Column("closed_at", Double, nullable=False),  # 0 while its file is being written
    Column("root", String, nullable=False),
    Column("jobs", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)

# What statements read of them: the jobs of a day that agree in all of these.
closed_sums = Table(
    "closed_sums",
    metadata,
    Column("month", String, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("settled_at", Double, nullable=False),  # begin of the day
    Column("coop", String, nullable=False),
    Column("lender", String, nullable=False),
    Column("key", String, nullable=False),
    Column("project", String, nullable=False),
    Column("model", String, nullable=False),
    Column("node", String, nullable=False),
    Column("zone", String, nullable=False),
    Column("job_class", String, nullable=False),
    Column("promise", String, nullable=False),
    Column("energy_basis", String, nullable=False),
    Column("intensity_basis", String, nullable=False),
    Column("surplus_basis", String, nullable=False),
    Column("jobs", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("energy_uwh", BigInteger, nullable=False),
    Column("carbon_direct_ug", BigInteger, nullable=False),
    Column("carbon_lifecycle_ug", BigInteger, nullable=False),
    Index("closed_sums_by_coop", "coop", "settled_at"),
    Index("closed_sums_by_lender", "lender", "settled_at"),
)

closed_balances = Table(  # sums of their lines of the ledger, without corrections
    "closed_balances",
    metadata,
    Column("account", String, primary_key=True),
    Column("unit", String, primary_key=True),
    Column("amount", BigInteger, nullable=False),
)

counts = Table(  # numbers of rows, so that nobody counts them
    "counts",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

corrections = Table(
    "corrections",
    metadata,
    Column("correction", String, primary_key=True),
    Column("reason", String, nullable=False),
    Column("at", Double, nullable=False),
    Index("corrections_by_time", "at"),
)

entries = Table(
    "entries",
    metadata,
    Column("job", String, primary_key=True),  # or `correction/NAME`, which is no job's identifier
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    Column("account", String, nullable=False),
    Column("unit", String, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Index("entries_by_account", "account", "unit"),
)

# Its one row says which scheduler may write: see ``leader``. A backup has it, so that terms go on.
leadership = Table(
    "leadership",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("leader", String, nullable=False),
    Column("term", BigInteger, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("commits", BigInteger, nullable=False),
)

explanations = Table(
    "explanations",
    metadata,
    Column("job", String, primary_key=True),
    Column("coop", String, nullable=False),
    Column("at", Double, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("key", String, nullable=False, server_default=""),
    Index("explanations_by_age", "at"),
)

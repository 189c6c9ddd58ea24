"""Jobs: the jobs of a gateway, from a request's facts to the answer and its receipt.

Input: parsed requests, messages of scheduler and nodes. Output: submissions, runs, events of
answers.

``options`` are the pool's own options, ``facts_builder`` makes the facts for the core, with
``token_estimator`` and ``language_detector``; ``partitions`` and ``prefix_digests`` are the keyed
digests by which a prompt's beginning is read once, and ``partition_erasure`` has it erased.
``running_jobs`` holds the state of each job (``running_job``, ``phases``), enforces leases
(``run_limits``), says why a job waits (``wait_notice``) and continues lost answers
(``resumption``). ``kept_jobs`` are stored, encrypted
by ``sealer``; ``recent_jobs`` ended last; ``reconnectable_streams`` outlast a connection, by
``event_log``; ``repeatable_answers`` are sent again to a repeated request. ``receipts`` signs,
``views`` are jobs as JSON, ``object_ids`` names files and batches, ``scheduler_watch`` keeps a
gateway of its own and the scheduler in step, ``metrics`` counts.
"""

from entraide_scheduler.gateway.jobs.facts_builder import FactsBuilder
from entraide_scheduler.gateway.jobs.kept_jobs import KeptJobs
from entraide_scheduler.gateway.jobs.language_detector import LanguageDetector
from entraide_scheduler.gateway.jobs.metrics import Metrics
from entraide_scheduler.gateway.jobs.object_ids import BATCH_PREFIX, FILE_PREFIX, has_form, make_id
from entraide_scheduler.gateway.jobs.options import (
    DEADLINE_S_MAX,
    GRPC_NAMES,
    KEPT_PREFIX,
    OPTIONS,
    Caller,
    Options,
    Submission,
    check_options,
    find_deadline,
    is_job_id,
    options_from_headers,
    with_body_options,
)
from entraide_scheduler.gateway.jobs.partition_erasure import PartitionErasure
from entraide_scheduler.gateway.jobs.partitions import Partitions
from entraide_scheduler.gateway.jobs.receipts import ReceiptSigner
from entraide_scheduler.gateway.jobs.reconnectable_streams import (
    Encoder,
    Owner,
    ReconnectableStream,
    ReconnectableStreams,
    StreamReader,
)
from entraide_scheduler.gateway.jobs.repeatable_answers import RepeatableAnswers
from entraide_scheduler.gateway.jobs.running_job import list_sent
from entraide_scheduler.gateway.jobs.running_jobs import RunningJobs
from entraide_scheduler.gateway.jobs.scheduler_watch import SchedulerLink, SchedulerWatch
from entraide_scheduler.gateway.jobs.sealer import SEAL_BYTES, Sealer
from entraide_scheduler.gateway.jobs.token_estimator import TokenEstimator
from entraide_scheduler.gateway.jobs.views import (
    JobList,
    JobStatus,
    ModelList,
    NodeStatus,
    OfferedModel,
    PoolStatus,
    PublicStatus,
    TokenCount,
    TokenCountBasis,
    ended_job_status,
    kept_job_status,
    model_entry,
    receipt_json,
    running_job_status,
    status_view,
)

__all__ = [
    "BATCH_PREFIX",
    "DEADLINE_S_MAX",
    "FILE_PREFIX",
    "GRPC_NAMES",
    "KEPT_PREFIX",
    "OPTIONS",
    "SEAL_BYTES",
    "Caller",
    "Encoder",
    "FactsBuilder",
    "JobList",
    "JobStatus",
    "KeptJobs",
    "LanguageDetector",
    "Metrics",
    "ModelList",
    "NodeStatus",
    "OfferedModel",
    "Options",
    "Owner",
    "PartitionErasure",
    "Partitions",
    "PoolStatus",
    "PublicStatus",
    "ReceiptSigner",
    "ReconnectableStream",
    "ReconnectableStreams",
    "RepeatableAnswers",
    "RunningJobs",
    "SchedulerLink",
    "SchedulerWatch",
    "Sealer",
    "StreamReader",
    "Submission",
    "TokenCount",
    "TokenCountBasis",
    "TokenEstimator",
    "check_options",
    "ended_job_status",
    "find_deadline",
    "has_form",
    "is_job_id",
    "kept_job_status",
    "list_sent",
    "make_id",
    "model_entry",
    "options_from_headers",
    "receipt_json",
    "running_job_status",
    "status_view",
    "with_body_options",
]

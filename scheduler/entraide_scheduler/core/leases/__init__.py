# mypy: implicit-reexport
"""Leases: the runs that nodes have been given, from the offer to their end.

Input: a pick for a job, then what the node reports: accepted, declined, progressed, finished,
failed, silent. Output: ``Place``, ``Stop`` and the like, the job's next step (done, queued again,
failed), and what is learned from the run.

A lease has an epoch, so a late report of an earlier run is recognised and not booked. It lasts as
long as its node renews it. A replica that fails is paused for a time that doubles, unless the
request is at fault. Each job is tried on another replica a bounded number of times.

``leases`` opens, renews and closes; ``run_events`` handles reports; ``backoff`` pauses replicas;
``engine_exits`` finds keys whose requests end engines; ``compared_models`` finds the smallest
model that would have done, and the next larger one; ``resumption`` continues answers elsewhere;
``feedback`` passes observations to ``estimation``; ``late_answers`` completes a job by a run that
was given up.
"""

from entraide_scheduler.core.leases.backoff import allow_probe
from entraide_scheduler.core.leases.engine_exits import suspected_replica
from entraide_scheduler.core.leases.late_answers import find_run as find_given_up_run
from entraide_scheduler.core.leases.leases import (
    cancel_run,
    end_backoff,
    end_node_leases,
    end_pause,
    expire_lease,
    extend_lease,
    extend_offer,
    offer_lease,
    requeue_job,
    retry_node,
    stop_job,
)
from entraide_scheduler.core.leases.resumption import (
    STREAM_BROKEN,
    expire_wait,
    handle_resumed,
    note_sent,
)
from entraide_scheduler.core.leases.run_events import (
    handle_abandoned,
    handle_accepted,
    handle_cancelled,
    handle_declined,
    handle_exceeded,
    handle_progressed,
    handle_reported,
    record_progress,
)

# mypy: implicit-reexport
"""Settlement: ends jobs and books each run exactly once.

Input: a lease and the usage that its node reported, or none. Output: ledger entries, quota
bookings, the correction of the fair queue's charge, the lender's credit, a ``Settle`` command with
the basis of its carbon figure, and ``EndJob`` for the gateway.

A report is hostile until bounded: tokens by the lease, energy by the device and the time. What goes
beyond is billed at the bound and recorded as a violation of the node. A run that is never reported
is settled with an estimate that is marked as one.

``settlement`` ends jobs; ``bookings`` books one run; ``resumed_jobs`` settles the runs of a resumed
answer when its job ends; ``protocol_violations`` counts what honest nodes do not do.
"""

from entraide_scheduler.core.settlement.bookings import (
    refresh_credits,
    settle_lent,
    take_tokens,
    void_run,
)
from entraide_scheduler.core.settlement.protocol_violations import (
    ANSWER_INVALID,
    STREAM_BYTES,
    STREAM_TOKENS,
    record_violation,
)
from entraide_scheduler.core.settlement.resumed_jobs import settle_earlier
from entraide_scheduler.core.settlement.settlement import (
    bounded_usage,
    end_job,
    end_stalled_job,
    end_waiting_job,
    estimate_usage,
    forget_old_jobs,
    settle,
)

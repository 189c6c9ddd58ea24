"""States of a batch, as one transition table; their names are OpenAI's."""

from enum import StrEnum

from entraide.state_machine import StateMachine


class BatchState(StrEnum):
    """State of a batch."""

    VALIDATING = "validating"  # its file is being checked
    FAILED = "failed"  # its file has faults; no line was run
    IN_PROGRESS = "in_progress"  # its lines run, or wait for greener hours
    FINALIZING = "finalizing"  # each line has ended; the last settlements are awaited
    COMPLETED = "completed"
    EXPIRED = "expired"  # its deadline came before the end of some lines
    CANCELLING = "cancelling"  # its owner cancelled it; its lines are being ended
    CANCELLED = "cancelled"


BATCH = StateMachine(
    "batch",
    {
        (BatchState.VALIDATING, "refused"): BatchState.FAILED,
        (BatchState.VALIDATING, "accepted"): BatchState.IN_PROGRESS,
        (BatchState.VALIDATING, "cancel"): BatchState.CANCELLING,
        (BatchState.IN_PROGRESS, "cancel"): BatchState.CANCELLING,
        (BatchState.IN_PROGRESS, "ended"): BatchState.FINALIZING,
        (BatchState.FINALIZING, "settled"): BatchState.COMPLETED,
        (BatchState.FINALIZING, "settled_late"): BatchState.EXPIRED,
        (BatchState.CANCELLING, "ended"): BatchState.CANCELLED,
    },
    starts=(BatchState.VALIDATING,),
    ends=(
        BatchState.FAILED,
        BatchState.COMPLETED,
        BatchState.EXPIRED,
        BatchState.CANCELLED,
    ),
)
UNENDED = tuple(state for state in BatchState if state not in BATCH.ends)

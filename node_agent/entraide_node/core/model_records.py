"""Model records: the states of a model on this node, and what an event makes of its record.

Input: a model's record and an event. Output: its record after the event. ``model_manager`` decides
which events happen; the back-off after failures is computed here.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from entraide.state_machine import StateMachine
from entraide_node.core.backoff import doubling_backoff_s

BACKOFF_FIRST_S = 30.0
BACKOFF_MAX_S = 3_600.0
STABLE_S = 600.0  # after serving for this long, earlier failures of a model no longer count


class ModelState(StrEnum):
    """The state of a model on this node."""

    ABSENT = "absent"
    FETCHING = "fetching"  # its weights are being fetched to the disk
    LOADING = "loading"  # its engine starts and is benchmarked
    SERVING = "serving"
    DRAINING = "draining"  # accepts no new run, finishes its runs
    UNLOADING = "unloading"  # its engine stops
    LOST = "lost"  # its engine, which did not respond for long, stops
    FAILED = "failed"  # waits for its back-off before a retry


class ModelEvent(StrEnum):
    """An event that changes the state of a model."""

    FETCH = "fetch"
    FETCHED = "fetched"
    LOAD = "load"
    UP = "up"  # its engine serves and was benchmarked
    FAIL = "fail"  # the fetch or the load failed; nothing of it runs any more
    RETIRE = "retire"
    RECALL = "recall"  # ordered again before it was unloaded
    EMPTY = "empty"  # no run is left
    DROP = "drop"  # its order was withdrawn before it served
    LOSE = "lose"  # its engine did not respond for long
    GONE = "gone"


S, E = ModelState, ModelEvent

MODEL = StateMachine(
    "model",
    {
        (S.ABSENT, E.FETCH): S.FETCHING,
        (S.ABSENT, E.LOAD): S.LOADING,
        (S.FETCHING, E.FETCHED): S.ABSENT,
        (S.FETCHING, E.FAIL): S.FAILED,
        (S.FETCHING, E.DROP): S.UNLOADING,
        (S.LOADING, E.UP): S.SERVING,
        (S.LOADING, E.FAIL): S.FAILED,
        (S.LOADING, E.DROP): S.UNLOADING,
        (S.SERVING, E.RETIRE): S.DRAINING,
        (S.SERVING, E.LOSE): S.LOST,
        (S.DRAINING, E.RECALL): S.SERVING,
        (S.DRAINING, E.EMPTY): S.UNLOADING,
        (S.DRAINING, E.LOSE): S.LOST,
        (S.UNLOADING, E.GONE): S.ABSENT,
        (S.LOST, E.GONE): S.FAILED,
        (S.FAILED, E.FETCH): S.FETCHING,
        (S.FAILED, E.LOAD): S.LOADING,
    },
    starts=(S.ABSENT, S.SERVING),
)

IN_MEMORY = (S.LOADING, S.SERVING, S.DRAINING, S.UNLOADING, S.LOST)
LEAVING = (S.DRAINING, S.UNLOADING, S.LOST)


class ModelRecord(Struct, frozen=True):
    """The record of one model on this node.

    Attributes:
        model: public name.
        state: its state.
        memory_bytes: memory that it needs while loaded; 0 while its weights are being fetched.
        fixed: whether the owner configured it; it is never unloaded.
        runs: number of current runs.
        idle_since, up_since: when it last became idle, and when it last began to serve.
        down_since: since when its engine does not respond; None if it does.
        failures: number of consecutive failures.
        retry_at: earliest time of the next attempt after a failure.
        code: stable code of why its engine does not respond or of the last failure, or "".
    """

    model: str
    state: ModelState = S.ABSENT
    memory_bytes: int = 0
    fixed: bool = False
    runs: int = 0
    idle_since: float = 0.0
    up_since: float = 0.0
    down_since: float | None = None
    failures: int = 0
    retry_at: float = 0.0
    code: str = ""


def apply_model_event(record: ModelRecord, event: ModelEvent, *, at: float) -> ModelRecord:
    """Returns a model's record after an event.

    Args:
        record: the model now.
        event: of the model.
        at: time of the event, in seconds on a monotonic clock.

    Raises:
        IllegalTransition: the table has no transition for it.
    """
    state = MODEL.step(record.state, event, subject=record.model)
    down_since = record.down_since if state in IN_MEMORY else None
    after = replace(record, state=state, down_since=down_since)
    if event is E.UP:
        return replace(after, up_since=at, idle_since=at, runs=0, code="")
    if event not in (E.FAIL, E.LOSE):
        return after
    is_first = event is E.LOSE and at - record.up_since >= STABLE_S
    failures = 1 if is_first else record.failures + 1
    return replace(after, failures=failures, retry_at=at + load_backoff_s(failures), runs=0)


def load_backoff_s(failures: int) -> float:
    """Returns the wait after consecutive failures to load: it doubles, up to one hour.

    >>> [load_backoff_s(n) for n in (1, 2, 3, 100)]
    [30.0, 60.0, 120.0, 3600.0]
    """
    return doubling_backoff_s(failures, first_s=BACKOFF_FIRST_S, max_s=BACKOFF_MAX_S)

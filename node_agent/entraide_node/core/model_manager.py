"""Model manager: which models a node fetches, loads, keeps and unloads.

Input: load and unload orders of the pool, the models that the node can load, results of the shell's
actions, the number of runs of each model, and the owner's limits. Output: actions (fetch, load,
unload) and refusals. At most one model is fetched and one is loaded at a time, in the order of the
orders. A model with runs is never unloaded, nor one that the owner configured. Memory for a model
is freed by unloading the models that have been idle the longest, for at least ``EVICTION_IDLE_S``.
A model that failed is not retried before an exponential back-off.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from entraide.state_machine import StateMachine
from entraide.types import Loadable
from entraide_node.core.backoff import doubling_backoff_s

REQUESTS_MAX = 16
EVICTION_IDLE_S = 30.0  # a model that is idle for this long may be evicted
BACKOFF_FIRST_S = 30.0
BACKOFF_MAX_S = 3_600.0
UNLOAD_IDLE_S = 900.0  # default of the owner's limit
STABLE_S = 600.0  # after serving for this long, earlier failures of a model no longer count
GB = 1e9

Values = dict[str, str | int | float]

# Why a model is not loaded; its sentence is in the message catalogue under `node-CODE`.
NOT_NOW = "load_not_now"
UNKNOWN = "load_unknown"
BACKING_OFF = "load_resting"
NO_ROOM = "load_no_room"
TOO_MANY = "load_too_many"


class ModelState(StrEnum):
    """The state of a model on this node."""

    ABSENT = "absent"
    FETCHING = "fetching"  # its weights are being fetched to the disk
    LOADING = "loading"  # its engine starts and is benchmarked
    SERVING = "serving"
    DRAINING = "draining"  # accepts no new run, finishes its runs
    UNLOADING = "unloading"  # its engine stops
    FAILED = "failed"  # waits for its back-off before a retry


class ModelEvent(StrEnum):
    """An event that changes the state of a model."""

    FETCH = "fetch"
    FETCHED = "fetched"
    LOAD = "load"
    UP = "up"  # its engine serves and was benchmarked
    FAIL = "fail"  # the fetch, the load or the engine failed; nothing of it runs any more
    RETIRE = "retire"
    RECALL = "recall"  # ordered again before it was unloaded
    EMPTY = "empty"  # no run is left
    DROP = "drop"  # its order was withdrawn before it served
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
        (S.SERVING, E.FAIL): S.FAILED,
        (S.DRAINING, E.RECALL): S.SERVING,
        (S.DRAINING, E.EMPTY): S.UNLOADING,
        (S.DRAINING, E.FAIL): S.FAILED,
        (S.UNLOADING, E.GONE): S.ABSENT,
        (S.FAILED, E.FETCH): S.FETCHING,
        (S.FAILED, E.LOAD): S.LOADING,
    },
    starts=(S.ABSENT, S.SERVING),
)

IN_MEMORY = (S.LOADING, S.SERVING, S.DRAINING, S.UNLOADING)
LEAVING = (S.DRAINING, S.UNLOADING)


class ModelRecord(Struct, frozen=True):
    """The record of one model on this node.

    Attributes:
        model: public name.
        state: its state.
        memory_bytes: memory that it needs while loaded; 0 while its weights are being fetched.
        fixed: whether the owner configured it; it is never unloaded.
        runs: number of current runs.
        idle_since, up_since: when it last became idle, and when it last began to serve.
        failures: number of consecutive failures.
        retry_at: earliest time of the next attempt after a failure.
        code: stable code of the last failure, or "".
    """

    model: str
    state: ModelState = S.ABSENT
    memory_bytes: int = 0
    fixed: bool = False
    runs: int = 0
    idle_since: float = 0.0
    up_since: float = 0.0
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
    if event is E.UP:
        return replace(record, state=state, up_since=at, idle_since=at, runs=0, code="")
    if event is E.FAIL:
        was_up = record.state in (S.SERVING, S.DRAINING)
        failures = 1 if was_up and at - record.up_since >= STABLE_S else record.failures + 1
        return replace(
            record, state=state, failures=failures, retry_at=at + load_backoff_s(failures), runs=0
        )
    return replace(record, state=state)


def load_backoff_s(failures: int) -> float:
    """Returns the wait after consecutive failures to load: it doubles, up to one hour.

    >>> [load_backoff_s(n) for n in (1, 2, 3, 100)]
    [30.0, 60.0, 120.0, 3600.0]
    """
    return doubling_backoff_s(failures, first_s=BACKOFF_FIRST_S, max_s=BACKOFF_MAX_S)


class LoadLimits(Struct, frozen=True):
    """The owner's current limits on loading.

    Attributes:
        models_bytes: memory for all models that the pool loads.
        unload_idle_s: a model is unloaded after it was idle for this long; 0 for never.
        reason: stable code of why nothing may be loaded now, or "".
    """

    models_bytes: int
    unload_idle_s: float = 0.0
    reason: str = ""


class ModelActionKind(StrEnum):
    """What the shell must do with a model."""

    FETCH = "fetch"
    LOAD = "load"
    UNLOAD = "unload"  # stop its engine, fetch or load; then report GONE


class ModelAction(Struct, frozen=True):
    """An action on a model, for the shell."""

    do: ModelActionKind
    model: str


class Refusal(Struct, frozen=True):
    """A model that is not loaded: a stable code with its values."""

    model: str
    code: str
    values: Values


class ModelManager:
    """The models of one node."""

    def __init__(self) -> None:
        self._records: dict[str, ModelRecord] = {}
        self._requests: dict[str, Loadable] = {}  # accepted load orders, oldest first

    def records(self) -> tuple[ModelRecord, ...]:
        """Returns the record of every model that is or was on this node."""
        return tuple(self._records.values())

    def state_of(self, model: str) -> ModelState:
        """Returns the state of a model."""
        record = self._records.get(model)
        return record.state if record is not None else S.ABSENT

    def loading_models(self) -> tuple[str, ...]:
        """Returns the models that are being loaded or wait for it, in their order."""
        started = [p.model for p in self.records() if p.state in (S.LOADING, S.FETCHING)]
        return (*started, *(model for model in self._requests if model not in started))

    # Input.

    def add_fixed(self, model: str) -> None:
        """Adds a serving model that the owner configured."""
        self._records[model] = ModelRecord(model=model, state=S.SERVING, fixed=True)

    def set_run_count(self, model: str, runs: int, at: float) -> None:
        """Sets the current number of runs of a model."""
        record = self._records.get(model)
        if record is not None and (record.runs or runs):
            self._records[model] = replace(record, runs=runs, idle_since=at)

    def apply_event(self, model: str, event: ModelEvent, *, at: float, code: str = "") -> None:
        """Applies the result of an action, or the failure of an engine.

        Raises:
            IllegalTransition: the table has no transition for it.
        """
        record = apply_model_event(self._records[model], event, at=at)
        self._records[model] = replace(record, code=code) if code else record
        request = self._requests.get(model)
        if request is not None and event is E.FETCHED:
            self._requests[model] = replace(request, fetch_bytes=0)
        elif event in (E.UP, E.FAIL):
            self._requests.pop(model, None)

    def request(
        self, model: str, loadable: Iterable[Loadable], *, limits: LoadLimits, at: float
    ) -> Refusal | None:
        """Handles a load order; returns a refusal, or None.

        Args:
            model: public name.
            loadable: the models that this node can load.
            limits: of the owner, now.
            at: now.
        """
        record = self._records.get(model, ModelRecord(model))
        if model in self._requests or record.state in (S.SERVING, S.LOADING, S.FETCHING):
            return None
        request = next((offer for offer in loadable if offer.model == model), None)
        refusal = self._refusal_of(record, request, limits=limits, at=at)
        if refusal is not None or request is None:
            return refusal
        if record.state is S.DRAINING:
            self._records[model] = apply_model_event(record, E.RECALL, at=at)
        else:
            self._requests[model] = request
        return None

    def release(self, model: str, *, at: float) -> bool:
        """Withdraws a load order; returns whether that changes anything."""
        record = self._records.get(model)
        request = self._requests.pop(model, None)
        if record is None or record.fixed or record.state is not S.SERVING:
            return request is not None
        self._records[model] = apply_model_event(record, E.RETIRE, at=at)
        return True

    # Output.

    def decide(self, limits: LoadLimits, at: float) -> tuple[ModelAction | Refusal, ...]:
        """Returns the actions and refusals that are due now; each action is returned once."""
        decisions: list[ModelAction | Refusal] = []
        if limits.reason:
            decisions += [
                Refusal(m, NOT_NOW, {"reason": limits.reason}) for m in self.loading_models()
            ]
            self._requests.clear()
        self._retire_idle(limits, at)
        self._retire_over_limit(limits, at)
        decisions += self._make_room(limits, at)
        decisions += self._unload_drained(at)
        decisions += self._start_next(limits, at)
        return tuple(decisions)

    def next_deadline(self, limits: LoadLimits) -> float | None:
        """Returns when to call ``decide`` again even without an event; None for never."""
        if not limits.unload_idle_s:
            return None
        idle = [record.idle_since for record in self._idle_records()]
        return min(idle) + limits.unload_idle_s if idle else None

    def _refusal_of(
        self, record: ModelRecord, request: Loadable | None, *, limits: LoadLimits, at: float
    ) -> Refusal | None:
        """Why a model cannot be loaded now, or None."""
        model = record.model
        if limits.reason:
            return Refusal(model, NOT_NOW, {"reason": limits.reason})
        if request is None:
            return Refusal(model, UNKNOWN, {"model": model})
        if record.state is S.FAILED and at < record.retry_at:
            values: Values = {
                "model": model, "wait_s": record.retry_at - at, "reason": record.code
            }  # fmt: skip
            return Refusal(model, BACKING_OFF, values)
        if len(self._requests) >= REQUESTS_MAX:
            return Refusal(model, TOO_MANY, {"model": model, "most": REQUESTS_MAX})
        promised_bytes = sum(other.memory_bytes for other in self._requests.values())
        staying_bytes = sum(
            p.memory_bytes for p in self._unevictable(at) if p.model not in self._requests
        )
        room_bytes = limits.models_bytes - promised_bytes - staying_bytes
        return (
            _refuse_for_memory(request, room_bytes) if request.memory_bytes > room_bytes else None
        )

    def _unevictable(self, at: float) -> list[ModelRecord]:
        """Records of models in memory that cannot be evicted now."""
        evictable = {record.model for record in self._evictable(at)}
        return [
            record
            for record in self.records()
            if record.state in IN_MEMORY
            and record.state not in LEAVING
            and record.model not in evictable
        ]

    def _idle_records(self) -> list[ModelRecord]:
        """Records of models that the pool ordered and that have no run, longest idle first."""
        idle = [p for p in self.records() if p.state is S.SERVING and not p.fixed and not p.runs]
        return sorted(idle, key=lambda record: (record.idle_since, record.model))

    def _evictable(self, at: float) -> list[ModelRecord]:
        return [
            record for record in self._idle_records() if at - record.idle_since >= EVICTION_IDLE_S
        ]

    def _held_bytes(self, *states: ModelState) -> int:
        return sum(record.memory_bytes for record in self.records() if record.state in states)

    def _has_state(self, state: ModelState) -> bool:
        return any(record.state is state for record in self.records())

    def _retire_idle(self, limits: LoadLimits, at: float) -> None:
        if limits.unload_idle_s:
            for record in self._idle_records():
                if at >= record.idle_since + limits.unload_idle_s:
                    self._records[record.model] = apply_model_event(record, E.RETIRE, at=at)

    def _retire_over_limit(self, limits: LoadLimits, at: float) -> None:
        """Drains models when the owner's limit falls below their memory: the idle ones first."""
        busy = [p for p in self.records() if p.state is S.SERVING and not p.fixed and p.runs]
        for record in [*self._idle_records(), *sorted(busy, key=lambda p: (p.idle_since, p.model))]:
            if self._held_bytes(S.LOADING, S.SERVING) <= limits.models_bytes:
                return
            self._records[record.model] = apply_model_event(record, E.RETIRE, at=at)

    def _make_room(self, limits: LoadLimits, at: float) -> list[Refusal]:
        """Drains idle models until the next model fits; refuses it if that is not enough."""
        fetched = [request for request in self._requests.values() if not request.fetch_bytes]
        if self._has_state(S.LOADING) or not fetched:
            return []
        request = fetched[0]
        for record in self._evictable(at):
            if request.memory_bytes + self._held_bytes(S.LOADING, S.SERVING) <= limits.models_bytes:
                return []
            self._records[record.model] = apply_model_event(record, E.RETIRE, at=at)
        room_bytes = limits.models_bytes - self._held_bytes(S.LOADING, S.SERVING)
        if request.memory_bytes <= room_bytes:
            return []
        del self._requests[request.model]
        return [_refuse_for_memory(request, room_bytes)]

    def _unload_drained(self, at: float) -> list[ModelAction]:
        """Unloads drained models without runs, and cancels fetches and loads without an order."""
        orders = []
        for record in self.records():
            if record.state is S.DRAINING and not record.runs:
                event = E.EMPTY
            elif record.state in (S.FETCHING, S.LOADING) and record.model not in self._requests:
                event = E.DROP
            else:
                continue
            self._records[record.model] = apply_model_event(record, event, at=at)
            orders.append(ModelAction(ModelActionKind.UNLOAD, record.model))
        return orders

    def _start_next(self, limits: LoadLimits, at: float) -> list[ModelAction]:
        """Starts the next fetch and the next load, if they may start."""
        orders = []
        fetching, loading = self._has_state(S.FETCHING), self._has_state(S.LOADING)
        for request in self._requests.values():
            record = self._records.get(request.model, ModelRecord(request.model))
            if record.state not in (S.ABSENT, S.FAILED):
                continue
            if request.fetch_bytes and not fetching:
                fetching, event, kind = True, E.FETCH, ModelActionKind.FETCH
            elif not request.fetch_bytes and not loading:
                loading = True  # this load starts or waits for memory; no later load overtakes it
                if request.memory_bytes + self._held_bytes(*IN_MEMORY) > limits.models_bytes:
                    continue
                event, kind = E.LOAD, ModelActionKind.LOAD
            else:
                continue
            memory_bytes = request.memory_bytes if event is E.LOAD else 0
            record = replace(record, memory_bytes=memory_bytes)
            self._records[request.model] = apply_model_event(record, event, at=at)
            orders.append(ModelAction(kind, request.model))
        return orders


def _refuse_for_memory(request: Loadable, room_bytes: int) -> Refusal:
    values: Values = {
        "model": request.model,
        "needed_gb": round(request.memory_bytes / GB, 1),
        "room_gb": round(max(0, room_bytes) / GB, 1),
    }
    return Refusal(request.model, NO_ROOM, values)

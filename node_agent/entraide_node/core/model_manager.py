"""Model manager: which models a node fetches, loads, keeps and unloads.

Input: load and unload orders of the pool, the models that the node can load, results of the shell's
actions, the number of runs of each model, whether its engine responds, and the owner's limits.
Output: actions (fetch, load, unload) and refusals. At most one model is fetched and one is loaded
at a time, in the order of the orders. A model with runs is never unloaded, nor one that the owner
configured. Memory for a model is freed by unloading the models that have been idle the longest, for
at least ``EVICTION_IDLE_S``. An engine that does not respond gets no run; after ``DOWN_LOST_S`` a
model that the pool ordered is unloaded. A model that failed is not retried before an exponential
back-off.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from entraide.types import Loadable
from entraide_node.core.model_records import (
    IN_MEMORY,
    LEAVING,
    ModelEvent,
    ModelRecord,
    ModelState,
    apply_model_event,
)

REQUESTS_MAX = 16
EVICTION_IDLE_S = 30.0  # a model that is idle for this long may be evicted
DOWN_HIDDEN_S = 15.0  # an engine that is down for longer is left off the card
DOWN_LOST_S = 120.0  # an ordered model whose engine is down for this long is unloaded
UNLOAD_IDLE_S = 900.0  # default of the owner's limit
GB = 1e9

Values = dict[str, str | int | float]

# Why a model is not loaded; its sentence is in the message catalogue under `node-CODE`.
NOT_NOW = "load_not_now"
UNKNOWN = "load_unknown"
BACKING_OFF = "load_resting"
NO_ROOM = "load_no_room"
TOO_MANY = "load_too_many"

S, E = ModelState, ModelEvent


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

    def is_ready(self, model: str) -> bool:
        """Whether a model serves and its engine responds."""
        record = self._records.get(model)
        return record is not None and record.state is S.SERVING and record.down_since is None

    def listed_models(self, at: float) -> tuple[str, ...]:
        """Returns the models of the node's card, in the order in which they began to serve.

        A model whose engine does not respond stays on the card for ``DOWN_HIDDEN_S``.
        """
        serving = [
            record
            for record in self.records()
            if record.state is S.SERVING
            and (record.down_since is None or at - record.down_since <= DOWN_HIDDEN_S)
        ]
        return tuple(r.model for r in sorted(serving, key=lambda record: record.up_since))

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

    def problem_code(self, model: str) -> str:
        """Returns the stable code of why a model's engine does not respond; "" if it does."""
        record = self._records.get(model)
        return "" if record is None or record.down_since is None else record.code

    def set_response(self, model: str, code: str, *, at: float) -> bool:
        """Notes whether an engine responds; returns whether that has changed.

        Args:
            model: that the engine serves.
            code: stable code of why it does not respond; "" if it does.
            at: now.
        """
        record = self._records.get(model)
        if record is None or record.state not in (S.SERVING, S.DRAINING):
            return False
        if (record.down_since is not None) == bool(code):
            return False
        self._records[model] = replace(record, down_since=at if code else None, code=code)
        return True

    def apply_event(self, model: str, event: ModelEvent, *, at: float, code: str = "") -> None:
        """Applies the result of an action.

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
        decisions += self._unload_lost(at)
        self._retire_idle(limits, at)
        self._retire_over_limit(limits, at)
        decisions += self._make_room(limits, at)
        decisions += self._unload_drained(at)
        decisions += self._start_next(limits, at)
        return tuple(decisions)

    def next_deadline(self, limits: LoadLimits) -> float | None:
        """Returns when to call ``decide`` again even without an event; None for never."""
        deadlines = list(self._lost_at().values())
        if limits.unload_idle_s:
            deadlines += [r.idle_since + limits.unload_idle_s for r in self._idle_records()]
        return min(deadlines, default=None)

    def _refusal_of(
        self, record: ModelRecord, request: Loadable | None, *, limits: LoadLimits, at: float
    ) -> Refusal | None:
        """Why a model cannot be loaded now, or None."""
        model = record.model
        if limits.reason:
            return Refusal(model, NOT_NOW, {"reason": limits.reason})
        if request is None:
            return Refusal(model, UNKNOWN, {"model": model})
        if record.state in (S.LOST, S.FAILED) and at < record.retry_at:
            values: Values = {"model": model, "wait_s": record.retry_at - at, "reason": record.code}
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

    def _lost_at(self) -> dict[str, float]:
        """When each of the pool's models is lost whose engine does not respond."""
        return {
            record.model: record.down_since + DOWN_LOST_S
            for record in self.records()
            if record.down_since is not None
            and record.state in (S.SERVING, S.DRAINING)
            and not record.fixed
        }

    def _unload_lost(self, at: float) -> list[ModelAction | Refusal]:
        """Unloads the models whose engines were down for too long."""
        decisions: list[ModelAction | Refusal] = []
        for model, lost_at in self._lost_at().items():
            if at >= lost_at:
                record = apply_model_event(self._records[model], E.LOSE, at=at)
                self._records[model] = record
                decisions.append(Refusal(model, record.code, {}))
                decisions.append(ModelAction(ModelActionKind.UNLOAD, model))
        return decisions

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

"""The garage: which models a node fetches, loads, keeps and unloads, as one table and a few rules.

The pool asks for a model and the node obeys as far as its memory and its owner allow. One model is
fetched and one is loaded at a time, in the order in which they were asked for. What runs is never
unloaded, nor what its owner put there. Room for another model is made by those that have been idle
for a while, the longest first. A model that failed rests, longer each time.

It knows neither engines nor files nor clocks: the shell says what happened and when, and does what
it is told here.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from entraide_node.core.backoff import doubling_backoff_s

REQUESTS_MAX = 16
EVICTION_IDLE_S = 30.0  # idle for so long, a model makes room for another one
BACKOFF_FIRST_S = 30.0
BACKOFF_MAX_S = 3_600.0
STABLE_S = 600.0  # a model that served this long has paid off its earlier failures
GB = 1e9

Values = dict[str, str | int | float]

# Why a model is not loaded; the catalogue has the sentence under `node-CODE` with `_` as `-`.
NOT_NOW = "load_not_now"
UNKNOWN = "load_unknown"
BACKING_OFF = "load_resting"
NO_ROOM = "load_no_room"
TOO_MANY = "load_too_many"


class ModelState(StrEnum):
    """Where a model stands on this node."""

    ABSENT = "absent"
    FETCHING = "fetching"  # its weights are on their way to the disk
    LOADING = "loading"  # its engine starts, and is measured
    SERVING = "serving"
    DRAINING = "draining"  # takes nothing new, finishes what it has
    UNLOADING = "unloading"  # its engine stops
    FAILED = "failed"  # rests before it may be tried again


class ModelEvent(StrEnum):
    """What can happen to it."""

    FETCH = "fetch"
    FETCHED = "fetched"
    LOAD = "load"
    UP = "up"  # its engine serves, and was measured
    FAIL = "fail"  # the fetch, the load or the engine failed, and nothing of it is left running
    RETIRE = "retire"
    RECALL = "recall"  # asked for again before it was gone
    EMPTY = "empty"  # no run is left
    DROP = "drop"  # not wanted any more before it served
    GONE = "gone"


S, E = ModelState, ModelEvent

TRANSITIONS: dict[tuple[ModelState, ModelEvent], ModelState] = {
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
}

IN_MEMORY = (S.LOADING, S.SERVING, S.DRAINING, S.UNLOADING)
LEAVING = (S.DRAINING, S.UNLOADING)


class IllegalModelTransition(AssertionError):
    """An event that the table does not foresee in this state; nothing has changed."""

    def __init__(self, record: "ModelRecord", event: ModelEvent) -> None:
        super().__init__(f"no step for {event} while {record.model} is {record.state}")
        self.record = record
        self.event = event


class ModelRecord(Struct, frozen=True):
    """A model on this node.

    Attributes:
        model: its public name.
        state: where it stands.
        memory_bytes: that it takes while loaded.
        fixed: its owner put it there; it stays.
        runs: that it has now.
        idle_since, up_since: when it last began to be idle, and to serve.
        failures: in a row.
        retry_at: from when a failed one may be tried again.
        code: why it failed, a stable code, or "".
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


def apply_model_event(parked: ModelRecord, event: ModelEvent, *, at: float) -> ModelRecord:
    """Returns a model after something happened to it.

    Args:
        parked: the model now.
        event: what happened.
        at: when, in seconds on a clock that only goes forward.

    Raises:
        IllegalStep: the table does not foresee it.
    """
    state = TRANSITIONS.get((parked.state, event))
    if state is None:
        raise IllegalModelTransition(parked, event)
    if event is E.UP:
        return replace(parked, state=state, up_since=at, idle_since=at, runs=0, code="")
    if event is E.FAIL:
        was_up = parked.state in (S.SERVING, S.DRAINING)
        failures = 1 if was_up and at - parked.up_since >= STABLE_S else parked.failures + 1
        return replace(
            parked, state=state, failures=failures, retry_at=at + load_backoff_s(failures), runs=0
        )
    return replace(parked, state=state)


def load_backoff_s(failures: int) -> float:
    """Returns how long a model rests after so many failures in a row: doubling, up to an hour.

    >>> [load_backoff_s(n) for n in (1, 2, 3, 100)]
    [30.0, 60.0, 120.0, 3600.0]
    """
    return doubling_backoff_s(failures, first_s=BACKOFF_FIRST_S, max_s=BACKOFF_MAX_S)


class LoadLimits(Struct, frozen=True):
    """What the owner allows now.

    Attributes:
        models_bytes: memory for what the pool asks for, altogether.
        unload_idle_s: a model that is idle for so long is unloaded; 0 for never.
        reason: why nothing may be loaded now, a stable code, or "".
    """

    models_bytes: int
    unload_idle_s: float = 0.0
    reason: str = ""


class LoadRequest(Struct, frozen=True):
    """What it takes to load a model.

    Attributes:
        model: its public name.
        memory_bytes: that it takes while loaded.
        fetch: whether its weights are still to be fetched.
    """

    model: str
    memory_bytes: int
    fetch: bool


class ModelActionKind(StrEnum):
    """What the shell is told to do."""

    FETCH = "fetch"
    LOAD = "load"
    UNLOAD = "unload"  # stop its engine, or the fetch or load that goes on; then say GONE


class ModelAction(Struct, frozen=True):
    """Something to be done with a model."""

    do: ModelActionKind
    model: str


class Refusal(Struct, frozen=True):
    """A model that is not loaded, and why: a stable code with its values."""

    model: str
    code: str
    values: Values


class ModelManager:
    """The models of one node."""

    def __init__(self) -> None:
        self._parked: dict[str, ModelRecord] = {}
        self._wanted: dict[str, LoadRequest] = {}  # oldest first

    def records(self) -> tuple[ModelRecord, ...]:
        """Returns every model that is, or was, here."""
        return tuple(self._parked.values())

    def state_of(self, model: str) -> ModelState:
        """Returns where a model stands."""
        parked = self._parked.get(model)
        return parked.state if parked is not None else S.ABSENT

    def loading_models(self) -> tuple[str, ...]:
        """Returns the models that are on their way, in the order in which they will come."""
        begun = [p.model for p in self.records() if p.state in (S.LOADING, S.FETCHING)]
        return (*begun, *(model for model in self._wanted if model not in begun))

    # What the shell tells.

    def add_fixed(self, model: str) -> None:
        """A model that its owner put there serves."""
        self._parked[model] = ModelRecord(model=model, state=S.SERVING, fixed=True)

    def set_run_count(self, model: str, runs: int, at: float) -> None:
        """Tells how many runs a model has now."""
        parked = self._parked.get(model)
        if parked is not None and (parked.runs or runs):
            self._parked[model] = replace(parked, runs=runs, idle_since=at)

    def apply_event(self, model: str, event: ModelEvent, *, at: float, code: str = "") -> None:
        """Tells what came of an order, or that an engine failed for good.

        Raises:
            IllegalStep: the table does not foresee it.
        """
        parked = apply_model_event(self._parked[model], event, at=at)
        self._parked[model] = replace(parked, code=code) if code else parked
        need = self._wanted.get(model)
        if need is not None and event is E.FETCHED:
            self._wanted[model] = replace(need, fetch=False)
        elif event in (E.UP, E.FAIL):
            self._wanted.pop(model, None)

    def request(
        self, model: str, need: LoadRequest | None, *, limits: LoadLimits, at: float
    ) -> Refusal | None:
        """The pool wants a model; returns why it cannot have it, or None.

        Args:
            model: its public name.
            need: what it takes; None where this node cannot load it.
            limits: what the owner allows now.
            at: now.
        """
        parked = self._parked.get(model, ModelRecord(model))
        if model in self._wanted or parked.state in (S.SERVING, S.LOADING, S.FETCHING):
            return None
        refusal = self._against(parked, need, limits=limits, at=at)
        if refusal is not None or need is None:
            return refusal
        if parked.state is S.DRAINING:
            self._parked[model] = apply_model_event(parked, E.RECALL, at=at)
        else:
            self._wanted[model] = need
        return None

    def release(self, model: str, *, at: float) -> bool:
        """The pool wants a model no more; returns whether that changes anything."""
        parked = self._parked.get(model)
        wanted = self._wanted.pop(model, None)
        if parked is None or parked.fixed or parked.state is not S.SERVING:
            return wanted is not None
        self._parked[model] = apply_model_event(parked, E.RETIRE, at=at)
        return True

    # What it decides.

    def decide(self, limits: LoadLimits, at: float) -> tuple[ModelAction | Refusal, ...]:
        """Returns what is to be done now; each order is carried out once."""
        said: list[ModelAction | Refusal] = []
        if limits.reason:
            said += [Refusal(m, NOT_NOW, {"reason": limits.reason}) for m in self.loading_models()]
            self._wanted.clear()
        self._retire_idle(limits, at)
        self._retire_beyond(limits, at)
        said += self._make_room(limits, at)
        said += self._leave(at)
        said += self._begin(limits, at)
        return tuple(said)

    def next_deadline(self, limits: LoadLimits) -> float | None:
        """Returns when to decide again though nothing happens; None for never."""
        if not limits.unload_idle_s:
            return None
        idle = [parked.idle_since for parked in self._idle()]
        return min(idle) + limits.unload_idle_s if idle else None

    def _against(
        self, parked: ModelRecord, need: LoadRequest | None, *, limits: LoadLimits, at: float
    ) -> Refusal | None:
        """Why a model cannot be had now, or None."""
        model = parked.model
        if limits.reason:
            return Refusal(model, NOT_NOW, {"reason": limits.reason})
        if need is None:
            return Refusal(model, UNKNOWN, {"model": model})
        if parked.state is S.FAILED and at < parked.retry_at:
            values: Values = {
                "model": model, "wait_s": parked.retry_at - at, "reason": parked.code
            }  # fmt: skip
            return Refusal(model, BACKING_OFF, values)
        if len(self._wanted) >= REQUESTS_MAX:
            return Refusal(model, TOO_MANY, {"model": model, "most": REQUESTS_MAX})
        promised = sum(wanted.memory_bytes for wanted in self._wanted.values())
        staying = sum(p.memory_bytes for p in self._staying(at) if p.model not in self._wanted)
        room_bytes = limits.models_bytes - promised - staying
        return _refuse_for_memory(need, room_bytes) if need.memory_bytes > room_bytes else None

    def _staying(self, at: float) -> list[ModelRecord]:
        """Models in memory that make no room for another one."""
        going = {parked.model for parked in self._evictable(at)}
        return [
            parked
            for parked in self.records()
            if parked.state in IN_MEMORY
            and parked.state not in LEAVING
            and parked.model not in going
        ]

    def _idle(self) -> list[ModelRecord]:
        """Models that the pool asked for and nobody uses, the longest idle first."""
        idle = [p for p in self.records() if p.state is S.SERVING and not p.fixed and not p.runs]
        return sorted(idle, key=lambda parked: (parked.idle_since, parked.model))

    def _evictable(self, at: float) -> list[ModelRecord]:
        return [parked for parked in self._idle() if at - parked.idle_since >= EVICTION_IDLE_S]

    def _held_bytes(self, *states: ModelState) -> int:
        return sum(parked.memory_bytes for parked in self.records() if parked.state in states)

    def _is(self, state: ModelState) -> bool:
        return any(parked.state is state for parked in self.records())

    def _retire_idle(self, limits: LoadLimits, at: float) -> None:
        if limits.unload_idle_s:
            for parked in self._idle():
                if at - parked.idle_since >= limits.unload_idle_s:
                    self._parked[parked.model] = apply_model_event(parked, E.RETIRE, at=at)

    def _retire_beyond(self, limits: LoadLimits, at: float) -> None:
        """Lets models go when their owner gives less memory than they take: the idle ones first."""
        busy = [p for p in self.records() if p.state is S.SERVING and not p.fixed and p.runs]
        for parked in [*self._idle(), *sorted(busy, key=lambda p: (p.idle_since, p.model))]:
            if self._held_bytes(S.LOADING, S.SERVING) <= limits.models_bytes:
                return
            self._parked[parked.model] = apply_model_event(parked, E.RETIRE, at=at)

    def _make_room(self, limits: LoadLimits, at: float) -> list[Refusal]:
        """Retires what is idle until the next model fits; refuses it when that is not enough."""
        here = [need for need in self._wanted.values() if not need.fetch]
        if self._is(S.LOADING) or not here:
            return []
        need = here[0]
        for parked in self._evictable(at):
            if need.memory_bytes + self._held_bytes(S.LOADING, S.SERVING) <= limits.models_bytes:
                return []
            self._parked[parked.model] = apply_model_event(parked, E.RETIRE, at=at)
        room_bytes = limits.models_bytes - self._held_bytes(S.LOADING, S.SERVING)
        if need.memory_bytes <= room_bytes:
            return []
        del self._wanted[need.model]
        return [_refuse_for_memory(need, room_bytes)]

    def _leave(self, at: float) -> list[ModelAction]:
        """Unloads what has no runs left, and gives up what nobody wants any more."""
        orders = []
        for parked in self.records():
            if parked.state is S.DRAINING and not parked.runs:
                event = E.EMPTY
            elif parked.state in (S.FETCHING, S.LOADING) and parked.model not in self._wanted:
                event = E.DROP
            else:
                continue
            self._parked[parked.model] = apply_model_event(parked, event, at=at)
            orders.append(ModelAction(ModelActionKind.UNLOAD, parked.model))
        return orders

    def _begin(self, limits: LoadLimits, at: float) -> list[ModelAction]:
        """Begins to fetch, and to load, what may be."""
        orders = []
        fetching, loading = self._is(S.FETCHING), self._is(S.LOADING)
        for need in self._wanted.values():
            parked = self._parked.get(need.model, ModelRecord(need.model))
            if parked.state not in (S.ABSENT, S.FAILED):
                continue
            if need.fetch and not fetching:
                fetching, event, do = True, E.FETCH, ModelActionKind.FETCH
            elif not need.fetch and not loading:
                loading = True  # or it waits for room, and none overtakes it
                if need.memory_bytes + self._held_bytes(*IN_MEMORY) > limits.models_bytes:
                    continue
                event, do = E.LOAD, ModelActionKind.LOAD
            else:
                continue
            parked = replace(parked, memory_bytes=need.memory_bytes)
            self._parked[need.model] = apply_model_event(parked, event, at=at)
            orders.append(ModelAction(do, need.model))
        return orders


def _refuse_for_memory(need: LoadRequest, room_bytes: int) -> Refusal:
    values: Values = {
        "model": need.model,
        "needed_gb": round(need.memory_bytes / GB, 1),
        "room_gb": round(max(0, room_bytes) / GB, 1),
    }
    return Refusal(need.model, NO_ROOM, values)

"""A model manager with a shell that carries out its actions in a test's own time."""

from entraide.types import Loadable
from entraide_node.core.model_manager import (
    LoadLimits,
    ModelAction,
    ModelActionKind,
    ModelManager,
    Refusal,
)
from entraide_node.core.model_records import ModelEvent

LIMITS = LoadLimits(models_bytes=10)


class Node:
    """A model manager with a shell that carries out each action at once, unless it is held."""

    def __init__(self, limits: LoadLimits = LIMITS) -> None:
        self.manager = ModelManager()
        self.limits = limits
        self.now = 1_000.0
        self.done: list[str] = []
        self.refused: list[tuple[str, str]] = []
        self.held: list[ModelAction] = []  # orders that wait for `finish`
        self.is_slow = False

    def load(self, model: str, size: int = 4, *, fetch: bool = False, known: bool = True) -> str:
        """The pool asks; returns why not, or ""."""
        offer = Loadable(model, "unknown", "llama.cpp", 4_096, 4, (), size, int(fetch), 10.0)
        offers = (offer,) if known else ()
        refusal = self.manager.request(model, offers, limits=self.limits, at=self.now)
        self.look()
        return refusal.code if refusal is not None else ""

    def look(self) -> None:
        """Calls the model manager until it decides nothing more."""
        while decisions := self.manager.decide(self.limits, self.now):
            for decision in decisions:
                if isinstance(decision, Refusal):
                    self.refused.append((decision.model, decision.code))
                    continue
                self.done.append(f"{decision.do} {decision.model}")
                if self.is_slow:
                    self.held.append(decision)
                else:
                    self.finish(decision)

    def finish(self, order: ModelAction, *, fails: str = "") -> None:
        """What an order comes to."""
        event = {
            ModelActionKind.FETCH: ModelEvent.FETCHED,
            ModelActionKind.LOAD: ModelEvent.UP,
            ModelActionKind.UNLOAD: ModelEvent.GONE,
        }[order.do]
        if fails:
            self.manager.apply_event(order.model, ModelEvent.FAIL, at=self.now, code=fails)
        else:
            self.manager.apply_event(order.model, event, at=self.now)

    def release_held(self, *, fails: str = "") -> None:
        """Ends the orders that were held, and looks again."""
        held, self.held = self.held, []
        for order in held:
            self.finish(order, fails=fails)
        self.look()

    def set_run_count(self, model: str, runs: int) -> None:
        """A model has so many runs now."""
        self.manager.set_run_count(model, runs, self.now)
        self.look()

    def respond(self, model: str, code: str = "") -> None:
        """An engine responds, or does not and why."""
        self.manager.set_response(model, code, at=self.now)
        self.look()

    def pool_lets_go(self, model: str) -> None:
        """The pool unloads a model."""
        self.manager.release(model, at=self.now)
        self.look()

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self.look()

    def allow(self, models_bytes: int = 10, unload_idle_s: float = 0.0, reason: str = "") -> None:
        """The owner's word changes."""
        self.limits = LoadLimits(models_bytes, unload_idle_s, reason)
        self.look()

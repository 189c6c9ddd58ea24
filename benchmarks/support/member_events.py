"""Member events: the longest time of one event by which a member could stall all others.

1. ``shapes``: jobs of one co-op wait in 250 shapes; a node comes and goes.
2. ``models``: each node serves a model of its own, for which four jobs wait; a node comes and goes.
3. ``contexts``: 100,000 jobs wait for one model; a node changes its context length.
4. ``policy``: the same jobs wait; a policy comes into force.
5. ``gateway``: the same jobs wait; another gateway, without a job, is lost.

Each tenth event is the change; the others, which do what the change has put off, are wake-ups.
Times are CPU time.
"""

import gc
import time
from collections.abc import Callable
from itertools import product

from benchmarks.support.requests import make_request
from benchmarks.support.worst_events import MODEL, TimedCore, make_card
from msgspec import Struct, structs

from entraide.types import Control, DataClass, NodeCard, RequestFacts
from entraide_scheduler.core import events
from entraide_scheduler.core.policy import CoopTerms, Policy
from entraide_scheduler.core.policy.policy import Limits

NODES = 1_000
COOPS = 40
JOBS = 100_000
EVENTS = 1_000
PERIOD = 10  # events between two changes
FEATURES = ("tools", "schema", "images", "logprobs", "seed")
CONTEXTS = (8_192, 4_096)


class MemberRow(Struct, frozen=True):
    """Times of events while jobs wait."""

    benchmark: str
    workload: str
    nodes: int
    waiting_jobs: int
    shapes: int
    events: int
    worst_s: float
    mean_s: float
    worst_change_s: float


Act = Callable[[TimedCore, int], float]


def _policy(version: str, shares: float) -> Policy:
    terms = tuple(CoopTerms(f"coop-{number:03}", shares) for number in range(COOPS))
    return Policy(version, terms, limits=Limits(2 * JOBS, attempts=EVENTS))


def _core(nodes: int, model: Callable[[int], str] = lambda _: MODEL) -> TimedCore:
    """Returns a core whose nodes serve a model, in one slot each, which a job takes."""
    core = TimedCore(COOPS)
    core.feed_event(events.PolicyChanged, _policy("v1", 1.0))
    for number in range(nodes):
        core.feed_event(events.NodeJoined, _card(number, model(number)), True, "")
    for number in range(nodes):
        core.feed_event(events.JobRequested, _facts(f"run-{number}", model(number)))
    return core


def _card(number: int, model: str = MODEL, context_tokens: int = CONTEXTS[0]) -> NodeCard:
    card = make_card(number, f"coop-{number % COOPS:03}")
    changes = {"model": model, "features": FEATURES, "context_tokens": context_tokens}
    replica = structs.replace(card.replicas[0], **changes)
    return structs.replace(card, replicas=(replica,), controlled_by=Control.MEMBER)


def _facts(job: str, model: str = MODEL, coop: str = "coop-000", **changes: object) -> RequestFacts:
    return make_request(
        job, coop, model,
        input_tokens_est=300, input_tokens_max=400, output_tokens_max=128, **changes,
    )  # fmt: skip


def _wait(core: TimedCore, jobs: int) -> None:
    for number in range(jobs):
        core.feed_event(events.JobRequested, _facts(f"wait-{number}"))


def _come_and_go(core: TimedCore, number: int, model: str = MODEL) -> float:
    node = NODES + number // 2
    if number % 2:
        return core.feed_event(events.NodeLeft, f"node-{node:05}", "goodbye")
    return core.feed_event(events.NodeJoined, _card(node, model), True, "")


def shapes_core(nodes: int) -> TimedCore:
    """Returns a core where jobs of one co-op wait in 250 shapes."""
    core = _core(nodes)
    chosen = product(
        product((False, True), repeat=len(FEATURES)),
        ("CA", "CA-QC"),
        (DataClass.PUBLIC, DataClass.INTERNAL),
        (Control.UNSTATED, Control.CANADIAN),
    )
    for number, (has, jurisdiction, data_class, control) in enumerate(list(chosen)[:250]):
        features = tuple(
            name for name, has_feature in zip(FEATURES, has, strict=True) if has_feature
        )
        facts = _facts(
            f"shape-{number}", features=features, jurisdiction=jurisdiction,
            data_class=data_class, controlled_by=control,
        )  # fmt: skip
        core.feed_event(events.JobRequested, facts)
    return core


def models_core(nodes: int) -> TimedCore:
    """Returns a core where four jobs wait for each node's own model."""
    core = _core(nodes, lambda number: f"model-{number}")
    for number in range(4 * nodes):
        coop = f"coop-{number % COOPS:03}"
        facts = _facts(f"wait-{number}", f"model-{number % nodes}", coop)
        core.feed_event(events.JobRequested, facts)
    return core


def jobs_core(nodes: int, jobs: int = JOBS) -> TimedCore:
    """Returns a core where many jobs wait for one model."""
    core = _core(nodes)
    _wait(core, jobs)
    return core


def _change_context(core: TimedCore, number: int) -> float:
    card = _card(0, context_tokens=CONTEXTS[1 - number % 2])
    return core.feed_event(events.NodeJoined, card, True, "")


def _change_policy(core: TimedCore, number: int) -> float:
    return core.feed_event(events.PolicyChanged, _policy(f"v{number}", 1.0 + number % 2))


def _lose_gateway(core: TimedCore, number: int) -> float:
    return core.feed_event(events.GatewayLost, f"gateway-{number}")


def _come_and_go_alone(core: TimedCore, number: int) -> float:
    return _come_and_go(core, number, f"model-{number // 2}")


WORKLOADS: dict[str, tuple[Callable[[int], TimedCore], Act]] = {
    "shapes": (shapes_core, _come_and_go),
    "models": (models_core, _come_and_go_alone),
    "contexts": (jobs_core, _change_context),
    "policy": (jobs_core, _change_policy),
    "gateway": (jobs_core, _lose_gateway),
}


def member_row(workload: str, nodes: int = NODES, number: int = EVENTS) -> MemberRow:
    """Returns the times of events under one workload."""
    make, act = WORKLOADS[workload]
    core = make(nodes)
    core.clock = time.thread_time
    gc.collect()
    gc.freeze()
    waiting = core.core.queue_lengths()
    shapes = len(core.core._state.queue.shapes)  # noqa: SLF001
    changes: list[float] = []
    others: list[float] = []
    for event in range(number):
        if event % PERIOD:
            others.append(core.feed_event(events.Woke))
        else:
            changes.append(act(core, event // PERIOD))
    gc.unfreeze()
    took = [*changes, *others]
    return MemberRow(
        benchmark="decisions",
        workload=workload,
        nodes=nodes,
        waiting_jobs=sum(waiting.values()),
        shapes=shapes,
        events=len(took),
        worst_s=round(max(took), 6),
        mean_s=round(sum(took) / len(took), 6),
        worst_change_s=round(max(changes), 6),
    )

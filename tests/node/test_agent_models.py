"""An agent with several engines on a real bus: which engine a run uses, and what a failure does."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from tests.integration.nats_support import NatsPool
from tests.node.support import (
    POWER,
    Peer,
    ScriptedEngine,
    configure,
    end,
    read_terms,
    replica,
    run,
)
from tests.node.test_machine_probes import ScriptedDetector
from tests.waiting import eventually

from entraide.types import Basis, Loadable, Outcome
from entraide.wire.messages import (
    Accept,
    CatalogueReply,
    CatalogueRequest,
    Decline,
    Heartbeat,
    Hello,
    LoadFailed,
    LoadModel,
    Progress,
    UnloadModel,
    UsageReport,
)
from entraide_node.agent import Agent
from entraide_node.bench import EngineRates, cache_key
from entraide_node.config import ModelsConfig
from entraide_node.core import model_manager
from entraide_node.core.owner_policy import ENDED_FOR_OWNER
from entraide_node.core.phases import PhaseEvent
from entraide_node.engines.base import Engine, EngineChunk, EngineProblem
from entraide_node.error_output import load_failure_sentence
from entraide_node.machine_probes import MachineProbes
from entraide_node.machine_setup import RATES_NAME, EngineInstance, MachineSetup
from entraide_node.model_manager import engine_manager
from entraide_node.owner import files as owner_files
from entraide_node.owner.terms_file import TERMS_NAME

MEASURED = EngineRates(500.0, 47.0, 160.0, 0.02, 0.001, Basis.MEASURED, 1e9, 3.0)


def engine_of(model: str, *, slots: int = 2) -> ScriptedEngine:
    """An engine that serves a model."""
    engine = ScriptedEngine()
    engine.facts = replace(engine.facts, model_alias=model, slots=slots)
    return engine


def instance_of(engine: ScriptedEngine) -> EngineInstance:
    """A started instance, benchmarked just now."""
    return EngineInstance(engine, replica(engine.facts), measured_at=time.time())


class ScriptedSource:
    """A model source of scripted engines; fetches and loads end when the test allows it."""

    def __init__(self, *models: str, models_bytes: int = 10, fetch_bytes: int = 0) -> None:
        self.engines = {model: engine_of(model) for model in models}
        self.loadable = tuple(
            Loadable(model, "sha256:00", "scripted", 2048, 2, (), 4, fetch_bytes, 1.0)
            for model in models
        )
        self.models_bytes = models_bytes
        self.digest: str | None = None
        self.problem: EngineProblem | None = None
        self.may_come = asyncio.Event()
        self.may_come.set()
        self.fetched: list[str] = []
        self.given_up: list[str] = []
        self.changed: Callable[[], object] = lambda: None

    def explain_refusal(self, model: str) -> EngineProblem:
        """Says so."""
        return EngineProblem("load_unknown", {"model": model})

    async def accept_catalogue(self, document: bytes, signature: bytes) -> bool:
        """Believes what is signed with ``yes``."""
        self.digest = document.decode()
        return signature == b"yes"

    async def run(self, *, changed: Callable[[], object]) -> None:
        """Has nothing to look at."""
        self.changed = changed
        await asyncio.Event().wait()

    async def fetch_weights(self, model: str) -> EngineProblem | None:
        """Comes when it may."""
        await self._come(model)
        self.fetched.append(model)
        return self.problem

    async def make_engine(self, model: str) -> Engine | EngineProblem:
        """Comes when it may."""
        await self._come(model)
        return self.problem or self.engines[model]

    async def _come(self, model: str) -> None:
        try:
            await self.may_come.wait()
        except asyncio.CancelledError:
            self.given_up.append(model)
            raise


class Node:
    """A node under test."""

    def __init__(self, bus: NatsPool, folder: Path, peer: Peer, source: ScriptedSource) -> None:
        self.config = configure(bus, folder)
        self.folder = folder
        self.peer = peer
        self.source = source
        self.detector = ScriptedDetector(inf)
        known = {cache_key(engine.facts): MEASURED for engine in source.engines.values()}
        (folder / RATES_NAME).write_bytes(msgspec.json.encode(known))

    @asynccontextmanager
    async def serving(self, *engines: ScriptedEngine) -> AsyncIterator[Agent]:
        """Its agent at work, with these engines of its owner's."""
        machine = MachineSetup(tuple(instance_of(engine) for engine in engines), POWER)
        probes = MachineProbes(self.detector)
        agent = Agent(self.config, machine=machine, probes=probes, model_source=self.source)
        task = asyncio.create_task(agent.run())
        try:
            await self.peer.hear(Hello)
            await read_terms(agent)
            yield agent
        finally:
            agent.apply_event(PhaseEvent.ORPHANED)
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def write_terms(self, text: str) -> None:
        """Its owner writes terms under which only presence and the limits of the text count."""
        careless = "temperature_max_c = 0\nload_max_percent = 0\nmemory_free_min_gb = 0\n"
        (self.folder / TERMS_NAME).write_text(f"settle_s = 0\non_battery = true\n{careless}{text}")

    async def card(self, *, models: list[str], loading: list[str] | None = None) -> Hello:
        """Waits for a card with these replicas."""

        def matches() -> bool:
            card = self.peer.said(Hello)[-1].card
            served = [replica.model for replica in card.replicas]
            return served == models and list(card.loading) == (loading or [])

        await eventually(matches)
        return self.peer.said(Hello)[-1]

    def states(self) -> dict[str, str]:
        """What its owner is told of the models."""
        status = owner_files.read_status(self.folder, now=time.time())
        return {model.model: model.state for model in status.models} if status else {}

    def said(self) -> str:
        """What ``node status`` says of the models and why one is not there."""
        status = owner_files.read_status(self.folder, now=time.time())
        assert status is not None
        return "\n".join(load_failure_sentence(model, "en") for model in status.models)


@pytest.fixture
def source() -> ScriptedSource:
    """Two models that can be loaded at once."""
    return ScriptedSource("a", "b")


@pytest.fixture
def node(bus: NatsPool, tmp_path: Path, peer: Peer, source: ScriptedSource) -> Node:
    """A node whose pool may ask for them."""
    return Node(bus, tmp_path, peer, source)


async def test_a_node_without_a_model_waits_for_the_pools_word(node: Node) -> None:
    """A node without a model announces its loadable models, loads one and serves it."""
    async with node.serving():
        first = await node.card(models=[])
        await eventually(lambda: takes_work(node))
        await node.peer.send(run("early", model="a"))
        declined = await node.peer.hear(Decline)
        await eventually(lambda: owner_state(node) == "empty")
        await node.peer.tell(LoadModel("a"))
        await node.card(models=["a"])
        await node.peer.send(run("job", model="a"))
        await node.peer.hear(Accept, job="job")
        node.source.engines["a"].say("job", end(body=b"{}"))
        await node.peer.hear(UsageReport, job="job", outcome=Outcome.COMPLETED)

    assert (["a", "b"], 10) == (
        [loadable.model for loadable in first.card.loadable],
        first.card.models_bytes,
    )
    assert "not_loaded" == declined.code


def takes_work(node: Node) -> bool:
    """Whether it has told the pool that it takes work, without a reason against it."""
    messages = (*node.peer.said(Hello), *node.peer.said(Heartbeat))
    return any((message.accepting, message.reason) == (True, "") for message in messages)


def owner_state(node: Node) -> str:
    """The state that its owner is told."""
    status = owner_files.read_status(node.folder, now=time.time())
    return status.state if status is not None else ""


async def test_each_run_goes_to_its_engine(node: Node) -> None:
    """Two models of one node each accept their own runs, up to their own slots."""
    first, second = engine_of("one", slots=1), engine_of("two", slots=1)
    async with node.serving(first, second):
        await node.peer.send(run("job-1", model="one"))
        await node.peer.send(run("job-2", model="two"))
        await node.peer.hear(Accept, job="job-2")
        await node.peer.send(run("job-3", model="two"))
        declined = await node.peer.hear(Decline, job="job-3")
        first.say("job-1", end(body=b"{}"))
        second.say("job-2", end(body=b"{}"))
        await node.peer.hear(UsageReport, job="job-1")
        await node.peer.hear(UsageReport, job="job-2")

    assert "full" == declined.code
    assert (["job-1"], ["job-2"]) == (sorted(first.lines), sorted(second.lines))


async def test_a_crashed_engine_leaves_the_others(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one engine is down its model takes nothing and leaves the card; the other goes on."""
    monkeypatch.setattr(model_manager, "DOWN_HIDDEN_S", 0.5)
    first, second = engine_of("one"), engine_of("two")
    node.write_terms("give_back_s = 0")
    async with node.serving(first, second):
        await node.card(models=["one", "two"])
        first.problem = EngineProblem("engine_exited", {})
        await node.card(models=["two"])
        await node.peer.send(run("job-1", model="one"))
        declined = await node.peer.hear(Decline, job="job-1")
        await node.peer.send(run("job-2", model="two"))
        await node.peer.hear(Accept, job="job-2")
        states = node.states()
        beats = node.peer.said(Heartbeat)
        first.problem = None
        await node.card(models=["one", "two"])

    assert "not_loaded" == declined.code
    assert {"one": "down", "two": "serving"} == states
    assert {True} == {beat.accepting for beat in beats}


async def test_an_engine_that_does_not_come_back_is_given_up(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ordered model whose engine stays down is unloaded, and the pool receives the reason."""
    monkeypatch.setattr(model_manager, "DOWN_LOST_S", 0.5)
    async with node.serving(engine_of("fixed")):
        await node.peer.tell(LoadModel("a"))
        await node.card(models=["fixed", "a"])
        node.source.engines["a"].problem = EngineProblem("engine_exited", {"status": 1})
        failed = await node.peer.hear(LoadFailed)
        await node.card(models=["fixed"])
        await eventually(lambda: node.states() == {"fixed": "serving", "a": "failed"})

    assert ("a", "engine_exited") == (failed.model, failed.code)


async def test_unloading_waits_for_the_last_run(node: Node) -> None:
    """A model that is being unloaded accepts no run and finishes its runs."""
    async with node.serving():
        await node.peer.tell(LoadModel("a"))
        await node.card(models=["a"])
        await node.peer.send(run("job-1", model="a"))
        await node.peer.hear(Accept, job="job-1")
        await node.peer.tell(UnloadModel("a"))
        await node.card(models=[])
        await node.peer.send(run("job-2", model="a"))
        declined = await node.peer.hear(Decline, job="job-2")
        draining = node.states()
        node.source.engines["a"].say("job-1", end(body=b"{}"))
        report = await node.peer.hear(UsageReport, job="job-1")
        await eventually(lambda: node.states() == {})

    assert "not_loaded" == declined.code
    assert {"a": "draining"} == draining
    assert Outcome.COMPLETED is report.outcome


async def test_what_its_owner_put_there_stays(node: Node) -> None:
    """The pool can neither load nor unload the owner's own engine."""
    async with node.serving(engine_of("fixed")):
        await node.peer.tell(UnloadModel("fixed"))
        await node.peer.tell(LoadModel("fixed"))
        await node.peer.tell(LoadModel("a"))
        await node.card(models=["fixed", "a"])

    assert [] == node.peer.said(LoadFailed)


async def test_a_load_that_fails_is_told(node: Node) -> None:
    """The pool receives the reason of a failed load; a repeated order waits for the back-off."""
    node.source.loadable = tuple(
        replace(loadable, fetch_bytes=5) for loadable in node.source.loadable
    )
    node.source.problem = EngineProblem("disk_full", {"needed_gb": 5.0, "free_gb": 0.1})
    async with node.serving():
        await node.peer.tell(LoadModel("a"))
        failed = await node.peer.hear(LoadFailed)
        await node.peer.tell(LoadModel("a"))
        rests = await node.peer.hear(LoadFailed, code="load_resting")
        await eventually(lambda: "The disk is full" in node.said())

    assert ("a", "disk_full", {"needed_gb": 5.0, "free_gb": 0.1}) == (
        failed.model, failed.code, failed.values
    )  # fmt: skip
    assert "disk_full" == rests.values["reason"]


async def test_a_returning_owner_ends_what_loads(node: Node) -> None:
    """When the owner returns, a load is cancelled and reported, and no other one starts."""
    node.source.may_come.clear()
    node.write_terms("")
    async with node.serving():
        await node.peer.tell(LoadModel("a"))
        await node.card(models=[], loading=["a"])
        node.detector.idle_s = 0.0
        first = await node.peer.hear(LoadFailed, model="a")
        await node.card(models=[])
        await node.peer.hear(Heartbeat, accepting=False, reason="owner_busy")
        await node.peer.tell(LoadModel("b"))
        second = await node.peer.hear(LoadFailed, model="b")

    assert ["load_not_now", "load_not_now"] == [first.code, second.code]
    assert {"reason": "owner_busy"} == first.values
    assert ["a"] == node.source.given_up


async def test_a_returning_owner_takes_memory_and_slots(node: Node) -> None:
    """When the owner lends less, idle models go, and no more runs are taken than may be."""
    fixed = engine_of("fixed", slots=4)
    async with node.serving(fixed):
        await node.peer.tell(LoadModel("a"))
        await node.card(models=["fixed", "a"])
        node.write_terms("[caps_idle]\nmemory_gb = 1e-9\npower_w = 19.4\n")
        less = await node.card(models=["fixed"])
        for job in ("job-1", "job-2"):
            await node.peer.send(run(job, model="fixed"))
        declined = await node.peer.hear(Decline)
        await node.peer.tell(LoadModel("b"))
        failed = await node.peer.hear(LoadFailed)

    assert (1, 1) == (less.card.replicas[0].slots, less.card.models_bytes)
    assert ("job-2", "full") == (declined.job, declined.code)
    assert "load_no_room" == failed.code


async def test_giving_back_ends_what_runs(node: Node) -> None:
    """A run that is given back ends as failed, with the owner's code, on whichever engine."""
    first, second = engine_of("one"), engine_of("two")
    node.write_terms("give_back_s = 0")
    async with node.serving(first, second):
        await node.peer.send(run("job-1", model="one", stream=True))
        await node.peer.send(run("job-2", model="two"))
        first.say("job-1", EngineChunk(b"data: a\n\n", 3))
        await node.peer.hear(Progress, job="job-1")
        await node.peer.hear(Accept, job="job-2")
        owner_files.pause(node.folder)
        streamed = await node.peer.hear(UsageReport, job="job-1")
        whole = await node.peer.hear(UsageReport, job="job-2")

    assert {(Outcome.FAILED, ENDED_FOR_OWNER)} == {(r.outcome, r.code) for r in (streamed, whole)}
    assert (True, False) == (streamed.delivered, whole.delivered)


async def test_an_idle_model_is_unloaded(node: Node) -> None:
    """An ordered model is unloaded after the owner's idle time; a configured one stays."""
    node.config = replace(node.config, models=ModelsConfig(unload_idle_s=0.3))
    async with node.serving(engine_of("fixed")):
        await node.peer.tell(LoadModel("a"))
        await eventually(lambda: any("a" in models(hello) for hello in node.peer.said(Hello)))
        last = await node.card(models=["fixed"])

    assert ["fixed"] == models(last)


def models(hello: Hello) -> list[str]:
    """The models on a card."""
    return [replica.model for replica in hello.card.replicas]


async def test_the_catalogue_is_asked_for(node: Node) -> None:
    """A welcomed node asks for the catalogue with its digest; a forged one changes nothing."""
    node.source.digest = "old"
    async with node.serving():
        await node.peer.hear(CatalogueRequest, digest="old")
        await node.peer.tell(CatalogueReply(b"forged", b"no"))
        node.source.loadable = node.source.loadable[:1]
        await node.peer.tell(CatalogueReply(b"new", b"yes"))
        await eventually(lambda: ["a"] == offered(node))


def offered(node: Node) -> list[str]:
    """The models that the newest card offers to load."""
    return [model.model for model in node.peer.said(Hello)[-1].card.loadable]


async def test_a_drifted_engine_is_measured_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unmeasured engine is benchmarked once the node is quiet; meanwhile it accepts no work."""
    monkeypatch.setattr(engine_manager, "QUIET_MIN_S", 0.2)
    fixed = engine_of("fixed")
    measured: list[str] = []
    go_on = asyncio.Event()

    async def slowly(unsure: EngineInstance, **_: object) -> EngineInstance:
        measured.append(unsure.replica.model)
        await go_on.wait()
        faster = replace(unsure.replica.rates, prefill_tokens_per_s=9_000.0)
        return EngineInstance(
            unsure.engine, replace(unsure.replica, rates=faster), measured_at=time.time()
        )

    monkeypatch.setattr(engine_manager, "remeasure_instance", slowly)
    monkeypatch.setattr("tests.node.test_agent_models.instance_of", unmeasured_instance)
    async with node.serving(fixed):
        await node.peer.hear(Heartbeat, accepting=False, reason="benchmarking")
        go_on.set()
        await eventually(lambda: rates_of(node) == 9_000.0)
        heard = len(node.peer.ctl)
        await eventually(
            lambda: any(isinstance(m, Heartbeat) and m.accepting for m in node.peer.ctl[heard:])
        )

    assert ["fixed"] == measured


def unmeasured_instance(engine: ScriptedEngine) -> EngineInstance:
    """An instance whose rates were estimated beside other work."""
    return EngineInstance(engine, replica(engine.facts))


def rates_of(node: Node) -> float:
    """The reading speed on the last card."""
    card = node.peer.said(Hello)[-1].card
    return card.replicas[0].rates.prefill_tokens_per_s

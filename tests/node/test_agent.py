"""The agent on a real bus, with a scripted engine."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.integration.nats_support import NatsPool
from tests.node.support import NODE, Peer, ScriptedEngine, configure, end, run, serving
from tests.small_disk import small_disk
from tests.waiting import eventually

import entraide
from entraide.files import sync_file
from entraide.types import Basis, Outcome
from entraide.wire.messages import (
    Accept,
    ApprovalPending,
    CancelRun,
    Decline,
    Goodbye,
    Heartbeat,
    Hello,
    HelloRequest,
    Progress,
    RunEnded,
    StopRun,
    Tokens,
    UsageAck,
    UsageReport,
)
from entraide_node import report_outbox
from entraide_node.config import EnergyConfig
from entraide_node.core.phases import Phase, PhaseEvent
from entraide_node.engines.base import (
    CONTEXT_LENGTH_EXCEEDED,
    ENGINE_CRASHED,
    EngineChunk,
    EngineFailure,
    EngineProblem,
)
from entraide_node.owner import files as owner_files


def state_of(folder: Path) -> str:
    """The state that the owner's commands show."""
    status = owner_files.read_status(folder, now=time.time())
    return status.state if status is not None else ""


async def test_a_streamed_run(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """Acceptance and usage go to the scheduler, tokens and the end to the gateway."""
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear_state(accepting=True)
        await peer.send(run("job-1", stream=True))
        await peer.hear(Accept, job="job-1", epoch=1)
        engine.say("job-1", EngineChunk(b"data: a\n\n", 2))
        engine.say("job-1", EngineChunk(b"data: b\n\n", 5))
        await peer.hear(Progress, job="job-1", output_tokens=5)
        engine.say("job-1", end(final=b"{}", completion=5))
        report = await peer.hear(UsageReport, job="job-1")
        ending = await peer.hear(RunEnded, job="job-1")
        tokens = peer.said(Tokens)

    assert [(0, 2, b"data: a\n\n"), (2, 3, b"data: b\n\n")] == [
        (t.first, t.n, t.data) for t in tokens
    ]
    assert (Outcome.COMPLETED, b"{}", 5) == (ending.outcome, ending.final, ending.first)
    assert (Outcome.COMPLETED, True) == (report.outcome, report.delivered)
    assert (7, 5, 2, Basis.MEASURED) == (
        report.usage.input_tokens,
        report.usage.output_tokens,
        report.usage.cached_tokens,
        report.usage.counted,
    )
    assert report.usage.energy_decode_uwh > 0
    assert report.usage.ttft_s > 0
    assert ending.usage == report.usage


async def test_its_version(
    bus: NatsPool, peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine says the version of the code that runs, not that of its installation: a checkout
    is installed once and changes afterwards."""
    monkeypatch.setattr(entraide, "__version__", "0.1.0.dev9+g12345678")
    async with serving(configure(bus, tmp_path), ScriptedEngine()):
        hello = await peer.hear(Hello)

    assert "0.1.0.dev9+g12345678" == hello.card.agent


async def test_the_same_run_twice(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """A run that comes twice runs once, and once it is over it does not run again."""
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear(Hello)
        await peer.send(run("job-1"))
        await peer.send(run("job-1"))
        await peer.hear(Accept, job="job-1")
        engine.say("job-1", end(body=b"{}"))
        await peer.hear(UsageReport, job="job-1")
        await peer.send(run("job-1"))
        await peer.send(run("job-2", model="large"))
        await peer.hear(Decline, job="job-2")

    assert 1 == len(peer.said(Accept))
    assert 1 == len(peer.said(RunEnded))


async def test_a_newer_epoch_supersedes(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """A newer epoch of a running job ends the older one, then runs."""
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear(Hello)
        await peer.send(run("job-1", epoch=1))
        await peer.hear(Accept, epoch=1)
        await peer.send(run("job-1", epoch=2))
        await peer.hear(UsageReport, epoch=1, outcome=Outcome.CANCELLED)
        await peer.hear(Accept, epoch=2)
        engine.say("job-1", end(body=b"{}"))
        await peer.hear(UsageReport, epoch=2, outcome=Outcome.COMPLETED)
        await peer.send(run("job-1", epoch=1))
        await peer.hear(Decline, epoch=1, code="stale")


async def test_more_than_its_slots(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """With every slot taken a further run is declined as full."""
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear(Hello)
        for job in ("job-1", "job-2", "job-3"):
            await peer.send(run(job))
        declined = await peer.hear(Decline)

    assert ("job-3", "full") == (declined.job, declined.code)


@pytest.mark.parametrize("message", [CancelRun("job-1", 1), StopRun("job-1", 1)])
async def test_stopping(
    bus: NatsPool, peer: Peer, tmp_path: Path, message: CancelRun | StopRun
) -> None:
    """Gateway and scheduler can both stop a run at once; its usage so far is reported."""
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear(Hello)
        await peer.send(run("job-1", stream=True))
        engine.say("job-1", EngineChunk(b"data: a\n\n", 3))
        await peer.hear(Tokens)
        await (peer.send(message) if isinstance(message, CancelRun) else peer.tell(message))
        report = await peer.hear(UsageReport, job="job-1")

    assert ["job-1"] == engine.cancelled
    assert (Outcome.CANCELLED, 3) == (report.outcome, report.usage.output_tokens)


async def test_too_long_a_prompt(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """A prompt beyond the context goes back as a decline with its numbers, and costs nothing."""
    engine = ScriptedEngine()
    failure = EngineFailure(
        CONTEXT_LENGTH_EXCEEDED,
        "too long: Bonjour",
        retryable=False,
        n_prompt_tokens=3000,
        n_ctx=2048,
    )
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear(Hello)
        await peer.send(run("job-1"))
        engine.say("job-1", end(Outcome.FAILED, failure=failure))
        declined = await peer.hear(Decline, job="job-1")
        ending = await peer.hear(RunEnded, job="job-1")

    assert "context_length_exceeded" == declined.code == ending.code
    assert {"input_tokens": 3000, "context_tokens": 2048} == declined.values
    assert [] == peer.said(UsageReport)


async def test_engine_crash(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """A crashed engine fails the run, takes the node out of work, and brings it back."""
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear(Hello)
        await peer.send(run("job-1"))
        await peer.hear(Accept)
        engine.problem = EngineProblem("engine_exited", {})
        failure = EngineFailure(ENGINE_CRASHED, "", retryable=True)
        engine.say("job-1", end(Outcome.FAILED, failure=failure))
        report = await peer.hear(UsageReport)
        await peer.hear(Heartbeat, accepting=False, reason="engine_down")
        await peer.send(run("job-2"))
        declined = await peer.hear(Decline, job="job-2")
        heard = len(peer.ctl)
        engine.problem = None
        await eventually(
            lambda: any(isinstance(m, Heartbeat) and m.accepting for m in peer.ctl[heard:])
        )

    assert (Outcome.FAILED, "engine_failed", False) == (
        report.outcome,
        report.code,
        report.delivered,
    )
    assert "not_loaded" == declined.code


async def test_reports_outlive_the_agent(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """A report that nobody acknowledged is sent again by the agent that comes after, which names
    its run in the hello until then; it does not know whether the answer has left, and says so."""
    engine, config = ScriptedEngine(), configure(bus, tmp_path)
    peer.acknowledges = False
    async with serving(config, engine):
        await peer.hear(Hello)
        await peer.send(run("job-1"))
        engine.say("job-1", end(body=b"{}"))
        first = await peer.hear(UsageReport)
    before = len(peer.said(UsageReport))
    async with serving(config, ScriptedEngine()):
        await eventually(lambda: len(peer.said(UsageReport)) > before)
        again = peer.said(UsageReport)[-1]
        lost = replace(first, outcome=Outcome.FAILED, code="node_lost")
        await peer.tell(UsageAck("job-1", 1))
        hellos = len(peer.said(Hello))
        await peer.tell(HelloRequest())
        await eventually(lambda: len(peer.said(Hello)) > hellos)
    heard = len(peer.said(UsageReport))
    boots = {hello.boot for hello in peer.said(Hello)}
    async with serving(config, ScriptedEngine()):
        await eventually(lambda: {hello.boot for hello in peer.said(Hello)} > boots)
        await peer.hear(Heartbeat, boot=peer.said(Hello)[-1].boot)

    running = {hello.boot: hello.running for hello in reversed(peer.said(Hello))}

    assert lost == again
    assert [(), (("job-1", 1),), ()] == list(running.values())[::-1]
    assert heard == len(peer.said(UsageReport))


async def test_answer_ends_after_its_report_is_on_disk(
    bus: NatsPool, peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a client has received is in the node's report even after a power cut: the end of an
    answer is sent only when the fsync of its report has returned."""
    synced, engine = threading.Event(), ScriptedEngine()
    files: list[str] = []

    def sync(path: Path) -> None:
        synced.wait(10.0)
        files.append(path.read_text())
        sync_file(path)

    monkeypatch.setattr(report_outbox, "sync_file", sync)
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear(Hello)
        await peer.send(run("job-1"))
        engine.say("job-1", end(body=b"{}"))
        file = tmp_path / report_outbox.REPORTS_NAME
        await eventually(lambda: b"job-1" in file.read_bytes())
        hellos = len(peer.said(Hello))
        await peer.tell(HelloRequest())
        await eventually(lambda: len(peer.said(Hello)) > hellos)
        before = peer.said(RunEnded)
        synced.set()
        await peer.hear(RunEnded)

    assert [] == before
    assert "job-1" in files[0]


async def test_full_disk_does_not_stop_a_node(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """On a full disk a node goes on: it answers, and sends its reports until they are acknowledged;
    once there is space, those that are still open are on the disk."""
    peer.acknowledges = False
    with small_disk(tmp_path / "disk") as disk:
        engine, config = ScriptedEngine(), configure(bus, disk.folder)
        async with serving(config, engine):
            await peer.hear(Hello)
            disk.fill()
            for job in ("job-1", "job-2"):
                await peer.send(run(job))
                engine.say(job, end(body=b"{}"))
                await peer.hear(RunEnded, job=job)
                await peer.hear(UsageReport, job=job)
            await peer.tell(UsageAck("job-1", 1))
            full = (disk.folder / report_outbox.REPORTS_NAME).read_bytes()
            disk.empty()
            file = disk.folder / report_outbox.REPORTS_NAME
            await eventually(lambda: b"job-2" in file.read_bytes())
        left = report_outbox.ReportOutbox(disk.folder).pending()

    assert b"" == full
    assert ["job-2"] == [report.job for report in left]


async def test_unwanted_runs(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """A run that the pool does not want any more after a hello is stopped; the others go on."""
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear(Hello)
        await peer.send(run("job-1"))
        await peer.send(run("job-2"))
        await peer.hear(Accept, job="job-2")
        peer.keep = (("job-2", 1),)
        await peer.tell(HelloRequest())
        await peer.hear(UsageReport, job="job-1", outcome=Outcome.CANCELLED)
        engine.say("job-2", end(body=b"{}"))
        await peer.hear(UsageReport, job="job-2", outcome=Outcome.COMPLETED)


async def test_waiting_for_approval(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """The node says that it waits for the operator, and works once it is approved."""
    config = configure(bus, tmp_path)
    peer.welcomes = False
    async with serving(config, ScriptedEngine()):
        await peer.hear(Hello)
        await peer.tell(ApprovalPending())
        await eventually(lambda: state_of(tmp_path) == "unapproved")
        peer.welcomes = True
        await peer.hear(Heartbeat)
        await eventually(lambda: state_of(tmp_path) == "ready")


async def test_hello_until_welcome(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """Without an answer the node repeats its hello and sends no heartbeat."""
    peer.welcomes = False
    async with serving(configure(bus, tmp_path), ScriptedEngine()):
        await eventually(lambda: len(peer.said(Hello)) >= 2)
        beats = peer.said(Heartbeat)
        peer.welcomes = True
        await peer.hear(Heartbeat)

    assert [] == beats
    assert sorted(peer.said(Hello), key=lambda hello: hello.seq) == peer.said(Hello)


async def test_bus_restart(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """After a restart of the bus the node sends its hello again, with its current runs."""
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear(Hello)
        await peer.send(run("job-1"))
        await peer.hear(Accept)
        hellos = len(peer.said(Hello))
        os.kill(bus.server.pid, signal.SIGKILL)
        await eventually(lambda: len(peer.said(Hello)) > hellos)
        again = peer.said(Hello)[-1]
        engine.say("job-1", end(body=b"{}"))
        await peer.hear(UsageReport, job="job-1", outcome=Outcome.COMPLETED)

    assert (("job-1", 1),) == again.running


async def test_drain(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """A node that is asked to stop accepts no run, finishes its runs and sends a goodbye."""
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine) as agent:
        await peer.hear(Hello)
        await peer.send(run("job-1"))
        await peer.hear(Accept)
        agent.apply_event(PhaseEvent.ASKED)
        await peer.hear(Heartbeat, accepting=False, reason="draining")
        await peer.send(run("job-2"))
        declined = await peer.hear(Decline)
        engine.say("job-1", end(body=b"{}"))
        report = await peer.hear(UsageReport, job="job-1")
        await peer.hear(Goodbye)

    assert "draining" == declined.code
    assert Outcome.COMPLETED == report.outcome
    assert isinstance(peer.ctl[-1], Goodbye)


async def test_drain_out_of_time(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """A run that is left after the drain time fails with a code that lets another node retry it."""
    async with serving(configure(bus, tmp_path, drain_s=0.1), ScriptedEngine()) as agent:
        await peer.hear(Hello)
        await peer.send(run("job-1"))
        await peer.hear(Accept)
        agent.apply_event(PhaseEvent.ASKED)
        report = await peer.hear(UsageReport, job="job-1")
        await peer.hear(Goodbye)

    assert (Outcome.FAILED, "shutting_down", False) == (
        report.outcome,
        report.code,
        report.delivered,
    )


async def test_pause(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """The owner pauses and resumes the node through a file."""
    async with serving(configure(bus, tmp_path), ScriptedEngine()):
        await peer.hear_state(accepting=True)
        owner_files.pause(tmp_path)
        await peer.hear(Heartbeat, accepting=False, reason="paused")
        status = owner_files.read_status(tmp_path, now=time.time())
        owner_files.resume(tmp_path)
        heard = len(peer.ctl)
        await eventually(
            lambda: any(isinstance(m, Heartbeat) and m.accepting for m in peer.ctl[heard:])
        )

    assert status is not None
    assert NODE == status.node


async def test_declared_energy(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """The declared surplus is advertised, and follows the owner's file while the agent runs."""
    standing = EnergyConfig(surplus_w=400.0, evidence="panels", ttl_s=60.0)
    async with serving(configure(bus, tmp_path, energy=standing), ScriptedEngine()):
        hello = await peer.hear(Hello)
        (tmp_path / owner_files.ENERGY_NAME).write_text("surplus_w = 0.0\n", "utf-8")
        await eventually(
            lambda: any(b.energy and b.energy.surplus_w == 0.0 for b in peer.said(Heartbeat))
        )
        (tmp_path / owner_files.ENERGY_NAME).write_text("surplus = 1\n", "utf-8")
        await eventually(lambda: peer.said(Heartbeat)[-1].energy is None)

    assert hello.card.energy is not None
    assert (400.0, Basis.DECLARED) == (hello.card.energy.surplus_w, hello.card.energy.basis)
    assert 60.0 == pytest.approx(
        hello.card.energy.expires_at - hello.card.energy.measured_at, abs=1e-3
    )


async def test_sequence(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """Hellos and heartbeats share one increasing sequence number."""
    async with serving(configure(bus, tmp_path), ScriptedEngine()):
        await eventually(lambda: len(peer.said(Heartbeat)) >= 3)
    numbers = [m.seq for m in peer.ctl if isinstance(m, Hello | Heartbeat)]

    assert sorted(set(numbers)) == numbers


async def test_stopped_before_the_bus_answers(bus: NatsPool, tmp_path: Path) -> None:
    """An agent that is asked to stop before the bus responds ends without it."""
    config = configure(bus, tmp_path, nats_urls=("nats://127.0.0.1:9",))
    async with serving(config, ScriptedEngine()) as agent:
        await eventually((tmp_path / owner_files.STATUS_NAME).exists)
        agent.apply_event(PhaseEvent.ASKED)

    assert Phase.GONE is agent._phase

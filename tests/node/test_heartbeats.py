"""Heartbeats of a node with runs: what they list, and how often they come."""

from pathlib import Path

from tests.integration.nats_support import NatsPool
from tests.node.support import Peer, ScriptedEngine, configure, end, run, serving
from tests.waiting import eventually

from entraide.wire.messages import Heartbeat, Progress, RunBeat, UsageReport
from entraide_node.engines.base import EngineChunk, EngineProblem

RARE_S = 60.0  # no second heartbeat of an idle node within a test


async def test_a_first_run_is_told_at_once_and_then_often(
    bus: NatsPool, tmp_path: Path, peer: Peer
) -> None:
    """The heartbeats list the run and follow its tokens; nothing else reports its progress."""
    engine = ScriptedEngine()
    peer.periods_s = RARE_S, 0.1
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear_state(accepting=True)
        await peer.send(run("job-1", stream=True))
        await peer.hear(Heartbeat, runs=(RunBeat("job-1", 1, 0),))
        engine.say("job-1", EngineChunk(b"data: {}\n\n", 3, 40))
        await peer.hear(Heartbeat, runs=(RunBeat("job-1", 1, 3, 40),))
        engine.say("job-1", EngineChunk(b"data: {}\n\n", 9, 40))
        await peer.hear(Heartbeat, runs=(RunBeat("job-1", 1, 9, 40),))
        await peer.hear(Progress)
        progress = peer.said(Progress)
        engine.say("job-1", end(completion=9))
        await peer.hear(UsageReport, job="job-1")

    assert 1 == len(progress)  # soon after its first token


async def test_the_last_run_is_followed_by_a_heartbeat_without_runs(
    bus: NatsPool, tmp_path: Path, peer: Peer
) -> None:
    """The pool learns within the short period that the long one applies again."""
    engine = ScriptedEngine()
    peer.periods_s = RARE_S, 0.1
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear_state(accepting=True)
        await peer.send(run("job-1"))
        await peer.hear(Heartbeat, running=1)
        engine.say("job-1", end())
        await peer.hear(UsageReport, job="job-1")
        listed = len([beat for beat in peer.said(Heartbeat) if beat.runs])
        await eventually(lambda: not peer.said(Heartbeat)[-1].runs)

    assert listed
    assert 0 == peer.said(Heartbeat)[-1].running


async def test_an_engine_that_does_not_respond_is_named_beside_its_runs(
    bus: NatsPool, tmp_path: Path, peer: Peer
) -> None:
    """The code is that of the engine's problem, until the engine responds."""
    engine = ScriptedEngine()
    peer.periods_s = 0.2, 0.1
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear_state(accepting=True)
        await peer.send(run("job-1"))
        engine.problem = EngineProblem("engine_silent", {"seconds": 2})
        await peer.hear(Heartbeat, runs=(RunBeat("job-1", 1, 0, 0, "engine_silent"),))
        engine.problem = None
        await eventually(lambda: peer.said(Heartbeat)[-1].runs == (RunBeat("job-1", 1, 0),))
        engine.say("job-1", end())
        report = await peer.hear(UsageReport, job="job-1")

    assert not report.code

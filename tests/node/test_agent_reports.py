"""When an agent tells the pool of a run: at its first text, once it lasts, at its end."""

import time
from pathlib import Path

import pytest
from tests.integration.nats_support import NatsPool
from tests.node.support import Peer, ScriptedEngine, configure, end, run, serving
from tests.waiting import eventually

from entraide.wire.messages import (
    Accept,
    Heartbeat,
    Hello,
    Progress,
    UsageAck,
    UsageReport,
)
from entraide_node import agent, run_manager
from entraide_node.engines.base import EngineChunk
from entraide_node.owner import files as owner_files


def open_reports(folder: Path) -> int:
    """The number of reports without an acknowledgement that the owner's commands show."""
    status = owner_files.read_status(folder, now=time.time())
    return status.reports if status is not None else 0


async def test_a_short_run_is_reported_once(
    bus: NatsPool, peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends within ``REPORT_AFTER_S`` says no more than its end."""
    monkeypatch.setattr(run_manager, "REPORT_AFTER_S", 1.0)
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine) as node:
        await eventually(lambda: node._announcer.is_welcomed)
        for number in range(5):
            job = f"job-{number}"
            engine.say(job, EngineChunk(b"data: a\n\n", 1))
            engine.say(job, end(final=b"{}", completion=1))
            await peer.send(run(job, stream=True))
            await peer.hear(UsageReport, job=job)
        await peer.send(run("job-9"))  # begins after the others, so it is reported after them
        await peer.hear(Accept, job="job-9")
        engine.say("job-9", end(body=b"{}"))
        await peer.hear(UsageReport, job="job-9")

    assert {"job-9"} == {report.job for report in (*peer.said(Accept), *peer.said(Progress))}


async def test_a_first_text_lists_its_run_at_once(
    bus: NatsPool, peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that has sent text has promised a heartbeat within half a second, and no later text
    promises it again."""
    wanted: list[tuple[tuple[str, int], ...]] = []
    list_first_run = agent.Agent._list_first_run

    def note(self: agent.Agent) -> None:
        wanted.append(self._runs.active_runs())
        list_first_run(self)

    monkeypatch.setattr(agent.Agent, "_list_first_run", note)
    monkeypatch.setattr(run_manager, "REPORT_AFTER_S", 3_600.0)
    peer.periods_s = (60.0, 30.0)
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine) as node:
        await eventually(lambda: node._announcer.is_welcomed)
        await peer.send(run("job-1", stream=True))
        engine.say("job-1", EngineChunk(b"data: a\n\n", 1))
        await eventually(lambda: [beat for beat in peer.said(Heartbeat) if beat.runs])
        engine.say("job-1", EngineChunk(b"data: b\n\n", 2))
        engine.say("job-1", end(final=b"{}", completion=1))
        await peer.hear(UsageReport, job="job-1")

    assert [(("job-1", 1),)] == wanted
    assert [] == peer.said(Accept) + peer.said(Progress)


async def test_reports_are_acknowledged_together(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """One message deletes all reports that it names."""
    peer.acknowledges = False
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear_state(accepting=True)
        for number in range(3):
            engine.say(f"job-{number}", end(body=b"{}"))
            await peer.send(run(f"job-{number}"))
            await peer.hear(UsageReport, job=f"job-{number}")
        await eventually(lambda: open_reports(tmp_path) == 3)
        await peer.tell(UsageAck("job-0", 1, (("job-1", 1), ("job-7", 7), ("job-2", 1))))
        await eventually(lambda: open_reports(tmp_path) == 0)


async def test_a_first_token_is_told_soon(
    bus: NatsPool, peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a prefill is reported to the scheduler soon, not at the next heartbeat."""
    monkeypatch.setattr(agent, "PROGRESS_S", 3_600.0)
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear(Hello)
        await peer.send(run("job-1", stream=True))
        await peer.hear(Accept, job="job-1")
        engine.say("job-1", EngineChunk(b"", 0))
        engine.say("job-1", EngineChunk(b"data: a\n\n", 1))
        await peer.hear(Progress, job="job-1", output_tokens=1)
        engine.say("job-1", EngineChunk(b"data: b\n\n", 2))
        engine.say("job-1", end(final=b"{}", completion=2))
        await peer.hear(UsageReport, job="job-1")

    assert 1 == len([progress for progress in peer.said(Progress) if progress.output_tokens])

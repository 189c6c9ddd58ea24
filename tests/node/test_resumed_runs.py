"""Runs that continue an answer, at the agent on a real bus, with a scripted engine."""

from pathlib import Path

import msgspec
import pytest
from tests.integration.nats_support import NatsPool
from tests.node.support import Peer, ScriptedEngine, configure, end, run, serving

from entraide.resuming import RESUME, RESUME_UNSUPPORTED
from entraide.types import Outcome
from entraide.wire.messages import (
    Accept,
    Decline,
    Progress,
    Resume,
    RunEnded,
    StartRun,
    Tokens,
    UsageReport,
)
from entraide_node.engines.attached_engine import AttachConfig, AttachedEngine
from entraide_node.engines.base import (
    BAD_REQUEST,
    CONTEXT_LENGTH_EXCEEDED,
    EngineChunk,
    EngineFailure,
)


def resuming_engine() -> ScriptedEngine:
    """An engine that can resume answers."""
    engine = ScriptedEngine()
    engine.facts = msgspec.structs.replace(engine.facts, features=(RESUME,))
    return engine


def resumed(job: str) -> StartRun:
    """A run that continues an answer of twelve tokens."""
    return run(job, stream=True, resume=Resume(tokens=12, created=1_700, characters=40))


async def test_counts_continue(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """Its tokens are numbered from the seam; progress and usage are of this run alone."""
    engine = resuming_engine()
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear_state(accepting=True)
        await peer.send(resumed("job-1"))
        await peer.hear(Accept, job="job-1")
        engine.say("job-1", EngineChunk(b"data: a\n\n", 2))
        engine.say("job-1", EngineChunk(b"data: b\n\n", 5, n_shown_tokens=4))
        await peer.hear(Progress, job="job-1", output_tokens=5)
        engine.say("job-1", end(final=b"{}", completion=5))
        report = await peer.hear(UsageReport, job="job-1")
        ended = await peer.hear(RunEnded, job="job-1")

    assert [(12, 2), (14, 2)] == [(part.first, part.n) for part in peer.said(Tokens)]
    assert (16, 5, 5) == (ended.first, ended.usage.output_tokens, report.usage.output_tokens)


async def test_text_held_back_is_not_counted_as_sent(
    bus: NatsPool, peer: Peer, tmp_path: Path
) -> None:
    """Tokens whose text an engine holds back are progress, and are sent with their text."""
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear_state(accepting=True)
        await peer.send(run("job-1", stream=True))
        await peer.hear(Accept, job="job-1")
        engine.say("job-1", EngineChunk(b"data: a\n\n", 3, n_shown_tokens=1))
        engine.say("job-1", EngineChunk(b"data: b\n\n", 6, n_shown_tokens=4))
        await peer.hear(Progress, job="job-1", output_tokens=6)
        engine.say("job-1", end(final=b"{}", completion=6))
        await peer.hear(RunEnded, job="job-1")

    assert [(0, 1), (1, 3)] == [(part.first, part.n) for part in peer.said(Tokens)]


async def test_an_engine_that_cannot(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """An engine without the feature declines the run, and runs nothing."""
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear_state(accepting=True)
        await peer.send(resumed("job-1"))
        declined = await peer.hear(Decline, job="job-1")

    assert (RESUME_UNSUPPORTED, {}) == (declined.code, declined.values)
    assert {} == engine.lines


async def test_an_owner_cannot_declare_it() -> None:
    """An attached server is not believed to continue answers, whatever its owner declares."""
    config = AttachConfig(url="http://127.0.0.1:1", model="m", features=(RESUME, "tools"))

    assert ("tools",) == AttachedEngine(config).facts.features


async def test_an_answer_in_one_piece_is_not_resumed(
    bus: NatsPool, peer: Peer, tmp_path: Path
) -> None:
    """Only a streamed answer has a part that its client has."""
    async with serving(configure(bus, tmp_path), resuming_engine()):
        await peer.hear_state(accepting=True)
        await peer.send(msgspec.structs.replace(resumed("job-1"), stream=False))
        declined = await peer.hear(Decline, job="job-1")

    assert RESUME_UNSUPPORTED == declined.code


@pytest.mark.parametrize("code", [BAD_REQUEST, CONTEXT_LENGTH_EXCEEDED])
async def test_an_engine_that_refuses_to_continue(
    bus: NatsPool, peer: Peer, tmp_path: Path, code: str
) -> None:
    """What an engine refuses to continue another may: the client hears of no error from here."""
    engine = resuming_engine()
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear_state(accepting=True)
        await peer.send(resumed("job-1"))
        await peer.hear(Accept, job="job-1")
        failure = EngineFailure(code, "Assistant prefill is not possible", retryable=False)
        engine.say("job-1", end(Outcome.FAILED, completion=0, failure=failure))
        declined = await peer.hear(Decline, job="job-1")

    assert (RESUME_UNSUPPORTED, {}) == (declined.code, declined.values)
    assert [] == peer.said(RunEnded) == peer.said(UsageReport)

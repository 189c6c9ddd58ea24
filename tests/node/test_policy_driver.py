"""The owner's file and the agent: the terms applied on a real bus, with a scripted engine."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path

import pytest
from tests.integration.nats_support import NatsPool
from tests.node.support import Peer, ScriptedEngine, configure, end, run, serving
from tests.node.test_machine_probes import ScriptedDetector
from tests.waiting import eventually

from entraide.lent_terms import LentCaps, LentHours, LentTerms
from entraide.types import DataClass, Lending, Outcome
from entraide.wire.messages import Accept, Decline, Heartbeat, Hello, Tokens, UsageReport
from entraide_node.agent import Agent
from entraide_node.config import EnergyConfig, NodeConfig
from entraide_node.core.owner_policy import LendingLimits
from entraide_node.engines.base import EngineChunk
from entraide_node.machine_probes import MachineProbes
from entraide_node.owner import files as owner_files
from entraide_node.owner.policy_driver import AgentLoad, PolicyDriver
from entraide_node.owner.terms_file import TERMS_NAME, changed_ns

pytestmark = pytest.mark.engines  # real processes that are waited for

QUICK = "settle_s = 0.0\ntemperature_max_c = 0\nload_max_percent = 0\nmemory_free_min_gb = 0\n"


@asynccontextmanager
async def owned(
    config: NodeConfig, engine: ScriptedEngine, detector: ScriptedDetector
) -> AsyncIterator[Agent]:
    """An agent whose owner's presence is as the test says."""
    async with serving(config, engine, probes=MachineProbes(detector)) as agent:
        yield agent


def say(folder: Path, text: str) -> None:
    """The owner writes their terms."""
    (folder / TERMS_NAME).write_text(QUICK + text)


async def test_an_owner_who_comes_back(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """New work stops at once; a stream in mid-answer ends with the owner's code; then it works."""
    say(tmp_path, "give_back_s = 0.2\nidle_min = 1.0\n")
    engine, detector = ScriptedEngine(), ScriptedDetector(inf)
    async with owned(configure(bus, tmp_path), engine, detector):
        await peer.hear_state(accepting=True)
        await peer.send(run("job-1", stream=True))
        await peer.send(run("job-2"))
        engine.say("job-1", EngineChunk(b"data: a\n\n", 3))
        await peer.hear(Tokens)
        detector.idle_s = 0.0
        await peer.hear(Heartbeat, accepting=False, reason="owner_busy")
        await peer.send(run("job-3"))
        declined = await peer.hear(Decline, job="job-3")
        first = await peer.hear(UsageReport, job="job-1")
        second = await peer.hear(UsageReport, job="job-2")
        status = owner_files.read_status(tmp_path, now=time.time())
        detector.idle_s = 61.0
        heard = len(peer.ctl)
        await eventually(
            lambda: any(isinstance(m, Heartbeat) and m.accepting for m in peer.ctl[heard:])
        )

    assert "draining" == declined.code
    assert (Outcome.FAILED, "owner_terms", True) == (first.outcome, first.code, first.delivered)
    assert ("owner_terms", False) == (second.code, second.delivered)
    assert status is not None
    assert (9, "owner_busy", "test") == (status.owner.number, status.owner.code, status.owner.how)


async def test_an_owner_may_keep_the_reason_to_the_machine(
    bus: NatsPool, peer: Peer, tmp_path: Path
) -> None:
    """The pool learns only that the terms do not allow work; the machine's own status says why."""
    say(tmp_path, 'tell_pool = "state"\n')
    async with owned(configure(bus, tmp_path), ScriptedEngine(), ScriptedDetector(0.0)):
        state = await peer.hear_state(accepting=False, reason="owner_terms")
        await eventually(lambda: _owner_code(tmp_path) == "owner_busy")
        status = owner_files.read_status(tmp_path, now=time.time())
        reasons = {message.reason for message in peer.states()}

    assert not state.accepting
    assert "owner_busy" not in reasons
    assert status is not None
    assert changed_ns(tmp_path) == status.owner.terms_ns


async def test_an_owner_may_tell_the_pool_the_hours_and_caps(
    bus: NatsPool, peer: Peer, tmp_path: Path
) -> None:
    """They go with the card only if the owner says so, and follow the file within a second."""
    hours = 'hours = ["mo-fr 18:00-08:00"]\n'
    caps = "[caps_present]\npower_w = 60\n"
    say(tmp_path, hours + caps)
    async with owned(configure(bus, tmp_path), ScriptedEngine(), ScriptedDetector(inf)):
        silent = await peer.hear(Hello)
        say(tmp_path, f'tell_pool = "terms"\npresent = "own"\n{hours}{caps}')
        await eventually(lambda: _told(peer) is not None)
        terms = _told(peer)
        say(tmp_path, hours + caps)
        await eventually(lambda: _told(peer) is None)

    assert None is silent.card.terms
    assert terms == LentTerms(
        (LentHours((0, 1, 2, 3, 4), 1_080, 480),),
        LentCaps(),
        Lending.OWN_ONLY,
        LentCaps(power_w=60.0),
    )


def _told(peer: Peer) -> LentTerms | None:
    """Returns the terms in the last hello."""
    return [message for message in peer.states() if isinstance(message, Hello)][-1].card.terms


async def test_what_ends_in_time_ends_well(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """Within the promised time a run may finish, and nothing is cut short; no prompt is kept."""
    say(tmp_path, "give_back_s = 600\n")
    engine, detector = ScriptedEngine(), ScriptedDetector(inf)
    async with owned(configure(bus, tmp_path), engine, detector):
        await peer.hear_state(accepting=True)
        await peer.send(run("job-1"))
        await peer.hear(Accept)
        detector.idle_s = 0.0
        await peer.hear(Heartbeat, accepting=False, reason="owner_busy")
        await eventually(lambda: engine.rest_bytes_max is None)
        engine.say("job-1", end(body=b"{}"))
        report = await peer.hear(UsageReport, job="job-1")

    assert Outcome.COMPLETED == report.outcome
    assert [] == engine.cancelled


async def test_own_work_goes_on_beside_the_owner(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """Runs of other co-ops are ended and declined, what was read is erased; own runs go on."""
    say(tmp_path, 'present = "own"\ngive_back_s = 0.2\n')
    engine, detector = ScriptedEngine(), ScriptedDetector(inf)
    async with owned(configure(bus, tmp_path), engine, detector):
        await peer.hear_state(accepting=True, lending=Lending.ALL)
        await peer.send(run("job-1", own=True))
        await peer.send(run("job-2", own=False))
        await peer.hear(Accept, job="job-2")
        detector.idle_s = 0.0
        await peer.hear(Heartbeat, accepting=True, lending=Lending.OWN_ONLY)
        given = await peer.hear(UsageReport, job="job-2")
        await peer.send(run("job-3", own=False))
        declined = await peer.hear(Decline, job="job-3")
        await peer.send(run("job-4", own=True))
        await peer.hear(Accept, job="job-4")

    assert [b""] == engine.forgotten
    assert ("owner_terms", "own_only") == (given.code, declined.code)
    assert [] == peer.said(UsageReport, job="job-1", code="owner_terms")


async def test_terms_are_obeyed_within_a_moment_of_being_written(
    bus: NatsPool, peer: Peer, tmp_path: Path
) -> None:
    """Hours, data classes and a broken file, all while the agent runs."""
    engine, detector = ScriptedEngine(), ScriptedDetector(inf)
    async with owned(configure(bus, tmp_path), engine, detector):
        await peer.hear_state(accepting=True)
        say(tmp_path, 'data_classes = ["public"]\nown_first = true\n')
        card = (await peer.hear(Hello, lending=Lending.OWN_FIRST)).card
        never = 'hours = ["mo 00:00-00:01", "th 00:00-00:01"]\n'
        day = time.localtime().tm_wday
        say(tmp_path, never if day not in (0, 3) else 'hours = ["sa 00:00-00:01"]\n')
        await peer.hear(Heartbeat, accepting=False, reason="outside_hours")
        (tmp_path / TERMS_NAME).write_text("hours = [")
        await eventually(lambda: _file_code(tmp_path) == "not_toml")
        still = owner_files.read_status(tmp_path, now=time.time())

    assert (DataClass.PUBLIC,) == card.data_classes
    assert still is not None
    assert "outside_hours" == still.state


def _owner_code(folder: Path) -> str:
    status = owner_files.read_status(folder, now=time.time())
    return status.owner.code if status is not None else ""


def _file_code(folder: Path) -> str:
    status = owner_files.read_status(folder, now=time.time())
    return "" if status is None else status.owner.file_code


async def test_only_on_own_surplus(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """Without enough surplus the machine accepts no work; a declared surplus allows it."""
    say(tmp_path, "surplus_only = true\n")
    dull = EnergyConfig(surplus_w=10.0, evidence="panels", ttl_s=60.0)
    async with owned(
        configure(bus, tmp_path, energy=dull), ScriptedEngine(), ScriptedDetector(inf)
    ):
        state = await peer.hear_state(reason="no_surplus")
        (tmp_path / owner_files.ENERGY_NAME).write_text("surplus_w = 400.0")
        await peer.hear(Heartbeat, accepting=True)

    assert not state.accepting


@pytest.mark.parametrize("idle_s", [None, "broken"])
async def test_not_knowing_is_a_reason_of_its_own(
    bus: NatsPool, peer: Peer, tmp_path: Path, idle_s: str | None
) -> None:
    """A probe without an answer, or a broken one, has a reason of its own."""
    say(tmp_path, "")
    detector = ScriptedDetector(None)
    if idle_s == "broken":
        detector.detect = None  # type: ignore[assignment, method-assign]
    async with owned(configure(bus, tmp_path), ScriptedEngine(), detector):
        await peer.hear(Hello)
        await eventually(lambda: peer.said(Heartbeat, reason="activity_unknown"))

    assert [] == peer.said(Heartbeat, accepting=True)


async def test_terms_that_change_nothing_else_are_announced(tmp_path: Path) -> None:
    """New terms with the same reason are told to the pool at once, also if only classes change."""
    driver = PolicyDriver(tmp_path, MachineProbes(ScriptedDetector(inf)))
    announced: list[LendingLimits] = []
    task = asyncio.create_task(
        driver.run(
            notify=lambda: announced.append(driver.limits()),
            end_runs=lambda command: None,
            read_workload=AgentLoad,
        )
    )
    await eventually(lambda: announced)
    say(tmp_path, 'present = "all"\non_battery = true\ndata_classes = ["public"]\n')
    await eventually(lambda: len(announced) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [tuple(DataClass), (DataClass.PUBLIC,)] == [limits.data_classes for limits in announced]

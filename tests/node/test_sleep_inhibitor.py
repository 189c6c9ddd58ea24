"""Awake while it works: what logind lists during a run, and after the agent was killed."""

import asyncio
import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest
from tests.integration.nats_support import NatsPool
from tests.node import desktops
from tests.node.desktops import locks
from tests.node.support import Peer, ScriptedEngine, configure, end, run, serving
from tests.waiting import eventually, until_read

from entraide.wire.messages import UsageReport
from entraide_node.owner.terms_file import TERMS_NAME
from entraide_node.sleep_inhibitor import take_logind_lock

OURS = ("idle", "Entraide", "block")
needs_logind = pytest.mark.skipif(
    not desktops.can_have_logind(), reason="no logind in a namespace of its own"
)
pytestmark = pytest.mark.engines  # real processes that are waited for

# An agent's lock, and an engine that outlives the agent: what a kill must not leave held.
HOLDER = """\
import asyncio, subprocess, sys
from functools import partial
from entraide_node.sleep_inhibitor import (
    SleepInhibitor, take_caffeinate_lock, take_logind_lock
)

async def hold() -> None:
    mac = sys.argv[1] == "caffeinate"
    take = take_caffeinate_lock if mac else partial(take_logind_lock, system_bus=sys.argv[1])
    inhibitor = SleepInhibitor(lambda: True, take=take)
    task = asyncio.create_task(inhibitor.run())
    while inhibitor._lock is None:
        await asyncio.sleep(0.01)
    engine = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL)
    print("engine", engine.pid, flush=True)
    await task

asyncio.run(hold())
"""
# As caffeinate(8) says: ``-w`` waits for the process and then ends.
CAFFEINATE = """\
#!/bin/sh
echo "$$ $*" >> "{log}"
while kill -0 "$3" 2>/dev/null; do sleep 0.05; done
echo ended >> "{log}"
"""


async def kill_holder(*arguments: str, **environ: str) -> int:
    """Kills an agent that holds a lock; returns the process id of its engine, which goes on."""
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, *arguments, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environ},
    )  # fmt: skip
    assert holder.stdout is not None
    while not (line := await holder.stdout.readline()).startswith(b"engine "):
        assert line, "the agent ended"
    engine = int(line.split()[1])
    holder.send_signal(signal.SIGKILL)
    await holder.wait()
    return engine


@needs_logind
async def test_a_run_holds_the_machine_awake_until_it_ends(
    bus: NatsPool, peer: Peer, tmp_path: Path
) -> None:
    """A real logind lists the lock while a run is active, if the owner's terms allow."""
    engine = ScriptedEngine()
    async with (
        desktops.message_bus(tmp_path) as address,
        desktops.logind(address) as system,
        serving(
            configure(bus, tmp_path), engine,
            take_lock=partial(take_logind_lock, system_bus=address),
        ) as agent,
    ):  # fmt: skip
        await peer.hear_state(accepting=True)
        before = await locks(system)
        await peer.send(run("job-1"))
        await until_read(lambda: locks(system), lambda listed: listed == [OURS])
        engine.say("job-1", end())
        await peer.hear(UsageReport, job="job-1")
        await until_read(lambda: locks(system), lambda listed: listed == [])
        (tmp_path / TERMS_NAME).write_text(
            'present = "all"\non_battery = true\ntemperature_max_c = 0\nload_max_percent = 0\n'
            "memory_free_min_gb = 0\nsettle_s = 0\nkeep_awake = false\n"
        )
        await eventually(lambda: not agent._policy_driver.keeps_awake)
        await peer.send(run("job-2"))
        await eventually(agent._runs.active_runs)
        # Several rounds of the inhibitor: a lock would be taken in the first.
        for _ in range(3):
            agent._inhibitor.wake()
            await eventually(lambda: not agent._inhibitor._changed.is_set())
            refused = await locks(system)
        engine.say("job-2", end())
        await peer.hear(UsageReport, job="job-2")

    assert [] == before
    assert [] == refused


@needs_logind
async def test_a_killed_agent_holds_nothing(tmp_path: Path) -> None:
    """logind lets go of a killed agent's lock, though its engine still runs."""
    async with desktops.message_bus(tmp_path) as address, desktops.logind(address) as system:
        engine = await kill_holder(address)
        try:
            left = await until_read(lambda: locks(system), lambda listed: listed == [])
            os.kill(engine, 0)  # it lives
        finally:
            os.kill(engine, signal.SIGKILL)

    assert [] == left


async def test_caffeinate_ends_with_a_killed_agent(tmp_path: Path) -> None:
    """A Mac's lock is asked for with the agent's process, and ends with it."""
    log = tmp_path / "log"
    program = tmp_path / "caffeinate"
    program.write_text(CAFFEINATE.format(log=log))
    program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    os.kill(await kill_holder("caffeinate", PATH=path), signal.SIGKILL)
    await eventually(lambda: log.exists() and log.read_text().endswith("ended\n"))
    asked = log.read_text().split()

    assert ["-i", "-w"] == asked[1:3]

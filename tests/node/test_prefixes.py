"""What an agent does with the prompts that its engines hold: it tells, limits and forgets."""

from pathlib import Path

import psutil
from msgspec.structs import replace
from tests.integration.nats_support import NatsPool
from tests.node.support import Peer, ScriptedEngine, configure, end, run, serving
from tests.waiting import eventually

from entraide.wire.messages import ForgetPartition, Heartbeat, UsageReport
from entraide_node.engines.base import HeldPrefixes
from entraide_node.owner import files as owner_files
from entraide_node.owner import terms_file as owner_terms

ANY_TIME = """present = "all"
on_battery = true
temperature_max_c = 0
load_max_percent = 0
memory_free_min_gb = 0
settle_s = 0
"""
OWNER = b"\x01" * 16


async def test_a_run_has_its_partition_and_an_engine_forgets_an_owner(
    bus: NatsPool, tmp_path: Path, peer: Peer
) -> None:
    """The partition and its time go to the engine as the gateway sent them."""
    engine = ScriptedEngine()
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear_state(accepting=True)
        await peer.send(replace(run("job-1"), partition=OWNER * 2, prefix_keep_s=900.0))
        await eventually(lambda: bool(engine.requests))
        engine.say("job-1", end())
        await peer.hear(UsageReport, job="job-1")
        await peer.send(ForgetPartition(OWNER))
        await eventually(lambda: engine.forgotten == [OWNER])

    asked = engine.requests[0]
    assert (OWNER * 2, 900.0) == (asked.partition, asked.prefix_keep_s)


async def test_heartbeats_tell_what_is_held_when_it_has_changed(
    bus: NatsPool, tmp_path: Path, peer: Peer
) -> None:
    """At most 64 runs, the newest first; a heartbeat without them means: as before."""
    engine = ScriptedEngine()
    peer.periods_s = 0.1, 0.1
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear_state(accepting=True)
        engine.held = HeldPrefixes(tuple(f"job-{n}" for n in range(70)))
        await peer.hear(Heartbeat, prefix_held=engine.held.jobs[:64])
        engine.held = HeldPrefixes()
        await peer.hear(Heartbeat, prefix_held=())
        await peer.hear(Heartbeat, prefix_held=None)
        lists = [beat.prefix_held for beat in peer.said(Heartbeat) if beat.prefix_held is not None]

    assert [64, 0] == [len(held) for held in lists]


async def test_a_paused_machine_holds_nothing(bus: NatsPool, tmp_path: Path, peer: Peer) -> None:
    """From the pause until its owner lends it again."""
    engine = ScriptedEngine()
    (tmp_path / owner_terms.TERMS_NAME).write_text(ANY_TIME + "[prefix]\nmemory_part = 0.01\n")
    async with serving(configure(bus, tmp_path), engine):
        await peer.hear_state(accepting=True)
        await eventually(lambda: engine.rest_bytes_max == int(0.01 * psutil.virtual_memory().total))
        owner_files.pause(tmp_path)
        await eventually(lambda: engine.rest_bytes_max is None)
        owner_files.resume(tmp_path)
        await eventually(lambda: engine.rest_bytes_max is not None)

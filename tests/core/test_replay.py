"""Replay: the same events give the same commands, byte for byte, in any process."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.core import invariants, recording

from entraide_scheduler.core import commands
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy.policy import Limits

ROOT = Path(__file__).resolve().parents[2]
EVENTS = 4_000
MIDDLE = 1_900
STARTS = (1, 7, 500, 1_234, EVENTS - 1)


@pytest.fixture(scope="module", params=[64, 3], ids=["one by one", "as columns"])
def world(request: pytest.FixtureRequest) -> recording.World:
    """A recorded run of a pool, evaluated node by node or vectorized."""
    limits = Limits(explained_nodes=request.param, explained_best=2)
    return recording.record(seed=20_272, number=EVENTS, limits=limits)


@pytest.fixture(scope="module")
def journal(world: recording.World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its events as bytes."""
    file = tmp_path_factory.mktemp("replay") / "journal"
    file.write_bytes(msgspec.msgpack.encode(world.pool.events))
    return file


def replayed(journal: Path, start: int, **environment: str) -> list[str]:
    """Replays a journal in a process of its own and returns the hashes it prints."""
    command = [sys.executable, "-m", "tests.core.recording", str(journal), str(start)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, check=True, text=True
    )
    return done.stdout.split()


def test_the_recording_holds_what_can_happen(world: recording.World) -> None:
    """Every kind of command occurs in the recording, and every invariant holds."""
    kinds_of_commands = Counter(type(command).__name__ for command in world.pool.asked)
    codes = {command.code for command in world.pool.asked if isinstance(command, commands.EndJob)}
    kinds = {type(command) for command in world.pool.asked}

    assert kinds == set(commands.Command.__args__)  # type: ignore[attr-defined]
    assert kinds_of_commands["Settle"] > 200
    assert {"", "cancelled", "gateway_lost", "context_length_exceeded", "engine_failed"} <= codes
    invariants.check(world.pool)


def test_the_same_under_other_seeds_and_processors(journal: Path) -> None:
    """Two hash seeds, and a processor without its vector features, give the same bytes; so do
    a core restored in the middle and the one that went on."""
    features = " ".join(np.show_config(mode="dicts")["SIMD Extensions"].get("found", ()))
    first = replayed(journal, MIDDLE, PYTHONHASHSEED="1")
    second = replayed(journal, MIDDLE, PYTHONHASHSEED="2", NPY_DISABLE_CPU_FEATURES=features)

    assert first == second
    assert first[1] == first[2]


def test_the_replay_asks_what_was_asked(world: recording.World) -> None:
    """Replayed from its start, a journal leads to the commands that it led to."""
    core = Core()
    again = [command for event in world.pool.events for command in core.handle(event)]

    assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(world.pool.asked)


def test_a_snapshot_goes_on_wherever_it_was_taken(world: recording.World) -> None:
    """A core restored at any point asks, to the end, what the first one asked."""
    recorded = world.pool.events
    went_on, snapshots = recording.digests(recorded, STARTS)
    restored = {
        start: recording.digest(recorded[start:], Core.restore(snapshots[start]))
        for start in STARTS
    }

    assert went_on == restored


def test_events_survive_their_bytes(world: recording.World, journal: Path) -> None:
    """Events decoded from the journal equal the recorded events."""
    assert recording._events.decode(journal.read_bytes()) == world.pool.events

"""Battery, heat, memory and other programs, as the system reports them."""

import shutil
import subprocess
from collections.abc import Iterator
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from entraide_node import machine_probes
from entraide_node.core.owner_terms import UNRESTRICTED_TERMS, OwnerTerms, PresencePolicy
from entraide_node.idle_detection import macos
from entraide_node.idle_detection.activity import Activity
from entraide_node.machine_probes import (
    ForeignLoad,
    MachineProbes,
    max_temperature_c,
    running_programs,
)

CAREFUL = OwnerTerms(temperature_max_c=0.0)


class ScriptedDetector:
    """An idle detector whose answer the test sets; counts its calls."""

    def __init__(self, idle_s: float | None = inf) -> None:
        self.idle_s = idle_s
        self.asked = 0

    async def detect(self) -> Activity:
        """Tells it."""
        self.asked += 1
        return Activity(self.idle_s, "test")

    async def close(self) -> None:
        """Has nothing to let go of."""


def part(current: float) -> SimpleNamespace:
    """One sensor, as psutil tells it."""
    return SimpleNamespace(label="", current=current, high=100.0, critical=100.0)


# As psutil told on real machines.
SENSORS: dict[str, tuple[dict[str, list[Any]], float | None]] = {
    "a laptop with an Intel processor": (
        {"coretemp": [part(61.0), part(58.0)], "nvme": [part(71.9)], "acpitz": [part(27.8)]},
        61.0,
    ),
    "a desktop with an AMD processor": ({"k10temp": [part(54.4)], "amdgpu": [part(48.0)]}, 54.4),
    "a small board": ({"cpu_thermal": [part(49.2)]}, 49.2),
    "a disk only": ({"nvme": [part(41.9)]}, None),
    "a sensor that is broken": ({"coretemp": [part(0.0)]}, None),
    "a server in a container": ({}, None),
}


@pytest.mark.parametrize("case", SENSORS)
def test_the_hottest_processor_counts(case: str) -> None:
    """Disks and batteries do not."""
    readings, expected = SENSORS[case]

    assert expected == max_temperature_c(readings)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[str]:
    """A real program that runs under a name of its own."""
    path = tmp_path / "entraide-melo"
    shutil.copy(str(shutil.which("sleep")), path)
    process = subprocess.Popen([str(path), "600"])
    try:
        yield path.name
    finally:
        process.kill()
        process.wait()


async def test_a_chosen_program_is_seen_while_it_runs(program: str) -> None:
    """A real process is found by its name, in any case of letters."""
    probe = MachineProbes(ScriptedDetector())
    terms = OwnerTerms(programs=("nothing-of-the-kind", program.upper()))
    state = await probe.read_state(terms, paused=False)

    assert (program.upper(),) == state.programs


def test_names_are_compared_as_people_write_them() -> None:
    """Case and the ending of Windows do not matter; a part of a name does."""
    there = ["Blender.exe", "obs", "obs-helper"]

    assert ("blender", "OBS") == running_programs(("blender", "OBS", "helper"), there)


@pytest.mark.parametrize(
    ("battery", "expected"),
    [
        (None, (False, None)),
        (SimpleNamespace(percent=80, power_plugged=True), (False, 80.0)),
        (SimpleNamespace(percent=37, power_plugged=False), (True, 37.0)),
        (SimpleNamespace(percent=50, power_plugged=None), (False, 50.0)),
    ],
)
async def test_the_battery(
    battery: Any, expected: tuple[bool, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unplugged and how full; a system that does not know whether it is plugged in is not."""
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
    state = await MachineProbes(ScriptedDetector()).read_state(CAREFUL, paused=False)

    assert expected == (state.on_battery, state.charge_percent)


def times(whole: float, idle: float) -> SimpleNamespace:
    """The system's processor times, as psutil tells them; a sum like a tuple's."""

    class Times(SimpleNamespace):
        def __iter__(self) -> Iterator[float]:
            return iter((whole - idle, idle))

    return Times(user=whole - idle, idle=idle)


# Before and after: all processors' time, their idle time, and ours.
LOADS = {
    "nobody works": ((100.0, 90.0, 5.0), (120.0, 110.0, 5.0), 0.0),
    "we alone work": ((100.0, 90.0, 5.0), (120.0, 100.0, 15.0), 0.0),
    "others alone work": ((100.0, 90.0, 5.0), (120.0, 95.0, 5.0), 75.0),
    "both work": ((100.0, 90.0, 5.0), (120.0, 90.0, 15.0), 50.0),
    "a child of ours has ended": ((100.0, 90.0, 50.0), (120.0, 105.0, 10.0), 25.0),
}


@pytest.mark.parametrize("case", LOADS)
def test_others_load_is_what_is_not_ours(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all processors' time, between two looks."""
    before, later, expected = LOADS[case]
    load = ForeignLoad()
    said = []
    for whole, idle, own in (before, later):
        monkeypatch.setattr(psutil, "cpu_times", lambda w=whole, i=idle: times(w, i))
        monkeypatch.setattr(machine_probes, "_own_s", lambda o=own: o)
        said.append(load.percent())

    assert [None, expected] == said


def test_the_load_of_this_very_machine_is_a_share() -> None:
    """On real counters the load is between 0 and 100 percent."""
    load = ForeignLoad()
    load.percent()
    said = load.percent()

    assert said is None or 0.0 <= said <= 100.0


async def test_nothing_is_asked_that_the_terms_do_not_speak_of() -> None:
    """An owner without terms costs nothing: neither presence nor programs nor load."""
    look = ScriptedDetector(0.0)
    state = await MachineProbes(look).read_state(UNRESTRICTED_TERMS, paused=False)

    assert 0 == look.asked
    assert (inf, None, None, ()) == (
        state.idle_s, state.load_percent, state.memory_free_bytes, state.programs
    )  # fmt: skip


async def test_presence_is_asked_each_time_and_the_rest_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Presence is read at each call, the battery only after ``READ_INTERVAL_S``."""
    asked: list[int] = []
    monkeypatch.setattr(psutil, "sensors_battery", lambda: asked.append(1), raising=False)
    look = ScriptedDetector(3.0)
    probe = MachineProbes(look)
    for _ in range(3):
        state = await probe.read_state(OwnerTerms(), paused=True)
    await probe.read_state(OwnerTerms(present=PresencePolicy.ALL), paused=False)

    assert (True, 3.0) == (state.paused, state.idle_s)
    assert 3 == look.asked
    assert 2 == len(asked)


# What `pmset -g therm` writes on real Macs.
THERM = {
    "Note: No thermal warning level has been recorded\n": False,
    "2026-01-05\n CPU_Scheduler_Limit \t= 100\n CPU_Available_CPUs \t= 8\n"
    " CPU_Speed_Limit \t= 100\n": False,
    " CPU_Scheduler_Limit \t= 100\n CPU_Available_CPUs \t= 8\n CPU_Speed_Limit \t= 63\n": True,
    "Note: No performance warning level has been recorded\n"
    "2026-01-05: Thermal warning level set to 2\n": True,
    "": False,
}


@pytest.mark.parametrize("said", THERM)
def test_a_mac_tells_that_it_slows_down(said: str) -> None:
    """A speed below the full one, or a warning level."""
    assert THERM[said] is macos.is_throttled(said)

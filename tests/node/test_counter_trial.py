"""A meter of the machine against a stopwatch, on the kernel's files in a folder."""

import os
from pathlib import Path

import pytest
from tests.cases import all_cases

from entraide_node.energy.counters import RaplCounter
from entraide_node.selftest.counter_trial import CounterTrial
from entraide_node.selftest.report import MeterTrial

POWER_W = 12.5
STEP_S = 0.02


class Stopwatch:
    """A clock that goes on by a step at each reading, and writes what was used meanwhile."""

    def __init__(self, root: Path, power_w: float) -> None:
        self._domain = root / "intel-rapl:0"
        self._domain.mkdir()
        self._power_w = power_w
        self._steps = 0
        for name, value in (("name", "package-0"), ("max_energy_range_uj", "300000000")):
            (self._domain / name).write_text(f"{value}\n", "ascii")
        self()

    def __call__(self) -> float:
        self._steps += 1
        now_s = self._steps * STEP_S
        # Whole packages wrap around in an hour; here after 300 J, which is within the idle time.
        energy_uj = int(290e6 + now_s * self._power_w * 1e6) % 300_000_000
        (self._domain / "energy_uj").write_text(f"{energy_uj}\n", "ascii")
        return now_s


def try_counter(root: Path, power_w: float) -> MeterTrial:
    """Polls the processor's counter, and leaves the machine idle for some steps."""
    stopwatch = Stopwatch(root, power_w)
    trial = CounterTrial("rapl", RaplCounter(root), clock=stopwatch)
    trial.poll()
    trial.start()
    for _ in range(50):
        stopwatch()
    return trial.finish()


def test_a_counter_by_the_stopwatch(tmp_path: Path) -> None:
    """Power when idle is the counter's joules by the stopwatch's seconds, over a wrap-around."""
    result = try_counter(tmp_path, POWER_W)

    assert ("", 1) == (result.fault, result.parts)
    assert result.changes > 10
    assert result.update_ms == pytest.approx(2e3 * STEP_S)
    assert result.idle_w == pytest.approx(POWER_W, rel=0.05)


def test_a_counter_that_stands_still(tmp_path: Path) -> None:
    """A counter that does not change, as in many virtual machines, is a fault."""
    result = try_counter(tmp_path, 0.0)

    assert ("still", 0, None) == (result.fault, result.changes, result.update_ms)


def remove(file: Path) -> None:
    """Takes the counter away."""
    file.unlink()


def lock(file: Path) -> None:
    """Leaves the counter to root alone."""
    file.chmod(0)


@all_cases(("spoil", "fault"), ((remove, "gone"), (lock, "not_allowed")))
def test_a_counter_that_cannot_be_read(spoil: object, fault: str, tmp_path: Path) -> None:
    """A counter without a value names its fault, and no power."""
    if spoil is lock and os.geteuid() == 0:
        pytest.skip("root reads any file")
    root = tmp_path / fault
    root.mkdir()
    stopwatch = Stopwatch(root, POWER_W)
    counter = RaplCounter(root)
    assert callable(spoil)
    spoil(root / "intel-rapl:0" / "energy_uj")
    trial = CounterTrial("rapl", counter, clock=lambda: 0.0)
    trial.poll()
    result = trial.finish()
    del stopwatch

    assert (fault, None) == (result.fault, result.idle_w)

"""The picture of a steady run: for both themes, and the same bytes each time."""

from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from benchmarks.steady import Minute, Steady
from benchmarks.support.steadiness import ProcessSample
from benchmarks.support.steady_picture import main


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A run of ten minutes, with one minute without an answer."""
    sample = ProcessSample(100.0, 80.0, 30, 10)
    times = (0.1, 0.2, 0.02, 0.03, 1.0, 2.0)
    rows = [
        Minute(
            number, 80.0, 1.0, 20, 0, *(times if number != 5 else (None,) * 6), 5.0, 900,
            {"nats": sample, "scheduler": sample},
        )
        for number in range(10)
    ]  # fmt: skip
    file = tmp_path / "result.json"
    file.write_bytes(msgspec.json.encode(Steady(80.0, rows, [], [])))
    return file


@pytest.mark.engines
def test_it_has_colours_for_light_and_dark_and_always_the_same_bytes(
    result: Path, tmp_path: Path
) -> None:
    """Each colour is a variable with two values; every process and every time has its line."""
    first, second = tmp_path / "1.svg", tmp_path / "2.svg"
    statuses = [main([str(result), str(target)]) for target in (first, second)]
    text = first.read_text("utf-8")
    shown = "".join(ET.fromstring(text).itertext())

    assert [0, 0] == statuses
    assert 2 == text.count("--ink: #")
    assert "@media (prefers-color-scheme: dark)" in text
    assert "#fe" not in text
    assert all(word in shown for word in ("nats", "scheduler", "first token, p50", "minutes"))
    assert first.read_bytes() == second.read_bytes()

"""What a twin's measurement has so far, so that one that was interrupted goes on where it was.

Decides what is kept, a file each: the settings, every calibration, and every repeat of every load.
A folder holds one folder for each engine. What was measured under other settings is never mixed
in. It refuses to know how anything was measured.
"""

from pathlib import Path

import msgspec
from benchmarks.support.twin_fit import BatchBounds, CalibrationSamples, MeasuredRequest
from msgspec import Struct


class LoadShape(Struct, frozen=True):
    """Lengths of a load whose requests are unlike those of the others.

    Attributes:
        words, answers: shortest and longest.
        together: requests that come at the same moment.
    """

    words: tuple[int, int]
    answers: tuple[int, int]
    together: int = 1


class TwinSettings(Struct, frozen=True):
    """All that a measurement depends on but the machine.

    Attributes:
        engine: what it is called in the table.
        bounds: of its batch.
        loads: parts of what the machine can serve, by name.
        words, answers: shortest and longest.
        requests: of each load.
        repeats: of each load.
        seed: of the arrivals.
        shapes: of loads that differ from ``words`` and ``answers``, by name.
    """

    engine: str
    bounds: BatchBounds
    loads: dict[str, float]
    words: tuple[int, int]
    answers: tuple[int, int]
    requests: int
    repeats: int
    seed: int
    shapes: dict[str, LoadShape] = {}

    def shape(self, load: str) -> LoadShape:
        """Returns the shape of a load."""
        return self.shapes.get(load) or LoadShape(self.words, self.answers)


class LoadRepeat(Struct, frozen=True):
    """One repeat of one load.

    Attributes:
        seen: of each request, in order of arrival.
        others_part: part of the engine's core that other programs took meanwhile; None where its
            processes are not known.
    """

    seen: list[MeasuredRequest]
    others_part: float | None


class MeasurementStore:
    """The folder of one engine."""

    def __init__(self, folder: Path, settings: TwinSettings) -> None:
        """Opens a folder, which is made.

        Raises:
            ValueError: it holds what was measured under other settings.
        """
        self.folder = folder
        self.settings = settings
        folder.mkdir(parents=True, exist_ok=True)
        before = read_settings(folder)
        if before is not None and before != settings:
            raise ValueError(f"{folder} holds a measurement with other settings")
        _write_atomically(folder / "settings.json", settings)

    def calibrations(self) -> list[CalibrationSamples]:
        """Returns what the calibrations measured, one before each repeat of the loads."""
        paths = sorted(self.folder.glob("calibration-*.json"))
        return [msgspec.json.decode(path.read_bytes(), type=CalibrationSamples) for path in paths]

    def store_calibration(self, number: int, samples: CalibrationSamples) -> None:
        """Keeps what one calibration measured."""
        _write_atomically(self.folder / f"calibration-{number}.json", samples)

    def capacity_per_s(self, load: str = "") -> float | None:
        """Returns the requests a second that the loads, or a load of another shape, are parts of.

        The first calibration decides it.
        """
        path = self._capacity_path(load)
        return msgspec.json.decode(path.read_bytes(), type=float) if path.is_file() else None

    def store_capacity(self, per_s: float, load: str = "") -> None:
        """Fixes the requests a second that the loads, or a load of another shape, are parts of."""
        _write_atomically(self._capacity_path(load), per_s)

    def _capacity_path(self, load: str) -> Path:
        return self.folder / (f"capacity-{load}.json" if load else "capacity.json")

    def repeat(self, load: str, number: int) -> LoadRepeat | None:
        """Returns one repeat of a load, if it was measured."""
        path = self._repeat_path(load, number)
        return msgspec.json.decode(path.read_bytes(), type=LoadRepeat) if path.is_file() else None

    def store_repeat(self, load: str, number: int, repeat: LoadRepeat) -> None:
        """Keeps one repeat of a load."""
        _write_atomically(self._repeat_path(load, number), repeat)

    def _repeat_path(self, load: str, number: int) -> Path:
        return self.folder / f"{load}-{number}.json"


def read_settings(folder: Path) -> TwinSettings | None:
    """Returns what a folder's measurement depends on, if it has one."""
    path = folder / "settings.json"
    return msgspec.json.decode(path.read_bytes(), type=TwinSettings) if path.is_file() else None


def _write_atomically(path: Path, value: Struct | float) -> None:
    """Writes a file; whoever is interrupted leaves the old one or none."""
    beside = path.with_suffix(".part")
    beside.write_bytes(msgspec.json.encode(value))
    beside.replace(path)

"""Twin store: the measurements of a twin on disk, so that an interrupted benchmark can resume.

One folder per engine; one file each for the settings, every calibration and every repeat of a load.
Measurements with different settings are never mixed.
"""

from pathlib import Path

import msgspec
from benchmarks.support.twin_fit import BatchBounds, CalibrationSamples, MeasuredRequest
from msgspec import Struct


class LoadShape(Struct, frozen=True):
    """Lengths of a load that differ from those of the other loads.

    Attributes:
        words, answers: shortest and longest.
        together: number of simultaneous requests.
    """

    words: tuple[int, int]
    answers: tuple[int, int]
    together: int = 1


class TwinSettings(Struct, frozen=True):
    """Settings of a measurement, apart from the machine.

    Attributes:
        engine: name in the table.
        bounds: of its batch.
        loads: parts of the machine's capacity, by name.
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
    """The measurements of one engine in a folder."""

    def __init__(self, folder: Path, settings: TwinSettings) -> None:
        """Opens a folder, and creates it if necessary.

        Raises:
            ValueError: the folder has measurements with other settings.
        """
        self.folder = folder
        self.settings = settings
        folder.mkdir(parents=True, exist_ok=True)
        before = read_settings(folder)
        if before is not None and before != settings:
            raise ValueError(f"{folder} holds a measurement with other settings")
        _write_atomically(folder / "settings.json", settings)

    def calibrations(self) -> list[CalibrationSamples]:
        """Returns the calibrations, one before each repeat of the loads."""
        paths = sorted(self.folder.glob("calibration-*.json"))
        return [msgspec.json.decode(path.read_bytes(), type=CalibrationSamples) for path in paths]

    def store_calibration(self, number: int, samples: CalibrationSamples) -> None:
        """Stores one calibration."""
        _write_atomically(self.folder / f"calibration-{number}.json", samples)

    def capacity_per_s(self, load: str = "") -> float | None:
        """Returns the capacity for the loads, or for a load of another shape, requests/s.

        It is that of the first calibration.
        """
        path = self._capacity_path(load)
        return msgspec.json.decode(path.read_bytes(), type=float) if path.is_file() else None

    def store_capacity(self, per_s: float, load: str = "") -> None:
        """Stores the capacity for the loads, or for a load of another shape, requests/s."""
        _write_atomically(self._capacity_path(load), per_s)

    def _capacity_path(self, load: str) -> Path:
        return self.folder / (f"capacity-{load}.json" if load else "capacity.json")

    def repeat(self, load: str, number: int) -> LoadRepeat | None:
        """Returns one repeat of a load, or None."""
        path = self._repeat_path(load, number)
        return msgspec.json.decode(path.read_bytes(), type=LoadRepeat) if path.is_file() else None

    def store_repeat(self, load: str, number: int, repeat: LoadRepeat) -> None:
        """Stores one repeat of a load."""
        _write_atomically(self._repeat_path(load, number), repeat)

    def _repeat_path(self, load: str, number: int) -> Path:
        return self.folder / f"{load}-{number}.json"


def read_settings(folder: Path) -> TwinSettings | None:
    """Returns the settings of a folder's measurements, or None."""
    path = folder / "settings.json"
    return msgspec.json.decode(path.read_bytes(), type=TwinSettings) if path.is_file() else None


def _write_atomically(path: Path, value: Struct | float) -> None:
    """Writes a file atomically."""
    beside = path.with_suffix(".part")
    beside.write_bytes(msgspec.json.encode(value))
    beside.replace(path)

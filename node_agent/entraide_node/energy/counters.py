"""Counters: what a machine's own parts count of the energy that they take.

Linux tells the processor's energy through RAPL (``/sys/class/powercap``), NVIDIA's driver a card's
through NVML. Both count parts and not the power supply's losses. A counter's mean power between
two looks misses nothing, however seldom one looks.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pynvml
from msgspec import Struct

POWERCAP = Path("/sys/class/powercap")
DOMAINS_MAX = 64
CARDS_MAX = 64

# Why a counter that is there cannot be read; the catalogue has it under `meter-fault-CODE`.
NOT_ALLOWED = "not_allowed"
GONE = "gone"


class CounterReading(Struct, frozen=True):
    """Energy counted since some beginning, joules; and the wrap of each part, if it has one."""

    parts_j: tuple[float, ...]
    wraps_j: tuple[float, ...]


class EnergyCounter(Protocol):
    """Something that counts energy."""

    @property
    def kind(self) -> str:
        """Its kind; the catalogue has its name under ``meter-KIND``."""

    def count(self) -> CounterReading | str:
        """Returns what it has counted, or the code of why it does not say. May block shortly."""

    def close(self) -> None:
        """Lets go of what it holds."""


class RaplCounter:
    """The processor's energy, all packages and their memory, or the whole platform's if told."""

    kind = "rapl"

    def __init__(self, root: Path = POWERCAP) -> None:
        self._domains = _find_domains(root)
        self._wraps_j = tuple(
            int((domain / "max_energy_range_uj").read_text("ascii")) / 1e6
            for domain in self._domains
        )

    def __bool__(self) -> bool:
        return bool(self._domains)

    def count(self) -> CounterReading | str:
        """Reads each domain's counter."""
        try:
            parts_j = tuple(
                int((domain / "energy_uj").read_text("ascii")) / 1e6 for domain in self._domains
            )
        except PermissionError:
            return NOT_ALLOWED  # root only, unless the machine's owner opens it
        except (OSError, ValueError):
            return GONE
        return CounterReading(parts_j, self._wraps_j)

    def close(self) -> None:
        """Holds nothing."""


def _find_domains(root: Path) -> tuple[Path, ...]:
    """The domains that together count the most, none twice."""
    try:
        named = {
            path: (path / "name").read_text("ascii").strip()
            for path in sorted(root.glob("intel-rapl:*"))[:DOMAINS_MAX]
            if (path / "max_energy_range_uj").exists()
        }
    except (OSError, UnicodeDecodeError):
        return ()
    platform = tuple(path for path, name in named.items() if name == "psys")
    if platform:
        return platform
    return tuple(
        path for path, name in named.items() if name.startswith("package") or name == "dram"
    )


class NvmlCounter:
    """The energy of NVIDIA's cards in this machine, all of them."""

    kind = "nvml"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._cards: tuple[object, ...] = ()
        self._open = False
        self._summed: dict[int, tuple[float, float]] = {}  # card: when last looked, joules so far
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlInit()
            self._open = True
            count = min(CARDS_MAX, pynvml.nvmlDeviceGetCount())
            self._cards = tuple(pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(count))

    def __bool__(self) -> bool:
        return bool(self._cards)

    def count(self) -> CounterReading | str:
        """Asks each card for its counter; one that has none is reckoned by its power now."""
        try:
            parts_j = tuple(self._card_j(n, card) for n, card in enumerate(self._cards))
        except pynvml.NVMLError:
            return GONE
        return CounterReading(parts_j, (0.0,) * len(parts_j))

    def close(self) -> None:
        """Lets the driver go."""
        if self._open:
            self._open = False
            with contextlib.suppress(pynvml.NVMLError):
                pynvml.nvmlShutdown()

    def _card_j(self, number: int, card: object) -> float:
        with contextlib.suppress(pynvml.NVMLError_NotSupported):  # before Volta
            return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(card)) / 1e3
        power_w, now_s = pynvml.nvmlDeviceGetPowerUsage(card) / 1e3, self._clock()
        looked_s, so_far_j = self._summed.get(number, (now_s, 0.0))
        self._summed[number] = now_s, so_far_j + power_w * (now_s - looked_s)
        return self._summed[number][1]


def energy_between_j(before: CounterReading, now: CounterReading) -> float:
    """Returns the energy between two looks, joules; negative when a counter began anew.

    A counter that wraps goes on from 0 after its wrap.
    """
    total_j = 0.0
    for old_j, new_j, wrap_j in zip(before.parts_j, now.parts_j, now.wraps_j, strict=True):
        step_j = new_j - old_j
        total_j += step_j + wrap_j if step_j < 0.0 < wrap_j else step_j
    return total_j

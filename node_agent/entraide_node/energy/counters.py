"""Energy counters of a machine's components.

Linux exposes the processor's energy through RAPL (``/sys/class/powercap``), NVIDIA's driver a
card's through NVML. Both count components and not the losses of the power supply. Input: the
counters. Output: joules. The mean power between two readings of a counter is exact for any
interval.
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

# Why a counter cannot be read; the message catalogue has the words under `meter-fault-CODE`.
NOT_ALLOWED = "not_allowed"
GONE = "gone"


class CounterReading(Struct, frozen=True):
    """Counted energy of each part, joules, and its wrap-around value; 0 for none."""

    parts_j: tuple[float, ...]
    wraps_j: tuple[float, ...]


class EnergyCounter(Protocol):
    """A source of counted energy."""

    @property
    def kind(self) -> str:
        """Its kind; the message catalogue has its name under ``meter-KIND``."""

    def count(self) -> CounterReading | str:
        """Returns the counted energy, or the code of a fault. May block briefly."""

    def close(self) -> None:
        """Releases its resources."""


class RaplCounter:
    """The processor's energy: all packages and memory, or the whole platform if counted."""

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
            return NOT_ALLOWED  # readable by root only, unless the owner changed that
        except (OSError, ValueError):
            return GONE
        return CounterReading(parts_j, self._wraps_j)

    def close(self) -> None:
        """Has nothing to release."""


def _find_domains(root: Path) -> tuple[Path, ...]:
    """The domains that cover most of the machine without overlap."""
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
    """The energy of all NVIDIA cards in this machine."""

    kind = "nvml"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._cards: tuple[object, ...] = ()
        self._open = False
        self._summed: dict[
            int, tuple[float, float]
        ] = {}  # by card: time of the last reading, joules so far
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlInit()
            self._open = True
            count = min(CARDS_MAX, pynvml.nvmlDeviceGetCount())
            self._cards = tuple(pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(count))

    def __bool__(self) -> bool:
        return bool(self._cards)

    def count(self) -> CounterReading | str:
        """Reads each card's counter; integrates the power of a card that has none."""
        try:
            parts_j = tuple(self._card_j(n, card) for n, card in enumerate(self._cards))
        except pynvml.NVMLError:
            return GONE
        return CounterReading(parts_j, (0.0,) * len(parts_j))

    def close(self) -> None:
        """Releases the driver."""
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
    """Returns the energy between two readings, joules; negative if a counter was reset.

    A counter with a wrap-around value continues from 0 after it.
    """
    total_j = 0.0
    for old_j, new_j, wrap_j in zip(before.parts_j, now.parts_j, now.wraps_j, strict=True):
        step_j = new_j - old_j
        total_j += step_j + wrap_j if step_j < 0.0 < wrap_j else step_j
    return total_j

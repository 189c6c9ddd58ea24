"""Hardware text: what the operating system says of this machine, before it is parsed.

Input: files and commands of the system (Linux, macOS, Windows), and NVIDIA's driver. Output:
``HardwareText``; what cannot be read is left out. ``hardware_detection`` parses it, also where it
comes from another machine. Reading blocks: call it off the event loop.
"""

import contextlib
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import psutil
import pynvml
from msgspec import Meta, Struct

from entraide_node.energy.device_detection import run_command

CARDS_MAX = 64
FILES_MAX = 1_024  # files that are read of one machine
TEXT_BYTES_MAX = 256 * 1024  # of one file

CPUINFO = "/proc/cpuinfo"
MEMORY_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
# Patterns of the files that detection parses. Of a render device, the name alone is needed.
HARDWARE_FILES = (
    CPUINFO,
    *MEMORY_LIMITS,
    "/sys/class/drm/card[0-9]*/device/vendor",
    "/sys/class/drm/card[0-9]*/device/device",
    "/sys/class/drm/card[0-9]*/device/product_name",
    "/sys/class/drm/card[0-9]*/device/mem_info_vram_total",
    "/sys/class/drm/card[0-9]*/device/mem_info_gtt_total",
    "/sys/class/drm/card[0-9]*/device/drm/renderD*",
    "/sys/class/kfd/kfd/topology/nodes/*/properties",
    "/sys/class/power_supply/*/type",
    "/sys/class/power_supply/*/scope",
    "/sys/class/thermal/thermal_zone*/temp",
    "/sys/class/hwmon/hwmon*/temp*_input",
)
MAC_PROFILE, MAC_CHIP = "system_profiler", "machdep.cpu.brand_string"
_MAC_COMMANDS = {
    MAC_PROFILE: [
        "/usr/sbin/system_profiler", "SPHardwareDataType", "SPDisplaysDataType", "-json",
    ],
    MAC_CHIP: ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"],
}  # fmt: skip
Cores = Annotated[int, Meta(ge=1, le=65_536)]
Bytes = Annotated[int, Meta(ge=0, le=1 << 50)]

_SYSTEMS = {"win32": "windows"}


class NvidiaCard(Struct, frozen=True, forbid_unknown_fields=True):
    """A card of NVIDIA's driver: its name, and its own memory in bytes; None without any."""

    name: str
    memory_bytes: Bytes | None


class HardwareText(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What a system says of its machine.

    Attributes:
        system: ``linux``, ``darwin`` or ``windows``, else Python's name of the system.
        machine: the system's name of the processor's architecture.
        processor: the system's name of the processor; only where it has no file for it.
        cores: processors that this process may use.
        memory_bytes: of the machine.
        battery: whether the system reports a battery; only where it has no file for it.
        files: text by path.
        commands: output by name.
        cards: NVIDIA's cards.
    """

    system: str
    machine: str
    processor: str = ""
    cores: Cores
    memory_bytes: Bytes
    battery: bool = False
    files: dict[str, str] = {}
    commands: dict[str, str] = {}
    cards: tuple[NvidiaCard, ...] = ()


def read_hardware_text() -> HardwareText:
    """Returns what this machine's system says. Blocks."""
    system = _SYSTEMS.get(sys.platform, sys.platform)
    is_linux = system == "linux"
    commands = _MAC_COMMANDS if system == "darwin" else {}
    return HardwareText(
        system=system,
        machine=platform.machine(),
        processor="" if is_linux or commands else platform.processor(),
        cores=_count_cores(),
        memory_bytes=psutil.virtual_memory().total,
        battery=False if is_linux else psutil.sensors_battery() is not None,
        files=read_system_files(HARDWARE_FILES) if is_linux else {},
        commands={name: run_command(command) for name, command in commands.items()},
        cards=() if commands else nvml_cards(),
    )


def read_system_files(patterns: Iterable[str], *, root: Path = Path("/")) -> dict[str, str]:
    """Returns the text of the files that match patterns, by path; "" for a folder.

    Args:
        patterns: absolute paths, with wildcards.
        root: folder that takes the place of ``/``.
    """
    files: dict[str, str] = {}
    for pattern in patterns:
        for path in sorted(root.glob(pattern.lstrip("/"))):
            if len(files) >= FILES_MAX:
                return files
            with contextlib.suppress(OSError):
                files[f"/{path.relative_to(root).as_posix()}"] = _read_text(path)
    return files


def nvml_cards() -> tuple[NvidiaCard, ...]:
    """Asks NVIDIA's driver for its cards; () without a driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        count = min(CARDS_MAX, pynvml.nvmlDeviceGetCount())
        return tuple(_nvml_card(pynvml.nvmlDeviceGetHandleByIndex(n)) for n in range(count))
    except pynvml.NVMLError:
        return ()
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _nvml_card(handle: object) -> NvidiaCard:
    raw_name = pynvml.nvmlDeviceGetName(handle)
    name = raw_name.decode("utf-8", "replace") if isinstance(raw_name, bytes) else str(raw_name)
    try:
        return NvidiaCard(name, int(pynvml.nvmlDeviceGetMemoryInfo(handle).total))
    except pynvml.NVMLError_NotSupported:
        return NvidiaCard(name, None)


def _count_cores() -> int:
    usable = getattr(os, "sched_getaffinity", None)  # not every system has it
    return len(usable(0)) if usable is not None else os.cpu_count() or 1


def _read_text(path: Path) -> str:
    if path.is_dir():
        return ""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(TEXT_BYTES_MAX)

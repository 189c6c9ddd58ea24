"""Hardware detection: processor, memory, graphics, battery and thermal sensors of this machine.

Input: files and commands of the operating system (Linux, macOS, Windows). Output: ``Hardware``; a
fact that cannot be read is left out. The parsers are pure functions of the system's text, so tests
can run them on the text of other machines. Detection blocks: call it off the event loop.
"""

import contextlib
import os
import platform
import sys
from pathlib import Path

import msgspec
import psutil
import pynvml
from msgspec import Struct

from entraide.decoding import decode_json
from entraide_node.core.hardware import Gpu, Hardware
from entraide_node.energy.device_detection import (
    apple_device,
    cpu_device,
    nvidia_device,
    run_command,
)

CARDS_MAX = 64
TEXT_BYTES_MAX = 256 * 1024
AMD_VENDOR = "0x1002"
CARVEOUT_BYTES_MAX = 4 * 1024**3  # an integrated card's reserved memory is smaller

CPUINFO = Path("/proc/cpuinfo")
DRM = Path("/sys/class/drm")
KFD = Path("/sys/class/kfd/kfd/topology/nodes")
POWER_SUPPLY = Path("/sys/class/power_supply")
THERMAL = (Path("/sys/class/thermal"), Path("/sys/class/hwmon"))
CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)

_MAC = ["/usr/sbin/system_profiler", "SPHardwareDataType", "SPDisplaysDataType", "-json"]
_MAC_CHIP = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
_SYSTEMS = {"linux": "linux", "darwin": "darwin", "win32": "windows"}
_ARCHS = {"amd64": "x86_64", "aarch64": "arm64"}
# Processor flags that matter to engines, with their common names.
_FEATURES = {
    "avx": "avx", "avx2": "avx2", "f16c": "f16c", "fma": "fma", "avx512f": "avx512",
    "avx512_vnni": "avx512_vnni", "avx512_bf16": "avx512_bf16", "avx_vnni": "avx_vnni",
    "amx_tile": "amx", "asimd": "neon", "asimddp": "dotprod", "i8mm": "i8mm", "bf16": "bf16",
    "sve": "sve", "sve2": "sve2", "sme": "sme",
}  # fmt: skip
# NVIDIA's machines with unified memory.
_NVIDIA_UNIFIED = ("gb10", "orin", "thor", "xavier")


class DetectedGpu(Struct, frozen=True):
    """A graphics processor, and whether it uses the machine's own memory."""

    gpu: Gpu
    shares_memory: bool


def detect_hardware() -> Hardware:
    """Returns the hardware of this machine. Blocks."""
    system = _SYSTEMS.get(sys.platform, sys.platform)
    memory_bytes = psutil.virtual_memory().total
    if system == "darwin":
        return _detect_mac(memory_bytes)
    if system != "linux":
        gpus = nvidia_gpus(nvml_cards(), memory_bytes=memory_bytes)
        return _build_hardware(
            system, platform.processor(), detected=gpus, memory_bytes=memory_bytes,
            battery=_has_battery(),
        )  # fmt: skip
    cpu, features = parse_cpuinfo(_read_text(CPUINFO))
    memory_bytes = available_memory_bytes(
        memory_bytes, tuple(_read_text(path) for path in CGROUP_LIMITS)
    )
    gpus = nvidia_gpus(nvml_cards(), memory_bytes=memory_bytes)
    gpus += amd_gpus(DRM, KFD)
    return _build_hardware(
        system,
        cpu,
        features=features,
        detected=gpus,
        memory_bytes=memory_bytes,
        battery=has_battery_under(POWER_SUPPLY),
        thermals=any(has_thermals_under(root) for root in THERMAL),
    )


def parse_cpuinfo(cpuinfo: str) -> tuple[str, tuple[str, ...]]:
    """Parses Linux's ``/proc/cpuinfo``: the processor's name, and the features that matter.

    For an ARM processor, the name is that of the board, if it is there.
    """
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    name = fields.get("model name") or fields.get("Model") or fields.get("Hardware") or ""
    flags = set(f"{fields.get('flags', '')} {fields.get('Features', '')}".split())
    return name, tuple(sorted({ours for theirs, ours in _FEATURES.items() if theirs in flags}))


def available_memory_bytes(memory_bytes: int, limits: tuple[str, ...]) -> int:
    """Returns the machine's memory, or the limit of its container if that is lower, bytes."""
    limits_bytes = (int(limit) for limit in map(str.strip, limits) if limit.isdecimal())
    return min([memory_bytes, *(limit for limit in limits_bytes if limit > 0)])


def nvidia_gpus(
    cards: tuple[tuple[str, int | None], ...], *, memory_bytes: int
) -> tuple[DetectedGpu, ...]:
    """Returns NVIDIA's cards; a card without own memory uses the machine's."""
    gpus = []
    for name, own_bytes in cards:
        shares = own_bytes is None or any(word in name.lower() for word in _NVIDIA_UNIFIED)
        gpu = Gpu(kind="nvidia", name=name, memory_bytes=own_bytes or memory_bytes)
        gpus.append(DetectedGpu(gpu, shares))
    return tuple(gpus)


def amd_gpus(drm: Path, kfd: Path) -> tuple[DetectedGpu, ...]:
    """Returns AMD's cards, as the kernel's driver lists them.

    An integrated card uses the machine's memory: a part that is set aside at boot, and more that
    the driver may map. It is recognised by the compute driver (a node with processor cores and
    vector units), or by how little memory is set aside.

    Args:
        drm: folder of the graphics cards.
        kfd: folder of the compute driver's nodes.
    """
    integrated = _integrated(kfd)
    gpus = []
    for card in sorted(drm.glob("card[0-9]*/device"))[:CARDS_MAX]:
        if _read_text(card / "vendor").strip() != AMD_VENDOR:
            continue
        own_bytes = _read_number(card / "mem_info_vram_total")
        lent_bytes = _read_number(card / "mem_info_gtt_total")
        name = (
            _read_text(card / "product_name").strip()
            or f"AMD {_read_text(card / 'device').strip()}"
        )
        minors = {path.name.removeprefix("renderD") for path in card.glob("drm/renderD*")}
        shares = bool(minors & integrated) or own_bytes < min(CARVEOUT_BYTES_MAX, lent_bytes)
        total_bytes = own_bytes + lent_bytes if shares else own_bytes
        gpus.append(DetectedGpu(Gpu(kind="amd", name=name, memory_bytes=total_bytes), shares))
    return tuple(gpus)


def parse_mac_profile(profile: str) -> tuple[str, int, Gpu | None]:
    """Parses a Mac's profiler: the chip, its cores, and its graphics processor if it is Apple's.

    Returns:
        The chip's name, processor cores (0 if unknown), and the graphics processor.
    """
    try:
        sections = decode_json(profile, type=dict[str, list[dict[str, object]]])
        hardware = sections["SPHardwareDataType"][0]
    except (msgspec.DecodeError, KeyError, IndexError):
        return "", 0, None
    chip = str(hardware.get("chip_type", "") or hardware.get("cpu_type", ""))
    processors = str(hardware.get("number_processors", "")).removeprefix("proc ").split(":")[0]
    cores = int(processors) if processors.isdecimal() else 0
    for display in sections.get("SPDisplaysDataType", []):
        if "apple" in str(display.get("spdisplays_vendor", "")).lower():
            name, cores_text = (
                str(display.get("sppci_model", chip)),
                str(display.get("sppci_cores", "")),
            )
            count = int(cores_text) if cores_text.isdecimal() else 0
            return chip, cores, Gpu(kind="apple", name=name, memory_bytes=0, cores=count)
    if chip.startswith("Apple"):  # a Mac without a display lists none
        return chip, cores, Gpu(kind="apple", name=chip, memory_bytes=0)
    return chip, cores, None


def has_battery_under(root: Path) -> bool:
    """Tells whether the machine has a battery; the battery of a mouse does not count."""
    return any(
        _read_text(supply / "type").strip() == "Battery"
        and _read_text(supply / "scope").strip() != "Device"
        for supply in sorted(root.glob("*"))
    )


def has_thermals_under(root: Path) -> bool:
    """Tells whether a temperature can be read in a folder of sensors."""
    paths = [*root.glob("thermal_zone*/temp"), *root.glob("hwmon*/temp*_input")]
    return any(_read_text(path).strip().removeprefix("-").isdecimal() for path in paths)


def _build_hardware(
    system: str, cpu: str, *, detected: tuple[DetectedGpu, ...], memory_bytes: int, battery: bool,
    features: tuple[str, ...] = (), thermals: bool = False,
) -> Hardware:  # fmt: skip
    gpus = tuple(detected_gpu.gpu for detected_gpu in detected)
    nvidia = next((gpu.name for gpu in gpus if gpu.kind == "nvidia"), "")
    device, _ = nvidia_device(nvidia) if nvidia else cpu_device(cpu)
    return Hardware(
        os=system, arch=_arch(), cpu=cpu, cores=_cores(), cpu_features=features,
        memory_bytes=memory_bytes, gpus=gpus, battery=battery, thermals=thermals, device=device,
        unified_memory=bool(detected) and detected[0].shares_memory,
    )  # fmt: skip


def _detect_mac(memory_bytes: int) -> Hardware:
    profile = run_command(_MAC)
    chip, cores, graphics = parse_mac_profile(profile)
    device, _ = apple_device(profile)
    arm = _arch() == "arm64"
    gpus = (msgspec.structs.replace(graphics, memory_bytes=memory_bytes),) if graphics else ()
    return Hardware(
        os="darwin",
        arch=_arch(),
        cpu=chip or run_command(_MAC_CHIP).strip(),
        cores=cores or _cores(),
        cpu_features=("neon",) if arm else (),
        memory_bytes=memory_bytes,
        unified_memory=bool(gpus),
        gpus=gpus,
        battery=_has_battery(),
        thermals=True,
        device=device,
    )


def nvml_cards() -> tuple[tuple[str, int | None], ...]:
    """Asks NVIDIA's driver for its cards; () without a driver.

    Returns:
        Each card's name, and its memory in bytes: None if it has none of its own.
    """
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


def _nvml_card(handle: object) -> tuple[str, int | None]:
    raw_name = pynvml.nvmlDeviceGetName(handle)
    name = raw_name.decode("utf-8", "replace") if isinstance(raw_name, bytes) else str(raw_name)
    try:
        return name, int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
    except pynvml.NVMLError_NotSupported:
        return name, None


def _arch() -> str:
    machine = platform.machine().lower()
    return _ARCHS.get(machine, machine)


def _cores() -> int:
    usable = getattr(os, "sched_getaffinity", None)  # not every system has it
    return len(usable(0)) if usable is not None else os.cpu_count() or 1


def _has_battery() -> bool:
    return psutil.sensors_battery() is not None


def _integrated(kfd: Path) -> set[str]:
    """The render minors of the compute driver's nodes that are processor and graphics in one."""
    minors = set()
    for properties in sorted(kfd.glob("*/properties")):
        words = (line.split() for line in _read_text(properties).splitlines())
        values = {line[0]: line[1] for line in words if len(line) == 2}
        if values.get("cpu_cores_count", "0") != "0" and values.get("simd_count", "0") != "0":
            minors.add(values.get("drm_render_minor", ""))
    return minors - {""}


def _read_text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(TEXT_BYTES_MAX)
    except OSError:
        return ""


def _read_number(path: Path) -> int:
    text = _read_text(path).strip()
    return int(text) if text.isdecimal() else 0

"""Hardware detection: processor, memory, graphics, battery and thermal sensors of a machine.

Input: what the system says (``hardware_text``), of this machine or of another one. Output:
``Hardware``; a fact that is missing there is left out. All but ``detect_hardware`` are pure.
"""

import re
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide_node.core.hardware import Gpu, Hardware
from entraide_node.energy.device_detection import apple_device, cpu_device, nvidia_device
from entraide_node.hardware_text import (
    CARDS_MAX,
    CPUINFO,
    MAC_CHIP,
    MAC_PROFILE,
    MEMORY_LIMITS,
    HardwareText,
    NvidiaCard,
    read_hardware_text,
)

AMD_VENDOR = "0x1002"
CARVEOUT_BYTES_MAX = 4 * 1024**3  # an integrated card's reserved memory is smaller

_CARD = re.compile(r"(/sys/class/drm/card\d+/device)/vendor")
_RENDER = re.compile(r"(/sys/class/drm/card\d+/device)/drm/renderD(\d+)")
_KFD = re.compile(r"/sys/class/kfd/kfd/topology/nodes/\d+/properties")
_SUPPLY = re.compile(r"(/sys/class/power_supply/[^/]+)/type")
_TEMPERATURE = re.compile(
    r"/sys/class/(?:thermal/thermal_zone\d+/temp|hwmon/hwmon\d+/temp\d+_input)"
)
_ARCHS = {"amd64": "x86_64", "aarch64": "arm64"}
# Processor flags that matter to engines, with their common names.
CPU_FEATURES = {
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
    return build_hardware(read_hardware_text())


def build_hardware(text: HardwareText) -> Hardware:
    """Returns the hardware that a system's text describes."""
    if text.system == "darwin":
        return _build_mac(text)
    if text.system != "linux":
        gpus = nvidia_gpus(text.cards, memory_bytes=text.memory_bytes)
        return _build_hardware(text, text.processor, detected=gpus, battery=text.battery)
    cpu, features = parse_cpuinfo(text.files.get(CPUINFO, ""))
    memory_bytes = available_memory_bytes(
        text.memory_bytes, (text.files.get(path, "") for path in MEMORY_LIMITS)
    )
    gpus = nvidia_gpus(text.cards, memory_bytes=memory_bytes)
    return _build_hardware(
        msgspec.structs.replace(text, memory_bytes=memory_bytes),
        cpu,
        features=features,
        detected=gpus + amd_gpus(text.files),
        battery=has_battery(text.files),
        thermals=has_thermals(text.files),
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
    return name, tuple(sorted({ours for theirs, ours in CPU_FEATURES.items() if theirs in flags}))


def available_memory_bytes(memory_bytes: int, limits: Iterable[str]) -> int:
    """Returns the machine's memory, or the limit of its container if that is lower, bytes."""
    limits_bytes = (int(limit) for limit in map(str.strip, limits) if limit.isdecimal())
    return min([memory_bytes, *(limit for limit in limits_bytes if limit > 0)])


def nvidia_gpus(cards: tuple[NvidiaCard, ...], *, memory_bytes: int) -> tuple[DetectedGpu, ...]:
    """Returns NVIDIA's cards; a card without own memory uses the machine's."""
    gpus = []
    for card in cards:
        own_bytes = card.memory_bytes
        shares = own_bytes is None or any(word in card.name.lower() for word in _NVIDIA_UNIFIED)
        gpu = Gpu(kind="nvidia", name=card.name, memory_bytes=own_bytes or memory_bytes)
        gpus.append(DetectedGpu(gpu, shares))
    return tuple(gpus)


def amd_gpus(files: Mapping[str, str]) -> tuple[DetectedGpu, ...]:
    """Returns AMD's cards, as the kernel's driver lists them.

    An integrated card uses the machine's memory: a part that is set aside at boot, and more that
    the driver may map. It is recognised by the compute driver (a node with processor cores and
    vector units), or by how little memory is set aside.

    Args:
        files: text of the system's files by path.
    """
    integrated = _find_integrated(files)
    minors: dict[str, set[str]] = {}
    for match in filter(None, map(_RENDER.fullmatch, files)):
        minors.setdefault(match[1], set()).add(match[2])
    gpus = []
    cards = sorted(match[1] for match in map(_CARD.fullmatch, files) if match)
    for card in cards[:CARDS_MAX]:
        if files[f"{card}/vendor"].strip() != AMD_VENDOR:
            continue
        own_bytes = _parse_number(files.get(f"{card}/mem_info_vram_total", ""))
        lent_bytes = _parse_number(files.get(f"{card}/mem_info_gtt_total", ""))
        name = (
            files.get(f"{card}/product_name", "").strip()
            or f"AMD {files.get(f'{card}/device', '').strip()}"
        )
        shares = bool(minors.get(card, set()) & integrated) or own_bytes < min(
            CARVEOUT_BYTES_MAX, lent_bytes
        )
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


def has_battery(files: Mapping[str, str]) -> bool:
    """Tells whether the machine has a battery; the battery of a mouse does not count."""
    return any(
        files[f"{supply}/type"].strip() == "Battery"
        and files.get(f"{supply}/scope", "").strip() != "Device"
        for supply in (match[1] for match in map(_SUPPLY.fullmatch, files) if match)
    )


def has_thermals(files: Mapping[str, str]) -> bool:
    """Tells whether a temperature can be read."""
    return any(
        text.strip().removeprefix("-").isdecimal()
        for path, text in files.items()
        if _TEMPERATURE.fullmatch(path)
    )


def _build_hardware(
    text: HardwareText, cpu: str, *, detected: tuple[DetectedGpu, ...], battery: bool,
    features: tuple[str, ...] = (), thermals: bool = False,
) -> Hardware:  # fmt: skip
    gpus = tuple(detected_gpu.gpu for detected_gpu in detected)
    nvidia = next((gpu.name for gpu in gpus if gpu.kind == "nvidia"), "")
    device, _ = nvidia_device(nvidia) if nvidia else cpu_device(cpu)
    return Hardware(
        os=text.system, arch=_parse_arch(text.machine), cpu=cpu, cores=text.cores,
        cpu_features=features, memory_bytes=text.memory_bytes, gpus=gpus, battery=battery,
        thermals=thermals, device=device,
        unified_memory=bool(detected) and detected[0].shares_memory,
    )  # fmt: skip


def _build_mac(text: HardwareText) -> Hardware:
    profile = text.commands.get(MAC_PROFILE, "")
    chip, cores, graphics = parse_mac_profile(profile)
    device, _ = apple_device(profile)
    arch = _parse_arch(text.machine)
    gpus = (msgspec.structs.replace(graphics, memory_bytes=text.memory_bytes),) if graphics else ()
    return Hardware(
        os="darwin",
        arch=arch,
        cpu=chip or text.commands.get(MAC_CHIP, "").strip(),
        cores=cores or text.cores,
        cpu_features=("neon",) if arch == "arm64" else (),
        memory_bytes=text.memory_bytes,
        unified_memory=bool(gpus),
        gpus=gpus,
        battery=text.battery,
        thermals=True,
        device=device,
    )


def _parse_arch(machine: str) -> str:
    return _ARCHS.get(machine.lower(), machine.lower())


def _find_integrated(files: Mapping[str, str]) -> set[str]:
    """The render minors of the compute driver's nodes that are processor and graphics in one."""
    minors = set()
    for properties in (files[path] for path in files if _KFD.fullmatch(path)):
        words = (line.split() for line in properties.splitlines())
        values = {line[0]: line[1] for line in words if len(line) == 2}
        if values.get("cpu_cores_count", "0") != "0" and values.get("simd_count", "0") != "0":
            minors.add(values.get("drm_render_minor", ""))
    return minors - {""}


def _parse_number(text: str) -> int:
    return int(text) if text.strip().isdecimal() else 0

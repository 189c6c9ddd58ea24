"""Device detection: the catalogue identifier of this machine.

Input: the name that the system reports (a Mac's profiler, NVIDIA's tool, or the processor's name).
Output: the matching catalogue entry, or the default of its kind; an approximate match is never
used. Only the first accelerator is considered.
"""

import subprocess
import sys
from pathlib import Path

import msgspec

from entraide.decoding import decode_json
from entraide.types import Basis
from entraide_node.energy.device_catalogue import recognise

ASK_TIMEOUT_S = 10.0
CPUINFO_BYTES_MAX = 64 * 1024

_MAC = ["/usr/sbin/system_profiler", "SPHardwareDataType", "-json"]
_NVIDIA = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]


def detect_device(*, gpu: bool) -> tuple[str, Basis]:
    """Returns the machine's identifier in the catalogue, and ``estimated`` or ``default``.

    Blocks until the system responds: call it off the event loop.

    Args:
        gpu: whether the engine computes on the graphics processor. The bundled llama.cpp does so on
            Macs only.
    """
    if sys.platform == "darwin":
        return apple_device(run_command(_MAC))
    if gpu and (gpu_list := run_command(_NVIDIA)):
        return nvidia_device(gpu_list)
    return cpu_device(_cpu_name())


def apple_device(profile: str) -> tuple[str, Basis]:
    """Recognises a Mac by model and chip, or by its chip in another model."""
    try:
        sections = decode_json(profile, type=dict[str, list[dict[str, object]]])
        hardware = sections["SPHardwareDataType"][0]
    except (msgspec.DecodeError, KeyError, IndexError):
        return "default-apple", Basis.DEFAULT
    form = str(hardware.get("machine_name", ""))
    chip = str(hardware.get("chip_type", "")).removeprefix("Apple ")
    for name in (form, "Mac mini", "Mac Studio", "MacBook Pro", "MacBook Air"):
        device = recognise(f"{name} {chip}", kinds=("apple",))
        if device is not None:
            return device, Basis.ESTIMATED
    return "default-apple", Basis.DEFAULT


def nvidia_device(gpu_list: str) -> tuple[str, Basis]:
    """Recognises an NVIDIA card by the first name that its tool lists."""
    first = gpu_list.strip().partition("\n")[0]
    device = recognise(first, kinds=("nvidia",))
    return (device, Basis.ESTIMATED) if device is not None else ("default-nvidia", Basis.DEFAULT)


def cpu_device(name: str) -> tuple[str, Basis]:
    """Recognises a processor by its name."""
    device = recognise(name, kinds=("cpu", "other")) if name else None
    return (device, Basis.ESTIMATED) if device is not None else ("default-cpu", Basis.DEFAULT)


def run_command(command: list[str]) -> str:
    """Returns the output of a system command; "" if it is missing, fails or is slow."""
    try:
        answer = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=ASK_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout


def _cpu_name() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            text = file.read(CPUINFO_BYTES_MAX)
    except OSError:
        return ""
    lines = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == "model name"), "")

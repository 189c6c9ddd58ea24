"""Which machine this is, as far as it says itself.

It asks the system (on a Mac its profiler, elsewhere NVIDIA's tool, else the processor's name) and
looks the answer up in the catalogue. What it cannot recognise it calls the default of its kind,
never something near. One accelerator is looked at: the first.
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

    Blocks for as long as the system takes to answer: call it off the event loop.

    Args:
        gpu: whether the engine computes on the graphics processor. The llama.cpp that comes as a
            wheel does so on Macs only; elsewhere a card in the machine does not count.
    """
    if sys.platform == "darwin":
        return apple_device(run_command(_MAC))
    if gpu and (listed := run_command(_NVIDIA)):
        return nvidia_device(listed)
    return cpu_device(_cpu_name())


def apple_device(profile: str) -> tuple[str, Basis]:
    """Recognises a Mac by its form and chip, or by its chip in another form."""
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


def nvidia_device(listed: str) -> tuple[str, Basis]:
    """Recognises an NVIDIA card by the first name that its tool lists."""
    first = listed.strip().partition("\n")[0]
    device = recognise(first, kinds=("nvidia",))
    return (device, Basis.ESTIMATED) if device is not None else ("default-nvidia", Basis.DEFAULT)


def cpu_device(name: str) -> tuple[str, Basis]:
    """Recognises a processor by its name."""
    device = recognise(name, kinds=("cpu", "other")) if name else None
    return (device, Basis.ESTIMATED) if device is not None else ("default-cpu", Basis.DEFAULT)


def run_command(command: list[str]) -> str:
    """Returns what a command of the system prints; "" when it is not there, fails or is slow."""
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

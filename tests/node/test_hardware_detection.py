"""Hardware detection: the facts that are parsed from the text of several systems."""

from pathlib import Path

import msgspec
import psutil
import pytest

from entraide_node.core.hardware import Gpu, Hardware, suitable_engines
from entraide_node.energy.device_catalogue import devices
from entraide_node.hardware_detection import (
    amd_gpus,
    available_memory_bytes,
    detect_hardware,
    has_battery,
    has_thermals,
    nvidia_gpus,
    parse_cpuinfo,
    parse_mac_profile,
)
from entraide_node.hardware_text import HARDWARE_FILES, NvidiaCard, read_system_files

GIB = 1024**3

RYZEN = """processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD RYZEN AI MAX+ 395 w/ Radeon 8060S
flags\t\t: fpu sse2 fma avx f16c avx2 avx512f avx512_bf16 avx512_vnni

processor\t: 1
model name\t: another
"""
GRACE = """processor\t: 0
BogoMIPS\t: 2000.00
Features\t: fp asimd asimddp sve sve2 i8mm bf16
CPU implementer\t: 0x41
"""
PI = "processor\t: 0\nFeatures\t: fp asimd crc32\n\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n"
PROCESSORS = {
    "a desktop": (RYZEN, "AMD RYZEN AI MAX+ 395 w/ Radeon 8060S",
                  ("avx", "avx2", "avx512", "avx512_bf16", "avx512_vnni", "f16c", "fma")),
    "an ARM server without a name": (GRACE, "", ("bf16", "dotprod", "i8mm", "neon", "sve", "sve2")),
    "a board": (PI, "Raspberry Pi 5 Model B Rev 1.0", ("neon",)),
    "nothing": ("", "", ()),
}  # fmt: skip


@pytest.mark.parametrize("name", PROCESSORS)
def test_processors(name: str) -> None:
    """A processor's name and the features that matter are read from what Linux says."""
    said, cpu, features = PROCESSORS[name]

    assert (cpu, features) == parse_cpuinfo(said)


LIMITS = {
    "no container": ((), 16 * GIB),
    "no limit": (("max\n", ""), 16 * GIB),
    "a limit": (("4294967296\n",), 4 * GIB),
    "an older kernel's word for none": (("9223372036854771712\n",), 16 * GIB),
}


@pytest.mark.parametrize("name", LIMITS)
def test_memory(name: str) -> None:
    """The memory is the machine's, or the limit of its container."""
    limits, expected = LIMITS[name]

    assert expected == available_memory_bytes(16 * GIB, limits)


def test_nvidia() -> None:
    """A card has its own memory; a card of a unified machine uses the machine's."""
    (desktop,) = nvidia_gpus(
        (NvidiaCard("NVIDIA GeForce RTX 4090", 24 * GIB),), memory_bytes=64 * GIB
    )
    (spark,) = nvidia_gpus((NvidiaCard("NVIDIA GB10", None),), memory_bytes=128 * GIB)
    (orin,) = nvidia_gpus((NvidiaCard("Orin (nvgpu)", 60 * GIB),), memory_bytes=61 * GIB)

    assert (Gpu("nvidia", "NVIDIA GeForce RTX 4090", 24 * GIB), False) == both(desktop)
    assert (Gpu("nvidia", "NVIDIA GB10", 128 * GIB), True) == both(spark)
    assert (Gpu("nvidia", "Orin (nvgpu)", 60 * GIB), True) == both(orin)


def both(found: object) -> tuple[object, ...]:
    return msgspec.structs.astuple(found)  # type: ignore[arg-type]


def files_of(root: Path) -> dict[str, str]:
    """What detection reads of a system whose files lie in a folder."""
    return read_system_files(HARDWARE_FILES, root=root)


def card(
    root: Path, number: int, *, vram: int, gtt: int, vendor: str = "0x1002", name: str = "",
    minor: int = 128,
) -> None:  # fmt: skip
    """A graphics card as the kernel shows it."""
    drm = root / "sys/class/drm"
    device = drm / f"card{number}" / "device"
    (device / "drm" / f"renderD{minor}").mkdir(parents=True)
    said = {"vendor": vendor, "device": "0x744c", "mem_info_vram_total": str(vram),
            "mem_info_gtt_total": str(gtt)}  # fmt: skip
    if name:
        said["product_name"] = name
    for file, value in said.items():
        (device / file).write_text(f"{value}\n", "ascii")
    (drm / f"card{number}-DP-1").mkdir()  # a connector is no card


def test_amd_card(tmp_path: Path) -> None:
    """A card of AMD is found with its own memory; a card of another maker is not."""
    card(tmp_path, 0, vram=1 * GIB, gtt=1 * GIB, vendor="0x8086")
    card(tmp_path, 1, vram=24 * GIB, gtt=32 * GIB, name="AMD Radeon RX 7900 XTX", minor=129)
    (gpu,) = amd_gpus(files_of(tmp_path))

    assert (Gpu("amd", "AMD Radeon RX 7900 XTX", 24 * GIB), False) == both(gpu)


def test_amd_integrated(tmp_path: Path) -> None:
    """An integrated card has the memory that is set aside and the memory that may be mapped."""
    small, large = tmp_path / "small", tmp_path / "large"
    card(small, 0, vram=GIB // 2, gtt=15 * GIB)
    card(large, 0, vram=64 * GIB, gtt=31 * GIB, minor=128)
    properties = large / "sys/class/kfd/kfd/topology/nodes/1/properties"
    properties.parent.mkdir(parents=True)
    properties.write_text("cpu_cores_count 32\nsimd_count 80\ndrm_render_minor 128\n", "ascii")
    (by_size,) = amd_gpus(files_of(small))
    (by_driver,) = amd_gpus(files_of(large))

    assert (Gpu("amd", "AMD 0x744c", 15 * GIB + GIB // 2), True) == both(by_size)
    assert (Gpu("amd", "AMD 0x744c", 95 * GIB), True) == both(by_driver)


MINI = {"SPHardwareDataType": [{"machine_name": "Mac mini", "chip_type": "Apple M4 Pro",
                                "number_processors": "proc 14:10:4"}],
        "SPDisplaysDataType": [{"sppci_model": "Apple M4 Pro", "sppci_cores": "20",
                                "spdisplays_vendor": "sppci_vendor_Apple"}]}  # fmt: skip
HEADLESS = {"SPHardwareDataType": [{"chip_type": "Apple M2", "number_processors": "proc 8:4:4"}]}
INTEL = {"SPHardwareDataType": [{"cpu_type": "6-Core Intel Core i7", "number_processors": 6}],
         "SPDisplaysDataType": [{"sppci_model": "AMD Radeon Pro 5300M",
                                 "spdisplays_vendor": "sppci_vendor_amd"}]}  # fmt: skip
MACS = {
    "with a screen": (MINI, "Apple M4 Pro", 14, Gpu("apple", "Apple M4 Pro", 0, cores=20)),
    "without a screen": (HEADLESS, "Apple M2", 8, Gpu("apple", "Apple M2", 0)),
    "with Intel's processor": (INTEL, "6-Core Intel Core i7", 6, None),
    "that says nothing": ({}, "", 0, None),
}


@pytest.mark.parametrize("name", MACS)
def test_macs(name: str) -> None:
    """A Mac's chip, cores and graphics are read from its profiler."""
    said, chip, cores, graphics = MACS[name]

    assert (chip, cores, graphics) == parse_mac_profile(msgspec.json.encode(said).decode())


def test_batteries(tmp_path: Path) -> None:
    """A machine's own battery counts, a mouse's or a mains adapter does not."""
    supplies = tmp_path / "sys/class/power_supply"
    for name, kind, scope in (("AC", "Mains", ""), ("hid-mouse", "Battery", "Device")):
        (supplies / name).mkdir(parents=True)
        (supplies / name / "type").write_text(f"{kind}\n", "ascii")
        (supplies / name / "scope").write_text(f"{scope}\n", "ascii")
    before = has_battery(files_of(tmp_path))
    (supplies / "BAT0").mkdir()
    (supplies / "BAT0" / "type").write_text("Battery\n", "ascii")

    assert (False, True) == (before, has_battery(files_of(tmp_path)))


def test_thermals(tmp_path: Path) -> None:
    """A sensor counts if its file holds a number."""
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "temp").write_text("", "ascii")
    before = has_thermals(files_of(tmp_path))
    (zone / "temp").write_text("41000\n", "ascii")

    assert (False, True) == (before, has_thermals(files_of(tmp_path)))


def test_this_machine() -> None:
    """The machine that runs the tests is described without a gap."""
    hardware = detect_hardware()

    assert 0 < hardware.memory_bytes <= psutil.virtual_memory().total
    assert hardware.cores >= 1
    assert hardware.device in devices()
    assert "llama.cpp" in suitable_engines(hardware)


BARE = Hardware(os="linux", arch="x86_64", cpu="", cores=4, memory_bytes=16 * GIB)
ENGINES = {
    "no card": ((), "linux", ("llama.cpp",)),
    "a large card": ((Gpu("nvidia", "", 24 * GIB),), "linux", ("vllm", "llama.cpp")),
    "a small card": ((Gpu("nvidia", "", 4 * GIB),), "linux", ("llama.cpp",)),
    "a card under Windows": ((Gpu("nvidia", "", 24 * GIB),), "windows", ("llama.cpp",)),
    "an AMD card": ((Gpu("amd", "", 16 * GIB),), "linux", ("vllm", "llama.cpp")),
    "a Mac": ((Gpu("apple", "", 16 * GIB),), "darwin", ("mlx-lm", "llama.cpp")),
}


@pytest.mark.parametrize("name", ENGINES)
def test_engines(name: str) -> None:
    """Each kind of machine has the engines that suit it, the best first."""
    gpus, system, expected = ENGINES[name]

    assert expected == suitable_engines(msgspec.structs.replace(BARE, os=system, gpus=gpus))


def test_whose_memory() -> None:
    """Graphics memory is told apart only where it is the card's own."""
    own = msgspec.structs.replace(BARE, gpus=(Gpu("nvidia", "", 24 * GIB),))
    shared = msgspec.structs.replace(BARE, gpus=(Gpu("apple", "", 16 * GIB),), unified_memory=True)

    assert ("nvidia", (24 * GIB,)) == (own.accelerator, own.vram_bytes)
    assert ("apple", ()) == (shared.accelerator, shared.vram_bytes)
    assert ("cpu", ()) == (BARE.accelerator, BARE.vram_bytes)

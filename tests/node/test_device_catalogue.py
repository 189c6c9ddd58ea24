"""The power of machines in the device catalogue, with a source for each figure."""

import msgspec
import pytest
from tests.cases import all_cases

from entraide.types import Basis, Power
from entraide_node.energy.device_catalogue import KINDS, device_power, devices, sources
from entraide_node.energy.device_detection import (
    apple_device,
    cpu_device,
    detect_device,
    nvidia_device,
)
from entraide_node.engines.base import EngineProblem

ESTIMATED, DEFAULT = Basis.ESTIMATED, Basis.DEFAULT

MACS = {
    ("Mac mini", "Apple M4 Pro"): ("mac-mini-m4-pro", ESTIMATED),
    ("Mac mini", "Apple M4"): ("mac-mini-m4", ESTIMATED),
    ("Mac Studio", "Apple M3 Ultra"): ("mac-studio-m3-ultra", ESTIMATED),
    ("MacBook Pro", "Apple M3 Max"): ("macbook-pro-m3-max", ESTIMATED),
    ("MacBook Air", "Apple M3"): ("macbook-m3", ESTIMATED),
    ("iMac", "Apple M4"): ("mac-mini-m4", ESTIMATED),  # the same chip in another form
    ("Mac mini", "Apple M9"): ("default-apple", DEFAULT),
    ("Mac Pro", ""): ("default-apple", DEFAULT),
}
CARDS = {
    "NVIDIA GeForce RTX 4090": ("rtx-4090-24", ESTIMATED),
    "NVIDIA GeForce RTX 3090\nNVIDIA GeForce RTX 4090": ("rtx-3090-24", ESTIMATED),
    "NVIDIA GeForce RTX 3060": ("rtx-3060-12", ESTIMATED),
    "NVIDIA GeForce RTX 3060 Ti": ("default-nvidia", DEFAULT),
    "NVIDIA GeForce RTX 4090 Laptop GPU": ("default-nvidia", DEFAULT),
    "NVIDIA GeForce RTX 3080 Ti": ("rtx-3080ti-12", ESTIMATED),
    "NVIDIA H100 80GB HBM3": ("h100-80-sxm", ESTIMATED),
    "NVIDIA H100 PCIe": ("default-nvidia", DEFAULT),
    "NVIDIA A100 80GB PCIe": ("a100-80-pcie", ESTIMATED),
    "NVIDIA L4": ("l4-24", ESTIMATED),
    "NVIDIA L40S": ("default-nvidia", DEFAULT),
    "NVIDIA GB10": ("dgx-spark-128", ESTIMATED),
    "Orin (nvgpu)": ("jetson-agx-orin-64", ESTIMATED),
}
PROCESSORS = {
    "13th Gen Intel(R) Core(TM) i9-13900K": ("cpu-13900k", ESTIMATED),
    "Intel(R) N150": ("cpu-n150", ESTIMATED),
    "AMD Ryzen AI 5 340 w/ Radeon 840M": ("cpu-ryzen-ai-340", ESTIMATED),
    "AMD RYZEN AI MAX+ 395 w/ Radeon 8060S": ("framework-395-128", ESTIMATED),
    "Intel(R) Xeon(R) Processor": ("default-cpu", DEFAULT),
    "": ("default-cpu", DEFAULT),
}


def profile(form: str, chip: str) -> str:
    """What a Mac's profiler says."""
    hardware = {"machine_name": form, "chip_type": chip, "number_processors": "proc 10:4:6"}
    return msgspec.json.encode({"SPHardwareDataType": [hardware]}).decode()


@pytest.mark.parametrize(("said", "expected"), MACS.items(), ids=map(" ".join, MACS))
def test_macs(said: tuple[str, str], expected: tuple[str, Basis]) -> None:
    """A Mac is recognised by its form and its chip."""
    assert expected == apple_device(profile(*said))


@pytest.mark.parametrize("said", ["", "{}", '{"SPHardwareDataType":[]}', "not JSON"])
def test_a_mac_that_says_nothing(said: str) -> None:
    """A Mac whose profiler fails is a default Mac."""
    assert ("default-apple", DEFAULT) == apple_device(said)


@all_cases(("said", "expected"), CARDS.items(), ids=CARDS)
def test_cards(said: str, expected: tuple[str, Basis]) -> None:
    """An NVIDIA card is recognised by its whole name, never by something near."""
    assert expected == nvidia_device(said)


@pytest.mark.parametrize(("said", "expected"), PROCESSORS.items(), ids=PROCESSORS)
def test_processors(said: str, expected: tuple[str, Basis]) -> None:
    """A processor is recognised by its name."""
    assert expected == cpu_device(said)


def test_this_machine() -> None:
    """The machine that runs the tests has a catalogue entry or a default."""
    device, basis = detect_device(gpu=False)

    assert device in devices()
    assert (basis is DEFAULT) == device.startswith("default-")


def test_every_figure_is_sound_and_has_its_source() -> None:
    """Idle is less than active, active no more than the most, and each names a known source."""
    for device in devices().values():
        assert 0 < device.idle_w < device.active_w <= device.max_w, device.device_id
        assert {"memory", "idle", "active", "max"} == set(device.sources)
        assert set(device.sources.values()) <= set(sources()), device.device_id
        assert device.kind in KINDS


def test_each_kind_has_a_default() -> None:
    """The default of a kind is its entry with the median active power."""
    for kind in KINDS:
        default = devices()[f"default-{kind}"]
        others = [d.active_w for d in devices().values() if d.kind == kind and d != default]

        assert default.active_w in others
        assert sum(watts <= default.active_w for watts in others) * 2 >= len(others)


def test_no_entry_hides_another() -> None:
    """Each Mac's own name leads to itself."""
    for device in devices().values():
        if device.kind == "apple" and device.device_id != "macbook-m3" and device.recognised_as:
            form, _, chip = device.recognised_as.rpartition(" m")

            assert device.device_id == apple_device(profile(form, f"Apple M{chip}"))[0]


def test_power() -> None:
    """A device has the catalogue's figures or the owner's; an unknown device is refused."""
    known = device_power("mac-mini-m4", basis=ESTIMATED)
    owned = device_power("mac-mini-m4", basis=ESTIMATED, idle_w=5.0, active_w=44.0)
    unlisted = device_power("my-box", basis=DEFAULT, idle_w=5.0, active_w=44.0)
    unknown = device_power("my-box", basis=DEFAULT)

    assert Power("mac-mini-m4", 4.0, 30.1, ESTIMATED) == known
    assert Power("mac-mini-m4", 5.0, 44.0, Basis.DECLARED) == owned
    assert Power("declared", 5.0, 44.0, Basis.DECLARED) == unlisted
    assert isinstance(unknown, EngineProblem)
    assert "device_unknown" == unknown.code

"""Hardware output: what ``entraide node hardware`` prints, as sentences and as JSON."""

import sys
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from entraide import i18n
from entraide.catalogue import shipped
from entraide.catalogue.recommendation import ServingMachine, choose_starter, list_candidates
from entraide_node.core.hardware import Hardware, suitable_engines
from entraide_node.core.model_fit import EngineKind, find_fitting_models, models_memory_limit_bytes
from entraide_node.energy.device_catalogue import devices
from entraide_node.hardware_detection import detect_hardware

GIB = 1024**3
MODELS_SHOWN = 5
SYSTEMS = {"linux": "Linux", "darwin": "macOS", "windows": "Windows"}
VENDORS = {"nvidia": "NVIDIA", "amd": "AMD", "apple": "Apple"}


class HardwareReport(Struct, frozen=True):
    """A machine's hardware and power figures, for the JSON output.

    Attributes:
        hardware: the detected hardware.
        recognised: whether the catalogue has an entry for this device.
        idle_w, active_w, power_scope: the catalogue's power figures, and what the figures include.
        engines: suitable engines, best first.
    """

    hardware: Hardware
    recognised: bool
    idle_w: float
    active_w: float
    power_scope: str
    engines: tuple[str, ...]


def report_hardware(hardware: Hardware) -> HardwareReport:
    """Returns a machine's hardware with the figures of its catalogue entry."""
    entry = devices()[hardware.device]
    return HardwareReport(
        hardware=hardware,
        recognised=not hardware.device.startswith("default-"),
        idle_w=entry.idle_w,
        active_w=entry.active_w,
        power_scope=entry.power_scope,
        engines=suitable_engines(hardware),
    )


def models_sentence(hardware: Hardware, lang: str) -> str:
    """Returns which of the included catalogue's models a machine can hold with llama.cpp."""
    catalogue = shipped()
    engine = EngineKind("llama.cpp", on_gpu=hardware.accelerator == "apple")
    names = find_fitting_models(catalogue, hardware, engine)
    return i18n.text(
        "node-hardware-models", lang,
        models=len(names), all=len(catalogue.models),
        largest=", ".join(names[:MODELS_SHOWN]) or i18n.ABSENT,
    )  # fmt: skip


def starter_sentence(hardware: Hardware, lang: str) -> str:
    """Returns the memory for models, and the included model to begin with on a machine."""
    engine = EngineKind("llama.cpp", on_gpu=hardware.accelerator == "apple")
    machine = ServingMachine(
        hardware.device,
        models_memory_limit_bytes(hardware, (engine,)),
        device=hardware.device,
        active_w=devices()[hardware.device].active_w,
        is_accelerated=engine.on_gpu,
    )
    starter = choose_starter(list_candidates(shipped(), (machine,)), machine.name)
    return i18n.text(
        "node-hardware-starter", lang,
        memory=_format_gib(machine.models_bytes, lang),
        model=starter.entry.name if starter is not None else i18n.ABSENT,
    )  # fmt: skip


def hardware_sentences(hardware: Hardware, lang: str) -> Iterator[str]:
    """Yields sentences that describe a machine."""
    yield i18n.text(
        "node-hardware-machine", lang,
        system=SYSTEMS.get(hardware.os, hardware.os), arch=hardware.arch,
        cpu=hardware.cpu or i18n.ABSENT, cores=hardware.cores,
        features=", ".join(hardware.cpu_features) or i18n.ABSENT,
        memory=_format_gib(hardware.memory_bytes, lang),
    )  # fmt: skip
    for gpu in hardware.gpus:
        yield i18n.text(
            "node-hardware-gpu", lang,
            kind=VENDORS.get(gpu.kind, gpu.kind), name=gpu.name or gpu.kind,
            memory=_format_gib(gpu.memory_bytes, lang) if gpu.memory_bytes else i18n.ABSENT,
            shared=hardware.unified_memory,
        )  # fmt: skip
    if not hardware.gpus:
        yield i18n.text("node-hardware-no-gpu", lang)
    yield i18n.text(
        "node-hardware-sensors", lang, battery=hardware.battery, thermals=hardware.thermals
    )
    report, entry = report_hardware(hardware), devices()[hardware.device]
    yield i18n.text(
        "node-hardware-known" if report.recognised else "node-hardware-unknown", lang,
        name=entry.name, idle_w=report.idle_w, active_w=report.active_w,
    )  # fmt: skip
    yield i18n.text("node-hardware-engines", lang, engines=", ".join(report.engines))
    yield starter_sentence(hardware, lang)


def print_hardware(lang: str, *, as_json: bool) -> int:
    """Prints the hardware of this machine; returns the exit status. Blocks."""
    hardware = detect_hardware()
    if as_json:
        document = msgspec.json.encode(report_hardware(hardware)).decode("utf-8")
        sys.stdout.write(f"{document}\n")
        return 0
    for sentence in hardware_sentences(hardware, lang):
        sys.stdout.write(f"{sentence}\n")
    return 0


def _format_gib(size_bytes: int, lang: str) -> str:
    return i18n.decimal(round(size_bytes / GIB, 1), lang)

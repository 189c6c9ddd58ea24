"""Model fit: which models of the catalogue this machine can load, and with which context length.

Input: the hardware, the engines, the free disk space and the catalogue. Output: for each model a
load configuration (slots, context, memory, load time), or a code of why it cannot be loaded. Models
may use one kind of memory: the part of unified memory that a Mac's GPU may wire, the memory of a
graphics card, or main memory. ``entraide.model_memory`` computes what a model needs. Weights are
never split between a card and main memory, which would cost about nine tenths of the speed.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from entraide.model_memory import (
    GIB,
    MIB,
    LoadConfig,
    choose_load_config,
    main_memory_limit_bytes,
)
from entraide.models import (
    EMBEDDINGS_ONLY,
    ENGINE_FORMATS,
    Artefact,
    Catalogue,
    ModelEntry,
    TransferRates,
)
from entraide.types import Loadable
from entraide_node.core.hardware import Hardware

# Memory that a Mac's GPU may wire: Metal's recommendedMaxWorkingSetSize, about two thirds of
# the memory of a Mac with less than 36 GiB and three quarters of a larger one's. Beyond it the
# system pages, and near it the system has panicked: a sixteenth is left free.
WIRED_LARGE_BYTES = 36 * GIB
WIRED_RESERVE_DIVISOR = 16
MAC_RESERVE_BYTES = 4 * GIB  # for the system and its owner, or an eighth, whichever is more
MAC_RESERVE_DIVISOR = 8
VRAM_RESERVE_BYTES = 768 * MIB  # for the driver and a display on the same card, or a tenth
VRAM_RESERVE_DIVISOR = 10

# Seconds from the weights in memory to the first answer, the first benchmark included.
START_S: Mapping[str, float] = {"llama.cpp": 10.0, "mlx-lm": 15.0, "vllm": 90.0}
START_DEFAULT_S = 60.0

ANY_MODEL = "*"
MODEL_DEPENDENT_FEATURES = frozenset({"images", "tools"})  # depend on the model

# Why a model of the catalogue cannot be loaded.
UNPINNED = "model_unpinned"
NOT_ALLOWED = "model_not_allowed"
NO_ENGINE = "model_no_engine"
TOO_LARGE = "model_too_large"
NO_DISK = "disk_full"


class MemoryKind(StrEnum):
    """The kind of memory that holds loaded weights."""

    VRAM = "vram"
    UNIFIED = "unified"
    RAM = "ram"


class EngineKind(Struct, frozen=True):
    """An engine that this machine can start.

    Attributes:
        name: ``llama.cpp``, ``mlx-lm`` or ``vllm``.
        on_gpu: whether it computes on the graphics processors.
        features: its features; ``tools`` and ``images`` depend on the model too.
    """

    name: str
    on_gpu: bool = False
    features: tuple[str, ...] = ()


class UnloadableModel(Struct, frozen=True):
    """A model that this machine does not offer.

    Attributes:
        model: public name.
        code: stable code; its sentence is in the message catalogue under ``node-CODE`` with ``_``
            as ``-``.
        values: names and numbers in that sentence.
    """

    model: str
    code: str
    values: dict[str, str | int | float]


class ModelCapacity(Struct, frozen=True, kw_only=True):
    """The capacity of a machine for models.

    Attributes:
        engines: engines that it can start, the preferred one first.
        memory_bytes: for all models together (``models_memory_limit_bytes``).
        missing_bytes: by ``Artefact.relative_folder``, the bytes of weights that the disk lacks; a
            folder that is not a key lacks all of them.
        disk_free_bytes: disk space that weights may still use; None if unknown.
        allow: names that the owner allows, or ``*``.
        speeds: transfer rates of weights.
    """

    engines: tuple[EngineKind, ...]
    memory_bytes: int
    missing_bytes: Mapping[str, int]
    disk_free_bytes: int | None = None
    allow: tuple[str, ...] = (ANY_MODEL,)
    speeds: TransferRates = TransferRates()


def memory_kind_of(hardware: Hardware, engine: EngineKind) -> MemoryKind:
    """Returns the memory in which an engine keeps its weights on a machine."""
    if engine.on_gpu and hardware.vram_bytes:
        return MemoryKind.VRAM
    return MemoryKind.UNIFIED if engine.on_gpu and hardware.unified_memory else MemoryKind.RAM


def engines_in_fastest_memory(
    hardware: Hardware, engines: Sequence[EngineKind]
) -> tuple[EngineKind, ...]:
    """Returns the engines of the fastest memory kind that any of the engines uses.

    The node advertises one memory limit, so all its models must use the same memory.
    """
    for memory_kind in MemoryKind:
        offered = tuple(
            engine for engine in engines if memory_kind_of(hardware, engine) is memory_kind
        )
        if offered:
            return offered
    return ()


def models_memory_limit_bytes(
    hardware: Hardware,
    engines: Sequence[EngineKind],
    *,
    wired_limit_bytes: int = 0,
    cap_bytes: int = 0,
) -> int:
    """Returns the memory that all models together may use; 0 without an engine.

    Args:
        hardware: of the machine.
        engines: engines that it can start.
        wired_limit_bytes: ``iogpu.wired_limit_mb`` of a Mac if its owner set it; else 0.
        cap_bytes: the owner's own limit; 0 for none.
    """
    offered = engines_in_fastest_memory(hardware, engines)
    if not offered:
        return 0
    match memory_kind_of(hardware, offered[0]):
        case MemoryKind.VRAM:
            limit_bytes = _vram_limit_bytes(hardware.vram_bytes, together=offered[0].name == "vllm")
        case MemoryKind.UNIFIED if hardware.accelerator == "apple":
            limit_bytes = _wired_limit_bytes(hardware.memory_bytes, wired_limit_bytes)
        case _:
            limit_bytes = main_memory_limit_bytes(hardware.memory_bytes)
    return max(0, min(limit_bytes, cap_bytes) if cap_bytes else limit_bytes)


def _wired_limit_bytes(memory_bytes: int, limit_bytes: int) -> int:
    is_large = memory_bytes >= WIRED_LARGE_BYTES
    wired = limit_bytes or (memory_bytes * 3 // 4 if is_large else memory_bytes * 2 // 3)
    reserve_bytes = max(MAC_RESERVE_BYTES, memory_bytes // MAC_RESERVE_DIVISOR)
    return min(wired - wired // WIRED_RESERVE_DIVISOR, memory_bytes - reserve_bytes)


def _vram_limit_bytes(cards: Sequence[int], *, together: bool) -> int:
    """Usable memory of the largest card; for vLLM, of the largest power of two of such cards."""
    largest = max(cards)
    count = 1
    while together and count * 2 <= sum(card == largest for card in cards):
        count *= 2
    return count * (largest - max(VRAM_RESERVE_BYTES, largest // VRAM_RESERVE_DIVISOR))


def find_fitting_models(
    catalogue: Catalogue, hardware: Hardware, engine: EngineKind
) -> tuple[str, ...]:
    """Returns the names of the models that this machine can hold, the largest first.

    Only memory counts: weights need not be pinned, and the disk is not looked at.

    Args:
        catalogue: the models.
        hardware: of the machine.
        engine: that loads them.
    """
    room_bytes = models_memory_limit_bytes(hardware, (engine,))
    fitting = [
        entry
        for entry in catalogue.models
        for artefact in entry.artefacts
        if artefact.format == ENGINE_FORMATS.get(engine.name)
        and isinstance(
            choose_load_config(entry, artefact, engine=engine.name, room_bytes=room_bytes),
            LoadConfig,
        )
    ]
    by_size = sorted(fitting, key=lambda entry: entry.parameters, reverse=True)
    return tuple(dict.fromkeys(entry.name for entry in by_size))


def assess_models(
    catalogue: Catalogue, capacity: ModelCapacity
) -> tuple[Loadable | UnloadableModel, ...]:
    """Returns, for each model of the catalogue, how it would be loaded here or why it cannot be."""
    return tuple(_assess_model(entry, capacity) for entry in catalogue.models)


def choose_artefact(
    entry: ModelEntry, capacity: ModelCapacity
) -> tuple[EngineKind, Artefact, LoadConfig] | None:
    """Returns engine, weights and configuration for a model; None if it cannot be loaded.

    Weights that are on the disk are preferred to weights that must be fetched; ties follow the
    order of the engines, then of the catalogue.
    """
    candidates = []
    for rank, (engine, artefact) in enumerate(_usable_artefacts(entry, capacity)):
        config = choose_load_config(
            entry, artefact, engine=engine.name, room_bytes=capacity.memory_bytes
        )
        missing_bytes = _missing_bytes(entry, artefact, capacity)
        if isinstance(config, LoadConfig) and _fits_on_disk(missing_bytes, capacity):
            candidates.append(((missing_bytes > 0, rank), engine, artefact, config))
    if not candidates:
        return None
    _, engine, artefact, config = min(candidates, key=lambda candidate: candidate[0])
    return engine, artefact, config


def _usable_artefacts(
    entry: ModelEntry, capacity: ModelCapacity
) -> list[tuple[EngineKind, Artefact]]:
    return [
        (engine, artefact)
        for engine in capacity.engines
        for artefact in entry.artefacts
        if artefact.is_pinned and artefact.format == ENGINE_FORMATS.get(engine.name)
    ]


def _missing_bytes(entry: ModelEntry, artefact: Artefact, capacity: ModelCapacity) -> int:
    return capacity.missing_bytes.get(artefact.relative_folder(entry.name), artefact.size_bytes)


def _fits_on_disk(missing_bytes: int, capacity: ModelCapacity) -> bool:
    free_bytes = capacity.disk_free_bytes
    return missing_bytes == 0 or free_bytes is None or missing_bytes <= free_bytes


def _assess_model(entry: ModelEntry, capacity: ModelCapacity) -> Loadable | UnloadableModel:
    if ANY_MODEL not in capacity.allow and entry.name not in capacity.allow:
        return UnloadableModel(entry.name, NOT_ALLOWED, {"model": entry.name})
    choice = choose_artefact(entry, capacity)
    if choice is None:
        return _explain_unloadable(entry, capacity)
    engine, artefact, config = choice
    missing_bytes = _missing_bytes(entry, artefact, capacity)
    return Loadable(
        model=entry.name,
        revision=artefact.checksum,
        engine=engine.name,
        context_tokens=config.context_tokens,
        slots=config.slots,
        features=_replica_features(entry, engine),
        memory_bytes=config.memory_bytes,
        fetch_bytes=missing_bytes,
        load_s=estimate_load_s(
            artefact.weights_bytes,
            fetch_bytes=missing_bytes,
            speeds=capacity.speeds,
            start_s=START_S.get(engine.name, START_DEFAULT_S),
        ),
    )


def estimate_load_s(
    weights_bytes: float, *, fetch_bytes: float, speeds: TransferRates, start_s: float
) -> float:
    """Returns the estimated seconds until a model serves: fetch, read, start."""
    fetch_s = fetch_bytes / speeds.network_bytes_per_s
    return fetch_s + weights_bytes / speeds.disk_bytes_per_s + start_s


def _replica_features(entry: ModelEntry, engine: EngineKind) -> tuple[str, ...]:
    if EMBEDDINGS_ONLY in entry.features:
        return tuple(sorted(entry.features))
    return tuple(
        sorted(
            f for f in engine.features if f not in MODEL_DEPENDENT_FEATURES or f in entry.features
        )
    )


def _explain_unloadable(entry: ModelEntry, capacity: ModelCapacity) -> UnloadableModel:
    formats = {ENGINE_FORMATS.get(engine.name) for engine in capacity.engines}
    if not any(artefact.format in formats for artefact in entry.artefacts):
        return UnloadableModel(entry.name, NO_ENGINE, {"model": entry.name})
    usable = _usable_artefacts(entry, capacity)
    if not usable:
        return UnloadableModel(entry.name, UNPINNED, {"model": entry.name})
    sizes = [
        choose_load_config(entry, artefact, engine=engine.name, room_bytes=capacity.memory_bytes)
        for engine, artefact in usable
    ]
    too_large = [size for size in sizes if isinstance(size, int)]
    if len(too_large) < len(sizes):
        fetch_bytes = min(_missing_bytes(entry, artefact, capacity) for _, artefact in usable)
        free_bytes = capacity.disk_free_bytes or 0
        return UnloadableModel(
            entry.name, NO_DISK, {"needed_gb": _gb(fetch_bytes), "free_gb": _gb(free_bytes)}
        )
    values: dict[str, str | int | float] = {
        "model": entry.name,
        "needed_gb": _gb(min(too_large)),
        "room_gb": _gb(capacity.memory_bytes),
    }
    return UnloadableModel(entry.name, TOO_LARGE, values)


def _gb(count_bytes: int) -> float:
    return round(count_bytes / 1e9, 1)

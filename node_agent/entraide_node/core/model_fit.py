"""Fit: which models of the catalogue this machine could load, and with what context.

It decides how much memory models may take where they would live (the part of unified memory that
a Mac's GPU may wire, a graphics card's own, or the machine's), what a model takes there, how many
sequences of which length fit, and how long loading lasts. Weights are never split between a card
and the machine's memory: an engine can do that, at a tenth of the speed, which no member wants.
It knows neither disk nor network but by the numbers that it is told.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from entraide.models import ENGINE_FORMATS, Artefact, Catalogue, ModelEntry
from entraide.types import Loadable
from entraide_node.core.hardware import Hardware

MIB = 1024**2
GIB = 1024**3

# What a Mac's GPU may wire: Metal's recommendedMaxWorkingSetSize, which is about two thirds of
# the memory of a Mac with less than 36 GiB and three quarters of a larger one's. Beyond it the
# system pages, and close to it, it has been seen to panic: a sixteenth stays free.
WIRED_LARGE_BYTES = 36 * GIB
WIRED_RESERVE_DIVISOR = 16
MAC_RESERVE_BYTES = 4 * GIB  # for the system and its owner, or an eighth, whichever is more
MAC_RESERVE_DIVISOR = 8
RAM_RESERVE_BYTES = 2 * GIB  # likewise elsewhere, or a quarter
RAM_RESERVE_DIVISOR = 4
VRAM_RESERVE_BYTES = 768 * MIB  # for the driver and a screen on the same card, or a tenth
VRAM_RESERVE_DIVISOR = 10
DISK_RESERVE_BYTES = 2 * GIB  # of the disk that weights never fill

# Of an engine itself and its buffers, beside a twentieth of the weights.
OVERHEAD_BYTES: Mapping[str, int] = {
    "llama.cpp": 384 * MIB,
    "mlx-lm": 512 * MIB,
    "vllm": 2 * GIB,
}
OVERHEAD_DEFAULT_BYTES = 1 * GIB
OVERHEAD_DIVISOR = 20

# From the weights in memory to the first answer, the first measurement included.
START_S: Mapping[str, float] = {"llama.cpp": 10.0, "mlx-lm": 15.0, "vllm": 90.0}
START_DEFAULT_S = 60.0

# Sequences at once, and the context of each, the best first; the first that fits is taken.
LOAD_CONFIGS: tuple[tuple[int, int], ...] = (
    (4, 16_384), (4, 8_192), (2, 8_192), (4, 4_096), (2, 4_096), (1, 4_096), (1, 2_048),
)  # fmt: skip
CONTEXT_TOKENS_MIN = 2_048

ANY_MODEL = "*"
MODEL_DEPENDENT_FEATURES = frozenset(
    {"images", "tools"}
)  # features that an engine has only with some models

# Why a model of the catalogue is not offered.
UNPINNED = "model_unpinned"
NOT_ALLOWED = "model_not_allowed"
NO_ENGINE = "model_no_engine"
TOO_LARGE = "model_too_large"
NO_DISK = "disk_full"


class MemoryKind(StrEnum):
    """Where weights live while they are loaded."""

    VRAM = "vram"
    UNIFIED = "unified"
    RAM = "ram"


class EngineKind(Struct, frozen=True):
    """An engine that this machine could start.

    Attributes:
        name: ``llama.cpp``, ``mlx-lm`` or ``vllm``.
        on_gpu: whether it computes on the graphics processors.
        features: what it can do; ``tools`` and ``images`` only with models that can.
    """

    name: str
    on_gpu: bool = False
    features: tuple[str, ...] = ()


class TransferRates(Struct, frozen=True):
    """How fast weights come, bytes per second: as measured before, else a plain guess.

    Attributes:
        network_bytes_per_s: from wherever they are fetched (100 Mbit/s).
        disk_bytes_per_s: from the disk into memory.
    """

    network_bytes_per_s: float = 12.5e6
    disk_bytes_per_s: float = 500e6


class LoadConfig(Struct, frozen=True):
    """How a model would be loaded.

    Attributes:
        slots: sequences at once.
        context_tokens: longest prompt plus answer of each.
        memory_bytes: all that this takes.
    """

    slots: int
    context_tokens: int
    memory_bytes: int


class UnloadableModel(Struct, frozen=True):
    """A model that is not offered.

    Attributes:
        model: public name.
        code: stable code; its sentence stands under ``node-CODE`` with ``_`` as ``-``.
        values: the names and numbers in that sentence.
    """

    model: str
    code: str
    values: dict[str, str | int | float]


class ModelCapacity(Struct, frozen=True, kw_only=True):
    """What a machine gives to models.

    Attributes:
        engines: those it could start, the preferred one first.
        memory_bytes: for all models together (``models_bytes``).
        missing_bytes: by ``Artefact.place``, what its disk lacks of weights; a place that is not
            there lacks all.
        disk_free_bytes: what the disk still takes of weights; None where nobody knows.
        allow: names that its owner allows, or ``*``.
        speeds: how fast weights come.
    """

    engines: tuple[EngineKind, ...]
    memory_bytes: int
    missing_bytes: Mapping[str, int]
    disk_free_bytes: int | None = None
    allow: tuple[str, ...] = (ANY_MODEL,)
    speeds: TransferRates = TransferRates()


def memory_kind_of(hardware: Hardware, engine: EngineKind) -> MemoryKind:
    """Returns where an engine keeps its weights on a machine."""
    if engine.on_gpu and hardware.vram_bytes:
        return MemoryKind.VRAM
    return MemoryKind.UNIFIED if engine.on_gpu and hardware.unified_memory else MemoryKind.RAM


def engines_in_fastest_memory(
    hardware: Hardware, engines: Sequence[EngineKind]
) -> tuple[EngineKind, ...]:
    """Returns the engines that are offered: those of the fastest memory that any of them uses.

    One number tells the pool what models may take, so they all live in one memory.
    """
    for home in MemoryKind:
        found = tuple(engine for engine in engines if memory_kind_of(hardware, engine) is home)
        if found:
            return found
    return ()


def models_memory_limit_bytes(
    hardware: Hardware,
    engines: Sequence[EngineKind],
    *,
    wired_limit_bytes: int = 0,
    cap_bytes: int = 0,
) -> int:
    """Returns the memory that models may take altogether; 0 without an engine.

    Args:
        hardware: the machine.
        engines: those it could start.
        wired_limit_bytes: a Mac's ``iogpu.wired_limit_mb``, where its owner set one; else 0.
        cap_bytes: the owner's own limit; 0 for none.
    """
    offered = engines_in_fastest_memory(hardware, engines)
    if not offered:
        return 0
    match memory_kind_of(hardware, offered[0]):
        case MemoryKind.VRAM:
            most = _vram_limit_bytes(hardware.vram_bytes, together=offered[0].name == "vllm")
        case MemoryKind.UNIFIED if hardware.accelerator == "apple":
            most = _wired_limit_bytes(hardware.memory_bytes, wired_limit_bytes)
        case _:
            room = max(RAM_RESERVE_BYTES, hardware.memory_bytes // RAM_RESERVE_DIVISOR)
            most = hardware.memory_bytes - room
    return max(0, min(most, cap_bytes) if cap_bytes else most)


def _wired_limit_bytes(memory_bytes: int, limit_bytes: int) -> int:
    large = memory_bytes >= WIRED_LARGE_BYTES
    wired = limit_bytes or (memory_bytes * 3 // 4 if large else memory_bytes * 2 // 3)
    room = max(MAC_RESERVE_BYTES, memory_bytes // MAC_RESERVE_DIVISOR)
    return min(wired - wired // WIRED_RESERVE_DIVISOR, memory_bytes - room)


def _vram_limit_bytes(cards: Sequence[int], *, together: bool) -> int:
    """Of the largest card; of as many equal ones as are a power of two, for vLLM."""
    largest = max(cards)
    count = 1
    while together and count * 2 <= sum(card == largest for card in cards):
        count *= 2
    return count * (largest - max(VRAM_RESERVE_BYTES, largest // VRAM_RESERVE_DIVISOR))


def required_memory_bytes(
    entry: ModelEntry, artefact: Artefact, *, engine: str, slots: int, context_tokens: int
) -> int:
    """Returns what a model takes while it is loaded: weights, context, and the engine itself."""
    context = slots * (context_tokens * entry.kv_bytes_per_token + entry.kv_bytes_per_sequence)
    overhead = OVERHEAD_BYTES.get(engine, OVERHEAD_DEFAULT_BYTES)
    return artefact.weights_bytes + artefact.weights_bytes // OVERHEAD_DIVISOR + overhead + context


def choose_load_config(
    entry: ModelEntry, artefact: Artefact, *, engine: str, room_bytes: int
) -> LoadConfig | int:
    """Returns the best shape that fits, or the bytes that the least one takes when none does."""
    needed = 0
    for slots, wanted_tokens in LOAD_CONFIGS:
        context_tokens = min(wanted_tokens, entry.context_tokens_max)
        needed = required_memory_bytes(
            entry, artefact, engine=engine, slots=slots, context_tokens=context_tokens
        )
        if needed <= room_bytes:
            return LoadConfig(slots, context_tokens, needed)
    return needed


def assess_models(
    catalogue: Catalogue, room: ModelCapacity
) -> tuple[Loadable | UnloadableModel, ...]:
    """Says of each model of the catalogue how it would be loaded here, or why it is not."""
    return tuple(_assess_model(entry, room) for entry in catalogue.models)


def loadable_models(catalogue: Catalogue, room: ModelCapacity) -> tuple[Loadable, ...]:
    """Returns what a node offers to load, for its card."""
    return tuple(found for found in assess_models(catalogue, room) if isinstance(found, Loadable))


def choose_artefact(
    entry: ModelEntry, room: ModelCapacity
) -> tuple[EngineKind, Artefact, LoadConfig] | None:
    """Returns how a model would be loaded here: the way that ``loadable`` offers; None for none.

    What lies on the disk goes before what must be fetched; then the order of the engines and that
    of the catalogue decide.
    """
    found = []
    for rank, (engine, artefact) in enumerate(_usable_artefacts(entry, room)):
        shape = choose_load_config(
            entry, artefact, engine=engine.name, room_bytes=room.memory_bytes
        )
        missing = _missing_bytes(entry, artefact, room)
        if isinstance(shape, LoadConfig) and _fits_on_disk(missing, room):
            found.append(((missing > 0, rank), engine, artefact, shape))
    if not found:
        return None
    _, engine, artefact, shape = min(found, key=lambda way: way[0])
    return engine, artefact, shape


def _usable_artefacts(entry: ModelEntry, room: ModelCapacity) -> list[tuple[EngineKind, Artefact]]:
    return [
        (engine, artefact)
        for engine in room.engines
        for artefact in entry.artefacts
        if artefact.is_pinned and artefact.format == ENGINE_FORMATS.get(engine.name)
    ]


def _missing_bytes(entry: ModelEntry, artefact: Artefact, room: ModelCapacity) -> int:
    return room.missing_bytes.get(artefact.relative_folder(entry.name), artefact.size_bytes)


def _fits_on_disk(missing_bytes: int, room: ModelCapacity) -> bool:
    free = room.disk_free_bytes
    return missing_bytes == 0 or free is None or missing_bytes <= free


def _assess_model(entry: ModelEntry, room: ModelCapacity) -> Loadable | UnloadableModel:
    if ANY_MODEL not in room.allow and entry.name not in room.allow:
        return UnloadableModel(entry.name, NOT_ALLOWED, {"model": entry.name})
    way = choose_artefact(entry, room)
    if way is None:
        return _explain_unloadable(entry, room)
    engine, artefact, shape = way
    missing = _missing_bytes(entry, artefact, room)
    return Loadable(
        model=entry.name,
        revision=artefact.checksum,
        engine=engine.name,
        context_tokens=shape.context_tokens,
        slots=shape.slots,
        features=_replica_features(entry, engine),
        memory_bytes=shape.memory_bytes,
        fetch_bytes=missing,
        load_s=estimate_load_s(
            artefact, engine=engine.name, fetch_bytes=missing, speeds=room.speeds
        ),
    )


def estimate_load_s(
    artefact: Artefact, *, engine: str, fetch_bytes: int, speeds: TransferRates
) -> float:
    """Returns how long until a model serves, seconds: fetch, read, start."""
    fetch = fetch_bytes / speeds.network_bytes_per_s
    read = artefact.weights_bytes / speeds.disk_bytes_per_s
    return fetch + read + START_S.get(engine, START_DEFAULT_S)


def _replica_features(entry: ModelEntry, engine: EngineKind) -> tuple[str, ...]:
    return tuple(
        sorted(
            f for f in engine.features if f not in MODEL_DEPENDENT_FEATURES or f in entry.features
        )
    )


def _explain_unloadable(entry: ModelEntry, room: ModelCapacity) -> UnloadableModel:
    formats = {ENGINE_FORMATS.get(engine.name) for engine in room.engines}
    if not any(artefact.format in formats for artefact in entry.artefacts):
        return UnloadableModel(entry.name, NO_ENGINE, {"model": entry.name})
    ways = _usable_artefacts(entry, room)
    if not ways:
        return UnloadableModel(entry.name, UNPINNED, {"model": entry.name})
    needs = [
        choose_load_config(entry, artefact, engine=engine.name, room_bytes=room.memory_bytes)
        for engine, artefact in ways
    ]
    too_large = [need for need in needs if isinstance(need, int)]
    if len(too_large) < len(needs):
        fetch = min(_missing_bytes(entry, artefact, room) for _, artefact in ways)
        free = room.disk_free_bytes or 0
        return UnloadableModel(entry.name, NO_DISK, {"needed_gb": _gb(fetch), "free_gb": _gb(free)})
    values: dict[str, str | int | float] = {
        "model": entry.name,
        "needed_gb": _gb(min(too_large)),
        "room_gb": _gb(room.memory_bytes),
    }
    return UnloadableModel(entry.name, TOO_LARGE, values)


def _gb(count_bytes: int) -> float:
    return round(count_bytes / 1e9, 1)

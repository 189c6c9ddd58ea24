"""Model memory: the memory that a loaded model needs, and how it is loaded into what there is.

Input: a model's entry, one of its artefacts, an engine, and the memory for models. Output: slots
and context of the best configuration that fits. A model needs its weights, the KV cache of all
slots and the engine's own overhead.
"""

from collections.abc import Mapping

from msgspec import Struct

from entraide.models import EMBEDDINGS_ONLY, Artefact, ModelEntry

MIB = 1024**2
GIB = 1024**3

RAM_RESERVE_BYTES = 2 * GIB  # main memory for the system and its owner, or a quarter
RAM_RESERVE_DIVISOR = 4

# Memory of an engine and its buffers, in addition to a twentieth of the weights.
OVERHEAD_BYTES: Mapping[str, int] = {
    "llama.cpp": 384 * MIB,
    "mlx-lm": 512 * MIB,
    "vllm": 2 * GIB,
}
OVERHEAD_DEFAULT_BYTES = 1 * GIB
OVERHEAD_DIVISOR = 20

# Slots and context tokens per slot, best first; the first configuration that fits is chosen.
LOAD_CONFIGS: tuple[tuple[int, int], ...] = (
    (4, 16_384), (4, 8_192), (2, 8_192), (4, 4_096), (2, 4_096), (1, 4_096), (1, 2_048),
)  # fmt: skip

EMBEDDING_CONTEXT_MAX = 8_192  # passages that are searched are shorter than what a chat holds


class LoadConfig(Struct, frozen=True):
    """How a model would be loaded.

    Attributes:
        slots: concurrent sequences.
        context_tokens: longest prompt plus answer of each sequence.
        memory_bytes: total memory that this needs.
    """

    slots: int
    context_tokens: int
    memory_bytes: int


def main_memory_limit_bytes(memory_bytes: int) -> int:
    """Returns the part of a machine's main memory that all models together may use."""
    reserve_bytes = max(RAM_RESERVE_BYTES, memory_bytes // RAM_RESERVE_DIVISOR)
    return max(0, memory_bytes - reserve_bytes)


def required_memory_bytes(
    entry: ModelEntry, artefact: Artefact, *, engine: str, slots: int, context_tokens: int
) -> int:
    """Returns the memory of a loaded model: weights, KV cache of all slots, and engine overhead."""
    context_bytes = slots * (
        context_tokens * entry.kv_bytes_per_token + entry.kv_bytes_per_sequence
    )
    overhead_bytes = OVERHEAD_BYTES.get(engine, OVERHEAD_DEFAULT_BYTES)
    return (
        artefact.weights_bytes
        + artefact.weights_bytes // OVERHEAD_DIVISOR
        + overhead_bytes
        + context_bytes
    )


def choose_load_config(
    entry: ModelEntry, artefact: Artefact, *, engine: str, room_bytes: int
) -> LoadConfig | int:
    """Returns the best configuration that fits, else the bytes that the smallest one would need."""
    needed_bytes, most_tokens = 0, entry.context_tokens_max
    if EMBEDDINGS_ONLY in entry.features:
        most_tokens = min(most_tokens, EMBEDDING_CONTEXT_MAX)
    for slots, wanted_tokens in LOAD_CONFIGS:
        context_tokens = min(wanted_tokens, most_tokens)
        needed_bytes = required_memory_bytes(
            entry, artefact, engine=engine, slots=slots, context_tokens=context_tokens
        )
        if needed_bytes <= room_bytes:
            return LoadConfig(slots, context_tokens, needed_bytes)
    return needed_bytes

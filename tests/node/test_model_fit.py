"""Which models fit which machines, with what context, and how long loading lasts."""

import pytest
from msgspec.structs import replace
from tests.cases import all_cases

from entraide import model_memory
from entraide.catalogue import find, shipped
from entraide.model_memory import GIB, MIB
from entraide.models import ArtefactFile, Catalogue, ModelEntry, TransferRates
from entraide.types import Loadable
from entraide_node.core import model_fit
from entraide_node.core.hardware import Gpu, Hardware
from entraide_node.core.model_fit import (
    EngineKind,
    MemoryKind,
    ModelCapacity,
    UnloadableModel,
)
from entraide_node.hardware_output import models_sentence

LLAMA = EngineKind("llama.cpp", features=("logprobs", "schema", "tools"))
METAL = EngineKind("llama.cpp", on_gpu=True, features=("logprobs", "schema", "tools"))
MLX = EngineKind("mlx-lm", on_gpu=True, features=("tools",))
VLLM = EngineKind("vllm", on_gpu=True, features=("logprobs", "schema", "tools"))
HASH = "ab" * 32


def mac(memory_gib: int) -> Hardware:
    """A Mac with Apple's own chip."""
    memory_bytes = memory_gib * GIB
    return Hardware(os="darwin", arch="arm64", cpu="Apple M", cores=8, memory_bytes=memory_bytes,
                    unified_memory=True, gpus=(Gpu("apple", "Apple M", memory_bytes),))  # fmt: skip


def box(memory_gib: int, *cards_gib: int) -> Hardware:
    """A machine with processor, memory, and perhaps NVIDIA's cards."""
    gpus = tuple(Gpu("nvidia", "RTX", gib * GIB) for gib in cards_gib)
    return Hardware(
        os="linux", arch="x86_64", cpu="x", cores=8, memory_bytes=memory_gib * GIB, gpus=gpus
    )


def pinned(entry: ModelEntry) -> ModelEntry:
    """The same model with each artefact pinned to one file as long as its weights."""
    files = {
        a.format: (ArtefactFile(f"{a.format}.bin", a.weights_bytes, HASH),) for a in entry.artefacts
    }
    artefacts = tuple(replace(a, files=files[a.format]) for a in entry.artefacts)
    return replace(entry, artefacts=artefacts)


CATALOGUE = Catalogue(1, 0.0, tuple(pinned(entry) for entry in shipped().models))


def room(hardware: Hardware, *engines: EngineKind, **more: object) -> ModelCapacity:
    """The room of a machine that has nothing on its disk."""
    kept = ModelCapacity(
        engines=model_fit.engines_in_fastest_memory(hardware, engines),
        memory_bytes=model_fit.models_memory_limit_bytes(hardware, engines),
        missing_bytes={},
    )
    return replace(kept, **more)


def loadable_models(catalogue: Catalogue, capacity: ModelCapacity) -> list[Loadable]:
    """The models that a node offers to load."""
    assessed = model_fit.assess_models(catalogue, capacity)
    return [model for model in assessed if isinstance(model, Loadable)]


# The largest model that fits, the sequences it serves at once, and the context of each; the model
# just above it does not fit. Sizes in GiB. Models, by the memory that their weights take in four
# bits, in GB: qwen3-4b 2.4, qwen3-8b 5.0, gemma-3-12b-it 7.4, qwen3-14b 9.0, gpt-oss-20b 13.7,
# mistral-small 14.6, qwen3-30b-a3b 18.5, llama-3.3-70b 42.8; in sixteen bits 3.3 times that.
BY_SIZE = ("smollm2-135m-instruct", "qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-8b",
           "gemma-3-12b-it", "qwen3-14b", "mistral-small-3.2-24b-instruct-2506",
           "qwen3-30b-a3b-instruct-2507", "llama-3.3-70b-instruct")  # fmt: skip
MACHINES = {
    "MacBook Air, 8": (mac(8), METAL, "qwen3-4b", 2, 4_096),
    "Mac mini, 16": (mac(16), METAL, "qwen3-14b", 1, 4_096),
    "MacBook, 18": (mac(18), METAL, "qwen3-14b", 2, 4_096),
    "Mac mini, 24": (mac(24), METAL, "mistral-small-3.2-24b-instruct-2506", 1, 2_048),
    "Mac mini, 32": (mac(32), METAL, "qwen3-30b-a3b-instruct-2507", 2, 8_192),
    "MacBook Pro, 36": (mac(36), METAL, "qwen3-30b-a3b-instruct-2507", 4, 16_384),
    "Mac mini, 48": (mac(48), METAL, "qwen3-30b-a3b-instruct-2507", 4, 16_384),
    "Mac Studio, 64": (mac(64), METAL, "llama-3.3-70b-instruct", 2, 4_096),
    "Mac Studio, 96": (mac(96), METAL, "llama-3.3-70b-instruct", 4, 16_384),
    "Mac Studio, 128": (mac(128), METAL, "llama-3.3-70b-instruct", 4, 16_384),
    "Mac mini with MLX, 16": (mac(16), MLX, "qwen3-14b", 2, 4_096),
    "Mac mini with MLX, 24": (mac(24), MLX, "mistral-small-3.2-24b-instruct-2506", 2, 4_096),
    "Mac Studio with MLX, 192": (mac(192), MLX, "llama-3.3-70b-instruct", 4, 16_384),
    "old laptop, 4": (box(4), LLAMA, "qwen3-0.6b", 2, 4_096),
    "laptop, 8": (box(8), LLAMA, "qwen3-8b", 1, 4_096),
    "laptop, 16": (box(16), LLAMA, "qwen3-14b", 2, 8_192),
    "desktop, 32": (box(32), LLAMA, "qwen3-30b-a3b-instruct-2507", 4, 8_192),
    "server, 64": (box(64), LLAMA, "llama-3.3-70b-instruct", 2, 8_192),
    "server, 128": (box(128), LLAMA, "llama-3.3-70b-instruct", 4, 16_384),
    "its card is not the engine's": (box(16, 24), LLAMA, "qwen3-14b", 2, 8_192),
    "RTX 3070, 8": (box(32, 8), VLLM, "qwen3-1.7b", 2, 8_192),
    "RTX 3060, 12": (box(32, 12), VLLM, "qwen3-4b", 1, 4_096),
    "RTX 4080, 16": (box(32, 16), VLLM, "qwen3-4b", 4, 8_192),
    "RTX 4090, 24": (box(64, 24), VLLM, "qwen3-8b", 2, 8_192),
    "RTX 5090, 32": (box(64, 32), VLLM, "gemma-3-12b-it", 2, 8_192),
    "L40S, 48": (box(128, 48), VLLM, "qwen3-14b", 4, 16_384),
    "H100, 80": (box(256, 80), VLLM, "qwen3-30b-a3b-instruct-2507", 4, 16_384),
    "two RTX 3090, 24 each": (box(64, 24, 24), VLLM, "qwen3-14b", 4, 16_384),
    "three RTX 3090 count as two": (box(64, 24, 24, 24), VLLM, "qwen3-14b", 4, 16_384),
    "four H100, 80 each": (box(512, 80, 80, 80, 80), VLLM, "llama-3.3-70b-instruct", 4, 16_384),
    "two unlike cards count as the larger": (box(64, 24, 12), VLLM, "qwen3-8b", 2, 8_192),
}


@all_cases(
    ("hardware", "engine", "model", "slots", "context_tokens"), MACHINES.values(), ids=MACHINES
)
def test_what_a_machine_can_load(
    hardware: Hardware, engine: EngineKind, model: str, slots: int, context_tokens: int
) -> None:
    """Each machine offers the models up to a size, with the context that its memory leaves."""
    offered = {
        loadable.model: loadable for loadable in loadable_models(CATALOGUE, room(hardware, engine))
    }
    largest = max(BY_SIZE.index(name) for name in offered if name in BY_SIZE)
    loadable = offered[BY_SIZE[largest]]

    assert (model, slots, context_tokens) == (
        loadable.model,
        loadable.slots,
        loadable.context_tokens,
    )


@all_cases(("hardware", "engine"), [case[:2] for case in MACHINES.values()], ids=MACHINES)
def test_nothing_takes_more_than_there_is(hardware: Hardware, engine: EngineKind) -> None:
    """What is offered never takes more than models may, and that leaves its owner room."""
    most = model_fit.models_memory_limit_bytes(hardware, [engine])
    home = model_fit.memory_kind_of(hardware, engine)
    whole = sum(hardware.vram_bytes) if home is MemoryKind.VRAM else hardware.memory_bytes
    offered = loadable_models(CATALOGUE, room(hardware, engine))

    assert offered
    assert all(0 < loadable.memory_bytes <= most for loadable in offered)
    assert whole - most >= (512 * MIB if home is MemoryKind.VRAM else 1 * GIB)


WIRED = {
    "8: the owner's room goes before the GPU's part": (8, 0, 4.0),
    "16: two thirds, less the slack": (16, 0, 10.0),
    "32: two thirds": (32, 0, 20.0),
    "36: three quarters from here on": (36, 0, 25.3125),
    "64: three quarters": (64, 0, 45.0),
    "the owner wired less": (64, 32 * GIB, 30.0),
    "the owner wired more: an eighth stays": (64, 63 * GIB, 56.0),
}


@pytest.mark.parametrize(("memory_gib", "limit", "expected_gib"), WIRED.values(), ids=WIRED)
def test_what_a_mac_lets_its_gpu_take(memory_gib: int, limit: int, expected_gib: float) -> None:
    """A Mac's models stay below what its GPU may wire, and leave its owner room."""
    limit_bytes = model_fit.models_memory_limit_bytes(
        mac(memory_gib), [METAL], wired_limit_bytes=limit
    )

    assert abs(expected_gib * GIB - limit_bytes) < MIB


def test_the_owner_caps_it() -> None:
    """The owner's own limit holds when it is the lower one, and gives nothing when not."""
    assert 6 * GIB == model_fit.models_memory_limit_bytes(mac(32), [METAL], cap_bytes=6 * GIB)
    assert model_fit.models_memory_limit_bytes(
        mac(32), [METAL]
    ) == model_fit.models_memory_limit_bytes(mac(32), [METAL], cap_bytes=64 * GIB)


def test_no_engine_no_memory() -> None:
    """A machine without an engine gives nothing, and says of each model why."""
    survey = model_fit.assess_models(CATALOGUE, room(box(64)))

    assert 0 == model_fit.models_memory_limit_bytes(box(64), [])
    assert {model_fit.NO_ENGINE} == {
        model.code for model in survey if isinstance(model, UnloadableModel)
    }
    assert len(CATALOGUE.models) == len(survey)


def test_one_memory_at_a_time() -> None:
    """Engines of the card are offered before one of the machine's memory, never both."""
    assert (VLLM,) == model_fit.engines_in_fastest_memory(box(64, 24), [LLAMA, VLLM])
    assert (LLAMA,) == model_fit.engines_in_fastest_memory(box(64), [LLAMA])


def test_what_is_pinned_is_offered() -> None:
    """Weights that nobody pinned are never offered, and the reason is told."""
    survey = model_fit.assess_models(shipped(), room(mac(32), METAL))
    unfit = {model.model: model.code for model in survey if isinstance(model, UnloadableModel)}

    assert model_fit.UNPINNED == unfit["qwen3-8b"]
    assert ["smollm2-135m-instruct"] == [
        model.model for model in survey if isinstance(model, Loadable)
    ]


def test_the_owner_allows_by_name() -> None:
    """A model that the owner did not name is not offered."""
    offered = loadable_models(CATALOGUE, room(mac(32), METAL, allow=("qwen3-8b",)))
    refused = model_fit.assess_models(CATALOGUE, room(mac(32), METAL, allow=("qwen3-8b",)))

    assert ["qwen3-8b"] == [loadable.model for loadable in offered]
    assert {model_fit.NOT_ALLOWED} == {
        model.code for model in refused if isinstance(model, UnloadableModel)
    }


def test_a_full_disk_takes_no_weights() -> None:
    """What would have to be fetched onto a full disk is not offered; what lies there is."""
    eight = find(CATALOGUE, "qwen3-8b")
    assert eight is not None
    place = eight.artefacts[0].relative_folder("qwen3-8b")
    survey = model_fit.assess_models(
        CATALOGUE, room(mac(32), METAL, disk_free_bytes=10, missing_bytes={place: 0})
    )
    codes = {
        model.code
        for model in survey
        if isinstance(model, UnloadableModel) and model.model != "qwen3-8b"
    }

    assert ["qwen3-8b"] == [model.model for model in survey if isinstance(model, Loadable)]
    assert model_fit.NO_DISK in codes


def test_the_larger_need_is_told() -> None:
    """A model that is too large says what it takes at least, and what there is."""
    survey = model_fit.assess_models(CATALOGUE, room(mac(8), METAL))
    large = next(model for model in survey if model.model == "llama-3.3-70b-instruct")

    assert isinstance(large, UnloadableModel)
    assert (model_fit.TOO_LARGE, 4.3) == (large.code, large.values["room_gb"])
    assert 45.0 < float(large.values["needed_gb"]) < 47.0


def test_what_lies_on_the_disk_goes_first() -> None:
    """Of two engines that could load a model, the one whose weights are here is offered."""
    entry = find(CATALOGUE, "qwen3-8b")
    assert entry is not None
    mlx = next(a for a in entry.artefacts if a.format == "mlx")
    both = room(mac(64), METAL, MLX)
    here = replace(both, missing_bytes={mlx.relative_folder(entry.name): 0})
    plain, near = model_fit.choose_artefact(entry, both), model_fit.choose_artefact(entry, here)

    assert plain is not None
    assert near is not None
    assert ("llama.cpp", "mlx-lm") == (plain[0].name, near[0].name)


def test_windows_of_attention_are_counted_once() -> None:
    """A model whose layers look back only so far takes that much per sequence, not per token."""
    gemma, qwen = find(CATALOGUE, "gemma-3-4b-it"), find(CATALOGUE, "qwen3-4b")
    assert gemma is not None
    assert qwen is not None

    def context_bytes(entry: ModelEntry, tokens: int) -> int:
        sizes = [
            model_memory.required_memory_bytes(
                entry, entry.artefacts[0], engine="llama.cpp", slots=2, context_tokens=n
            )
            for n in (0, tokens)
        ]
        return sizes[1] - sizes[0]

    assert 2 * 8_192 * 20_480 == context_bytes(gemma, 8_192)
    assert 7 * context_bytes(gemma, 8_192) < context_bytes(qwen, 8_192) * 1.01


def test_features_are_what_both_can() -> None:
    """Tools need a model and an engine that have them; a schema only the engine."""
    offered = {
        loadable.model: loadable.features
        for loadable in loadable_models(CATALOGUE, room(mac(64), METAL))
    }

    assert ("logprobs", "schema", "tools") == offered["qwen3-8b"]
    assert ("logprobs", "schema") == offered["gemma-3-12b-it"]


def test_how_long_loading_lasts() -> None:
    """The time until a model serves is its fetch, its reading and the engine's start."""
    speeds = TransferRates(network_bytes_per_s=1e7, disk_bytes_per_s=1e8)
    fetched, kept = (
        model_fit.estimate_load_s(10**9, fetch_bytes=fetch_bytes, speeds=speeds, start_s=10.0)
        for fetch_bytes in (10**9, 0)
    )

    assert (120.0, 20.0) == (fetched, kept)


def test_a_machine_says_what_it_can_hold_before_anything_is_pinned() -> None:
    """Only memory counts, the largest model comes first, and a larger machine holds more."""
    small, large = (model_fit.find_fitting_models(shipped(), mac(gib), METAL) for gib in (8, 64))

    assert "llama-3.3-70b-instruct" not in small
    assert "qwen3-30b-a3b-instruct-2507" in large
    assert set(small) < set(large)
    assert "smollm2-135m-instruct" == large[-1]
    assert () == model_fit.find_fitting_models(shipped(), box(1), LLAMA)


@pytest.mark.parametrize(("gib", "words"), [(16, "of the 30 models"), (1, "too small for each")])
def test_join_says_what_the_machine_can_hold(gib: int, words: str) -> None:
    """One sentence names how many models fit and the largest ones."""
    assert words in models_sentence(mac(gib), "en")


def test_an_embedding_model_is_offered_for_embeddings() -> None:
    """Its features are its own, whatever the engine can do with text; its context is bounded."""
    capacity = ModelCapacity(engines=(LLAMA,), memory_bytes=64 * GIB, missing_bytes={})
    entry = find(shipped(), "qwen3-embedding-0.6b")
    assert entry is not None
    (offer,) = model_fit.assess_models(Catalogue(1, 0.0, (pinned(entry),)), capacity)

    assert isinstance(offer, Loadable)
    assert ("embeddings", "embeddings_only") == offer.features
    assert 8_192 == offer.context_tokens

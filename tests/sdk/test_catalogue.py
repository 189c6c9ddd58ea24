"""The model catalogue: the shipped one is valid, and only the pool's signature is accepted."""

import base64
import re
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace
from tests.cases import all_cases
from tests.node.weights import gguf_bytes

from entraide import catalogue as documents
from entraide import i18n
from entraide.catalogue import CatalogueFault, InvalidCatalogue, shipped
from entraide.catalogue.energy import BOUNDS_WH, energy_class
from entraide.catalogue.pin import (
    pin_from_folder,
    pin_from_hub,
    select_files,
    with_energy_estimate,
)
from entraide.catalogue.pin_fault import PinFault
from entraide.catalogue.signature import sign, verify_catalogue
from entraide.models import (
    ALIASES,
    Artefact,
    ArtefactFile,
    Catalogue,
    MachineFigures,
    ModelEntry,
    ModelSize,
    PublishedScore,
    TaskQuality,
)
from entraide.thinking import Thinking
from entraide.types import Basis, Task

HASH = "ab" * 32
CELL = TaskQuality(Task.COMPUTE, "fr", 0.9, 0.8, 0.95, 60, "1", HASH, f"sha256:{HASH}")
FIGURES = MachineFigures("mac-mini-m4", "llama.cpp", 60, 17.5, 0.02, Basis.MEASURED)
SCORE = PublishedScore("COLE", "61.2 %", "https://example.org/cole")
SMALL_BELOW, LARGE_ABOVE = 4_000_000_000, 15_000_000_000


def entry(**changes: object) -> ModelEntry:
    """A model of the shipped catalogue, changed."""
    original = documents.find(shipped(), "qwen3-8b")
    assert original is not None
    return replace(original, **changes)


def artefact(**changes: object) -> Artefact:
    """Its first artefact, changed."""
    return replace(entry().artefacts[0], **changes)


def test_the_shipped_catalogue_is_sound() -> None:
    """The catalogue that ships has no fault, and is written back as the same facts."""
    catalogue = shipped()

    assert () == documents.faults(catalogue)
    assert catalogue == documents.read(documents.write(catalogue))
    assert len(catalogue.models) >= 12


@all_cases("model", shipped().models, ids=lambda artefact: artefact.name)
def test_sizes_and_energy_follow_their_rules(model: ModelEntry) -> None:
    """Each model's size and energy are those of the written rules, and its facts have a source."""
    small, large = model.parameters < SMALL_BELOW, model.parameters > LARGE_ABOVE
    size = ModelSize.SMALL if small else ModelSize.LARGE if large else ModelSize.MEDIUM

    assert size is model.size
    assert model == with_energy_estimate(model)
    assert model.source
    assert model.licence
    assert "gguf" == model.artefacts[0].format
    # Of sentence models, not all have safetensors that vLLM reads without code of their own.
    embeds = "embeddings_only" in model.features
    assert embeds or any(artefact.format == "safetensors" for artefact in model.artefacts)


def test_each_size_and_french_are_there() -> None:
    """Each alias finds a model that need not think, small and middling ones in French."""
    quiet = [model for model in shipped().models if model.thinking is not Thinking.ALWAYS]
    french = {model.size for model in quiet if {"fr", "mul"} & set(model.languages)}

    assert set(ModelSize) == french
    assert all(any(model.size in sizes for model in quiet) for sizes in ALIASES.values())


def test_only_the_demo_model_is_pinned() -> None:
    """What ships is pinned only where its bytes ship too."""
    pinned = {model.name for model in shipped().models if any(a.is_pinned for a in model.artefacts)}

    assert {"smollm2-135m-instruct"} == pinned


def test_classes_double() -> None:
    """The upper bound of each energy class is twice that of the class before."""
    bounds = [most for _, most in BOUNDS_WH]

    assert [most * 2 for most in bounds[:-1]] == bounds[1:]
    assert "ABCDEFG" == "".join(energy_class(most * 1.5) for most in [0.01, *bounds])


FAULTY = {
    "a name that is a path": ({"name": "../x"}, "name"),
    "a name with a capital": ({"name": "Qwen"}, "name"),
    "an alias's name": ({"name": "petit"}, "name"),
    "more active than all": ({"active_parameters": 10**12}, "parameters"),
    "no context": ({"context_tokens_max": 0}, "context_tokens_max"),
    "no memory": ({"kv_bytes_per_token": 0}, "kv_bytes_per_token"),
    "negative windows": ({"kv_bytes_per_sequence": -1}, "kv_bytes_per_token"),
    "a template without end": ({"template_tokens": 2**20}, "template_tokens"),
    "energy without end": ({"energy_wh_per_1k_tokens": float("inf")}, "energy_wh_per_1k_tokens"),
    "another format": ({"artefacts": (artefact(format="onnx"),)}, "artefacts[0].format"),
    "a quantisation that is a path": (
        {"artefacts": (artefact(quantisation="a/b"),)}, "artefacts[0].quantisation"),
    "a repository that is an address": (
        {"artefacts": (artefact(repository="https://x/y"),)}, "artefacts[0].repository"),
    "a branch": ({"artefacts": (artefact(revision="main"),)}, "artefacts[0].revision"),
    "no weight": ({"artefacts": (artefact(weights_bytes=0),)}, "artefacts[0].weights_bytes"),
    "a file that leads out": (
        {"artefacts": (artefact(files=(ArtefactFile("../m", 1, HASH),)),)}, "artefacts[0].files"),
    "a file from the root": (
        {"artefacts": (artefact(files=(ArtefactFile("/m", 1, HASH),)),)}, "artefacts[0].files"),
    "a hidden file": (
        {"artefacts": (artefact(files=(ArtefactFile(".proofs.json", 1, HASH),)),)},
        "artefacts[0].files"),
    "a short checksum": (
        {"artefacts": (artefact(files=(ArtefactFile("m", 1, "ab"),)),)}, "artefacts[0].files"),
    "a pattern with a checksum": (
        {"artefacts": (artefact(files=(ArtefactFile("*.gguf", 1, HASH),)),)}, "artefacts[0].files"),
    "half pinned": (
        {"artefacts": (artefact(files=(ArtefactFile("a", 1, HASH), ArtefactFile("b"))),)},
        "artefacts[0].files"),
    "twice the same file": (
        {"artefacts": (artefact(files=(ArtefactFile("a", 1, HASH), ArtefactFile("A", 1, HASH))),)},
        "artefacts[0].files"),
    "a rate outside its interval": ({"quality": (replace(CELL, low=0.91),)}, "quality[0]"),
    "a rate above one": ({"quality": (replace(CELL, rate=1.1, high=1.2),)}, "quality[0]"),
    "a rate that is no number": ({"quality": (replace(CELL, rate=float("nan")),)}, "quality[0]"),
    "a language without items": ({"quality": (replace(CELL, language="de"),)}, "quality[0]"),
    "a rate of no answer": ({"quality": (replace(CELL, n=0),)}, "quality[0]"),
    "a digest that is none": ({"quality": (replace(CELL, digest="x"),)}, "quality[0]"),
    "a version of two lines": ({"quality": (replace(CELL, items_version="1\n"),)}, "quality[0]"),
    "two rates of a cell": ({"quality": (CELL, replace(CELL, rate=0.85))}, "quality"),
    "an endless speed": ({"figures": (replace(FIGURES, tokens_per_s=1e300),)}, "figures[0]"),
    "a machine without a name": ({"figures": (replace(FIGURES, machine=""),)}, "figures[0]"),
    "a score of control signs": ({"published": (replace(SCORE, score="\x1b[2J"),)}, "published[0]"),
    "too many scores": ({"published": (SCORE,) * 33}, "published"),
}  # fmt: skip


@all_cases(("changes", "key"), FAULTY.values(), ids=FAULTY)
def test_what_a_catalogue_must_not_say(changes: dict[str, object], key: str) -> None:
    """Each thing that a catalogue must not say is found, and the document is not read."""
    faulty = Catalogue(1, 0.0, (entry(**changes),))
    invalid = documents.faults(faulty)

    assert key in {fault.key for fault in invalid}
    with pytest.raises(InvalidCatalogue):
        documents.read(documents.write(faulty))


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"{}", b'{"version": 1, "models": 3}', b"x" * 4_000_000]
)
def test_what_is_no_catalogue(raw: bytes) -> None:
    """Bytes that are no catalogue are refused, whatever they are."""
    with pytest.raises(InvalidCatalogue):
        documents.read(raw)


def test_two_of_one_name() -> None:
    """A name appears once."""
    twice = Catalogue(1, 0.0, (entry(), entry()))

    assert (CatalogueFault("", "models"),) == documents.faults(twice)


def test_only_the_pools_own() -> None:
    """A catalogue counts only with the pool's signature over these very bytes."""
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    document = documents.write(shipped())
    signature = sign(document, key)

    assert shipped() == verify_catalogue(document, signature, public)
    assert verify_catalogue(document + b" ", signature, public) is None
    assert verify_catalogue(document, sign(document, other), public) is None
    assert verify_catalogue(document, key.sign(document), public) is None
    assert verify_catalogue(document, signature, "") is None
    assert verify_catalogue(document, b"", public) is None
    assert verify_catalogue(b"{}", sign(b"{}", key), public) is None


def test_models_are_put_and_taken_by_name() -> None:
    """A model is added, replaced or taken out by its name, and the rest stays in order."""
    new = entry(name="a-new-one")
    more = documents.with_entries(shipped(), new)
    changed = documents.with_entries(more, replace(new, title="Changed"))
    names = [model.name for model in more.models]

    assert sorted(names) == names
    assert len(shipped().models) + 1 == len(more.models) == len(changed.models)
    assert "Changed" == changed.models[0].title
    assert shipped() == documents.without(changed, "a-new-one")


# Layers, width, MLP width, heads, key-value heads, from the technical report of Apertus.
APERTUS = {
    "apertus-8b-instruct-2509": (32, 4_096, 21_504, 32, 8),
    "apertus-70b-instruct-2509": (80, 8_192, 43_008, 64, 8),
}
APERTUS_VOCABULARY = 131_072


@pytest.mark.parametrize("name", APERTUS)
def test_apertus_has_the_size_of_its_shape(name: str) -> None:
    """Parameters and context memory follow from the configuration, to the last parameter.

    Each layer has queries, keys, values and output, an MLP of two matrices (xIELU has no gate,
    but two parameters), two norms, and a norm of queries and one of keys; the embeddings and the
    output have matrices of their own, and one norm is between them.
    """
    layers, width, mlp, heads, kv_heads = APERTUS[name]
    head = width // heads
    attention = 2 * width * width + 2 * width * kv_heads * head
    layer = attention + 2 * width * mlp + 2 + 2 * width + 2 * head
    entry = documents.find(shipped(), name)
    assert entry is not None

    assert layers * layer + 2 * APERTUS_VOCABULARY * width + width == entry.parameters
    assert 2 * layers * kv_heads * head * 2 == entry.kv_bytes_per_token
    assert 2 * entry.parameters == entry.artefacts[1].weights_bytes


CHOICES = {
    "one of several quantisations": (
        ("m-Q4_K_M.gguf", "m-Q8_0.gguf", "README.md"), "gguf", ("*Q4_K_M.gguf",),
        ("m-Q4_K_M.gguf",)),
    "whatever the case": (("M-q4_k_m.gguf",), "gguf", ("*Q4_K_M.gguf",), ("M-q4_k_m.gguf",)),
    "all parts": (
        ("m-Q8-00001-of-00002.gguf", "m-Q8-00002-of-00002.gguf"), "gguf", ("*.gguf",),
        ("m-Q8-00001-of-00002.gguf", "m-Q8-00002-of-00002.gguf")),
    "two models": (
        ("m-Q8.gguf", "n-Q8.gguf"), "gguf", ("*.gguf",),
        PinFault("several", "m-Q8.gguf, n-Q8.gguf")),
    "nothing": (("README.md",), "gguf", ("*.gguf",), PinFault("nothing", "*.gguf")),
    "weights go first": (
        ("config.json", "model.safetensors", "original/x.safetensors"), "safetensors",
        ("*.safetensors", "*.json"), ("model.safetensors", "config.json")),
    "the same weights twice": (
        ("consolidated.safetensors", "model-00001-of-00001.safetensors"), "safetensors",
        ("*.safetensors",), ("model-00001-of-00001.safetensors",)),
    "a folder that is named": (
        ("sub/m.gguf", "n.gguf"), "gguf", ("sub/*.gguf",), ("sub/m.gguf",)),
}  # fmt: skip


@pytest.mark.parametrize(
    ("names", "format_", "patterns", "expected"), CHOICES.values(), ids=CHOICES
)
def test_which_files_are_meant(
    names: tuple[str, ...], format_: str, patterns: tuple[str, ...], expected: object
) -> None:
    """Patterns mean the files that an engine needs, or it is said why that is not clear."""
    meant = artefact(format=format_, files=tuple(map(ArtefactFile, patterns)))

    assert expected == select_files(names, meant)


def test_pinning_to_a_folder(tmp_path: Path) -> None:
    """Files of a folder are pinned by their bytes, and weights take as much as they are long."""
    data = gguf_bytes()
    (tmp_path / "m-Q4_K_M.gguf").write_bytes(data)
    pinned = pin_from_folder(artefact(), tmp_path)
    missing = pin_from_folder(artefact(), tmp_path / "not")

    assert isinstance(pinned, Artefact)
    size = len(data)
    assert (True, size, size) == (pinned.is_pinned, pinned.weights_bytes, pinned.size_bytes)
    assert f"sha256:{pinned.files[0].sha256}" == pinned.checksum
    assert isinstance(missing, PinFault)


def test_several_files_have_one_checksum() -> None:
    """The checksum of several files changes with each of them, and an unpinned one is unknown."""
    first, second = ArtefactFile("a", 1, HASH), ArtefactFile("b", 1, HASH)
    both = artefact(files=(first, second))

    assert f"sha256:{HASH}" == artefact(files=(first,)).checksum
    assert both.checksum != artefact(files=(second, first)).checksum != "unknown"
    assert "unknown" == artefact(files=(ArtefactFile("*"),)).checksum


FAULTS = re.findall(r"``(\w+)``", PinFault.__doc__ or "")


@all_cases("code", ["none", *FAULTS])
def test_every_fault_has_its_sentence(code: str) -> None:
    """Each reason why a model cannot be pinned has a sentence."""
    assert i18n.has_message(f"pin-fault-{code}")


def test_without_the_hubs_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pinning from the hub without its library says which one is missing."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)

    fault = pin_from_hub(artefact())

    assert isinstance(fault, PinFault)
    assert "no_library" == fault.code


def test_what_was_measured_is_signed_with_the_rest() -> None:
    """Quality, figures and others' scores are written, signed and read with the catalogue."""
    measured = entry(quality=(CELL,), figures=(FIGURES,), published=(SCORE,))
    catalogue = Catalogue(1, 0.0, (measured,))

    assert () == documents.faults(catalogue)
    assert catalogue == documents.read(documents.write(catalogue))

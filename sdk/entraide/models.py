"""Vocabulary of models: what the pool's catalogue says of each, as facts.

The catalogue is one document that the pool signs and hands to its nodes. It holds open-weight
models only. It decides nothing: which model an alias means and where a model is loaded are the
scheduler's decisions, and whether one fits a machine is the node's.
"""

import hashlib
from enum import StrEnum

from msgspec import Struct

FORMATS = ("gguf", "safetensors", "mlx")
FOLDER_DIGEST_DIGITS = 12  # of a checksum, in the name of the folder that holds those weights
ENGINE_FORMATS = {"llama.cpp": "gguf", "vllm": "safetensors", "mlx-lm": "mlx"}


class ModelSize(StrEnum):
    """How large a model is for whoever asks; also the alias that asks for it."""

    SMALL = "petit"
    MEDIUM = "moyen"
    LARGE = "grand"


AUTO = "auto"  # the smallest model that does the job
# Every alias, and the sizes it accepts, the preferred one first.
ALIASES: dict[str, tuple[ModelSize, ...]] = {
    "petit": (ModelSize.SMALL,),
    "moyen": (ModelSize.MEDIUM,),
    "grand": (ModelSize.LARGE,),
    "small": (ModelSize.SMALL,),
    "medium": (ModelSize.MEDIUM,),
    "large": (ModelSize.LARGE,),
    AUTO: (ModelSize.SMALL, ModelSize.MEDIUM, ModelSize.LARGE),
}


class Openness(StrEnum):
    """What the licence leaves open."""

    FULLY_OPEN = "fully-open"  # weights, code and training data, so that anybody can make it anew
    OPEN_SOURCE = "open-source"  # weights under a licence that the OSI approves
    OPEN_WEIGHT = "open-weight"  # weights under terms of their own


class ArtefactFile(Struct, frozen=True, gc=False):
    """A file of an artefact.

    Attributes:
        name: path inside the repository; until it is pinned also a pattern (``*Q4_K_M*.gguf``).
        size_bytes: its length; 0 while not pinned.
        sha256: of its bytes, 64 hexadecimal digits; "" while not pinned.
    """

    name: str
    size_bytes: int = 0
    sha256: str = ""


class Artefact(Struct, frozen=True, gc=False):
    """The weights of a model in the format of one engine.

    Attributes:
        format: ``gguf``, ``safetensors`` or ``mlx``.
        quantisation: as its makers call it (``Q4_K_M``, ``bf16``, ``4bit``).
        repository: on the hub, ``owner/name``; "" where it comes from elsewhere.
        revision: commit on the hub; "" while not pinned.
        files: what is needed of it; empty for all.
        weights_bytes: memory that the weights take once loaded.
    """

    format: str
    quantisation: str
    repository: str
    revision: str = ""
    files: tuple[ArtefactFile, ...] = ()
    weights_bytes: int = 0

    @property
    def is_pinned(self) -> bool:
        """Whether each of its files is known by its checksum."""
        return bool(self.files) and all(file.sha256 for file in self.files)

    @property
    def size_bytes(self) -> int:
        """Length of all its files; 0 while not pinned."""
        return sum(file.size_bytes for file in self.files)

    @property
    def checksum(self) -> str:
        """``sha256:…`` of its one file, or of the checksums of several; ``unknown`` unpinned."""
        if not self.is_pinned:
            return "unknown"
        if len(self.files) == 1:
            return f"sha256:{self.files[0].sha256}"
        lines = "".join(f"{file.sha256}  {file.name}\n" for file in self.files)
        return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"

    def relative_folder(self, model: str) -> str:
        """Returns the folder of its files below a store or a mirror; only once it is pinned."""
        digest = self.files[0].sha256[:FOLDER_DIGEST_DIGITS]
        return f"{model}/{self.format}-{self.quantisation}-{digest}"


class ModelEntry(Struct, frozen=True, gc=False):
    """A model.

    Attributes:
        name: its public name, as requests ask for it.
        title: for a person.
        size: how large it is for whoever asks.
        parameters, active_parameters: weights, and those used for each token.
        licence: SPDX identifier, or the name of its own terms.
        openness: what the licence leaves open.
        languages: ISO 639-1 codes that its makers name; ``mul`` for many that they do not.
        features: what it can do beyond text (``tools``, ``schema``, ``images``).
        reasoning: whether it thinks aloud before it answers, at twice the energy and time.
        context_tokens_max: longest prompt plus answer it was made for.
        kv_bytes_per_token: memory of one token of context, bytes, at 16 bits.
        energy_wh_per_1k_tokens: energy of 1,000 output tokens on the reference machine, one
            sequence at a time; 0 when unknown.
        energy_class: a letter from A (least) to G by that figure; "" when unknown.
        artefacts: its weights, the preferred one of each format first.
        source: where these facts stand.
        kv_bytes_per_sequence: memory of one sequence whatever its length, bytes: the windows of
            layers that look back only so far.
    """

    name: str
    title: str
    size: ModelSize
    parameters: int
    active_parameters: int
    licence: str
    openness: Openness
    languages: tuple[str, ...]
    features: tuple[str, ...]
    reasoning: bool
    context_tokens_max: int
    kv_bytes_per_token: int
    artefacts: tuple[Artefact, ...]
    energy_wh_per_1k_tokens: float = 0.0
    energy_class: str = ""
    source: str = ""
    kv_bytes_per_sequence: int = 0


class Catalogue(Struct, frozen=True, gc=False):
    """The pool's models.

    Attributes:
        version: grows by one with each change.
        issued_at: seconds since the epoch.
        models: by name.
    """

    version: int
    issued_at: float
    models: tuple[ModelEntry, ...]

"""Vocabulary of models: the entries of the pool's model catalogue.

The catalogue is one document that the pool signs and sends to its nodes. It has open-weight models
only. The scheduler decides which model an alias stands for and where a model is loaded; the node
decides whether a model fits its machine.
"""

import hashlib
from enum import StrEnum

from msgspec import Struct

from entraide.enums import Basis, Task
from entraide.thinking import Thinking, ThinkingSigns

# Features of a model that computes embeddings. A replica with ``embeddings_only`` answers no chat
# and no completion; one with ``dimensions`` shortens its embeddings to the requested length.
EMBEDDINGS = "embeddings"
EMBEDDINGS_ONLY = "embeddings_only"
DIMENSIONS = "dimensions"
# Features that are fields of a request, which only some engines honour.
ENGINE_OPTIONS = REPETITION_PENALTY, STOP_TOKEN_IDS, THINKING_BUDGET = (
    "repetition_penalty", "stop_token_ids", "thinking_budget_tokens",
)  # fmt: skip
# Most tokens that a usual chat template adds to a prompt: once, and for each message.
TEMPLATE_TOKENS, MESSAGE_TOKENS = 64, 16
TEMPLATE_TOKENS_MAX = 1 << 14  # of any chat template
# Feature of a replica whose engine finds the beginning of a prompt again, for its partition only.
PREFIX_CACHE = "prefix_cache"
# Mark of a replica whose engine may bring a prompt into a later answer: it gets public data only.
PUBLIC_ONLY = "public_only"
# Mark of a replica whose model was seen to think although it was told not to.
ALWAYS_THINKS = "always_thinks"

FORMATS = ("gguf", "safetensors", "mlx")
FOLDER_DIGEST_DIGITS = 12  # hexadecimal digits of a checksum in the name of the weights' folder
OUTPUT_TOKENS_ASKED_MAX = 1 << 24  # that a request may ask for
EVALUATED_LANGUAGES = ("fr", "en")  # languages in which the quality of answers is measured
DISK_RESERVE_BYTES = 2 * 1024**3  # disk space that weights never use
ENGINE_FORMATS = {"llama.cpp": "gguf", "vllm": "safetensors", "mlx-lm": "mlx"}


class ModelSize(StrEnum):
    """Size of a model, which is also an alias that requests may use."""

    SMALL = "petit"
    MEDIUM = "moyen"
    LARGE = "grand"


# In the core, in the place of a model's name that nobody but a client has used: it is a text.
UNKNOWN_MODEL = "?"
AUTO = "auto"  # alias of the smallest model that has the requested features
# Sizes that each alias accepts, the preferred one first.
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
    """What is open: weights, code, training data."""

    FULLY_OPEN = "fully-open"  # weights, code and training data, so that anybody can train it again
    OPEN_SOURCE = "open-source"  # weights under a licence approved by the OSI
    OPEN_WEIGHT = "open-weight"  # weights under the authors' own terms


class OpennessClass(StrEnum):
    """Class of a model by the Model Openness Framework (MOF, arXiv 2403.13784).

    Each class requires the components of the one before it, all under open licences.
    """

    UNSTATED = ""  # nobody has evaluated it, as far as the catalogue knows
    UNCLASSIFIED = "unclassified"  # evaluated, and it reaches no class
    OPEN_MODEL = "open-model"  # III: architecture, weights, cards, report, evaluation results
    OPEN_TOOLING = "open-tooling"  # II: code for training, inference, evaluation; evaluation data
    OPEN_SCIENCE = "open-science"  # I: training data, preprocessing code, checkpoints, paper

    @property
    def rank(self) -> int:
        """Its place among the classes: 0 for none, 3 for the most open."""
        return _CLASS_RANKS.get(self, 0)


_CLASS_RANKS = {
    OpennessClass.OPEN_MODEL: 1, OpennessClass.OPEN_TOOLING: 2, OpennessClass.OPEN_SCIENCE: 3,
}  # fmt: skip


REQUIRED_CLASSES = tuple(_CLASS_RANKS)  # what a request or the policy may require


class ArtefactFile(Struct, frozen=True, gc=False):
    """A file of an artefact.

    Attributes:
        name: path inside the repository; before pinning also a pattern (``*Q4_K_M*.gguf``).
        size_bytes: length; 0 before pinning.
        sha256: checksum, 64 hexadecimal digits; "" before pinning.
    """

    name: str
    size_bytes: int = 0
    sha256: str = ""


class Artefact(Struct, frozen=True, gc=False):
    """The weights of a model in the format of one engine.

    Attributes:
        format: ``gguf``, ``safetensors`` or ``mlx``.
        quantisation: as its authors name it (``Q4_K_M``, ``bf16``, ``4bit``).
        repository: repository of the hub, ``owner/name``; "" where it comes from elsewhere.
        revision: commit on the hub; "" before pinning.
        files: required files of the repository; empty for all.
        weights_bytes: memory of the loaded weights.
        pinned_at: when the pool got its checksums, seconds since the epoch; 0 if unknown.
    """

    format: str
    quantisation: str
    repository: str
    revision: str = ""
    files: tuple[ArtefactFile, ...] = ()
    weights_bytes: int = 0
    pinned_at: float = 0.0

    @property
    def is_pinned(self) -> bool:
        """Whether each of its files has a checksum."""
        return bool(self.files) and all(file.sha256 for file in self.files)

    def possible_paths(self, model: str, file: ArtefactFile) -> tuple[str, ...]:
        """Returns where a folder of weights may have a file: in a store's layout, or by name."""
        place = self.relative_folder(model)
        return f"{place}/{file.name}", file.name, file.name.rpartition("/")[2]

    @property
    def size_bytes(self) -> int:
        """Total length of its files; 0 before pinning."""
        return sum(file.size_bytes for file in self.files)

    @property
    def checksum(self) -> str:
        """``sha256:…`` of its only file, or of its files' checksums; ``unknown`` before pinning."""
        if not self.is_pinned:
            return "unknown"
        if len(self.files) == 1:
            return f"sha256:{self.files[0].sha256}"
        lines = "".join(f"{file.sha256}  {file.name}\n" for file in self.files)
        return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"

    def relative_folder(self, model: str) -> str:
        """Returns its folder relative to a store or a mirror; the artefact must be pinned."""
        digest = self.files[0].sha256[:FOLDER_DIGEST_DIGITS]
        return f"{model}/{self.format}-{self.quantisation}-{digest}"


class TransferRates(Struct, frozen=True):
    """Transfer rates of weights, bytes per second: measured, else a default.

    Attributes:
        network_bytes_per_s: of a download; the default is 100 Mbit/s.
        disk_bytes_per_s: from the disk into memory.
    """

    network_bytes_per_s: float = 12.5e6
    disk_bytes_per_s: float = 500e6


class TaskQuality(Struct, frozen=True, gc=False):
    """Part of right answers of a model to one kind of question, measured on the pool's machines.

    Attributes:
        task: kind of the questions.
        language: of questions and answers: ``fr`` or ``en``.
        rate: part of the answers that the checkers accepted, in [0, 1].
        low, high: interval that holds the model's true rate with a probability of 95 %, whenever
            the evaluation stopped.
        n: number of answers.
        items_version: version of the templates from which the questions were made.
        digest: SHA-256 of these templates, hexadecimal.
        weights: checksum of the weights that answered, as a replica's revision.
    """

    task: Task
    language: str
    rate: float
    low: float
    high: float
    n: int
    items_version: str
    digest: str
    weights: str = ""


class MachineFigures(Struct, frozen=True, gc=False):
    """Speed and energy of a model's answers on one kind of machine, from receipts.

    Attributes:
        machine: identifier in the hardware catalogue.
        engine: the engine.
        answers: number of answers.
        tokens_per_s: output tokens per second of the whole answers, over all of them.
        energy_wh_per_answer: mean energy of an answer, Wh.
        basis: how the energy was obtained; the weakest of the receipts'.
        weights: checksum of the weights.
    """

    machine: str
    engine: str
    answers: int
    tokens_per_s: float
    energy_wh_per_answer: float
    basis: Basis
    weights: str = ""


class PublishedScore(Struct, frozen=True, gc=False):
    """A score that others published; it stands beside measured quality, and decides nothing.

    Attributes:
        benchmark: its name, such as ``COLE`` or ``QFrCoRE``.
        score: as they state it, with its unit.
        source: where it is published.
    """

    benchmark: str
    score: str
    source: str


class ModelEntry(Struct, frozen=True, gc=False):
    """A model.

    Attributes:
        name: its public name, used in requests.
        title: its name for people.
        size: its size class.
        parameters, active_parameters: number of weights, and of those used for each token.
        licence: SPDX identifier, or the name of its own terms.
        openness: what is open: weights, code, training data.
        languages: ISO 639-1 codes that its authors list; ``mul`` where they list none.
        features: its features beyond text (``tools``, ``schema``, ``images``); of an embedding
            model ``embeddings`` and ``embeddings_only``.
        context_tokens_max: longest prompt plus answer that it was trained for.
        kv_bytes_per_token: memory of one token of context, bytes, at 16 bits.
        energy_wh_per_1k_tokens: energy of 1,000 output tokens on the reference machine, one
            sequence at a time; 0 where unknown.
        energy_class: class of that figure, from A (least) to G; "" where unknown.
        artefacts: its weights, the preferred artefact of each format first.
        source: source of these facts.
        kv_bytes_per_sequence: memory of one sequence regardless of its length, bytes: the layers
            with sliding-window attention.
        quality: measured quality by task and language; a cell that was not measured is missing.
        figures: speed and energy by kind of machine, measured with the quality.
        published: scores that others published.
        thinking: how its chat template is told whether it thinks before the answer.
        thinking_signs: the signs of a template that is told by a sign.
        openness_class: class by the Model Openness Framework.
        openness_source: who evaluated the class, and where; or where no evaluation was found.
        template_tokens: most tokens that its chat template adds to a question, as measured when its
            weights were pinned; 0 where unknown.
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
    context_tokens_max: int
    kv_bytes_per_token: int
    artefacts: tuple[Artefact, ...]
    energy_wh_per_1k_tokens: float = 0.0
    energy_class: str = ""
    source: str = ""
    kv_bytes_per_sequence: int = 0
    quality: tuple[TaskQuality, ...] = ()
    figures: tuple[MachineFigures, ...] = ()
    published: tuple[PublishedScore, ...] = ()
    thinking: Thinking = Thinking.NEVER
    thinking_signs: ThinkingSigns = ThinkingSigns()
    openness_class: OpennessClass = OpennessClass.UNSTATED
    openness_source: str = ""
    template_tokens: int = 0

    @property
    def extra_template_tokens(self) -> int:
        """Tokens that its chat template adds beyond those of a usual one."""
        return max(0, self.template_tokens - TEMPLATE_TOKENS - MESSAGE_TOKENS)


class Catalogue(Struct, frozen=True, gc=False):
    """The pool's model catalogue.

    Attributes:
        version: incremented by each change.
        issued_at: seconds since the epoch.
        models: the models, sorted by name.
    """

    version: int
    issued_at: float
    models: tuple[ModelEntry, ...]

"""Recommendation: which models of a catalogue fit some machines, and what their answers would cost.

Input: a catalogue and machines. Output: the models that fit, with expected speed and energy of an
answer, and for each machine a model to start with.

Speed and energy are those measured here with the model on that kind of machine. Without a
measurement they are estimated by what limits the decoding of one sequence: each token reads all
active weights once, so that on one machine the time per token is in proportion to their bytes. The
pace of a model that the machine serves then gives the others', up to ``SCALE_MAX`` times its bytes:
beyond, what a token takes besides reading would count as often. Else both are those of the
catalogue's reference machine (``entraide.catalogue.energy``).
"""

from collections.abc import Collection, Sequence
from enum import StrEnum
from math import inf

from msgspec import Struct

from entraide.catalogue.energy import REFERENCE_ACTIVE_W
from entraide.model_memory import LoadConfig, choose_load_config
from entraide.models import (
    EMBEDDINGS_ONLY,
    ENGINE_FORMATS,
    EVALUATED_LANGUAGES,
    Artefact,
    Catalogue,
    ModelEntry,
    ModelSize,
    Openness,
    TaskQuality,
)
from entraide.quality_terms import QualityTerms
from entraide.thinking import Thinking

ANSWER_TOKENS = 300  # length of the answer whose energy is told, about 200 words
S_PER_H = 3_600.0
ANY_ENGINE = "llama.cpp"  # runs on every machine; of a machine whose engines are unknown
ANY_LANGUAGE = "mul"  # the authors list none
STARTER_SIZES = (ModelSize.SMALL, ModelSize.MEDIUM)  # a large one is a decision, not a start
SCALE_MAX = 10.0  # weights of an estimated model, as a multiple of those of the measured one
STARTER_TOKENS_PER_S = 10.0  # an answer of ``ANSWER_TOKENS`` within half a minute
# Bandwidth of ordinary main memory, two channels of DDR4-3200 (51.2 GB/s), as a part of the
# reference machine's 120 GB/s: a model must be that much faster there.
MAIN_MEMORY_PART = 0.43
STARTER_SLOTS, STARTER_CONTEXT_TOKENS = 2, 8_192  # what a machine must hold of its first model


class ExpectationBasis(StrEnum):
    """How speed and energy of an answer are known."""

    MEASURED = "measured"  # with this model, on this kind of machine
    SCALED = "scaled"  # from a model that this machine serves
    REFERENCE = "reference"  # of the catalogue's reference machine, not of this one


class Pace(Struct, frozen=True):
    """The speed at which a machine serves a model: seconds per output token of one sequence."""

    model: str
    token_s: float


class ServingMachine(Struct, frozen=True):
    """A machine that could serve models.

    Attributes:
        name: of the node.
        models_bytes: memory for all models together.
        engines: engines that it is known to run; empty if unknown.
        device: identifier in the hardware catalogue; "" if unknown.
        active_w: power of the whole machine while it answers, watts; 0 if unknown.
        pace: of a model that it serves; None where it serves none.
        is_accelerated: whether a graphics processor is known to compute; else main memory bounds
            a speed that nobody has measured.
    """

    name: str
    models_bytes: int
    engines: tuple[str, ...] = ()
    device: str = ""
    active_w: float = 0.0
    pace: Pace | None = None
    is_accelerated: bool = False


class Expectation(Struct, frozen=True):
    """Expected speed and energy of an answer, one at a time.

    Attributes:
        tokens_per_s: output tokens per second; 0 if unknown.
        wh_per_answer: energy of an answer of ``ANSWER_TOKENS`` tokens, Wh, or, measured, the mean
            of the evaluation's answers; 0 if unknown.
        basis: how they are known.
    """

    tokens_per_s: float
    wh_per_answer: float
    basis: ExpectationBasis


class ModelFit(Struct, frozen=True):
    """A model on a machine that can hold it.

    Attributes:
        machine: name of the machine.
        engine: that would load it.
        artefact: the weights.
        config: slots, context and memory.
        expectation: of its answers.
        is_accelerated: of the machine.
    """

    machine: str
    engine: str
    artefact: Artefact
    config: LoadConfig
    expectation: Expectation
    is_accelerated: bool = False


class FittingModel(Struct, frozen=True):
    """A model of the catalogue, with the machines that can hold it; () for none."""

    entry: ModelEntry
    fits: tuple[ModelFit, ...]

    def fit_on(self, machine: str) -> ModelFit | None:
        """Returns how the model fits a machine; None if it does not."""
        return next((fit for fit in self.fits if fit.machine == machine), None)


def list_candidates(catalogue: Catalogue, machines: Sequence[ServingMachine]) -> list[FittingModel]:
    """Returns the models that answer questions, the smallest first, with the machines they fit."""
    entries = sorted(catalogue.models, key=lambda entry: (entry.parameters, entry.name))
    by_name = {entry.name: entry for entry in entries}
    candidates = []
    for entry in entries:
        if EMBEDDINGS_ONLY not in entry.features:
            fits = (_fit(entry, machine, by_name) for machine in machines)
            candidates.append(FittingModel(entry, tuple(fit for fit in fits if fit is not None)))
    return candidates


def speaks(entry: ModelEntry, languages: Collection[str]) -> bool:
    """Tells whether a model's authors list languages, or say that it has many."""
    return ANY_LANGUAGE in entry.languages or set(languages) <= set(entry.languages)


def choose_starter(
    candidates: Sequence[FittingModel],
    machine: str,
    *,
    languages: Collection[str] = EVALUATED_LANGUAGES,
    terms: QualityTerms | None = None,
) -> FittingModel | None:
    """Returns the model to start with on a machine; None if none fits.

    It answers without a thought unless one is asked for; its authors list the languages, under a
    licence that the OSI approves; its weights can be fetched or are pinned; it is not large, leaves
    room for two conversations, and is expected to write ``STARTER_TOKENS_PER_S``. Of those measured
    here as good enough, the one whose answer takes the least energy is taken; else the largest that
    was not measured as too bad.
    """
    terms = terms or QualityTerms()
    able = []
    for candidate in candidates:
        fit = candidate.fit_on(machine)
        if fit is not None and _can_start(candidate.entry, fit, languages):
            able.append((candidate, fit))
    cells = {c.entry.name: _list_cells(c.entry, fit, languages) for c, fit in able}
    good = [(c, fit) for c, fit in able if _is_good(cells[c.entry.name], languages, terms)]
    if good:
        best, _ = min(
            good, key=lambda each: (each[1].expectation.wh_per_answer, each[0].entry.name)
        )
        return best
    others = [c for c, _ in able if not _is_bad(cells[c.entry.name], terms)]
    return max(others, key=lambda c: (c.entry.parameters, c.entry.name), default=None)


def _can_start(entry: ModelEntry, fit: ModelFit, languages: Collection[str]) -> bool:
    tokens_per_s = fit.expectation.tokens_per_s
    if fit.expectation.basis is ExpectationBasis.REFERENCE and not fit.is_accelerated:
        tokens_per_s *= MAIN_MEMORY_PART
    has_room = (
        fit.config.slots >= STARTER_SLOTS and fit.config.context_tokens >= STARTER_CONTEXT_TOKENS
    )
    return (
        has_room
        and entry.thinking is not Thinking.ALWAYS
        and entry.size in STARTER_SIZES
        and entry.openness is not Openness.OPEN_WEIGHT
        and not 0.0 < tokens_per_s < STARTER_TOKENS_PER_S
        and speaks(entry, languages)
        and (fit.artefact.is_pinned or bool(fit.artefact.repository))
    )


def _is_good(cells: Sequence[TaskQuality], languages: Collection[str], terms: QualityTerms) -> bool:
    """Tells whether a model was measured in each language, and each cell is good enough."""
    return {cell.language for cell in cells} >= set(languages) and all(
        cell.low >= terms.least_of(cell.task, cell.language) for cell in cells
    )


def _is_bad(cells: Sequence[TaskQuality], terms: QualityTerms) -> bool:
    """Tells whether a cell was measured as worse than the policy's least rate."""
    return any(cell.high < terms.least_of(cell.task, cell.language) for cell in cells)


def _list_cells(entry: ModelEntry, fit: ModelFit, languages: Collection[str]) -> list[TaskQuality]:
    """Returns what was measured in some languages with the weights that fit."""
    return [
        cell
        for cell in entry.quality
        if cell.language in languages and _concerns(cell.weights, fit.artefact)
    ]


def _concerns(weights: str, artefact: Artefact) -> bool:
    """Tells whether what was measured concerns an artefact: "" are several weights."""
    return weights in ("", artefact.checksum)


def _fit(
    entry: ModelEntry, machine: ServingMachine, by_name: dict[str, ModelEntry]
) -> ModelFit | None:
    """Returns how a model fits a machine: by its first engine, and the preferred weights of it."""
    engines = [engine for engine in machine.engines if engine in ENGINE_FORMATS]
    for engine in engines or (ANY_ENGINE,):
        for artefact in entry.artefacts:
            if artefact.format != ENGINE_FORMATS[engine]:
                continue
            config = choose_load_config(
                entry, artefact, engine=engine, room_bytes=machine.models_bytes
            )
            if isinstance(config, LoadConfig):
                expectation = _expect(entry, artefact, machine, by_name)
                return ModelFit(
                    machine.name, engine, artefact, config, expectation, machine.is_accelerated
                )
    return None


def _expect(
    entry: ModelEntry, artefact: Artefact, machine: ServingMachine, by_name: dict[str, ModelEntry]
) -> Expectation:
    measured = [
        figures
        for figures in entry.figures
        if figures.machine == machine.device and _concerns(figures.weights, artefact)
    ]
    if measured:
        most = max(measured, key=lambda figures: figures.answers)
        return Expectation(most.tokens_per_s, most.energy_wh_per_answer, ExpectationBasis.MEASURED)
    pace = machine.pace
    served = by_name.get(pace.model) if pace is not None else None
    if pace is not None and served is not None and served.artefacts and pace.token_s > 0.0:
        scale = _read_bytes(entry, artefact) / _read_bytes(served)
    else:
        scale = inf
    if pace is not None and scale <= SCALE_MAX:
        token_s = pace.token_s * scale
        answer_h = ANSWER_TOKENS * token_s / S_PER_H
        return Expectation(1.0 / token_s, machine.active_w * answer_h, ExpectationBasis.SCALED)
    wh_per_answer = entry.energy_wh_per_1k_tokens * ANSWER_TOKENS / 1_000
    answer_s = wh_per_answer * S_PER_H / REFERENCE_ACTIVE_W
    tokens_per_s = ANSWER_TOKENS / answer_s if answer_s else 0.0
    return Expectation(tokens_per_s, wh_per_answer, ExpectationBasis.REFERENCE)


def _read_bytes(entry: ModelEntry, artefact: Artefact | None = None) -> float:
    """Returns the bytes of weights that each token reads."""
    weights = artefact or entry.artefacts[0]
    return weights.weights_bytes * entry.active_parameters / entry.parameters

"""Duty: whether the node takes work now, and whether it takes this run.

It decides from facts alone, and each refusal has its stable code. It knows neither bus nor engine.

A decline that another node can make good (``full``, ``draining``, ``not_loaded``, ``stale``) sends
the job back to the pool's queue; any other code ends the job.
"""

from enum import StrEnum

from msgspec import Struct

from entraide.types import DataClass, Lending
from entraide_node.core.phases import Phase

# Why a node takes no work; the catalogue has the sentence under `node-reason-CODE`.
PAUSED = "paused"
DRAINING = "draining"
ENGINE_DOWN = "engine_down"
BENCHMARKING = "benchmarking"

SUPPORTED_PATHS = ("/v1/chat/completions", "/v1/completions")


class LendingLimits(Struct, frozen=True):
    """How much of the machine its owner lends now; None where the owner sets no bound.

    Attributes:
        slots: sequences at once, over all its engines.
        models_bytes: memory for models that the pool asks for.
        lending: for whose work.
        data_classes: what it may process.
    """

    slots: int | None = None
    models_bytes: int | None = None
    lending: Lending = Lending.ALL
    data_classes: tuple[DataClass, ...] | None = None


class NodeReadiness(Struct, frozen=True):
    """Where the node stands.

    Attributes:
        phase: of its life.
        paused: its owner paused it.
        engine_up: one of its engines serves, or it has none and waits for the pool's word.
        owner: why its owner's terms allow no work now, or "".
        measuring: an engine is measured anew, which wants the machine for itself.
    """

    phase: Phase
    paused: bool
    engine_up: bool
    owner: str = ""
    measuring: bool = False


def reason_not_accepting(standing: NodeReadiness) -> str:
    """Returns the stable code why the node takes no work, or "" when it does.

    >>> reason_not_accepting(NodeReadiness(phase=Phase.SERVING, paused=True, engine_up=False))
    'paused'
    """
    reason = reason_not_loading(standing)
    if reason:
        return reason
    if not standing.engine_up:
        return ENGINE_DOWN
    return BENCHMARKING if standing.measuring else ""


def reason_not_loading(standing: NodeReadiness) -> str:
    """Returns why the node may do nothing at all for the pool, loading included, or ""."""
    if standing.phase is not Phase.SERVING:
        return DRAINING
    return PAUSED if standing.paused else standing.owner


class RunRequest(Struct, frozen=True):
    """What of a run matters to the decision."""

    job: str
    epoch: int
    path: str
    model: str
    sealed: bool
    own: bool = False


class ModelOccupancy(Struct, frozen=True):
    """What the node has and does for the model that a run asks for.

    Attributes:
        model: public name of the model; "" where it does not serve it.
        slots, running: sequences it can run, and runs that it holds.
        epoch_seen: newest epoch of this very job that came before; 0 when none did.
        superseded: whether an older epoch of this job still holds a slot.
        own_only: whether it takes its own co-op's work only.
    """

    model: str
    slots: int
    running: int
    epoch_seen: int
    superseded: bool
    own_only: bool = False


class Admission(StrEnum):
    """What to do with a run."""

    TAKE = "take"
    IGNORE = "ignore"  # it came before: whatever was due has been said
    DECLINE = "decline"


class AdmissionDecision(Struct, frozen=True):
    """A verdict, and the stable code of a decline."""

    verdict: Admission
    code: str = ""


def admit_run(asked: RunRequest, *, holding: ModelOccupancy, reason: str) -> AdmissionDecision:
    """Decides on a run.

    Args:
        asked: the run.
        holding: what the node has and does.
        reason: of ``reason_not_accepting``.
    """
    if asked.epoch == holding.epoch_seen:
        return AdmissionDecision(Admission.IGNORE)
    if asked.epoch < holding.epoch_seen:
        return AdmissionDecision(Admission.DECLINE, "stale")
    if holding.own_only and not asked.own and not reason:
        return AdmissionDecision(Admission.DECLINE, "own_only")
    if reason:
        code = "not_loaded" if reason == ENGINE_DOWN else "draining"
        return AdmissionDecision(Admission.DECLINE, code)
    if asked.model != holding.model or asked.sealed:
        return AdmissionDecision(Admission.DECLINE, "not_loaded")
    if asked.path not in SUPPORTED_PATHS:
        return AdmissionDecision(Admission.DECLINE, "engine_refused")
    if holding.running - holding.superseded >= holding.slots:
        return AdmissionDecision(Admission.DECLINE, "full")
    return AdmissionDecision(Admission.TAKE)

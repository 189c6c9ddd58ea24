"""Run admission: whether the node accepts work now, and whether it accepts one particular run.

Input: the node's readiness and, for each run, the occupancy of its model. Output: accept, ignore,
or decline with a stable code. The pool queues a job again after the codes ``full``, ``draining``,
``not_loaded`` and ``stale``, and one that continues an answer also after ``resume_unsupported``;
any other code ends the job.
"""

from enum import StrEnum

from msgspec import Struct

from entraide.resuming import RESUME_UNSUPPORTED
from entraide_node.core.phases import Phase

# Why a node accepts no work; the message catalogue has its sentence under `node-reason-CODE`.
DRAINING = "draining"
ENGINE_DOWN = "engine_down"
BENCHMARKING = "benchmarking"

SUPPORTED_PATHS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")


class NodeReadiness(Struct, frozen=True):
    """The facts that decide whether the node accepts work.

    Attributes:
        phase: of the agent's life.
        owner: code of the owner's rule that forbids work now, or "".
        engine_up: whether one of its engines serves, or it has none and waits for a load order.
        measuring: whether an engine is being benchmarked, which needs the machine for itself.
    """

    phase: Phase
    owner: str
    engine_up: bool
    measuring: bool = False


def reason_not_accepting(readiness: NodeReadiness) -> str:
    """Returns the stable code of why the node accepts no work, or "" when it accepts work.

    >>> reason_not_accepting(NodeReadiness(Phase.SERVING, owner="paused", engine_up=False))
    'paused'
    """
    reason = reason_not_loading(readiness.phase, readiness.owner)
    if reason:
        return reason
    if not readiness.engine_up:
        return ENGINE_DOWN
    return BENCHMARKING if readiness.measuring else ""


def reason_not_loading(phase: Phase, owner: str) -> str:
    """Returns the code of why the node may do no work at all, loading included, or "".

    Args:
        phase: of the agent's life.
        owner: code of the owner's rule that forbids work now, or "".
    """
    return owner if phase is Phase.SERVING else DRAINING


class RunRequest(Struct, frozen=True):
    """The fields of a run that its admission depends on.

    ``resumed`` says whether it continues an answer that an earlier run began.
    """

    job: str
    epoch: int
    path: str
    model: str
    sealed: bool
    own: bool = False
    resumed: bool = False


class ModelOccupancy(Struct, frozen=True):
    """The capacity and the load of the model that a run asks for.

    Attributes:
        model: public name of the model; "" if the node does not serve it.
        slots, running: sequences that it can run at once, and runs that it has.
        epoch_seen: newest epoch of this job that the node has seen; 0 for none.
        superseded: whether an older epoch of this job still occupies a slot.
        own_only: whether the node accepts its own co-op's jobs only.
        resumes: whether its engine can continue an answer that another machine began.
    """

    model: str
    slots: int
    running: int
    epoch_seen: int
    superseded: bool
    own_only: bool = False
    resumes: bool = False


class Admission(StrEnum):
    """What to do with a run."""

    TAKE = "take"
    IGNORE = "ignore"  # a duplicate: it was answered the first time
    DECLINE = "decline"


class AdmissionDecision(Struct, frozen=True):
    """An admission, and the stable code when it is a decline."""

    verdict: Admission
    code: str = ""


def admit_run(request: RunRequest, *, occupancy: ModelOccupancy, reason: str) -> AdmissionDecision:
    """Decides on one run.

    Args:
        request: the run.
        occupancy: of the run's model on this node.
        reason: result of ``reason_not_accepting``.
    """
    if request.epoch == occupancy.epoch_seen:
        return AdmissionDecision(Admission.IGNORE)
    if request.epoch < occupancy.epoch_seen:
        return AdmissionDecision(Admission.DECLINE, "stale")
    if occupancy.own_only and not request.own and not reason:
        return AdmissionDecision(Admission.DECLINE, "own_only")
    if reason:
        code = "not_loaded" if reason == ENGINE_DOWN else "draining"
        return AdmissionDecision(Admission.DECLINE, code)
    if request.model != occupancy.model or request.sealed:
        return AdmissionDecision(Admission.DECLINE, "not_loaded")
    if request.path not in SUPPORTED_PATHS:
        return AdmissionDecision(Admission.DECLINE, "engine_refused")
    if request.resumed and not occupancy.resumes:
        return AdmissionDecision(Admission.DECLINE, RESUME_UNSUPPORTED)
    if occupancy.running - occupancy.superseded >= occupancy.slots:
        return AdmissionDecision(Admission.DECLINE, "full")
    return AdmissionDecision(Admission.TAKE)

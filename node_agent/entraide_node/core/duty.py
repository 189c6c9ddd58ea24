"""Duty: whether the node takes work now, and whether it takes this run.

It decides from facts alone, and each refusal has its stable code. It knows neither bus nor engine.

A decline that another node can make good (``full``, ``draining``, ``not_loaded``, ``stale``) sends
the job back to the pool's queue; any other code ends the job.
"""

from enum import StrEnum

from msgspec import Struct

from entraide_node.core.phases import Phase

# Why a node takes no work; the catalogue has the sentence under `node-reason-CODE`.
PAUSED = "paused"
DRAINING = "draining"
ENGINE_DOWN = "engine_down"

PATHS = ("/v1/chat/completions", "/v1/completions")


class Standing(Struct, frozen=True):
    """Where the node stands.

    Attributes:
        phase: of its life.
        paused: its owner paused it.
        engine_up: its engine serves.
        owner: why its owner's terms allow no work now, or "".
    """

    phase: Phase
    paused: bool
    engine_up: bool
    owner: str = ""


def reason_not_accepting(standing: Standing) -> str:
    """Returns the stable code why the node takes no work, or "" when it does.

    >>> reason_not_accepting(Standing(phase=Phase.SERVING, paused=True, engine_up=False))
    'paused'
    """
    if standing.phase is not Phase.SERVING:
        return DRAINING
    if standing.paused:
        return PAUSED
    if standing.owner:
        return standing.owner
    return "" if standing.engine_up else ENGINE_DOWN


class Asked(Struct, frozen=True):
    """What of a run matters to the decision."""

    job: str
    epoch: int
    path: str
    model: str
    sealed: bool


class Holding(Struct, frozen=True):
    """What the node has and does.

    Attributes:
        model: public name of the model it serves.
        slots, running: sequences it can run, and runs that it holds.
        epoch_seen: newest epoch of this very job that came before; 0 when none did.
        superseded: whether an older epoch of this job still holds a slot.
    """

    model: str
    slots: int
    running: int
    epoch_seen: int
    superseded: bool


class Verdict(StrEnum):
    """What to do with a run."""

    TAKE = "take"
    IGNORE = "ignore"  # it came before: whatever was due has been said
    DECLINE = "decline"


class Decision(Struct, frozen=True):
    """A verdict, and the stable code of a decline."""

    verdict: Verdict
    code: str = ""


def judge(asked: Asked, *, holding: Holding, reason: str) -> Decision:
    """Decides on a run.

    Args:
        asked: the run.
        holding: what the node has and does.
        reason: of ``reason_not_accepting``.
    """
    if asked.epoch == holding.epoch_seen:
        return Decision(Verdict.IGNORE)
    if asked.epoch < holding.epoch_seen:
        return Decision(Verdict.DECLINE, "stale")
    if reason:
        code = "not_loaded" if reason == ENGINE_DOWN else "draining"
        return Decision(Verdict.DECLINE, code)
    if asked.model != holding.model or asked.sealed:
        return Decision(Verdict.DECLINE, "not_loaded")
    if asked.path not in PATHS:
        return Decision(Verdict.DECLINE, "engine_refused")
    if holding.running - holding.superseded >= holding.slots:
        return Decision(Verdict.DECLINE, "full")
    return Decision(Verdict.TAKE)

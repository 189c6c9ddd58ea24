"""Phases: where a job stands at its gateway, and the steps between. A table, and nothing else."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class JobPhase(StrEnum):
    """Where a job stands at its gateway."""

    WAITING = "waiting"  # asked for, not placed
    RUNNING = "running"  # placed, nothing handed on
    ANSWERING = "answering"  # part of the answer was handed on
    CLOSED = "closed"  # told to the listener


TRANSITIONS: Mapping[tuple[JobPhase, str], JobPhase] = MappingProxyType(
    {
        (JobPhase.WAITING, "placed"): JobPhase.RUNNING,
        (JobPhase.RUNNING, "placed"): JobPhase.RUNNING,
        (JobPhase.ANSWERING, "placed"): JobPhase.CLOSED,  # stream_broken
        (JobPhase.RUNNING, "tokens"): JobPhase.ANSWERING,
        (JobPhase.ANSWERING, "tokens"): JobPhase.ANSWERING,
        (JobPhase.RUNNING, "whole"): JobPhase.CLOSED,
        (JobPhase.ANSWERING, "whole"): JobPhase.CLOSED,
        (JobPhase.WAITING, "failed"): JobPhase.CLOSED,
        (JobPhase.RUNNING, "failed"): JobPhase.CLOSED,
        (JobPhase.ANSWERING, "failed"): JobPhase.CLOSED,
    }
)

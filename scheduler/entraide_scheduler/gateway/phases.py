"""Phases of a job at its gateway, and the table of transitions."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class JobPhase(StrEnum):
    """Phase of a job at its gateway."""

    WAITING = "waiting"  # submitted, not placed
    RUNNING = "running"  # placed, nothing forwarded
    ANSWERING = "answering"  # a part of the answer was forwarded
    CLOSED = "closed"  # the listener was notified of the end


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

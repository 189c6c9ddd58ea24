"""Phases: where a job stands at its gateway, and the steps between. A table, and nothing else."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Phase(StrEnum):
    """Where a job stands at its gateway."""

    WAITING = "waiting"  # asked for, not placed
    RUNNING = "running"  # placed, nothing handed on
    ANSWERING = "answering"  # part of the answer was handed on
    CLOSED = "closed"  # told to the listener


STEPS: Mapping[tuple[Phase, str], Phase] = MappingProxyType(
    {
        (Phase.WAITING, "placed"): Phase.RUNNING,
        (Phase.RUNNING, "placed"): Phase.RUNNING,
        (Phase.ANSWERING, "placed"): Phase.CLOSED,  # stream_broken
        (Phase.RUNNING, "tokens"): Phase.ANSWERING,
        (Phase.ANSWERING, "tokens"): Phase.ANSWERING,
        (Phase.RUNNING, "whole"): Phase.CLOSED,
        (Phase.ANSWERING, "whole"): Phase.CLOSED,
        (Phase.WAITING, "failed"): Phase.CLOSED,
        (Phase.RUNNING, "failed"): Phase.CLOSED,
        (Phase.ANSWERING, "failed"): Phase.CLOSED,
    }
)

"""Phases of a job at its gateway, as one transition table."""

from enum import StrEnum

from entraide.state_machine import StateMachine


class JobPhase(StrEnum):
    """Phase of a job at its gateway."""

    WAITING = "waiting"  # submitted, not placed
    RUNNING = "running"  # placed, nothing forwarded
    ANSWERING = "answering"  # a part of the answer was forwarded
    CLOSED = "closed"  # the sink received the last event


GATEWAY_JOB = StateMachine(
    "gateway_job",
    {
        (JobPhase.WAITING, "placed"): JobPhase.RUNNING,
        (JobPhase.RUNNING, "placed"): JobPhase.RUNNING,
        (JobPhase.ANSWERING, "placed"): JobPhase.ANSWERING,  # the next run continues the answer
        (JobPhase.RUNNING, "tokens"): JobPhase.ANSWERING,
        (JobPhase.RUNNING, "whole"): JobPhase.CLOSED,
        (JobPhase.ANSWERING, "whole"): JobPhase.CLOSED,
        (JobPhase.WAITING, "failed"): JobPhase.CLOSED,
        (JobPhase.RUNNING, "failed"): JobPhase.CLOSED,
        (JobPhase.ANSWERING, "failed"): JobPhase.CLOSED,
    },
    starts=(JobPhase.WAITING,),
    ends=(JobPhase.CLOSED,),
)

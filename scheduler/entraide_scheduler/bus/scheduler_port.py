"""Scheduler port: the interfaces between a gateway, the scheduler and the nodes.

A gateway sends jobs through ``SchedulerPort`` and runs through ``NodeChannel``; it receives
placements and answers through its ``GatewaySink``. Adapters exist in process
(``scheduler_adapters``) and over NATS (``bus``): ports and adapters, after Cockburn (2005).
"""

from collections.abc import Callable
from typing import Protocol

from entraide.types import RequestFacts
from entraide.wire.cards import ModelCard
from entraide.wire.enrolment import JoinRequest
from entraide.wire.messages import (
    AnswerReceived,
    AnswerResumed,
    CancelRun,
    EnrolmentReply,
    ExplanationReply,
    ForgetPartition,
    GatewayDown,
    LeaseExceeded,
    NodeOut,
    SigninEnded,
    StartRun,
)
from entraide.wire.pool_state import PoolState
from entraide_scheduler.core.carbon import BatchExpectation


class GatewaySink(Protocol):
    """Receives messages for a gateway; called in the event loop, must not block or raise."""

    def on_scheduler_message(self, message: GatewayDown) -> None:
        """Handles a job's placement, refusal or end, or the revocation of a key or node."""

    def on_node_message(self, key: str, message: NodeOut) -> None:
        """Handles a part of an answer, or its end, from the node with a public key."""


class SchedulerPort(Protocol):
    """The scheduler's interface for a gateway."""

    @property
    def gateway(self) -> str:
        """Identifier of this gateway."""

    def submit(self, facts: RequestFacts) -> None:
        """Submits a job; the sink receives the reply."""

    def cancel(self, job: str, reason: str) -> None:
        """Cancels a job; ``reason`` is an error code."""

    def abandon(self, job: str, epoch: int, code: str) -> None:
        """Reports that a placement cannot be used."""

    def report_excess(self, message: LeaseExceeded) -> None:
        """Reports that a node sent more than its lease grants; the client's answer has ended."""

    def report_resumed(self, message: AnswerResumed) -> None:
        """Reports what the client has of an answer that a new run continues."""

    def report_answer(self, message: AnswerReceived) -> None:
        """Reports that the whole answer of a run has come, and is in the store if it is kept."""

    @property
    def journal_position(self) -> int:
        """Number of the last event; 0 if the scheduler is another process."""

    def defer_until_written(self, position: int, action: Callable[[], None]) -> bool:
        """Calls an action when the events up to a position are on disk.

        Returns:
            False if they are already, or if the scheduler is another process; the action is then
            not called.
        """

    async def explain(self, job: str, coop: str, person: str = "") -> ExplanationReply:
        """Returns the explanation of a job, and its settled receipt if any.

        Args:
            job: identifier.
            coop: whose job it must be.
            person: who must have sent it; "" if it must be a key of the co-op.
        """

    def end_signin(self, ended: SigninEnded) -> None:
        """Tells every gateway of the pool that sign-in sessions have ended."""

    async def list_models(self) -> tuple[ModelCard, ...]:
        """Returns the models that clients may name, and the model of each size alias."""

    async def describe_pool(self, coop: str = "") -> PoolState:
        """Returns the pool's state, with the position of a co-op if one is named."""

    async def enrol(self, request: JoinRequest, address: str) -> EnrolmentReply:
        """Takes a machine into the pool, or refuses it; ``address`` is the machine's."""


class BatchPlanner(Protocol):
    """The scheduler's interface for the one feeder of batches, which is in the same process."""

    def state_batch(self, facts: RequestFacts, lines: int) -> None:
        """States how many lines of a batch are not yet requested, and what they are like."""

    def expect_batch(self, facts: RequestFacts, lines: int) -> BatchExpectation | None:
        """Returns when lines of a batch are expected to run; None if no node can run them now."""

    def is_known(self, job: str) -> bool:
        """Whether the core knows a job, ended or not."""

    def is_refused(self, job: str) -> bool:
        """Whether the core has refused a job, whose identifier it therefore ignores."""


class NodeChannel(Protocol):
    """Sends a gateway's messages to nodes, by their public keys."""

    def run(self, key: str, message: StartRun) -> None:
        """Sends a run to a node."""

    def cancel(self, key: str, message: CancelRun) -> None:
        """Stops a run on a node."""

    def forget(self, key: str, message: ForgetPartition) -> None:
        """Has a node erase what its engines read for one sender."""

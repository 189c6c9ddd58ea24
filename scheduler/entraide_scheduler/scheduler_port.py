"""Desk: what a gateway sees of the scheduler, whether in its own process or across NATS.

A gateway asks with ``submit``, ``cancel`` and ``abandon`` and is told by its ``GatewaySink``. It
speaks to nodes through its ``NodeLine`` only after the core has placed a job there. Neither side
of this page decides anything.
"""

from typing import Protocol

from entraide.types import RequestFacts
from entraide.wire.messages import (
    CancelRun,
    ExplanationReply,
    GatewayDown,
    LeaseExceeded,
    ModelCard,
    NodeOut,
    StartRun,
)


class GatewaySink(Protocol):
    """The gateway's ears; called in the event loop, must not block or raise."""

    def on_scheduler_message(self, message: GatewayDown) -> None:
        """The scheduler placed, refused or ended a job."""

    def on_node_message(self, node: str, message: NodeOut) -> None:
        """A node sent part of an answer, or its end."""


class SchedulerPort(Protocol):
    """The scheduler, as a gateway sees it."""

    @property
    def gateway(self) -> str:
        """Identifier of the gateway at this desk."""

    def submit(self, facts: RequestFacts) -> None:
        """Asks for a job; the answer comes to the sink."""

    def cancel(self, job: str, reason: str) -> None:
        """The client left or cancelled; ``reason`` is an error code."""

    def abandon(self, job: str, epoch: int, code: str) -> None:
        """A placement cannot be used."""

    def exceeded(self, message: LeaseExceeded) -> None:
        """A node sent more than its lease grants; the client has been answered."""

    async def explain(self, job: str, coop: str) -> ExplanationReply:
        """Returns why a job of this co-op is where it is, and its settled receipt if any."""

    async def models(self) -> tuple[ModelCard, ...]:
        """Returns the models that may be asked for, and what a size means now."""


class NodeChannel(Protocol):
    """The way from a gateway to the nodes."""

    def run(self, node: str, message: StartRun) -> None:
        """Sends a run to a node."""

    def cancel(self, node: str, message: CancelRun) -> None:
        """Stops a run on a node."""

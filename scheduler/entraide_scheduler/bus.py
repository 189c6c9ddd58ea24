"""The bus, as a gateway sees it: nodes to run on, answers from them, and the scheduler's desk.

The gateway inside the scheduler uses ``NatsNodeLine`` and ``subscribe_out``; one in a process of
its own also uses ``NatsDesk``, which is the scheduler's desk across the bus. Nothing here decides.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from entraide.errors import PoolUnreachable
from entraide.types import RequestFacts
from entraide.wire import codec, subjects
from entraide.wire import messages as m
from entraide_scheduler.node_validation import check
from entraide_scheduler.node_validation.bounds import ANSWER_BYTES
from entraide_scheduler.publisher import Publisher
from entraide_scheduler.scheduler_port import GatewaySink

BEAT_S = 1.0
ANSWER_TIMEOUT_S = 5.0
PENDING_MESSAGES_MAX = 1_000_000
PENDING_BYTES_MAX = 256 * 1024 * 1024


async def subscribe(
    connection: Client, subject: str, handle: Callable[[Msg], Awaitable[None]]
) -> Subscription:
    """Subscribes with the limits that all our subscriptions have."""
    return await connection.subscribe(
        subject,
        cb=handle,
        pending_msgs_limit=PENDING_MESSAGES_MAX,
        pending_bytes_limit=PENDING_BYTES_MAX,
    )


class NatsNodeChannel:
    """The way from a gateway to the nodes, over the bus."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def run(self, node: str, message: m.StartRun) -> None:
        """Sends a run to a node."""
        self._publisher.publish(subjects.node_in(node), codec.encode(message))

    def cancel(self, node: str, message: m.CancelRun) -> None:
        """Stops a run on a node."""
        self._publisher.publish(subjects.node_in(node), codec.encode(message))


async def subscribe_answers(connection: Client, gateway: str, sink: GatewaySink) -> Subscription:
    """Brings what nodes send to this gateway to its sink; the subject says which node it is."""
    log = structlog.get_logger("entraide.bus")

    async def on_message(message: Msg) -> None:
        node = subjects.sender(message.subject)
        why = check.size_fault(message.data, ANSWER_BYTES)
        if why:
            log.warning("bus.dropped", node=node, why=why, size=len(message.data))
            return
        try:
            sink.on_node_message(node, codec.node_out.decode(message.data))
        except msgspec.DecodeError:
            log.warning("bus.undecodable", node=node, subject=message.subject)

    return await subscribe(connection, subjects.out_of_all_nodes(gateway), on_message)


class NatsSchedulerAdapter:
    """The scheduler's desk, for a gateway that is a process of its own.

    What is asked while no scheduler is there is lost: the gateway asks again, with the same job.
    """

    def __init__(self, connection: Client, gateway: str, sink: GatewaySink) -> None:
        self._connection = connection
        self._gateway = gateway
        self._sink = sink
        self._publisher = Publisher(connection)
        self._boot = secrets.token_hex(8)
        self._subscription: Subscription | None = None
        self._heartbeat_task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("entraide.bus")

    @property
    def gateway(self) -> str:
        """Identifier of the gateway at this desk."""
        return self._gateway

    @property
    def publisher(self) -> Publisher:
        """The way out that this desk and the gateway's node line share."""
        return self._publisher

    async def start(self) -> None:
        """Begins to listen and to beat."""
        down = subjects.gateway_down(self._gateway)
        self._subscription = await subscribe(self._connection, down, self._on_message)
        self._heartbeat_task = asyncio.create_task(self._send_heartbeats(), name="gateway-beat")

    async def stop(self) -> None:
        """Stops both."""
        if self._heartbeat_task is not None:
            self._heartbeat_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._heartbeat_task
        if self._subscription is not None and not self._connection.is_closed:
            with contextlib.suppress(errors.Error):
                await self._subscription.unsubscribe()
        await self._publisher.close()

    def submit(self, facts: RequestFacts) -> None:
        """Asks for a job; the answer comes to the sink."""
        self._send(m.SubmitJob(facts))

    def cancel(self, job: str, reason: str) -> None:
        """The client left or cancelled; ``reason`` is an error code."""
        self._send(m.CancelJob(job, reason))

    def abandon(self, job: str, epoch: int, code: str) -> None:
        """A placement cannot be used."""
        self._send(m.AbandonPlacement(job, epoch, code))

    def exceeded(self, message: m.LeaseExceeded) -> None:
        """A node sent more than its lease grants; the client has been answered."""
        self._send(message)

    async def explain(self, job: str, coop: str) -> m.ExplanationReply:
        """Returns why a job of this co-op is where it is, and its settled receipt if any.

        Raises:
            PoolUnreachable: no scheduler answered.
        """
        return codec.explanation_reply.decode(await self._ask(m.ExplanationRequest(job, coop)))

    async def models(self) -> tuple[m.ModelCard, ...]:
        """Returns the models that may be asked for, and what a size means now.

        Raises:
            PoolUnreachable: no scheduler answered.
        """
        return codec.models_reply.decode(await self._ask(m.ModelsRequest())).models

    def _send(self, message: m.GatewayUp) -> None:
        self._publisher.publish(subjects.gateway_up(self._gateway), codec.encode(message))

    async def _ask(self, question: m.GatewayUp) -> bytes:
        subject = subjects.gateway_up(self._gateway)
        try:
            answer = await self._connection.request(
                subject, codec.encode(question), timeout=ANSWER_TIMEOUT_S
            )
        except errors.Error as problem:
            raise PoolUnreachable("pool_unreachable") from problem
        return answer.data

    async def _on_message(self, message: Msg) -> None:
        try:
            down = codec.gateway_down.decode(message.data)
        except msgspec.DecodeError:
            self._log.warning("bus.undecodable", subject=message.subject)
            return
        self._sink.on_scheduler_message(down)

    async def _send_heartbeats(self) -> None:
        while True:
            self._send(m.GatewayHeartbeat(self._boot))
            await asyncio.sleep(BEAT_S)

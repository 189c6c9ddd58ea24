"""The bus (NATS) as a gateway uses it: runs go out to nodes, answers and placements come in.

The gateway inside the scheduler uses ``NatsNodeChannel`` and ``subscribe_answers``. A gateway in a
process of its own also uses ``NatsSchedulerAdapter``, which implements ``SchedulerPort`` over NATS.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec
import structlog
from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from entraide import __version__
from entraide.errors import PoolUnreachable
from entraide.types import RequestFacts
from entraide.wire import codec, subjects
from entraide.wire import messages as m
from entraide.wire.bus_connection import BusConnection
from entraide.wire.cards import ModelCard
from entraide.wire.enrolment import JoinRequest
from entraide.wire.pool_state import PoolState
from entraide_scheduler.bus.publisher import Publisher
from entraide_scheduler.bus.reported_answers import ReportedAnswers
from entraide_scheduler.bus.scheduler_port import GatewaySink
from entraide_scheduler.node_validation import check
from entraide_scheduler.node_validation.bounds import ANSWER_BYTES

BEAT_S = 1.0
ANSWER_TIMEOUT_S = 5.0
AWAY_MAX_S = 20.0  # that a question waits for a scheduler which starts again or hands over
ASK_AGAIN_S = 0.25
PENDING_MESSAGES_MAX = 1_000_000
PENDING_BYTES_MAX = 256 * 1024 * 1024


async def subscribe(
    connection: Client, subject: str, handle: Callable[[Msg], Awaitable[None]]
) -> Subscription:
    """Subscribes with the limits on pending messages and bytes that all subscriptions share."""
    return await connection.subscribe(
        subject,
        cb=handle,
        pending_msgs_limit=PENDING_MESSAGES_MAX,
        pending_bytes_limit=PENDING_BYTES_MAX,
    )


class NatsNodeChannel:
    """``NodeChannel`` over NATS."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def run(self, key: str, message: m.StartRun) -> None:
        """Sends a run to a node."""
        self._publisher.publish(subjects.node_in(key), codec.encode(message))

    def cancel(self, key: str, message: m.CancelRun) -> None:
        """Stops a run on a node."""
        self._publisher.publish(subjects.node_in(key), codec.encode(message))

    def forget(self, key: str, message: m.ForgetPartition) -> None:
        """Has a node erase what its engines read for one sender."""
        self._publisher.publish(subjects.node_in(key), codec.encode(message))


async def subscribe_answers(
    connection: BusConnection, gateway: str, sink: GatewaySink
) -> Subscription:
    """Passes nodes' answers for this gateway to its sink; the subject has the node's key."""
    log = structlog.get_logger("entraide.bus")

    def on_message(subject: str, data: bytes) -> None:
        key = subjects.sender(subject)
        try:
            for part in codec.split_parts(data):
                why = check.find_size_fault(part, ANSWER_BYTES)
                if why:  # what follows in the message is dropped, too
                    log.warning("bus.dropped", key=key, why=why, size=len(part))
                    return
                sink.on_node_message(key, codec.node_out.decode(part))
        except msgspec.DecodeError:
            log.warning("bus.undecodable", subject=subject)

    return await connection.receive(subjects.out_of_all_nodes(gateway), on_message)


class NatsSchedulerAdapter:
    """``SchedulerPort`` over NATS, for a gateway that is a process of its own.

    A message sent while no scheduler is connected is lost; ``gateway.scheduler_watch`` submits the
    same job again.

    Attributes:
        url: address of this gateway, for the operator.
    """

    def __init__(self, connection: BusConnection, gateway: str) -> None:
        self._connection = connection
        self._gateway = gateway
        self._publisher = Publisher(connection)
        self._boot = secrets.token_hex(8)
        self._answers = ReportedAnswers()
        self.url = ""
        self._subscription: Subscription | None = None
        self._heartbeat_task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("entraide.bus")

    @property
    def gateway(self) -> str:
        """Identifier of this gateway."""
        return self._gateway

    @property
    def publisher(self) -> Publisher:
        """The publisher, which the gateway's node channel shares to keep one order."""
        return self._publisher

    @property
    def is_connected(self) -> bool:
        """Whether this process is connected to the bus."""
        return self._connection.is_connected

    async def start(self, sink: GatewaySink) -> None:
        """Subscribes the sink to the scheduler's messages and starts the heartbeats."""
        down = subjects.gateway_down(self._gateway)
        on_message = partial(self._on_message, sink)
        self._subscription = await self._connection.receive(down, on_message)
        self._heartbeat_task = asyncio.create_task(self._send_heartbeats(), name="gateway-beat")

    async def stop(self) -> None:
        """Stops the heartbeats, says goodbye, and stops the subscription and the publisher."""
        if self._heartbeat_task is not None:
            self._heartbeat_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._heartbeat_task
            self._send(m.GatewayGoodbye(self._boot))
        if self._subscription is not None and not self._connection.is_closed:
            with contextlib.suppress(errors.Error):
                await self._subscription.unsubscribe()
        await self._publisher.close()

    def submit(self, facts: RequestFacts) -> None:
        """Submits a job; the reply comes to the sink."""
        self._send(m.SubmitJob(facts))

    def cancel(self, job: str, reason: str) -> None:
        """Cancels a job; ``reason`` is an error code."""
        self._send(m.CancelJob(job, reason))

    def abandon(self, job: str, epoch: int, code: str) -> None:
        """Reports that a placement cannot be used."""
        self._send(m.AbandonPlacement(job, epoch, code))

    def report_excess(self, message: m.LeaseExceeded) -> None:
        """Reports that a node sent more than its lease grants; the client has been answered."""
        self._send(message)

    def report_resumed(self, message: m.AnswerResumed) -> None:
        """Reports what the client has of an answer that a new run continues."""
        self._send(message)

    def report_answer(self, message: m.AnswerReceived) -> None:
        """Reports that the whole answer of a run has come."""
        self._answers.add(message, time.monotonic())
        self._send(message)

    def repeat_answer(self, job: str) -> bool:
        """Reports an answer again that came a while ago; returns False if none is known."""
        message = self._answers.find(job)
        if message is not None:
            self._send(message)
        return message is not None

    def repeat_unsettled_answers(self, *, least_age_s: float) -> None:
        """Reports answers again whose jobs the scheduler has not said to have ended.

        Args:
            least_age_s: how long ago the answers have come at least, seconds.
        """
        for message in self._answers.list_unsettled(time.monotonic(), least_age_s):
            self._send(message)

    async def on_reconnected(self) -> None:
        """Reports the last answers again: the bus was away, and may have lost the word of them."""
        self.repeat_unsettled_answers(least_age_s=0.0)

    def complete_answered(self, placed: m.JobPlaced) -> bool:
        """Says of a job that is placed again that its client has the whole answer.

        The scheduler gave up the run that wrote it, and settles it in the end.

        Returns:
            False if no such answer is known.
        """
        answer = self._answers.find(placed.job)
        if answer is None or all(answer.epoch != run.terms.epoch for run in placed.earlier):
            return False
        delivered = (*answer.delivered, (answer.epoch, answer.usage.output_tokens))
        self._send(m.AnswerResumed(placed.job, placed.epoch, delivered))
        self.abandon(placed.job, placed.epoch, "answer_complete")
        return True

    def report_held(self, jobs: tuple[str, ...]) -> None:
        """Lists live jobs that this gateway holds."""
        self._send(m.JobsHeld(jobs))

    def report_sent(self, runs: Sequence[tuple[str, int, int]]) -> None:
        """Says what clients have of the streams of this gateway: job, epoch and output tokens."""
        for start in range(0, len(runs), m.JOBS_HELD_MAX):
            part = tuple(runs[start : start + m.JOBS_HELD_MAX])
            self._send(m.AnswersSent(part, is_first=not start))

    @property
    def journal_position(self) -> int:
        """0: the journal is the scheduler's."""
        return 0

    def defer_until_written(self, _position: int, _action: Callable[[], None]) -> bool:
        """Returns False: this process does not wait for the scheduler's disk."""
        return False

    def end_signin(self, ended: m.SigninEnded) -> None:
        """Tells every gateway of the pool that sign-in sessions have ended."""
        self._send(ended)

    async def explain(self, job: str, coop: str, person: str = "") -> m.ExplanationReply:
        """Returns the explanation of a job, and its settled receipt if any; see the port.

        Raises:
            PoolUnreachable: no scheduler answered.
        """
        question = m.ExplanationRequest(job, coop, person)
        return codec.explanation_reply.decode(await self._ask(question))

    async def list_models(self) -> tuple[ModelCard, ...]:
        """Returns the models that clients may name, and the model that each size alias means now.

        Raises:
            PoolUnreachable: no scheduler answered.
        """
        return codec.models_reply.decode(await self._ask(m.ModelsRequest())).models

    async def describe_pool(self, coop: str = "") -> PoolState:
        """Returns the pool's state, with the position of a co-op if one is named.

        Raises:
            PoolUnreachable: no scheduler answered.
        """
        return codec.pool_reply.decode(await self._ask(m.PoolRequest(coop))).state

    async def enrol(self, request: JoinRequest, address: str) -> m.EnrolmentReply:
        """Takes a machine into the pool, or refuses it; ``address`` is the machine's.

        Raises:
            PoolUnreachable: no scheduler answered.
        """
        return codec.enrolment_reply.decode(await self._ask(m.EnrolmentQuery(request, address)))

    def _send(self, message: m.GatewayUp) -> None:
        self._publisher.publish(subjects.gateway_up(self._gateway), codec.encode(message))

    async def _ask(self, question: m.GatewayUp) -> bytes:
        """Asks the scheduler; while none is there, asks again for ``AWAY_MAX_S``.

        A machine that asks to join is sent again only if no scheduler had got the question.
        """
        may_repeat = not isinstance(question, m.EnrolmentQuery)
        ends_at = time.monotonic() + AWAY_MAX_S
        while True:
            try:
                return await self._ask_once(question)
            except errors.Error as problem:
                is_unheard = may_repeat or isinstance(problem, errors.NoRespondersError)
                is_over = self._connection.is_closed or time.monotonic() + ASK_AGAIN_S > ends_at
                if is_over or not is_unheard:
                    raise PoolUnreachable("pool_unreachable") from problem
            await asyncio.sleep(ASK_AGAIN_S)

    async def _ask_once(self, question: m.GatewayUp) -> bytes:
        answer = await self._connection.request(
            subjects.gateway_up(self._gateway), codec.encode(question), timeout=ANSWER_TIMEOUT_S
        )
        return answer.data

    def _on_message(self, sink: GatewaySink, subject: str, data: bytes) -> None:
        try:
            down = codec.gateway_down.decode(data)
        except msgspec.DecodeError:
            self._log.warning("bus.undecodable", subject=subject)
            return
        if isinstance(down, m.JobEnded):
            self._answers.note_settled(down.job)
        sink.on_scheduler_message(down)

    async def _send_heartbeats(self) -> None:
        while True:
            self._send(m.GatewayHeartbeat(self._boot, __version__, self.url, time.time()))
            await asyncio.sleep(BEAT_S)

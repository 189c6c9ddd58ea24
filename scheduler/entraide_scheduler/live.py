"""Live: the driver that lets the core live in real time.

It numbers and times events, feeds them one by one, writes the journal, carries commands out and
wakes the core at its deadlines. It decides nothing. Its one liberty is the order of what has come
at once: messages that had already come are fed before a deadline that passed meanwhile, and after
a hold-up of the whole process its clock stands back, so that it does not call its nodes lost
before it has read their heartbeats.

An event that the core cannot take is a broken invariant: the driver stops, and the next start
goes on from the journal, which does not hold that event.
"""

import asyncio
import collections
import math
from asyncio import Future
from functools import partial
from typing import Any, Protocol

import msgspec
import structlog

import entraide
from entraide.types import Explanation, NodeState
from entraide.wire import messages as m
from entraide_scheduler.clock import Clock
from entraide_scheduler.core import commands as c
from entraide_scheduler.core.carbon import receipt
from entraide_scheduler.core.events import (
    Event,
    JobRequested,
    PeriodBegan,
    PolicyChanged,
    SchedulerStarted,
    Woke,
)
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Period
from entraide_scheduler.journal import Frame, Journal, Recovered
from entraide_scheduler.store.journal import NOTHING, Keep
from entraide_scheduler.store.rows import CorrectionRow, SettleRow
from entraide_scheduler.store.store import Store

GRACE_TURNS = 3  # of the loop, between a deadline's coming and its being fed
LATE_S = 1.0  # a timer this late means that the whole process was held up
LATE_GRACE_S = 1.5  # time to read what came meanwhile: more than a heartbeat and a tick
WAKE_MIN_S = 0.001


_encode = msgspec.msgpack.Encoder().encode


class Outside(Protocol):
    """Where commands go: the gateways and the nodes."""

    def to_gateway(self, gateway: str, message: m.GatewayDown) -> None:
        """Tells a gateway; must not raise."""

    def to_node(self, node: str, message: m.NodeDownCtl) -> None:
        """Tells a node; must not raise."""


class Live:
    """Drives one core; all its methods are called in the event loop."""

    def __init__(
        self,
        recovered: Recovered,
        *,
        store: Store,
        clock: Clock,
        outside: Outside,
        keep: Keep = NOTHING,
    ) -> None:
        self._core = recovered.core
        self._event_id = recovered.event_id
        self._at = recovered.at
        self._incarnation = recovered.incarnation
        self._periods = recovered.periods
        self._policy_version = ""
        self._store = store
        self._clock = clock
        self._outside = outside
        self._journal = Journal(store, at=clock(), digest=recovered.digest, keep=keep)
        self._inbox: collections.deque[tuple[type[Any], dict[str, Any]]] = collections.deque()
        self._busy = False
        self._acks: list[c.AckUsage] = []
        self._timer: asyncio.TimerHandle | None = None
        self._granting = False
        self._log = structlog.get_logger("entraide.live")
        self.failed: Future[None] = self._journal.failed
        self.counts: collections.Counter[str] = collections.Counter()
        for at, command in recovered.postings:
            self._post(command, at)

    @property
    def core(self) -> Core:
        """The core, for questions only."""
        return self._core

    @property
    def incarnation(self) -> int:
        """How many times the scheduler has started."""
        return self._incarnation

    @property
    def policy_version(self) -> str:
        """The policy that was fed last."""
        return self._policy_version

    def now(self) -> float:
        """Returns the time of an event that would be fed now."""
        return max(self._at, self._clock())

    def period_ends_at(self, period: Period) -> float:
        """Returns when the present period ends; 0 when none has begun."""
        return self._periods.get(period, 0.0)

    async def start(self, gateway: str) -> None:
        """Begins a new incarnation, on disk before any lease can carry its epochs.

        A snapshot goes before it: what this version decides can then be replayed by itself.
        """
        self.snapshot()
        self.feed(SchedulerStarted, incarnation=self._incarnation + 1, gateway=gateway)
        await self._journal.committed()

    async def stop(self) -> None:
        """Takes a last snapshot; nothing may be fed afterwards."""
        self._disarm()
        self._busy = True
        if not self.failed.done():
            await self.snapshot()

    def feed(self, kind: type[Event], /, **fields: Any) -> None:
        """Feeds an event; what that leads to is fed after it, in order."""
        if self.failed.done():
            return
        self._inbox.append((kind, fields))
        if self._busy:
            return
        self._busy = True
        try:
            while self._inbox:
                kind, fields = self._inbox.popleft()
                self._step(kind(id=self._event_id + 1, at=self._stamp(kind), **fields))
        except Exception as problem:  # noqa: BLE001  (any: the core is not what it was)
            self._stop_for(problem)
        finally:
            self._busy = False
        self._arm()

    def answer(self, gateway: str, message: m.GatewayDown) -> None:
        """Tells a gateway what the core need not be asked for."""
        self._outside.to_gateway(gateway, message)

    def committed(self) -> Future[None]:
        """Returns a future that resolves when all that was fed so far is on disk."""
        return self._journal.committed()

    def snapshot(self) -> Future[None]:
        """Writes a snapshot in the place of the journal so far."""
        return self._journal.snapshot(
            Frame(
                core=self._core.snapshot(),
                event_id=self._event_id,
                at=self._at or self.now(),  # before the first event the core knows no time
                incarnation=self._incarnation,
                periods=self._periods,
                version=entraide.__version__,
            ),
            at=self.now(),
        )

    def snapshot_if_due(self) -> None:
        """Writes a snapshot when the journal has grown, or aged, enough."""
        if not self.failed.done() and self._journal.snapshot_is_due(self.now()):
            self.snapshot()

    # One event.

    def _stamp(self, kind: type[Event]) -> float:
        now = self.now()
        due = self._core.next_deadline()
        if due is None or due > now or kind in (Woke, SchedulerStarted):
            return now
        return max(self._at, math.nextafter(due, 0.0))

    def _step(self, event: Event) -> None:
        commands = self._core.handle(event)
        self._event_id = event.id
        self._at = event.at
        self._journal.append(event, commands)
        if isinstance(event, PeriodBegan):
            self._periods[event.period] = event.ends_at
        elif isinstance(event, SchedulerStarted):
            self._incarnation = event.incarnation
        elif isinstance(event, PolicyChanged):
            self._policy_version = event.policy.version
        for command in commands:
            self._carry_out(command, event)

    def _stop_for(self, problem: Exception) -> None:
        self._log.critical("live.failed", problem=repr(problem), exc_info=True)
        self._inbox.clear()
        if not self.failed.done():
            self.failed.set_exception(problem)

    # Deadlines.

    def _arm(self) -> None:
        due = None if self.failed.done() else self._core.next_deadline()
        if due is None or self._granting:
            return
        loop = asyncio.get_running_loop()
        when = loop.time() + max(WAKE_MIN_S, due - self._clock())
        if self._timer is not None:
            if self._timer.when() <= when:
                return  # it fires early and arms again: cheaper than a new timer for each event
            self._timer.cancel()
        self._timer = loop.call_at(when, self._deadline_came, when)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _deadline_came(self, when: float) -> None:
        self._timer = None
        late_s = asyncio.get_running_loop().time() - when
        if late_s > LATE_S:
            self._log.warning("live.held_up", late_s=round(late_s, 3))
            self.counts["held_up"] += 1
            self._clock.stand_back(late_s + LATE_GRACE_S)
            self._arm()
        else:
            self._granting = True
            self._grant(GRACE_TURNS)

    def _grant(self, turns: int) -> None:
        if turns > 0:
            asyncio.get_running_loop().call_soon(self._grant, turns - 1)
            return
        self._granting = False
        due = self._core.next_deadline()
        if due is not None and due <= self.now():
            self.feed(Woke)
        else:
            self._arm()

    # Commands.

    def _carry_out(self, command: c.Command, event: Event) -> None:
        match command:
            case c.Place():
                self._outside.to_gateway(
                    command.gateway,
                    m.Placed(
                        command.job,
                        command.epoch,
                        command.node,
                        command.output_tokens_max,
                        command.terms,
                    ),
                )
                self._keep(command.explanation, command.terms.borrower)
            case c.Refuse():
                self._outside.to_gateway(
                    command.gateway,
                    m.Refused(command.job, command.code, command.values, command.retry_after_s),
                )
                if isinstance(event, JobRequested):
                    self._keep(command.explanation, event.facts.coop)
            case c.EndJob():
                self._outside.to_gateway(
                    command.gateway,
                    m.Ended(
                        command.job, command.state, command.code, command.epoch, command.values
                    ),
                )
            case c.CancelRun():
                self._outside.to_node(command.node, m.Stop(command.job, command.epoch))
            case c.Settle() | c.PostCorrection():
                self._post(command, event.at)
            case c.AckUsage():
                self._acknowledge(command)
            case c.NodeTurned():
                self._say_turned(command)
            case c.LoadModel():
                self._log.info("model.load", node=command.node, model=command.model)
                self._outside.to_node(command.node, m.Load(command.model))
            case c.UnloadModel():
                self._log.info("model.unload", node=command.node, model=command.model)
                self._outside.to_node(command.node, m.Unload(command.model))
            case c.Dropped():
                self.counts[f"dropped.{command.what}"] += 1

    def _keep(self, explanation: Explanation, coop: str) -> None:
        document = _encode(explanation)
        self._store.put_explanation(explanation.job, coop, document, at=explanation.at)

    def _post(self, command: c.Settle | c.PostCorrection, at: float) -> None:
        """Writes into the books, once however often it is asked."""
        self._journal.flush()
        if isinstance(command, c.Settle):
            self._settle(command, at)
            return
        row = CorrectionRow(command.correction, command.reason, at, command.entries)
        self._store.correct(row).add_done_callback(partial(self._posted, "corrected"))

    def _settle(self, command: c.Settle, at: float) -> None:
        # It is signed when somebody asks for it: a signature costs more than the decision.
        unsigned = receipt(
            command.terms, command.usage, command.settlement, settled=True, issued_at=at
        )
        self._store.settle(
            SettleRow(
                job=command.job,
                coop=command.terms.borrower,
                state=command.state,
                terms=command.terms,
                usage=command.usage,
                settlement=command.settlement,
                receipt=unsigned,
                entries=command.entries,
            )
        ).add_done_callback(partial(self._posted, "settled"))

    def _posted(self, what: str, future: Future[bool]) -> None:
        if future.cancelled():
            return
        problem = future.exception()
        if problem is not None:
            self._stop_for(RuntimeError(f"the books could not be written: {problem!r}"))
        elif future.result():
            self.counts[what] += 1

    def _acknowledge(self, command: c.AckUsage) -> None:
        if not self._acks:
            asyncio.get_running_loop().call_soon(self._acknowledge_all)
        self._acks.append(command)

    def _acknowledge_all(self) -> None:
        """One wait for the disk serves all reports of a turn of the loop."""
        acks, self._acks = self._acks, []

        def send(future: Future[None]) -> None:
            if future.cancelled() or future.exception() is not None:
                return
            for ack in acks:
                self._outside.to_node(ack.node, m.UsageAck(ack.job, ack.epoch))

        if not self.failed.done():
            self._journal.committed().add_done_callback(send)

    def _say_turned(self, command: c.NodeTurned) -> None:
        self.counts[f"node.{command.state}"] += 1
        level = self._log.info if command.state is NodeState.LIVE else self._log.warning
        level("node.turned", node=command.node, state=command.state.value)

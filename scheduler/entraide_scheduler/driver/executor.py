"""Executor: carries out the core's commands, in order.

In: the commands of one event. Out: messages to gateways and nodes, rows in the store. A command
that fails is logged and counted, and the next one follows, because the journal holds its event.
Only a failure to write settlements stops the scheduler.
"""

import asyncio
import collections
import traceback
from asyncio import Future
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import msgspec
import structlog

from entraide.shared_fields import make_copier
from entraide.types import Explanation, NodeState, Receipt, Terms, account_of
from entraide.wire import messages as m
from entraide.wire.cards import EarlierRun, QuotaLeft
from entraide_scheduler.core import commands as c
from entraide_scheduler.core.carbon import BilledRun, make_receipt, make_resumed_receipt
from entraide_scheduler.core.events import Event, JobRequested, SchedulerStarted
from entraide_scheduler.driver.health import Health
from entraide_scheduler.driver.journal import Journal
from entraide_scheduler.driver.placements import PlacementSender
from entraide_scheduler.findings import Occurrences, Sort
from entraide_scheduler.store.rows import CorrectionRow, EarlierSettlement, SettlementRow
from entraide_scheduler.store.store import Store

TRACE_CHARS_MAX = 8_000

# Counters; that of promises is followed by the class and the outcome.
PLACED, SETTLED, CORRECTED, PROMISE = "placed", "settled", "corrected", "promise"
FALSE_ALARM = "false_alarm"

BROKEN_CODES = ("stream_broken", "gateway_lost")  # the client has a part of the answer

_encode = msgspec.msgpack.Encoder().encode


class Outbound(Protocol):
    """Sends the core's messages to gateways and nodes."""

    def send_to_gateway(self, gateway: str, message: m.GatewayDown) -> None:
        """Sends a message to a gateway; must not raise."""

    def send_to_node(self, node: str, message: m.NodeDownCtl) -> None:
        """Sends a message to a node; must not raise."""


def format_traceback(problem: BaseException) -> str:
    """Returns a traceback without values of variables, which may hold a client's text."""
    return "".join(traceback.format_exception(problem))[-TRACE_CHARS_MAX:]


# The message that tells a gateway of a command.
_job_placed = make_copier(c.Place, m.JobPlaced)
_job_refused = make_copier(c.Refuse, m.JobRefused)
_job_ended = make_copier(c.EndJob, m.JobEnded)
_stalled_job_ended = make_copier(c.EndStalledJob, m.JobEnded)


class Executor:
    """Carries commands out.

    Args:
        store, journal: hold settlements and explanations; the journal is written first.
        outbound: sends messages to gateways and nodes.
        health, counts, occurrences: record failures, count events, note what is soon over.
        stop: stops the scheduler because of an error.
        peak_w: returns the peak power of a node's device, watts.
        sender_of: returns the API key and the project that sent a job; "" for a forgotten job.
        idempotency_of: returns the keyed hash of a job's idempotency key, or "".
        earlier_runs: returns the lost runs of a job whose answer is resumed, oldest first.
        quotas_left: returns what the quotas leave to a co-op's key and project.
        prefix_keep_s: returns how long a node may keep what it reads for a run, seconds.
        is_elsewhere: whether a gateway is another process.
        note_unsent: is told of a placement that was not sent before its job ended.
    """

    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        outbound: Outbound,
        health: Health,
        counts: collections.Counter[str],
        occurrences: Occurrences,
        stop: Callable[[Exception], None],
        peak_w: Callable[[str], float],
        sender_of: Callable[[str], tuple[str, str]],
        idempotency_of: Callable[[str], str],
        earlier_runs: Callable[[str], tuple[EarlierRun, ...]],
        quotas_left: Callable[[str, str, str], tuple[QuotaLeft, ...]],
        prefix_keep_s: Callable[[Terms], float],
        is_elsewhere: Callable[[str], bool],
        note_unsent: Callable[[m.JobPlaced], None],
    ) -> None:
        self._store = store
        self._journal = journal
        self._outbound = outbound
        self._health = health
        self._counts = counts
        self._occurrences = occurrences
        self._stop = stop
        self._peak_w = peak_w
        self._sender_of = sender_of
        self._idempotency_of = idempotency_of
        self._earlier_runs = earlier_runs
        self._quotas_left = quotas_left
        self._prefix_keep_s = prefix_keep_s
        self._note_unsent = note_unsent
        self._placements = PlacementSender(journal, outbound.send_to_gateway, is_elsewhere)
        self._acks: list[c.AckUsage] = []
        self._committed_acks: list[c.AckUsage] = []
        self._log = structlog.get_logger("entraide.live")

    def carry_out(self, commands: Sequence[c.Command], event: Event) -> None:
        """Carries out the commands of an event, in order."""
        for command in commands:
            try:
                self._carry_out(command, event)
            except Exception as problem:  # noqa: BLE001  (one failed command must not stop the others)
                self._note_failure(command, problem)

    def repeat_postings(self, postings: Sequence[tuple[float, c.Posting]]) -> None:
        """Writes the settlements that were due before a restart; repeating one changes nothing."""
        for at, command in postings:
            try:
                self._post(command, at)
            except Exception as problem:  # noqa: BLE001  (as above)
                self._note_failure(command, problem)

    def _note_failure(self, command: c.Command, problem: Exception) -> None:
        kind = type(command).__name__
        self._health.add("command_failed", kind)
        self._counts[f"command_failed.{kind}"] += 1
        self._log.error("live.command_failed", command=kind, traceback=format_traceback(problem))

    def _carry_out(self, command: c.Command, event: Event) -> None:
        match command:  # those of every job first
            case c.Place():
                self._place(command, event)
            case c.AckUsage():
                self._queue_acknowledgement(command)
            case c.EndJob() | c.EndStalledJob():
                self._end(command)
            case c.Settle() | c.SettleResumed() | c.PostCorrection():
                self._post(command, event.at)
            case c.Refuse():
                self._refuse(command, event)
            case c.CancelRun():
                self._outbound.send_to_node(command.node, m.StopRun(command.job, command.epoch))
            case c.FalseAlarm():
                self._counts[FALSE_ALARM] += 1
                self._log.warning("node.false_alarm", node=command.node)
            case c.NodeTurned() | c.NodeMarked():
                self._report_node(command, event)
            case c.LoadModel():
                self._log.info("model.load", node=command.node, model=command.model)
                self._outbound.send_to_node(command.node, m.LoadModel(command.model))
            case c.UnloadModel():
                self._log.info("model.unload", node=command.node, model=command.model)
                self._outbound.send_to_node(command.node, m.UnloadModel(command.model))
            case c.Dropped():
                self._counts[f"dropped.{command.what}"] += 1

    def _place(self, command: c.Place, event: Event) -> None:
        self._counts[PLACED] += 1
        coop = command.terms.borrower
        key, project = self._sender_of(command.job)
        placed = _job_placed(
            command,
            peak_w=self._peak_w(command.node),
            quotas=self._quotas_left(coop, account_of(key), project),
            earlier=self._earlier_runs(command.job),
            prefix_keep_s=self._prefix_keep_s(command.terms),
        )
        self._placements.send(command.gateway, placed, event.id)
        self._keep_explanation(command.explanation, coop, key)

    def _end(self, command: c.EndJob | c.EndStalledJob) -> None:
        if command.code in BROKEN_CODES:
            self._occurrences.add(Sort.STREAM)
        unsent = self._placements.withdraw(command.job)
        if unsent is not None:
            self._note_unsent(unsent)
        if isinstance(command, c.EndJob):
            self._outbound.send_to_gateway(command.gateway, _job_ended(command))
            return
        key, _ = self._sender_of(command.job)
        self._keep_explanation(command.explanation, command.coop, key)
        self._outbound.send_to_gateway(command.gateway, _stalled_job_ended(command))

    def _refuse(self, command: c.Refuse, event: Event) -> None:
        quotas: tuple[QuotaLeft, ...] = ()
        if isinstance(event, JobRequested):
            facts = event.facts
            quotas = self._quotas_left(facts.coop, facts.account, facts.project)
            self._keep_explanation(command.explanation, facts.coop, facts.key)
        self._outbound.send_to_gateway(command.gateway, _job_refused(command, quotas=quotas))

    def _keep_explanation(self, explanation: Explanation, coop: str, key: str) -> None:
        document = _encode(explanation)
        self._store.put_explanation(explanation.job, coop, document, at=explanation.at, key=key)

    def _post(self, command: c.Posting, at: float) -> None:
        """Writes a settlement or a correction; repeating it changes nothing."""
        self._journal.flush()
        match command:
            case c.Settle():
                # The receipt is signed when a client asks for it: signing costs more than the
                # decision.
                unsigned = make_receipt(
                    command.terms, command.usage, command.settlement, settled=True, issued_at=at
                )
                run = c.SettledRun(
                    command.terms, command.usage, command.settlement, "", command.entries
                )
                self._settle(command, (run,), unsigned)
            case c.SettleResumed():
                billed = [
                    BilledRun(run.terms, run.usage, run.settlement, run.code)
                    for run in command.runs
                ]
                receipt = make_resumed_receipt(billed, settled=True, issued_at=at)
                self._settle(command, command.runs, receipt)
            case c.PostCorrection():
                row = CorrectionRow(command.correction, command.reason, at, command.entries)
                self._store.write_correction(row).add_done_callback(
                    partial(self._on_posted, (CORRECTED,))
                )

    def _settle(
        self,
        command: c.Settle | c.SettleResumed,
        runs: tuple[c.SettledRun, ...],
        receipt: Receipt,
    ) -> None:
        """Writes the settlement of a job's runs; the last one ended the job."""
        *earlier, last = runs
        counters = (SETTLED, f"{PROMISE}.{last.terms.job_class}.{last.settlement.promise}")
        key, project = self._sender_of(command.job)
        self._store.write_settlement(
            SettlementRow(
                job=command.job,
                coop=last.terms.borrower,
                state=command.state,
                terms=last.terms,
                usage=last.usage,
                settlement=last.settlement,
                receipt=receipt,
                entries=last.entries,
                key=key,
                project=project,
                idempotency=self._idempotency_of(command.job),
                earlier=tuple(
                    EarlierSettlement(run.terms, run.usage, run.settlement, run.entries)
                    for run in earlier
                ),
            )
        ).add_done_callback(partial(self._on_posted, counters))

    def _on_posted(self, counters: tuple[str, ...], future: Future[bool]) -> None:
        if future.cancelled():
            return
        problem = future.exception()
        if problem is not None:
            self._stop(RuntimeError(f"settlements could not be written: {problem!r}"))
        elif future.result():
            self._counts.update(counters)

    def _queue_acknowledgement(self, command: c.AckUsage) -> None:
        if not self._acks:
            asyncio.get_running_loop().call_soon(self._await_commit)
        self._acks.append(command)

    def _await_commit(self) -> None:
        """Waits once for the disk for all reports of one iteration of the event loop."""
        acks, self._acks = self._acks, []

        def send_later(future: Future[None]) -> None:
            if future.cancelled() or future.exception() is not None:
                return
            if not self._committed_acks:
                asyncio.get_running_loop().call_soon(self._send_acknowledgements)
            self._committed_acks += acks

        if not self._journal.failed.done():
            self._journal.committed().add_done_callback(send_later)

    def _send_acknowledgements(self) -> None:
        """Sends each node one message for what came to the disk at once."""
        acks, self._committed_acks = self._committed_acks, []
        runs: dict[str, list[tuple[str, int]]] = {}
        for ack in acks:
            runs.setdefault(ack.node, []).append((ack.job, ack.epoch))
        for node, (first, *more) in runs.items():
            self._outbound.send_to_node(node, m.UsageAck(*first, tuple(more)))

    def _report_node(self, command: c.NodeTurned | c.NodeMarked, event: Event) -> None:
        if isinstance(command, c.NodeMarked):
            self._counts["node.marked"] += 1
            self._log.warning("node.marked", node=command.node, reason=command.reason)
            return
        self._counts[f"node.{command.state}"] += 1
        is_silent = command.state in (NodeState.SUSPECT, NodeState.LOST)
        if is_silent and not isinstance(event, SchedulerStarted):  # which makes all suspect
            self._occurrences.add(Sort.SILENT, command.node)
        level = self._log.info if command.state is NodeState.LIVE else self._log.warning
        level("node.turned", node=command.node, state=command.state.value)

"""Usage reports: brings a node's report and its gateway's answer together, so that each is billed.

A node sends the answer to the gateway and the usage to the core. Either may be lost, by a crash of
the node, of the bus or of this process.

- The report of a kept job waits for the answer, which is written before the settlement. If the
  answer does not come within ``RESULT_TIMEOUT_S``, it is lost: the job runs again, and the first
  run is not billed.
- The report of a live job waits for its answer, too. A gateway of its own says that the answer has
  come (``add_answer``), or that it still waits for it (``add_waiting``): then its end is lost, the
  run is not billed, and the answer goes on at another node. If the gateway says neither and is
  still heard ``ANSWER_TIMEOUT_S`` later, the report counts. The report of a silent gateway waits
  until it is heard again or is lost: of a lost one counts what its client has, not the report.
- The gateway says which answers have come, with their usage. If the report does not come within
  ``REPORT_TIMEOUT_S``, or if the node restarts or leaves without it, the usage that came with the
  answer is settled in its place. A report that comes later is acknowledged and changes nothing.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

import msgspec

from entraide.types import Outcome, Usage
from entraide.wire.messages import AnswerReceived, UsageReport

RESULT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 8.0  # more than the period in which a gateway lists the jobs that it holds
ON_ITS_WAY_S = 1.0  # between a node's report and the end of its answer at the gateway
REPORT_TIMEOUT_S = 2.0  # less than a node's silence may last before its runs are placed again

Run = tuple[str, int]  # job and epoch


class _HeldReport(NamedTuple):
    """A report that waits for its gateway, and since when."""

    node: str
    report: UsageReport
    gateway: str
    at: float


class ResultSource(Protocol):
    """The gateway in this process, which runs the kept jobs."""

    def wait_for_result(self, job: str, epoch: int) -> asyncio.Future[None] | None:
        """Returns a future that resolves when a run has ended there, or None."""

    def wait_for_storage(self, job: str) -> asyncio.Future[bool] | None:
        """Returns the future of the write of a kept job's answer, or None."""


class UsageReports:
    """Passes usage reports on.

    Args:
        results: see ``ResultSource``.
        handle_report: receives a node and its report.
        handle_loss: receives the job and the epoch of a run whose answer is lost.
        holds_run: whether the core has a run (node, job, epoch) that is not settled.
        may_complete: whether the core has given such a run up, and its job waits for another.
        gateway_of: returns a live job's gateway if that is a process of its own; "" otherwise.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        results: ResultSource,
        *,
        handle_report: Callable[[str, UsageReport], None],
        handle_loss: Callable[[str, int], None],
        holds_run: Callable[[str, str, int], bool],
        may_complete: Callable[[str, str, int], bool],
        gateway_of: Callable[[str], str],
        now: Callable[[], float],
    ) -> None:
        self._results = results
        self._handle_report = handle_report
        self._handle_loss = handle_loss
        self._holds_run = holds_run
        self._may_complete = may_complete
        self._gateway_of = gateway_of
        self._now = now
        self._unreported: dict[str, dict[Run, tuple[Usage, float]]] = {}  # by node
        self._held: dict[str, _HeldReport] = {}  # by live job

    def __call__(self, node: str, report: UsageReport) -> None:
        """Passes a report on, now or when its answer is queued for the store.

        A settlement that follows is written after the answer, or with it. A report of a failed run
        waits for the answer's write, since its node may have restarted.
        """
        result: asyncio.Future[Any] | None
        if report.outcome is not Outcome.COMPLETED:
            result = self._results.wait_for_storage(report.job)
        else:
            result = self._results.wait_for_result(report.job, report.epoch)
            if result is not None:
                timer = asyncio.get_running_loop().call_later(RESULT_TIMEOUT_S, result.cancel)
                result.add_done_callback(lambda _: timer.cancel())
        if result is not None:
            result.add_done_callback(partial(self._go_on, node, report))
        elif self._waits_for_gateway(node, report):
            self._hold(node, report)
        else:
            self._pass_on(node, report)

    def _waits_for_gateway(self, node: str, report: UsageReport) -> bool:
        """Whether a gateway of its own has not said yet that a run's answer has come."""
        return (
            report.outcome is Outcome.COMPLETED
            and self._is_unsettled(node, report.job, report.epoch)
            and (report.job, report.epoch) not in self._unreported.get(node, {})
            and bool(self._gateway_of(report.job))
        )

    def _hold(self, node: str, report: UsageReport) -> None:
        held = self._held.get(report.job)
        if held is not None and held.report.epoch == report.epoch:
            return  # the node repeats it
        gateway = self._gateway_of(report.job)
        self._held[report.job] = _HeldReport(node, report, gateway, self._now())

    def release_overdue(self, heard: Mapping[str, float]) -> None:
        """Passes the reports on of which their gateways say nothing; called once a second.

        Args:
            heard: when each gateway was heard last, seconds since the epoch; none that is lost.
        """
        for job, held in list(self._held.items()):
            if heard.get(held.gateway, self._now()) - held.at >= ANSWER_TIMEOUT_S:
                self._release(job, held.report.epoch)

    def hold_anew(self) -> None:
        """Begins the waits anew, after a time in which no gateway could be heard."""
        now = self._now()
        self._held = {job: held._replace(at=now) for job, held in self._held.items()}

    def _release(self, job: str, epoch: int) -> None:
        """Passes a held report on."""
        held = self._held.get(job)
        if held is not None and held.report.epoch == epoch:
            del self._held[job]
            self._pass_on(held.node, held.report)

    def add_waiting(self, jobs: Iterable[str]) -> None:
        """Notes live jobs for whose answers a gateway waits; gives up the runs that have ended."""
        for job in jobs:
            held = self._held.get(job)
            if held is not None and self._now() - held.at >= ON_ITS_WAY_S:
                self._handle_loss(job, held.report.epoch)
                self._release(job, held.report.epoch)

    def _go_on(self, node: str, report: UsageReport, result: asyncio.Future[Any]) -> None:
        if not result.cancelled() and result.exception() is None:
            self(node, report)
            return
        self._handle_loss(report.job, report.epoch)
        self._pass_on(node, report)  # of a run that is not the job's any more: acknowledged only

    def _is_unsettled(self, node: str, job: str, epoch: int) -> bool:
        return self._holds_run(node, job, epoch) or self._may_complete(node, job, epoch)

    def add_answer(self, message: AnswerReceived) -> None:
        """Notes that an answer has come, until its run is reported; a gateway may say so again.

        If the core has given the run up, it is settled at once, before another one begins.
        """
        node, run = message.node, (message.job, message.epoch)
        if self._is_unsettled(node, *run):
            self._unreported.setdefault(node, {}).setdefault(run, (message.usage, self._now()))
            self._release(*run)
        if self._may_complete(node, *run):
            self._settle(node, (run,))

    def settle_overdue(self) -> None:
        """Settles the answers whose reports are overdue; called once a second."""
        oldest = self._now() - REPORT_TIMEOUT_S
        for node, runs in list(self._unreported.items()):
            # In the order of their answers, so the first young one ends the search.
            overdue: list[Run] = []
            for run, (_, at) in runs.items():
                if at > oldest:
                    break
                overdue.append(run)
            self._settle(node, overdue)

    def settle_node(self, node: str, *, held: Collection[Run] = ()) -> None:
        """Settles the answers of a node that has restarted or leaves.

        Args:
            node: identifier.
            held: runs that the node will still report.
        """
        runs = self._unreported.get(node, {})
        self._settle(node, [run for run in runs if run not in held])

    def settle_jobs(self, jobs: Collection[str]) -> None:
        """Settles the answers of jobs whose gateway is lost, which had said that they have come."""
        for node, runs in list(self._unreported.items()):
            self._settle(node, [run for run in runs if run[0] in jobs])

    def _settle(self, node: str, runs: Iterable[Run]) -> None:
        for job, epoch in runs:
            usage, _ = self._unreported[node][job, epoch]
            report = UsageReport(job, epoch, Outcome.COMPLETED, "", delivered=True, usage=usage)
            self._pass_on(node, report)

    def _pass_on(self, node: str, report: UsageReport) -> None:
        runs = self._unreported.get(node, {})
        answered = runs.pop((report.job, report.epoch), None)
        if not runs:
            self._unreported.pop(node, None)
        if answered is not None and report.outcome is not Outcome.COMPLETED:
            # A node that restarted does not know that its answer has come.
            changes = {"outcome": Outcome.COMPLETED, "code": "", "usage": answered[0]}
            report = msgspec.structs.replace(report, **changes)
        self._handle_report(node, report)

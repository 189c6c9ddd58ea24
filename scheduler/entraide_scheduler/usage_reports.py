"""Usage reports: defers the usage report of a kept job until its answer is in the store.

A node sends the answer to the gateway and the usage to the core. If the settlement of a kept job
were written before its answer, a crash between the two writes would leave a job that is charged and
has no result. The delay is bounded (``POLL_S`` times ``POLLS_MAX``), and the node repeats a report
that is not acknowledged.
"""

import asyncio
from collections.abc import Callable

from entraide.types import JobKind, Outcome
from entraide.wire.messages import UsageReport
from entraide_scheduler.live_driver import LiveDriver

POLL_S = 0.02
POLLS_MAX = 250

ReportHandler = Callable[[str, UsageReport], None]


class DeferredReports:
    """Forwards usage reports; the report of a kept job waits until its answer is stored."""

    def __init__(
        self,
        driver: LiveDriver,
        is_answer_pending: Callable[[str, int], bool],
        handle_report: ReportHandler,
    ) -> None:
        self._driver = driver
        self._is_answer_pending = is_answer_pending
        self._handle_report = handle_report

    def __call__(self, node: str, report: UsageReport) -> None:
        """Forwards a report, now or when its answer is stored."""
        self._forward_or_wait(node, report, POLLS_MAX)

    def _forward_or_wait(self, node: str, report: UsageReport, polls_left: int) -> None:
        if polls_left > 0 and self._must_wait(report):
            loop = asyncio.get_running_loop()
            loop.call_later(POLL_S, self._forward_or_wait, node, report, polls_left - 1)
        else:
            self._handle_report(node, report)

    def _must_wait(self, report: UsageReport) -> bool:
        if report.outcome is not Outcome.COMPLETED or not self._is_answer_pending(
            report.job, report.epoch
        ):
            return False
        view = self._driver.core.job(report.job)
        return view is not None and view.kind is JobKind.KEPT

"""Usage reports: defers the usage report of a kept job until its answer is in the store.

A node sends the answer to the gateway and the usage to the core. If the settlement of a kept job
were written before its answer, a crash between the two writes would leave a job that is charged and
has no result. The delay is bounded (``RESULT_TIMEOUT_S``), and the node repeats a report that is
not acknowledged.
"""

import asyncio
from collections.abc import Callable

from entraide.types import Outcome
from entraide.wire.messages import UsageReport

RESULT_TIMEOUT_S = 5.0

# Returns a future that resolves when the run of a kept job, given by job and epoch, has ended at
# its gateway; None if no such run is under way.
ResultWaiter = Callable[[str, int], asyncio.Future[None] | None]


class DeferredReports:
    """Passes usage reports on; the report of a kept job waits until its answer is stored."""

    def __init__(
        self, wait_for_result: ResultWaiter, handle_report: Callable[[str, UsageReport], None]
    ) -> None:
        self._wait_for_result = wait_for_result
        self._handle_report = handle_report

    def __call__(self, node: str, report: UsageReport) -> None:
        """Passes a report on, now or when its answer is stored."""
        ended = None
        if report.outcome is Outcome.COMPLETED:
            ended = self._wait_for_result(report.job, report.epoch)
        if ended is None:
            self._handle_report(node, report)
            return
        timer = asyncio.get_running_loop().call_later(RESULT_TIMEOUT_S, ended.cancel)

        def pass_on(_ended: asyncio.Future[None]) -> None:
            timer.cancel()
            self._handle_report(node, report)

        ended.add_done_callback(pass_on)

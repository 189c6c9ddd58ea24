"""Report outbox: usage reports on disk until the pool acknowledges them.

Input: new reports and acknowledgements. Output: the reports that must be sent, at most
``REPORTS_MAX``; the oldest is dropped first. A report is on the disk (``keep`` returns after its
fsync) before the end of its answer is sent: what a client has received is billed even if the agent
or its machine dies then. On the disk the report of a completed run says that the node was lost,
because a later process cannot know whether the answer has left; the pool knows whether it came.

If the disk takes no more, reports are kept in memory and written once there is space.
"""

import asyncio
from pathlib import Path

import msgspec
import structlog

from entraide.decoding import JsonDecoder
from entraide.files import sync_file, write_private
from entraide.types import Outcome
from entraide.wire.messages import UsageReport

REPORTS_MAX = 1_000
REPORTS_NAME = "reports.jsonl"
LINES_MAX = 10 * REPORTS_MAX  # then the file is rewritten
AFTER_RESTART = "node_lost"  # code of a report whose answer may not have left

_LINE = JsonDecoder[UsageReport | int](UsageReport | int)


class ReportOutbox:
    """An append-only file of reports and, as plain numbers, of the acknowledged ones."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / REPORTS_NAME
        self._log = structlog.get_logger("entraide.node")
        self._serial = 0  # number of the next report, counted from 0
        self._lines = 0
        self._appended = self._synced = 0  # lines since the start, and those on the disk
        self._is_behind = False  # the file lacks lines, because the disk took no more
        self._syncing: asyncio.Task[None] | None = None
        self._open: dict[tuple[str, int], tuple[int, UsageReport]] = {}
        self._read()
        self.write_behind(always=True)

    def __len__(self) -> int:
        return len(self._open)

    def pending(self) -> tuple[UsageReport, ...]:
        """Returns the reports to send, oldest first."""
        return tuple(report for _, report in self._open.values())

    async def keep(self, report: UsageReport) -> None:
        """Keeps a report until it is acknowledged; returns when it is on the disk, if it has space.

        Reports that are kept at the same time share an fsync.
        """
        self.add(report)
        wanted = self._appended
        while self._synced < wanted and not self._is_behind:
            if self._syncing is None:
                self._syncing = asyncio.get_running_loop().create_task(self._sync())
            await asyncio.shield(self._syncing)

    def add(self, report: UsageReport) -> None:
        """Adds a report, which an fsync puts on the disk later."""
        if len(self._open) >= REPORTS_MAX:
            oldest = next(iter(self._open))
            self._log.error("node.report_dropped", job=oldest[0], epoch=oldest[1])
            self._append(self._open.pop(oldest)[0])
        self._open[(report.job, report.epoch)] = (self._serial, report)
        self._serial += 1  # before the line is written, which may rewrite the file
        self._append(_as_kept(report))

    def acknowledge(self, *runs: tuple[str, int]) -> None:
        """Removes the reports of runs, given as (job, epoch)."""
        entries = [self._open.pop(run) for run in runs if run in self._open]
        if entries:
            self._append(*(serial for serial, _ in entries))

    def write_behind(self, *, always: bool = False) -> None:
        """Writes the file anew if it lacks lines; without space, the next call tries again."""
        if not (self._is_behind or always):
            return
        try:
            self._rewrite()
        except OSError as problem:
            self._note_no_space(problem)
        else:
            self._is_behind = False

    def _append(self, *lines: UsageReport | int) -> None:
        self._appended += len(lines)
        if self._is_behind or self._lines >= LINES_MAX:
            self.write_behind(always=True)
            return
        try:
            with self._path.open("ab") as file:
                file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        except OSError as problem:
            self._note_no_space(problem)
        else:
            self._lines += len(lines)

    async def _sync(self) -> None:
        written = self._appended
        try:
            await asyncio.to_thread(sync_file, self._path)
        except OSError as problem:
            self._note_no_space(problem)
        else:
            self._synced = max(self._synced, written)
        finally:
            self._syncing = None

    def _note_no_space(self, problem: OSError) -> None:
        if not self._is_behind:
            self._log.error("node.reports_not_written", problem=str(problem))
        self._is_behind = True

    def _read(self) -> None:
        if not self._path.exists():
            return
        by_serial: dict[int, UsageReport] = {}
        for raw in self._path.read_bytes().splitlines():
            try:
                line = _LINE.decode(raw)
            except msgspec.DecodeError:
                # The last line of an agent that was killed while writing.
                self._log.warning("node.report_unreadable", file=str(self._path))
                continue
            if isinstance(line, int):
                by_serial.pop(line, None)
            else:
                by_serial[self._serial] = line
                self._serial += 1
        self._open = {(r.job, r.epoch): (serial, r) for serial, r in by_serial.items()}

    def _rewrite(self) -> None:
        reports = self.pending()
        lines = (msgspec.json.encode(_as_kept(report)) + b"\n" for report in reports)
        write_private(self._path, b"".join(lines))
        self._open = {(r.job, r.epoch): (serial, r) for serial, r in enumerate(reports)}
        self._serial = self._lines = len(reports)
        self._synced = self._appended


def _as_kept(report: UsageReport) -> UsageReport:
    """Returns a report as a later process of the agent sends it."""
    if report.outcome is not Outcome.COMPLETED:
        return report
    return msgspec.structs.replace(report, outcome=Outcome.FAILED, code=AFTER_RESTART)

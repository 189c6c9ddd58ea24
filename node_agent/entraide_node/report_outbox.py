"""Report outbox: usage reports on disk until the pool acknowledges them.

Input: new reports and acknowledgements. Output: the reports that must be sent, at most
``REPORTS_MAX``; the oldest is dropped first. Lines are written to the system without fsync: the
reports survive a crash of the agent, but a crash of the machine may lose the last ones, and the
pool then settles by the last progress message.
"""

from pathlib import Path

import msgspec
import structlog

from entraide.decoding import JsonDecoder
from entraide.files import write_private
from entraide.wire.messages import UsageReport

REPORTS_MAX = 1_000
REPORTS_NAME = "reports.jsonl"
LINES_MAX = 10 * REPORTS_MAX  # then the file is rewritten

_LINE = JsonDecoder[UsageReport | int](UsageReport | int)


class ReportOutbox:
    """An append-only file of reports and, as plain numbers, of the acknowledged ones."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / REPORTS_NAME
        self._log = structlog.get_logger("entraide.node")
        self._serial = 0  # number of the next report, counted from 0
        self._lines = 0
        self._open: dict[tuple[str, int], tuple[int, UsageReport]] = {}
        self._read()
        self._rewrite()

    def __len__(self) -> int:
        return len(self._open)

    def pending(self) -> tuple[UsageReport, ...]:
        """Returns the reports to send, oldest first."""
        return tuple(report for _, report in self._open.values())

    def add(self, report: UsageReport) -> None:
        """Keeps a report until it is acknowledged."""
        if len(self._open) >= REPORTS_MAX:
            oldest = next(iter(self._open))
            self._log.error("node.report_dropped", job=oldest[0], epoch=oldest[1])
            self._append(self._open.pop(oldest)[0])
        self._open[(report.job, report.epoch)] = (self._serial, report)
        self._serial += 1  # before the line is written, which may rewrite the file
        self._append(report)

    def acknowledge(self, job: str, epoch: int) -> None:
        """Removes a report."""
        entry = self._open.pop((job, epoch), None)
        if entry is not None:
            self._append(entry[0])

    def _append(self, line: UsageReport | int) -> None:
        if self._lines >= LINES_MAX:
            self._rewrite()
            return
        self._lines += 1
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")

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
        write_private(self._path, b"".join(msgspec.json.encode(r) + b"\n" for r in reports))
        self._open = {(r.job, r.epoch): (serial, r) for serial, r in enumerate(reports)}
        self._serial = self._lines = len(reports)

"""Logs: sends the agent's log to standard error, or to a file of bounded size in its folder.

Each event is one JSON object per line. A log file that reaches its limit is replaced; one previous
file is kept. Under systemd, standard error is used.
"""

import contextlib
import logging
import sys
from pathlib import Path
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict

from entraide.log_format import json_processors
from entraide_node.engines.process import LOG_BYTES_MAX, CappedLog

LOG_NAME = "agent.log"
ERRORS_NAME = "agent.err"  # output of Python before the log is set up, under launchd


class LogFile:
    """The interface of a text file, on top of a capped log."""

    def __init__(self, path: Path) -> None:
        self._log = CappedLog(path)
        self._line = ""

    def write(self, text: str) -> int:
        """Buffers text until a line is complete."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._log.write(line)
        return len(text)

    def flush(self) -> None:
        """Does nothing: complete lines are written at once."""


def log_to(file: TextIO) -> None:
    """Sends the log to an open file."""
    structlog.configure(
        processors=json_processors(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file),
    )


def log_to_folder(folder: Path) -> None:
    """Sends the log to ``agent.log`` in a node's folder."""
    errors = folder / ERRORS_NAME
    with contextlib.suppress(OSError):
        if errors.stat().st_size > LOG_BYTES_MAX:
            errors.replace(errors.with_name(f"{ERRORS_NAME}.1"))
    log_to(cast("TextIO", LogFile(folder / LOG_NAME)))


def log_to_stderr() -> None:
    """Sends the log to standard error."""
    log_to(sys.stderr)


def log_nothing() -> None:
    """Drops the log: a command for people prints its own sentences."""
    structlog.configure(processors=[_drop])
    logging.disable(logging.CRITICAL)  # asyncio's own, which goes to standard error


def _drop(_logger: object, _method: str, _event: EventDict) -> EventDict:
    raise structlog.DropEvent

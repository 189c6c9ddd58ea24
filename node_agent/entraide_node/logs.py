"""Where the agent's log goes: to standard error, or to a file of bounded size in its folder.

It decides the form, one JSON object a line, and that a file never grows beyond its cap: it and the
one before it are kept. Where systemd keeps the log, standard error is the place.
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
ERRORS_NAME = "agent.err"  # what Python says before there is a log, under launchd


class LogFile:
    """What a logger needs of a file, over one that is capped."""

    def __init__(self, path: Path) -> None:
        self._log = CappedLog(path)
        self._line = ""

    def write(self, text: str) -> int:
        """Keeps text until its line is whole."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._log.write(line)
        return len(text)

    def flush(self) -> None:
        """Every whole line is written already."""


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
    """Drops the log: a command that speaks to a person says all in its own sentences."""
    structlog.configure(processors=[_drop])
    logging.disable(logging.CRITICAL)  # asyncio's own, which goes to standard error


def _drop(_logger: object, _method: str, _event: EventDict) -> EventDict:
    raise structlog.DropEvent

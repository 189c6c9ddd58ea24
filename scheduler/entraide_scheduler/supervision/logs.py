"""Logs: sends the supervisor's log lines to a file, to keep the terminal for results."""

import contextlib
from pathlib import Path
from typing import TextIO, cast

import structlog

from entraide.log_format import json_processors
from entraide_scheduler.supervision.log_files import rotate_log


class _BoundedFile:
    """The interface of a text file that is bounded as it is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting = ""

    def write(self, text: str) -> int:
        """Takes some text; ``flush`` writes it."""
        self._waiting += text
        return len(text)

    def flush(self) -> None:
        """Writes what waits, and bounds the file."""
        text, self._waiting = self._waiting, ""
        with contextlib.suppress(OSError):  # a full disk, for instance: the supervisor goes on
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
            rotate_log(self._path)


def log_to_file(path: Path) -> None:
    """Sends structlog's lines to a file of bounded size as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    structlog.configure(
        processors=json_processors(),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _BoundedFile(path))),
    )

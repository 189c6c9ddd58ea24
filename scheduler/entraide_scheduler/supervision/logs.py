"""Logs: sends the supervisor's log lines to a file, to keep the terminal for results."""

from pathlib import Path

import structlog

from entraide.log_format import json_processors


def log_to_file(path: Path) -> None:
    """Sends structlog's lines to a file as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    structlog.configure(
        processors=json_processors(),
        logger_factory=structlog.WriteLoggerFactory(path.open("a", encoding="utf-8")),
    )

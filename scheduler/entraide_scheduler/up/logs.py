"""Where the supervisor's own log lines go: a file, so that a terminal shows only what is asked."""

from pathlib import Path

import structlog


def quiet(path: Path) -> None:
    """Sends structlog's lines to a file as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(path.open("a", encoding="utf-8")),
    )

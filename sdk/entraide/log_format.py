"""Log format: how scheduler, gateway, node agent and ``entraide up`` write their logs.

Input: structlog events. Output: one JSON object a line, or coloured lines for a person at a
terminal. Three rules hold for every line: a traceback never shows local variables (a prompt or a
key would stand there), control characters are taken out, and secrets are replaced by ``***``.
"""

import re
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from entraide.printable import printable

HIDDEN = "***"
FRAMES_MAX = 50
DEPTH_MAX = 8  # of nested values; what lies deeper is written as text

# Fields of our configurations that hold a secret.
SECRET_FIELDS = frozenset({"admin_key", "api_key", "key", "password", "secret", "token"})
# The password in a URL, and secrets of ours: API keys, the operator's key, join tokens.
# Both are bounded on each side, so that a long text costs time in proportion to its length.
_URL_PASSWORD = re.compile(r"(://[^\s:/@]{0,256}):[^\s/@]{1,256}@")
_OUR_SECRET = re.compile(r"\b(ent|join)_[\w-]{8,}")


def without_secrets(text: str) -> str:
    """Returns a text with passwords in URLs and our own secrets replaced by ``***``.

    >>> without_secrets("postgresql://ent:geheim@db/pool, ent_abcdefghijkl")
    'postgresql://ent:***@db/pool, ent_***'
    """
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    return _OUR_SECRET.sub(rf"\1_{HIDDEN}", text)


def clean(value: Any, depth: int = 0) -> Any:
    r"""Returns a log value without control characters and secrets, also inside lists and tables.

    >>> clean({"admin_key": "x", "urls": ["a\x07b"]})
    {'admin_key': '***', 'urls': ['ab']}
    """
    if isinstance(value, str):
        return without_secrets(printable(value))
    if isinstance(value, bytes) or depth > DEPTH_MAX:
        return without_secrets(printable(repr(value)))
    if isinstance(value, dict):
        return {
            clean(name, depth + 1): HIDDEN
            if name in SECRET_FIELDS and isinstance(inner, str) and inner
            else clean(inner, depth + 1)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(inner, depth + 1) for inner in value]
    return value


def _clean_event(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Cleans every value of an event but the identifiers that we name ``key`` ourselves."""
    return {name: clean(value) for name, value in event.items()}


def _exception_text(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Cleans a traceback that was written as text."""
    text = event.get("exception")
    if isinstance(text, str):
        event["exception"] = without_secrets(printable(text))
    return event


def _head() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def json_processors() -> list[Processor]:
    """Returns the steps that write one JSON object a line."""
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(
        show_locals=False, max_frames=FRAMES_MAX
    )
    return [
        *_head(),
        structlog.processors.ExceptionRenderer(tracebacks),
        _clean_event,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]


def terminal_processors() -> list[Processor]:
    """Returns the steps that write coloured lines for a person at a terminal."""
    return [
        *_head(),
        structlog.processors.format_exc_info,
        _clean_event,
        _exception_text,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]

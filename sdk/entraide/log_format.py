"""Log format of the scheduler, the gateway, the node agent and ``entraide up``.

Input: structlog events. Output: one JSON object per line, or coloured lines for a person at a
terminal. In every line, tracebacks have no local variables (they may contain a prompt or a key),
control characters are removed, and secrets are replaced by ``***``.
"""

import re
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from entraide.printable import printable

HIDDEN = "***"
FRAMES_MAX = 50
DEPTH_MAX = 8  # of nested values; deeper values are written as text

# Configuration fields that hold a secret.
SECRET_FIELDS = frozenset({"admin_key", "api_key", "key", "password", "secret", "token"})
# The password in a URL, and Entraide's own secrets: API keys, the operator's key, join tokens.
# Both patterns are bounded, so that matching takes time linear in the length of the text.
_URL_PASSWORD = re.compile(r"(://[^\s:/@]{0,256}):[^\s/@]{1,256}@")
_QUERY_PASSWORD = re.compile(r"([?&](?:ssl)?password=)[^\s&#\"']{1,256}", re.IGNORECASE)
_OUR_SECRET = re.compile(r"\b(ent|join)_[\w-]{8,}")


def without_secrets(text: str) -> str:
    """Returns a text with URL passwords and Entraide's own secrets replaced by ``***``.

    >>> without_secrets("postgresql://ent:geheim@db/pool, ent_abcdefghijkl")
    'postgresql://ent:***@db/pool, ent_***'
    >>> without_secrets("postgresql:///pool?host=db&password=geheim&user=ent")
    'postgresql:///pool?host=db&password=***&user=ent'
    """
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text)
        text = _QUERY_PASSWORD.sub(rf"\1{HIDDEN}", text)
    return _OUR_SECRET.sub(rf"\1_{HIDDEN}", text)


def clean(value: Any, depth: int = 0) -> Any:
    r"""Returns a log value without control characters and secrets, also inside lists and mappings.

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
    """Cleans every value of an event; a top-level ``key`` is an identifier and is kept."""
    return {name: clean(value) for name, value in event.items()}


def _exception_text(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Cleans a traceback that is already text."""
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
    """Returns the steps that write one JSON object per line."""
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

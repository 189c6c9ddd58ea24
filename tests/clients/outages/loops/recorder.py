"""Recorder: makes a library's calls one after the other, and writes what became of each.

In: variables of the environment (see ``pool.py``), and the calls of one library. Out: a line of
JSON when a call begins and one when it has ended, with what the library logged of its attempts.
Only the standard library: it runs in the environment of each client.
"""

import asyncio
import itertools
import json
import logging
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

MODEL, EMBEDDING_MODEL = os.environ["ENTRAIDE_MODEL"], os.environ["ENTRAIDE_EMBEDDING_MODEL"]
URLS = os.environ["ENTRAIDE_URLS"].split(",")  # of the gateways, which are asked in turn
KEY, PACED_KEY = os.environ["ENTRAIDE_KEY"], os.environ["PACED_KEY"]
PAUSE_S = float(os.environ["PAUSE_S"])
STORY = "Write a long story about a cat."
LOGGERS = ("openai", "anthropic", "httpx", "httpx2", "instructor", "haystack", "smolagents")
TOLD = ("HTTP Request: ", "Retrying", "Encountered", "Not retrying", "Raising")
LINES_MAX, CHARS_MAX = 40, 300


class Attempts(logging.Handler):
    """Keeps what a library logs of its attempts during a call."""

    def __init__(self) -> None:
        super().__init__()
        self.begin()
        for name in LOGGERS:
            logger = logging.getLogger(name)
            logger.setLevel(logging.DEBUG)
            logger.addHandler(self)
            logger.propagate = False

    def begin(self) -> None:
        """Begins a call."""
        self.begun_at = time.time()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a line, with the seconds since the call began."""
        text = record.getMessage()
        if any(word in text for word in TOLD) and len(self.lines) < LINES_MAX:
            self.lines.append(f"{time.time() - self.begun_at:.1f} {text[:CHARS_MAX]}")


def error_facts(error: BaseException) -> dict[str, Any]:
    """What an exception says of itself, and those that it was made from."""
    causes, cause = [], error
    while cause.__cause__ is not None and len(causes) < 4:
        cause = cause.__cause__
        causes.append(f"{type(cause).__module__}.{type(cause).__name__}")
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or {}
    return {
        "error": type(error).__name__,
        "bases": [base.__name__ for base in type(error).__mro__[1:-2]],
        "causes": causes,
        "status": getattr(error, "status_code", None),
        "code": getattr(error, "code", None),
        "type": getattr(error, "type", None),
        "body": str(getattr(error, "body", None))[:CHARS_MAX],
        "retry_after": headers.get("retry-after"),
        "should_retry": headers.get("x-should-retry"),
        "message": " ".join([str(error)[:CHARS_MAX], *getattr(error, "__notes__", ())]),
    }


def run(library: str, calls: dict[str, Callable[[str], Any]]) -> None:
    """Makes the calls in turn, at each gateway in turn, until this process is ended.

    Args:
        library: its name.
        calls: each takes the address of a gateway, without ``/v1``.
    """
    attempts = Attempts()
    number = 0
    for turn in itertools.count():
        for index, (name, call) in enumerate(calls.items()):
            url = URLS[(turn + index) % len(URLS)]
            number += 1
            attempts.begin()
            line: dict[str, Any] = {
                "library": library, "number": number, "call": name, "gateway": URLS.index(url),
                "begun_at": attempts.begun_at,
            }  # fmt: skip
            _write(line)
            try:
                result = call(url)
                line["got"] = str(asyncio.run(result) if asyncio.iscoroutine(result) else result)
                line["got"] = line["got"][:CHARS_MAX]
            except Exception as error:  # noqa: BLE001  (whichever it is: this is what is recorded)
                line |= error_facts(error)
            _write(line | {"ended_at": time.time(), "attempts": attempts.lines})
            time.sleep(PAUSE_S * random.uniform(0.5, 1.5))


def _write(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()

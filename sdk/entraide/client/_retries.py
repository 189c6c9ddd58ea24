"""Retries of whole calls; ``_request.retry_delay_s`` decides."""

# Made from `_retries_aio.py` by `make sync-client`; no hand touches it.

import itertools
import time
from collections.abc import Callable
from typing import Any

from entraide.client._request import retry_delay_s
from entraide.errors import EntraideError


def call_with_retries(call: Callable[[float], Any], *, timeout_s: float, retries: int) -> Any:
    """Makes an idempotent call, and retries it on transient failures."""
    ends_at = time.monotonic() + timeout_s
    for attempt in itertools.count():
        left_s = ends_at - time.monotonic()
        try:
            return call(max(0.001, left_s))
        except EntraideError as problem:
            wait_s = retry_delay_s(problem, attempt=attempt, retries=retries, left_s=left_s)
            if wait_s is None:
                raise
        time.sleep(wait_s)
    raise AssertionError("unreachable: count() has no end")

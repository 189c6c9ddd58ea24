"""Retries of whole calls; ``_request.retry_delay_s`` decides."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

from entraide.client._request import retry_delay_s
from entraide.errors import EntraideError


async def call_with_retries_async(
    call: Callable[[float], Awaitable[Any]], *, timeout_s: float, retries: int
) -> Any:
    """Makes an idempotent call, and retries it on transient failures."""
    ends_at = time.monotonic() + timeout_s
    for attempt in itertools.count():
        left_s = ends_at - time.monotonic()
        try:
            return await call(max(0.001, left_s))
        except EntraideError as problem:
            wait_s = retry_delay_s(problem, attempt=attempt, retries=retries, left_s=left_s)
            if wait_s is None:
                raise
        await asyncio.sleep(wait_s)
    raise AssertionError("unreachable: count() has no end")

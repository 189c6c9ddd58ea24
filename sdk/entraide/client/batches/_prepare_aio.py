"""Prepares a batch in a thread, for asyncio: requests may be a large file."""

import asyncio
from collections.abc import Awaitable, Callable

from entraide.client.batches.input import BatchInput, InputOptions, Requests, prepare


async def prepare_in_thread(
    requests: Requests,
    options: InputOptions,
    *,
    choose_model: Callable[[str], Awaitable[str]],
    lang: str,
) -> BatchInput:
    """Reads and checks the requests; see ``prepare``."""
    loop = asyncio.get_running_loop()

    async def choose(endpoint: str) -> str:
        return await choose_model(endpoint)

    def choose_in_thread(endpoint: str) -> str:
        return asyncio.run_coroutine_threadsafe(choose(endpoint), loop).result()

    return await asyncio.to_thread(
        prepare, requests, options, choose_model=choose_in_thread, lang=lang
    )

"""Finding the engines that an owner runs already: who answers at the usual addresses.

It decides which addresses are asked when nobody says otherwise: those of this machine on which
Ollama, LM Studio, llama-server, mlx_lm and vLLM listen by themselves. It asks only when it is
called, and each address once.
"""

import asyncio
from collections.abc import Sequence

import aiohttp
from msgspec import Struct

from entraide_node.engines.model_listing import ListedModel, parse_listing

# Ollama; LM Studio; llama-server and mlx_lm; vLLM.
USUAL_URLS = tuple(f"http://127.0.0.1:{port}" for port in (11434, 1234, 8080, 8000))
TIMEOUT_S = 2.0
ADDRESSES_MAX = 16
ANSWER_BYTES_MAX = 1024 * 1024


class DiscoveredServer(Struct, frozen=True):
    """A server that answers.

    Attributes:
        url: its base address, without ``/v1``.
        program: which one it is; ``openai`` when it does not show.
        models: that it lists; empty for one that lists none, or only with a key.
        wants_key: whether it refuses to list without a key.
    """

    url: str
    program: str
    models: tuple[ListedModel, ...]
    wants_key: bool = False


async def discover_servers(
    urls: Sequence[str] = USUAL_URLS, *, key: str = ""
) -> tuple[DiscoveredServer, ...]:
    """Asks each address what it serves; returns those that answer as an engine does.

    Args:
        urls: base addresses; at most ``ADDRESSES_MAX`` of them are asked.
        key: bearer key to show, or "".
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with aiohttp.ClientSession(headers=headers) as session:
        probes = (_probe_server(session, url) for url in urls[:ADDRESSES_MAX])
        answers = await asyncio.gather(*probes)
    return tuple(server for server in answers if server is not None)


async def _probe_server(session: aiohttp.ClientSession, url: str) -> DiscoveredServer | None:
    base = url.rstrip("/").removesuffix("/v1")
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            session.get(f"{base}/v1/models", allow_redirects=False) as answer,
        ):
            payload = await answer.content.read(ANSWER_BYTES_MAX)
            status = answer.status
    except (aiohttp.ClientError, OSError):
        return None
    if status in (401, 403):
        return DiscoveredServer(base, "openai", (), wants_key=True)
    listing = parse_listing(payload) if status == 200 else None
    # A server without models may be an engine (mlx-lm without a cache answers nothing at all), but
    # so is any web server that knows no /v1/models.
    if listing is None or (payload and not listing.models and b'"data"' not in payload):
        return None
    return DiscoveredServer(base, listing.program, listing.models)

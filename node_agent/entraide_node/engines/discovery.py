"""Discovery: finds engines that the owner already runs.

Input: addresses; by default those of this machine on which Ollama, LM Studio, llama-server, mlx_lm
and vLLM listen by default. Output: the servers that respond like an engine. Each address is probed
once per call.
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
    """A server that responds.

    Attributes:
        url: its base address, without ``/v1``.
        program: its program; ``openai`` if unknown.
        models: its listed models; empty if it lists none, or only with a key.
        wants_key: whether it requires a key.
    """

    url: str
    program: str
    models: tuple[ListedModel, ...]
    wants_key: bool = False


async def discover_servers(
    urls: Sequence[str] = USUAL_URLS, *, key: str = ""
) -> tuple[DiscoveredServer, ...]:
    """Asks each address for its models; returns those that respond like an engine.

    Args:
        urls: base addresses; at most ``ADDRESSES_MAX`` are probed.
        key: bearer key, or "".
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
    # A server without models may be an engine (mlx-lm without a cache sends an empty body), but
    # also any web server without /v1/models.
    if listing is None or (payload and not listing.models and b'"data"' not in payload):
        return None
    return DiscoveredServer(base, listing.program, listing.models)

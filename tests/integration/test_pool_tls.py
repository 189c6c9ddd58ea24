"""The same pool with TLS on every port, as one that leaves its machine must speak."""

import asyncio
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from entraide.client import AsyncClient
from entraide_scheduler.up.pool import LocalPool, PoolOptions


def get(url: str, key: str, ca: str | None) -> Any:
    """Fetches JSON, trusting one authority only."""
    context = ssl.create_default_context(cadata=ca)
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:
        return json.loads(answer.read())


async def test_a_pool_with_tls_on_every_port_serves_a_job(tmp_path: Path) -> None:
    """A node joins over HTTPS, gRPC and NATS with TLS, and a stranger's authority is refused."""
    pool = LocalPool(PoolOptions(state=tmp_path / "pool", nodes=1, tls=True))
    try:
        running = await pool.start()
        assert pool.ca is not None
        authority = pool.ca.read_text()
        key = running.keys["boreale"]
        async with AsyncClient(running.grpc, key=key, ca_pem=authority) as client:
            answer = await client.chat("Bonjour", max_output_tokens=8)
        models = await asyncio.to_thread(get, f"{running.http}/v1/models", key, authority)
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            await asyncio.to_thread(get, f"{running.http}/v1/models", key, None)
    finally:
        await pool.stop()

    assert answer.text
    assert answer.receipt is not None
    assert running.nats.startswith("tls://")
    assert len([model for model in models["data"] if "means" not in model]) == 1

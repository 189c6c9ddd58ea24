"""The same pool with TLS on every port, as one that leaves its machine must speak."""

import asyncio
import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from entraide.client import AsyncClient, Client
from entraide.wire.enrolment import install_command
from entraide_scheduler.up.pool import LocalPool, PoolOptions

pytestmark = pytest.mark.engines  # a whole pool


def get(url: str, key: str, ca: str | None) -> Any:
    """Fetches JSON, trusting one authority only."""
    context = ssl.create_default_context(cadata=ca)
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:
        return json.loads(answer.read())


def list_models(url: str, key: str) -> int:
    """The number of models that the synchronous client sees."""
    with Client(url, key) as client:
        return len(client.models())


async def invite_and_join(folder: Path, ca: Path) -> None:
    """Joins by the printed link alone, as a member does, and then by a link that was used."""
    command = [sys.executable, "-m", "entraide.cli", "--lang", "en"]

    async def call(*words: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *command, *words, env=os.environ | {"ENTRAIDE_CA": str(ca)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    state = ("--state", str(folder / "pool"))
    vouched = ("--zone", "CA-ON", "--controlled-by", "member", "--data-class", "public")
    _, printed = await call("invite", "boreale", *vouched, *state)
    link, line, *sentences = printed.strip().splitlines()
    options = ("--no-service", "--any-time")
    first = await call(
        "node", "join", link, "--zone", "CA-QC", "--dir", str(folder / "mini"), *options
    )
    again = await call("node", "join", link, "--dir", str(folder / "other"), *options)
    document = json.loads((folder / "mini" / "pool.json").read_text())
    _, shown = await call("nodes", "list", *state, "--json")
    node = next(node for node in json.loads(shown) if node["node"] != "node-1")

    assert install_command(link) == line
    assert "CA-ON · a member co-op · public" in sentences[0]
    assert "must let outgoing connections to port" in sentences[1]
    assert link.startswith("https://127.0.0.1:")
    assert [64, 43] == [len(part) for part in link.split(".")[-2:]]
    assert 0 == first[0], first
    assert "You said that its zone is CA-QC; the operator recorded CA-ON" in first[1]
    assert (1, True) == (again[0], "was used already" in again[1])
    assert not (folder / "other" / "identity.json").exists()
    assert not document["public_certificate"]
    assert ("boreale", "CA-ON", "member") == (node["coop"], node["zone"], node["controlled_by"])


async def test_a_pool_with_tls_on_every_port_serves_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node joins over HTTPS, gRPC and NATS with TLS, and a stranger's authority is refused."""
    pool = LocalPool(PoolOptions(state=tmp_path / "pool", nodes=1, tls=True))
    try:
        running = await pool.start()
        assert pool.ca is not None
        authority = pool.ca.read_text()
        key = running.keys["boreale"]
        monkeypatch.setenv("ENTRAIDE_CA", str(pool.ca))
        async with AsyncClient(running.grpc, key=key) as client:
            answer = await client.chat("Bonjour", max_output_tokens=8)
        models_of_sync = await asyncio.to_thread(list_models, running.grpc, key)
        models = await asyncio.to_thread(get, f"{running.http}/v1/models", key, authority)
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            await asyncio.to_thread(get, f"{running.http}/v1/models", key, None)
        await invite_and_join(tmp_path, pool.ca)
    finally:
        await pool.stop()

    assert answer.text
    assert answer.receipt is not None
    assert running.nats.startswith("tls://")
    assert len([model for model in models["data"] if "means" not in model]) == 1
    assert len(models["data"]) == models_of_sync

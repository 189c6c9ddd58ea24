"""Open WebUI's server in its own environment, pointed at a pool."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from tests.clients.environments import python_for
from tests.clients.pool import SENTENCE_MODEL, TEXT_MODEL, ClientPool
from tests.ports import free_port

READY_S = 240.0


def settings(pool: ClientPool, home: Path) -> dict[str, str]:
    """What an operator of Open WebUI sets: the pool's address and key, and nothing fetched."""
    url = f"{pool.url}/v1"
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "HOME": str(home), "DATA_DIR": str(home / "data"), "WEBUI_SECRET_KEY": "for-this-test",
        "ENABLE_OLLAMA_API": "false", "OPENAI_API_BASE_URLS": url, "OPENAI_API_KEYS": pool.key,
        "DEFAULT_MODELS": TEXT_MODEL, "BYPASS_MODEL_ACCESS_CONTROL": "true",
        # Its own tools take 6,000 tokens of every prompt, more than this model reads.
        "DEFAULT_MODEL_METADATA": '{"capabilities": {"builtin_tools": false}}',
        "DEFAULT_MODEL_PARAMS": '{"temperature": 0}',
        "RAG_EMBEDDING_ENGINE": "openai", "RAG_EMBEDDING_MODEL": SENTENCE_MODEL,
        "RAG_OPENAI_API_BASE_URL": url, "RAG_OPENAI_API_KEY": pool.key,
        "OFFLINE_MODE": "true", "HF_HUB_OFFLINE": "1", "ENABLE_VERSION_UPDATE_CHECK": "false",
    }  # fmt: skip


@contextlib.asynccontextmanager
async def running_open_webui(pool: ClientPool, home: Path) -> AsyncIterator[str]:
    """Runs the server; gives its address once it answers."""
    home.mkdir()  # noqa: ASYNC240  # at once
    port = free_port()
    program = (await asyncio.to_thread(python_for, "open-webui")).with_name("open-webui")
    command = [str(program), "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("wb") as log:  # likewise
        server = subprocess.Popen(  # noqa: ASYNC220  # started at once
            command, cwd=home, env=settings(pool, home), stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        async with asyncio.timeout(READY_S), aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}"
            while not await is_healthy(session, url):
                assert server.poll() is None, (home / "server.log").read_text()[-3_000:]
                await asyncio.sleep(0.2)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


async def is_healthy(session: aiohttp.ClientSession, url: str) -> bool:
    """Whether the server answers."""
    try:
        async with session.get(f"{url}/health") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def add_people(url: str, *, email: str, password: str) -> None:
    """The first person, who administers it, and one user."""
    first = {"name": "Ada", "email": "ada@example.org", "password": "un-mot-de-passe-9"}
    user = {"name": "Jo", "email": email, "password": password, "role": "user"}
    async with aiohttp.ClientSession(url) as session:
        async with session.post("/api/v1/auths/signup", json=first) as answer:
            assert 200 == answer.status, await answer.text()
            token = (await answer.json())["token"]
        headers = {"authorization": f"Bearer {token}"}
        async with session.post("/api/v1/auths/add", json=user, headers=headers) as answer:
            assert 200 == answer.status, await answer.text()

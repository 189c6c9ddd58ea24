"""A real identity provider in a process of its own, in which the test is everybody."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import aiohttp

SERVE = """
import sys, warnings
warnings.simplefilter("ignore")
from oidc_provider_mock import run_server_in_thread
with run_server_in_thread() as server:
    print(server.server_port, flush=True)
    sys.stdin.read()
"""


class IdentityProvider:
    """The provider: its users, and what a browser does at it."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def put_user(self, subject: str, **claims: Any) -> None:
        """Adds somebody with claims, or changes the claims."""
        async with (
            aiohttp.ClientSession() as session,
            session.put(f"{self.url}/users/{quote(subject)}", json=claims) as answer,
        ):
            assert answer.status == 204, await answer.text()

    async def authorise(self, address: str, subject: str) -> str:
        """Signs somebody in at the address to which the pool sent; returns where it leads."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(address, data={"sub": subject}, allow_redirects=False) as answer,
        ):
            return answer.headers["location"]


@contextmanager
def open_provider() -> Iterator[IdentityProvider]:
    """Starts a provider, and ends it."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        try:
            yield IdentityProvider(f"http://localhost:{int(process.stdout.readline())}")
        finally:
            process.stdin.close()

"""Scenarios of hostile peers: what they share, and how each is run on both event loops.

A scenario gets a live gateway with limits of its choice; afterwards another co-op must be served.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from tests.hostile import peers
from tests.hostile.peers import Address, head
from tests.scheduler.gateway_support import KEY_A, KEY_B, Pool, ask, card, open_pool

from entraide_scheduler.config import HttpConfig, HttpLimits
from entraide_scheduler.core import events as e
from entraide_scheduler.gateway import Settings

MODELS = "/v1/models"
SHORT = HttpLimits(
    connections=12,
    connections_without_key=6,
    connections_without_key_per_address=4,
    requests_per_key=3,
    head_deadline_s=0.5,
    body_deadline_s=0.5,
    idle_s=0.5,
    idle_without_key_s=0.5,
    unread_deadline_s=0.5,
    wrong_keys=3,
    wrong_key_delay_s=0.05,
)
LONG = HttpLimits(
    connections=12, connections_without_key=6, connections_without_key_per_address=4,
    requests_per_key=3,
)  # fmt: skip
FEW = HttpLimits(
    connections=12, connections_without_key=6, connections_without_key_per_address=6,
    connections_per_coop=3, keys_per_coop=1,
)  # fmt: skip
READ_MAX_BYTES = 512 * 1024  # of one read of an event loop, with room to spare

Scenario = Callable[[Pool, Address], Coroutine[Any, Any, None]]
LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])


class Scenarios:
    """The scenarios of one module, each with its limits."""

    def __init__(self) -> None:
        self.cases: list[Any] = []

    def under(self, limits: HttpLimits) -> Callable[[Scenario], Scenario]:
        """Registers a scenario to be run under these limits."""

        def register(function: Scenario) -> Scenario:
            self.cases.append(pytest.param(function, limits, id=function.__name__))
            return function

        return register


async def attacked(folder: Path, attack: Scenario, limits: HttpLimits) -> None:
    """Runs a scenario against a live gateway; then another co-op's request is answered."""
    settings = Settings(http=HttpConfig(trusted_proxies=("127.0.0.9",), limits=limits), drain_s=0.0)
    async with open_pool(folder, settings=settings) as pool:
        await attack(pool, Address(pool.gateway.port, KEY_A))
        await serves(pool)


async def serves(pool: Pool) -> None:
    """Another co-op's request is answered, by a node that comes back if it was lost meanwhile."""
    pool.driver.feed(e.NodeJoined(*e.UNNUMBERED, card=card("n1"), accepting=True, reason=""))
    asked = asyncio.ensure_future(pool.send(ask(), key=KEY_B))
    (await pool.placed()).finish()
    async with await asked as answer:
        await answer.read()

        assert 200 == answer.status


def server(pool: Pool) -> Any:
    return pool.gateway._http


def refused(pool: Pool, reason: str) -> float:
    """How often something was refused or cut off for a reason."""
    labels = {"reason": reason}
    name = "entraide_gateway_refused_total"
    return pool.gateway.metrics.registry.get_sample_value(name, labels) or 0.0


def answered(pool: Pool) -> float:
    """How many requests were answered."""
    return sum(
        sample.value
        for metric in pool.gateway.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "entraide_gateway_requests_total"
    )


def held_bytes(pool: Pool) -> int:
    """What all connections hold of bytes that wait to be read on or to be taken."""
    return sum(
        len(connection._read_ahead) + connection.unread_bytes
        for connection in server(pool)._connections
    )


def post(body: bytes, key: str = KEY_A, **headers: str) -> bytes:
    return (
        head("POST", "/v1/chat/completions", key, Content_Length=str(len(body)), **headers) + body
    )


@contextlib.contextmanager
def many(address: Address, count: int, raw: bytes = b"") -> Iterator[list[socket.socket]]:
    """Opens many connections, and sends the same on each."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(peers.dialled(address)) for _ in range(count)]
        for peer in opened:
            with contextlib.suppress(ConnectionError):
                peer.sendall(raw)
        yield opened

"""A driver with its store, and what its commands came to, for the tests of the shell."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from entraide.wire.messages import GatewayDown, NodeDownCtl
from entraide_scheduler.clock import Clock
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import CoopTerms, Policy
from entraide_scheduler.journal import recover
from entraide_scheduler.live_driver import LiveDriver
from entraide_scheduler.store.store import Store

DEADLINE_S = 20.0
POLICY = Policy(version="1", coops=(CoopTerms("alpha"), CoopTerms("beta")))


def store_url(folder: Path) -> str:
    """Returns the URL of a SQLite store in a folder."""
    return f"sqlite:///{folder / 'store.db'}"


class Told:
    """Keeps what gateways and nodes were told, in order."""

    def __init__(self) -> None:
        self.gateways: list[tuple[str, GatewayDown]] = []
        self.nodes: list[tuple[str, NodeDownCtl]] = []

    def to_gateway(self, gateway: str, message: GatewayDown) -> None:
        """Keeps what a gateway was told."""
        self.gateways.append((gateway, message))

    def to_node(self, node: str, message: NodeDownCtl) -> None:
        """Keeps what a node was told."""
        self.nodes.append((node, message))

    def last(self, kind: type) -> GatewayDown:
        """Returns the last message of a kind that a gateway was told."""
        return [message for _, message in self.gateways if isinstance(message, kind)][-1]


async def recovered_live(store: Store, told: Told) -> LiveDriver:
    """Returns a driver that goes on where the store says, not yet started."""
    recovered = await recover(store)
    clock = Clock(last=recovered.at)
    return LiveDriver(recovered, store=store, clock=clock, outbound=told)


@asynccontextmanager
async def running_live(folder: Path) -> AsyncIterator[tuple[LiveDriver, Store, Told]]:
    """Runs a driver with the policy of two co-ops."""
    store, told = await Store.open(store_url(folder)), Told()
    live = await recovered_live(store, told)
    try:
        await live.start("gw")
        live.feed(e.PolicyChanged, policy=POLICY)
        yield live, store, told
    finally:
        await live.stop()
        await store.close()


async def eventually(condition: Callable[[], object]) -> None:
    """Waits until a condition holds, and fails when it does not before the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came to hold"
        await asyncio.sleep(0.01)


def hold_up(by_s: float) -> None:
    """Holds the whole process up, as a busy or suspended machine does; the loop stands still."""
    time.sleep(by_s)

"""A live driver with its store, and a recorder of its outgoing messages, for tests."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from entraide.wire.messages import GatewayDown, NodeDownCtl
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import CoopTerms, Policy, Timing
from entraide_scheduler.driver import Clock, LiveDriver, recover
from entraide_scheduler.store.store import Store

# The nodes of these tests send no heartbeats, however slow the machine is.
SILENT = Timing(suspect_after_s=600.0, lost_after_s=1_200.0)
POLICY = Policy("1", (CoopTerms("alpha"), CoopTerms("beta")), timing=SILENT)


def store_url(folder: Path) -> str:
    """Returns the URL of a SQLite store in a folder."""
    return f"sqlite:///{folder / 'store.db'}"


class SentMessages:
    """Records the messages sent to gateways and nodes, in order."""

    def __init__(self) -> None:
        self.gateways: list[tuple[str, GatewayDown]] = []
        self.nodes: list[tuple[str, NodeDownCtl]] = []

    def send_to_gateway(self, gateway: str, message: GatewayDown) -> None:
        """Records a message to a gateway."""
        self.gateways.append((gateway, message))

    def send_to_node(self, node: str, message: NodeDownCtl) -> None:
        """Records a message to a node."""
        self.nodes.append((node, message))

    def last(self, kind: type) -> GatewayDown:
        """Returns the last message of a kind that was sent to a gateway."""
        return [message for _, message in self.gateways if isinstance(message, kind)][-1]


async def recovered_driver(
    store: Store, sent: SentMessages, *, elsewhere: bool = False
) -> LiveDriver:
    """Returns a driver recovered from a store, not yet started; its gateways may be elsewhere."""
    recovered = await recover(store)
    clock = Clock(last=recovered.at)
    return LiveDriver(
        recovered, store=store, clock=clock, outbound=sent, is_elsewhere=lambda _: elsewhere
    )


@asynccontextmanager
async def running_driver(
    folder: Path, *, elsewhere: bool = False
) -> AsyncIterator[tuple[LiveDriver, Store, SentMessages]]:
    """Runs a driver with the policy of two co-ops; its gateways may be elsewhere."""
    store, sent = await Store.open(store_url(folder)), SentMessages()
    driver = await recovered_driver(store, sent, elsewhere=elsewhere)
    try:
        await driver.start("gw")
        driver.feed(e.PolicyChanged(*e.UNNUMBERED, policy=POLICY))
        yield driver, store, sent
    finally:
        await driver.stop()
        await store.close()


def block_process(by_s: float) -> None:
    """Blocks the event loop, as a suspended machine does."""
    time.sleep(by_s)

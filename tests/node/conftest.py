"""Fixtures of the node tests: a real bus, and a peer that plays the pool."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.nats_support import NatsPool, running_pool
from tests.node.support import Peer


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[NatsPool]:
    """A pool's bus with a real nats-server."""
    async with running_pool(tmp_path / "pool") as pool:
        yield pool


@pytest.fixture
async def peer(bus: NatsPool) -> Peer:
    """Scheduler and gateway, as the node meets them."""
    peer = Peer(bus)
    await peer.start()
    return peer

"""Fixtures of the scheduler's tests: a real bus, and a scheduler on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.nats_support import NatsPool, running_pool
from tests.scheduler.pool_support import RunningScheduler, running_scheduler


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[NatsPool]:
    """A pool's bus with a real nats-server."""
    async with running_pool(tmp_path) as pool:
        yield pool


@pytest.fixture
async def pool(tmp_path: Path, bus: NatsPool) -> AsyncIterator[RunningScheduler]:
    """A scheduler that is ready."""
    async with running_scheduler(tmp_path, bus) as running:
        yield running

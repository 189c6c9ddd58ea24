"""What integration tests share: real parts, on free ports, gone when the test ends."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.integration.local_pool import RunningPool, up
from tests.integration.nats_support import NatsPool, running_pool


@pytest.fixture
async def nats_pool(tmp_path: Path) -> AsyncIterator[NatsPool]:
    """A pool's bus with a real nats-server; it is ready in some tens of milliseconds."""
    async with running_pool(tmp_path) as pool:
        yield pool


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    """The demo pool, all its real processes; one for the whole run, since parts come back."""
    running = up(tmp_path_factory.mktemp("pool"))
    yield running
    running.entraide("down")

"""One live pool for each module of hostile tests: it must outlive every attack."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.hostile.pool import HostilePool, RogueNode, hostile_pool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostilePool]:
    """A pool with an honest node."""
    folder: Path = tmp_path_factory.mktemp("pool")
    async with hostile_pool(folder) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def rogue(pool: HostilePool) -> RogueNode:
    """A rogue node that has joined that pool and has not said hello."""
    return await pool.rogue()

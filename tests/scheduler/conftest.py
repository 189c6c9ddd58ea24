"""Fixtures of the scheduler's tests: a real bus, and a scheduler on it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.integration.nats_support import NatsPool, running_pool
from tests.scheduler.driver_support import store_url
from tests.scheduler.pool_support import RunningScheduler, running_scheduler
from tests.scheduler.postgres_support import programs, running_postgres

from entraide_scheduler.store.database import database_url, make_engines
from entraide_scheduler.store.store import Store


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


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    home = programs()
    assert home is not None
    with running_postgres(home) as url:
        yield url


@pytest.fixture(params=["sqlite", *(["postgresql"] if programs() else [])])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of each kind: what holds for one holds for the other."""
    url = store_url(tmp_path)
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres")
        writing, reading = make_engines(database_url(url))
        with writing.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        writing.dispose()
        reading.dispose()
    opened = await Store.open(url)
    yield opened
    await opened.close()

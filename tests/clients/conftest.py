"""Leaves out, with the reason, the tests of clients that cannot be had on this machine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.clients.environments import why_absent
from tests.clients.pool import ClientPool, running_client_pool
from tests.clients.table import CLIENTS

HERE = Path(__file__).resolve().parent
_REASONS = pytest.StashKey[list[str]]()


def client_of(item: pytest.Item) -> str:
    """The client that a test of this folder is about; "" for none."""
    if HERE not in item.path.parents or not isinstance(item, pytest.Function):
        return ""
    name = item.callspec.params.get("client", "") if hasattr(item, "callspec") else ""
    return name if name in CLIENTS else ""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the tests of absent clients; asks only for clients whose tests are to run."""
    absent = {name: why_absent(name) for name in {client_of(item) for item in items} - {""}}
    without = [item for item in items if absent.get(client_of(item))]
    config.stash[_REASONS] = [f"{name}: {reason}" for name, reason in absent.items() if reason]
    if without:
        items[:] = [item for item in items if item not in without]
        config.hook.pytest_deselected(items=without)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Says what is left out, and why."""
    return [f"left out: {reason}" for reason in config.stash.get(_REASONS, [])]


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def pool(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ClientPool]:
    """The pool that all clients ask."""
    async with running_client_pool(tmp_path_factory.mktemp("pool")) as running:
        yield running

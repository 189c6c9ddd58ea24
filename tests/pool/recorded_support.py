"""The state folder of a recorded pool as a founded pool's directory, and what a store holds."""

import time
from pathlib import Path
from typing import Any

import tomli_w
from sqlalchemy import text
from tests.data.recorded import StateFacts, state_facts, unpack
from tests.pool.support import pool_config

from entraide.files import write_private
from entraide_scheduler.clock_check import decide
from entraide_scheduler.driver import ClockState, recover
from entraide_scheduler.nats.config import ensure_server_files
from entraide_scheduler.nats.keyfiles import load_admin_key
from entraide_scheduler.pool.config import (
    FILE,
    PoolConfig,
    bus_settings,
    load_pool_config,
    scheduler_config,
)
from entraide_scheduler.pool.create import format_config
from entraide_scheduler.store.database import database_url, make_engines
from entraide_scheduler.store.dump import open_view
from entraide_scheduler.store.store import Store

RECORDED = "base"


def recorded_pool(folder: Path, config: PoolConfig | None = None) -> Path:
    """A directory with the recorded keys and store, and what a pool has had since."""
    state = unpack(RECORDED, folder)
    config = config or pool_config()
    write_private(state / FILE, format_config(config).encode())
    load_admin_key(state)
    ensure_server_files(bus_settings(config, state))
    decide(state, ClockState.AHEAD, time.time())  # it was recorded long ago
    return state


def store_url(state: Path) -> str:
    """URL of a pool's store."""
    return scheduler_config(load_pool_config(state), state, bus_url="").effective_store_url


def all_rows(url: str) -> dict[str, list[Any]]:
    """Every row of a store, by table."""
    rows: dict[str, list[Any]] = {}
    with open_view(url) as view:
        for batch in view.read_rows():
            kept = rows.setdefault(batch.table, [])
            kept += [dict(zip(batch.columns, row, strict=True)) for row in batch.rows]
    return {table: sorted(each, key=repr) for table, each in rows.items()}


async def facts_of(state: Path) -> StateFacts:
    """What the present code finds in a founded pool's directory."""
    values = {"dir": str(state), "store_url": store_url(state)}
    (state / "scheduler.toml").write_text(tomli_w.dumps(values), "utf-8")
    return await state_facts(state)


async def core_snapshot(url: str) -> bytes:
    """The core's state, recovered from a store's snapshot and journal."""
    store = await Store.open(url)
    try:
        return (await recover(store)).core.snapshot()
    finally:
        await store.close()


def clear_postgres(url: str) -> None:
    """Empties a database of PostgreSQL."""
    writing, reading = make_engines(database_url(url))
    with writing.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    writing.dispose()
    reading.dispose()

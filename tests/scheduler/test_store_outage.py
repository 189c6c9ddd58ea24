"""PostgreSQL that is away: books wait, new work gets 503, and the process goes on afterwards."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import Engine, text
from tests.core.builders import MODEL
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import RunningScheduler, running_scheduler
from tests.scheduler.postgres_support import programs, start_postgres, stop_postgres
from tests.scheduler.test_watched_findings import list_findings
from tests.waiting import eventually, until_read

from entraide_scheduler.store import leader
from entraide_scheduler.store.database import database_url, make_engines
from entraide_scheduler.store.journal import JournalRow
from entraide_scheduler.store.outage import StoreAway
from entraide_scheduler.store.rows import KeyRow
from entraide_scheduler.store.store import Store

pytestmark = pytest.mark.needs("initdb")

HOME = programs() or Path()
ASK = {"model": MODEL, "messages": [{"role": "user", "content": "Bonjour"}]}


@pytest.fixture
def url(postgres: str) -> str:
    """The URL of an empty database."""
    engines = make_engines(database_url(postgres))
    with engines[0].begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    for engine in engines:
        engine.dispose()
    return postgres


async def stop(url: str) -> None:
    await asyncio.to_thread(stop_postgres, HOME, url)


async def start(url: str) -> None:
    await asyncio.to_thread(start_postgres, HOME, url)


async def test_books_wait_for_the_database_and_new_work_does_not(url: str) -> None:
    """What was queued while PostgreSQL was away is committed once it is back, in order and once;
    changes and reads are refused meanwhile."""
    store = await Store.open(url)
    await store.take_term("a")
    await store.append_journal([JournalRow(1, b"a")])
    await stop(url)
    books = [store.append_journal([JournalRow(seq, b"b")]) for seq in (2, 3)]
    refused = await asyncio.gather(
        store.create_key(KeyRow("key-1", "alpha", "main", "laptop"), "ab" * 32),
        store.list_keys(),
        return_exceptions=True,
    )
    is_away = store.outage.is_present
    waiting = [book.done() for book in books]
    await start(url)
    await asyncio.gather(*books)
    await store.create_key(KeyRow("key-1", "alpha", "main", "laptop"), "ab" * 32)
    _, rows = await store.load_journal()
    away_after = store.outage.is_present
    await store.close()

    assert [StoreAway, StoreAway] == [type(problem) for problem in refused]
    assert [5.0, 5.0] == [getattr(problem, "retry_after_s", 0.0) for problem in refused]
    assert (True, [False, False], False) == (is_away, waiting, away_after)
    assert [1, 2, 3] == [row.seq for row in rows]


def lose_answers(engine: Engine, *, commits: bool) -> list[bool]:
    """Breaks the connection at the next commit, after the database has committed or before."""
    done: list[bool] = []
    original = engine.dialect.do_commit

    def commit(connection: Any) -> None:
        if done:
            original(connection)
            return
        done.append(commits)
        if commits:
            original(connection)
        connection.dbapi_connection.close()
        raise engine.dialect.loaded_dbapi.OperationalError("the connection is lost")

    engine.dialect.do_commit = commit  # type: ignore[method-assign]
    return done


@pytest.mark.parametrize("commits", [True, False])
async def test_a_commit_whose_answer_is_lost_is_not_repeated(url: str, commits: bool) -> None:
    """The database is asked whether it has committed: each event is there once, either way."""
    store = await Store.open(url)
    await store.take_term("a")
    await store.append_journal([JournalRow(1, b"a")])
    lost = lose_answers(store._writing, commits=commits)
    await store.append_journal([JournalRow(2, b"b")])
    await store.append_journal([JournalRow(3, b"c")])
    _, rows = await store.load_journal()
    await store.close()

    assert [commits] == lost
    assert [1, 2, 3] == [row.seq for row in rows]


async def ready(pool: RunningScheduler) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession(pool.gateway.url) as session,
        session.get("/readyz") as answer,
    ):
        return dict(await answer.json())


async def test_a_pool_goes_on_after_its_database_was_away(
    tmp_path: Path, bus: NatsPool, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While PostgreSQL is away a new request gets 503 with retry-after, live and kept; the run that
    was under way is answered, and billed once the database is back, by the same process, though
    its term was over meanwhile."""
    monkeypatch.setattr(leader, "LEASE_S", 2.0)
    monkeypatch.setattr(leader, "RENEW_S", 0.3)
    async with running_scheduler(tmp_path, bus, f'store_url = "{url}"') as pool:
        node = await pool.join_live()
        key = await pool.operator.key()
        async with pool.session(key) as session:
            pending = asyncio.ensure_future(session.post("/v1/chat/completions", json=ASK))
            await eventually(lambda: node.runs)
            await pool.driver.committed()
            await stop(url)
            await eventually(lambda: pool.service.parts.store.outage.is_present)
            refused = []
            for path, body in (("/v1/chat/completions", ASK), ("/v1/jobs", {"request": ASK})):
                async with session.post(path, json=body) as answer:
                    error = (await answer.json())["error"]
                    refused.append((answer.status, answer.headers["retry-after"], error["code"]))
            await eventually(lambda: not pool.driver.may_handle())
            present = await list_findings(pool)
            said = await until_read(lambda: ready(pool), lambda readiness: readiness["reasons"])
            await node.finish(node.runs[0])
            await start(url)
            async with await pending as answer:
                status = answer.status
            await eventually(node.acknowledged)
            settled = await pool.service.parts.store.count_settled()

            async def try_again() -> int:
                asked = asyncio.ensure_future(session.post("/v1/chat/completions", json=ASK))
                await eventually(lambda: asked.done() or len(node.runs) > 1)
                if len(node.runs) > 1:
                    await node.finish(node.runs[1])
                async with await asked as answer:
                    return int(answer.status)

            again = await until_read(try_again, lambda status: status != 503)
        failed, has_paused = pool.driver.failed.done(), pool.driver.counts["paused"] > 0

    assert [(503, "5", "store_away")] * 2 == refused
    assert ["store_away"] == [reason["code"] for reason in said["reasons"]]
    assert "store-away" in present
    assert (200, 1, 200, False, True) == (status, settled, again, failed, has_paused)

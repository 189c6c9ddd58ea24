"""Writer: one thread that owns the only writing connection and commits in groups.

What is asked together is committed together: while one commit waits for the disk, the next group
gathers. Order is kept: what was asked earlier is never committed later. A step that fails takes
nobody with it: its group is rolled back, and each step is tried again in a transaction of its own.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

GROUP_MAX = 1_000
QUEUE_MAX = 200_000

Step = Callable[[Connection], Any]
Job = tuple[Step, asyncio.Future[Any], asyncio.AbstractEventLoop]


class Writer:
    """The writing side of a store; ``ask`` may be called from the event loop only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = False
        self._log = structlog.get_logger("entraide.store")
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    def ask(self, step: Step) -> asyncio.Future[Any]:
        """Queues a step; the future resolves with its result after the commit.

        Raises:
            RuntimeError: the store is closed, or its queue is full.
        """
        if self._closed or self._queue.qsize() >= QUEUE_MAX:
            raise RuntimeError("the store takes no more writes")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._queue.put((step, future, loop))
        return future

    def close(self) -> None:
        """Commits what was asked, then ends the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        with self._engine.connect() as connection:
            going = True
            while going:
                group, going = self._gather()
                if group:
                    self._commit(connection, group)

    def _gather(self) -> tuple[list[Job], bool]:
        group: list[Job] = []
        item = self._queue.get()
        while item is not None:
            group.append(item)
            if len(group) >= GROUP_MAX:
                return group, True
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, True
        return group, False

    def _commit(self, connection: Connection, group: list[Job]) -> None:
        try:
            with connection.begin():
                results = [step(connection) for step, _, _ in group]
        except Exception as problem:  # noqa: BLE001  (whatever it is, its asker must hear it)
            if isinstance(problem, SQLAlchemyError) and connection.invalidated:
                connection.rollback()
            if len(group) == 1:
                self._log.error("store.write_failed", problem=repr(problem))
                self._resolve([(group[0], problem)])
                return
            for item in group:
                self._commit(connection, [item])
            return
        self._resolve(list(zip(group, results, strict=True)))

    def _resolve(self, done: list[tuple[Job, Any]]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
        for (_, future, loop), result in done:
            by_loop.setdefault(loop, []).append((future, result))
        for loop, results in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, results)


def _settle(results: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, result in results:
        if future.cancelled():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

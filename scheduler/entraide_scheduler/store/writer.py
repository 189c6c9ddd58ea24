"""Writer: one thread with the only writing connection, and group commit.

Writes that are queued while a commit waits for the disk form the next group and are committed
together (DeWitt et al. 1984). The order of writes is kept. If a write fails, its group is rolled
back, and each write is repeated in a transaction of its own.

Rows with the same write function in a group are written by one call, because a statement costs far
more than a row. The thread sleeps ``GATHER_S`` before it collects rows: without that pause it would
compete with the event loop for each row (measured: 2 ms more to the first token).
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import structlog
from prometheus_client import Histogram
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

GROUP_MAX = 1_000
GATHER_S = 0.01
QUEUE_MAX = 200_000

WriteStep = Callable[[Connection], Any]
BatchWrite = Callable[[Connection, list[Any]], Sequence[Any]]


class WriteRequest(NamedTuple):
    """A queued write: a step, or a row with its batch function; and the future of its result."""

    step: WriteStep | None
    write: BatchWrite | None
    row: Any
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class GroupCommitWriter:
    """Writes for a store; ``submit`` may be called from the event loop only."""

    def __init__(self, engine: Engine, commit_s: Histogram) -> None:
        """Starts the thread; ``commit_s`` records how long each group takes to be durable."""
        self._engine = engine
        self._commit_s = commit_s
        self._queue: queue.SimpleQueue[WriteRequest | None] = queue.SimpleQueue()
        self._closed = False
        self._log = structlog.get_logger("entraide.store")
        self._thread = threading.Thread(target=self._run_thread, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, step: WriteStep) -> asyncio.Future[Any]:
        """Queues a step; the future resolves with its result after the commit.

        Raises:
            RuntimeError: the store is closed, or its queue is full.
        """
        return self._enqueue(step, None, None)

    def submit_row(self, write: BatchWrite, row: Any) -> asyncio.Future[Any]:
        """Queues a row; the future resolves with the result for it after the commit.

        Args:
            write: writes rows and returns a result for each. Between two steps, all rows with
                the same function are passed to it in one call, in order. Different functions
                in one group must be independent of their order.
            row: the row to write.

        Raises:
            RuntimeError: the store is closed, or its queue is full.
        """
        return self._enqueue(None, write, row)

    def _enqueue(
        self, step: WriteStep | None, write: BatchWrite | None, row: Any
    ) -> asyncio.Future[Any]:
        if self._closed or self._queue.qsize() >= QUEUE_MAX:
            raise RuntimeError("the store takes no more writes")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._queue.put(WriteRequest(step, write, row, future, loop))
        return future

    @property
    def queued(self) -> int:
        """Number of writes that wait."""
        return self._queue.qsize()

    def close(self) -> None:
        """Commits the queued writes, then ends the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run_thread(self) -> None:
        with self._engine.connect() as connection:
            going = True
            while going:
                group, going = self._gather()
                if group:
                    self._commit(connection, group)

    def _gather(self) -> tuple[list[WriteRequest], bool]:
        group: list[WriteRequest] = []
        item = self._queue.get()
        if item is not None and item.step is None:
            time.sleep(GATHER_S)
        while item is not None:
            group.append(item)
            if len(group) >= GROUP_MAX:
                return group, True
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, True
        return group, False

    def _commit(self, connection: Connection, group: list[WriteRequest]) -> None:
        try:
            with self._commit_s.time(), connection.begin():
                results = _run_group(connection, group)
        except Exception as problem:  # noqa: BLE001  (each error is passed to the caller's future)
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

    def _resolve(self, done: list[tuple[WriteRequest, Any]]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
        for request, result in done:
            by_loop.setdefault(request.loop, []).append((request.future, result))
        for loop, results in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve_futures, results)


def _run_group(connection: Connection, group: list[WriteRequest]) -> list[Any]:
    """Runs a group's steps in order, and rows between steps in batches; returns the results."""
    results: list[Any] = [None] * len(group)
    gathered: dict[BatchWrite, list[int]] = {}

    def write_gathered() -> None:
        for write, places in gathered.items():
            written = write(connection, [group[place].row for place in places])
            for place, result in zip(places, written, strict=True):
                results[place] = result
        gathered.clear()

    for place, request in enumerate(group):
        if request.write is not None:
            gathered.setdefault(request.write, []).append(place)
        elif request.step is not None:
            write_gathered()
            results[place] = request.step(connection)
    write_gathered()
    return results


def _resolve_futures(results: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, result in results:
        if future.cancelled():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

"""Writer: one thread with the only writing connection, and group commit.

Writes that are queued while a commit waits for the disk form the next group and are committed
together (DeWitt et al. 1984). The order of writes is kept. If a write fails, its group is rolled
back, and each write is repeated in a transaction of its own.

Rows with the same write function in a group are written by one call, because a statement costs far
more than a row. The thread sleeps ``GATHER_S`` before it collects rows: without that pause it would
compete with the event loop for each row (measured: 2 ms more to the first token).

If the disk is full, new work is refused and what can be spared is dropped, both at once; the books
of accepted work wait for space, in their order.
"""

import asyncio
import collections
import queue
import threading
import time
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple

import structlog
from prometheus_client import Histogram
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from entraide_scheduler.store.space import StorageFull, StoreSpace, is_full

GROUP_MAX = 1_000
GATHER_S = 0.01
QUEUE_MAX = 200_000
RETRY_S = 0.5  # between attempts while the disk is full

WriteStep = Callable[[Connection], Any]
BatchWrite = Callable[[Connection, list[Any]], Sequence[Any]]


class WhenFull(Enum):
    """What becomes of a write that finds the disk full."""

    REFUSE = "refuse"  # new work: its future gets ``StorageFull``
    DROP = "drop"  # can be spared: its future gets None
    WAIT = "wait"  # the books of accepted work


class WriteRequest(NamedTuple):
    """A queued write: a step, or a row with its batch function; and the future of its result."""

    step: WriteStep | None
    write: BatchWrite | None
    row: Any
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    when_full: WhenFull


class GroupCommitWriter:
    """Writes for a store; ``submit`` may be called from the event loop only."""

    def __init__(self, engine: Engine, commit_s: Histogram, space: StoreSpace) -> None:
        """Starts the thread.

        Args:
            engine: of the one writing connection.
            commit_s: records how long each group takes to be durable.
            space: is told whether the disk is full.
        """
        self._engine = engine
        self._space = space
        self._waiting: collections.deque[WriteRequest | None] = collections.deque()
        self._closing = threading.Event()
        self._commit_s = commit_s
        self._queue: queue.SimpleQueue[WriteRequest | None] = queue.SimpleQueue()
        self._closed = False
        self._log = structlog.get_logger("entraide.store")
        self._thread = threading.Thread(target=self._run_thread, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, step: WriteStep, when_full: WhenFull = WhenFull.REFUSE) -> asyncio.Future[Any]:
        """Queues a step; the future resolves with its result after the commit.

        Raises:
            RuntimeError: the store is closed, or its queue is full.
        """
        return self._enqueue(step, None, None, when_full)

    def submit_row(
        self, write: BatchWrite, row: Any, when_full: WhenFull = WhenFull.WAIT
    ) -> asyncio.Future[Any]:
        """Queues a row; the future resolves with the result for it after the commit.

        Args:
            write: writes rows and returns a result for each. Between two steps, all rows with
                the same function are passed to it in one call, in order. Different functions
                in one group must be independent of their order.
            row: the row to write.
            when_full: what becomes of it if the disk is full.

        Raises:
            RuntimeError: the store is closed, or its queue is full.
        """
        return self._enqueue(None, write, row, when_full)

    def _enqueue(
        self, step: WriteStep | None, write: BatchWrite | None, row: Any, when_full: WhenFull
    ) -> asyncio.Future[Any]:
        if self._closed or self._queue.qsize() >= QUEUE_MAX:
            raise RuntimeError("the store takes no more writes")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._queue.put(WriteRequest(step, write, row, future, loop, when_full))
        return future

    @property
    def queued(self) -> int:
        """Number of writes that wait."""
        return self._queue.qsize()

    def close(self) -> None:
        """Commits the queued writes, or gives them up if the disk is full; ends the thread."""
        if not self._closed:
            self._closed = True
            self._closing.set()
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
        item = self._waiting.popleft() if self._waiting else self._queue.get()
        if item is not None and item.step is None:
            time.sleep(GATHER_S)
        while item is not None:
            group.append(item)
            if len(group) >= GROUP_MAX:
                return group, True
            try:
                item = self._waiting.popleft() if self._waiting else self._queue.get_nowait()
            except queue.Empty:
                return group, True
        return group, False

    def _commit(self, connection: Connection, group: list[WriteRequest]) -> None:
        while group:
            try:
                with self._commit_s.time(), connection.begin():
                    results = _run_group(connection, group)
            except Exception as problem:  # noqa: BLE001  (each is passed to the caller's future)
                if isinstance(problem, SQLAlchemyError) and connection.invalidated:
                    connection.rollback()
                if is_full(problem):
                    group = self._wait_for_space(group)
                    continue
                self._commit_singly(connection, group, problem)
                return
            self._space.note_room()
            self._resolve(list(zip(group, results, strict=True)))
            return

    def _commit_singly(
        self, connection: Connection, group: list[WriteRequest], problem: Exception
    ) -> None:
        if len(group) == 1:
            self._log.error("store.write_failed", problem=repr(problem))
            self._resolve([(group[0], problem)])
            return
        for item in group:
            self._commit(connection, [item])

    def _wait_for_space(self, group: list[WriteRequest]) -> list[WriteRequest]:
        """Refuses the new work of a group that found the disk full; returns what to try again.

        Without new work in it, the next attempt comes after ``RETRY_S``.
        """
        if not self._space.is_full:
            self._log.error("store.full")
        self._space.note_full()
        books = self._refuse(group)
        if len(books) < len(group):
            return books
        if self._closing.wait(RETRY_S):
            self._log.critical("store.given_up", writes=len(group))
            self._resolve([(item, StorageFull()) for item in group])
            return []
        self._refuse_queued()
        return books

    def _refuse(self, group: Sequence[WriteRequest]) -> list[WriteRequest]:
        """Ends the writes that do not wait for space; returns those that do."""
        ends: dict[WhenFull, Any] = {WhenFull.REFUSE: StorageFull(), WhenFull.DROP: None}
        ended = [(item, ends[item.when_full]) for item in group if item.when_full in ends]
        self._resolve(ended)
        return [item for item in group if item.when_full not in ends]

    def _refuse_queued(self) -> None:
        """Does the same with the writes that were queued meanwhile."""
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return
            self._waiting.extend(self._refuse([item]) if item is not None else [None])

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

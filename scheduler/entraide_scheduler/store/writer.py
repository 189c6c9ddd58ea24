"""Writer: one thread with the only writing connection, and group commit.

Writes that are queued while a commit waits for the disk form the next group and are committed
together (DeWitt et al. 1984). The order of writes is kept. If a write fails, its group is rolled
back, and each write is repeated in a transaction of its own: one that fails again fails alone. If
it is of the books (a row that waits for space), the writer halts: all writes behind it fail, so
that none is committed whose past is missing.

Rows with the same write function in a group are written by one call, because a statement costs far
more than a row. The thread sleeps ``GATHER_S`` before it collects rows: without that pause it would
compete with the event loop for each row (measured: 2 ms more to the first token).

If the disk is full or the database does not answer, new work is refused and what can be spared is
dropped, both at once; the books of accepted work wait, in their order. If the connection breaks
during a commit, the number of the term's last group (``leader``) tells whether it was committed.

A writer with a term confirms it in each transaction, before the writes.
"""

import asyncio
import collections
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple

import structlog
from prometheus_client import Histogram
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from entraide.errors import PoolError
from entraide_scheduler.store.leader import Term, TermLost
from entraide_scheduler.store.outage import StoreAway, StoreHalted, StoreOutage, is_repeatable
from entraide_scheduler.store.space import StorageFull, StoreSpace, is_full

GROUP_MAX = 1_000
GATHER_S = 0.01
QUEUE_MAX = 200_000
RETRY_S = 0.5  # between attempts while the disk is full or the database is away

WriteStep = Callable[[Connection], Any]
BatchWrite = Callable[[Connection, list[Any]], Sequence[Any]]


class WhenFull(Enum):
    """What becomes of a write that finds the disk full, or the database away."""

    REFUSE = "refuse"  # new work: its future gets ``StorageFull`` or ``StoreAway``
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

    @property
    def is_books(self) -> bool:
        """Whether it is of the books: a row without which nothing later may be committed."""
        return self.write is not None and self.when_full is WhenFull.WAIT


class GroupCommitWriter:
    """Writes for a store; ``submit`` may be called from the event loop only."""

    def __init__(
        self, engine: Engine, commit_s: Histogram, space: StoreSpace, outage: StoreOutage
    ) -> None:
        """Starts the thread.

        Args:
            engine: of the one writing connection.
            commit_s: records how long each group takes to be durable.
            space: is told whether the disk is full.
            outage: is told whether the database answers.
        """
        self._engine = engine
        self._space = space
        self._outage = outage
        self._connection: Connection | None = None
        self._term: Term | None = None
        self._failure: Exception | None = None
        self._waiting: collections.deque[WriteRequest | None] = collections.deque()
        self._closing = threading.Event()
        self._commit_s = commit_s
        self._queue: queue.SimpleQueue[WriteRequest | None] = queue.SimpleQueue()
        self._closed = False
        self._log = structlog.get_logger("entraide.store")
        self._thread = threading.Thread(target=self._run_thread, name="store-writer", daemon=True)
        self._thread.start()

    def hold_term(self, term: Term) -> None:
        """Confirms a term in each transaction from now on."""
        self._term = term

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
        going = True
        while going:
            group, going = self._gather()
            self._commit(group)
        self._disconnect()

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

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _disconnect(self) -> None:
        """Gives the connection up; a broken one is not used again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                connection.invalidate()
            connection.close()

    def _commit(self, group: list[WriteRequest]) -> None:
        while group:
            if self._failure is not None:
                self._fail_after(group, self._failure)
                return
            results: list[Any] | None = None
            try:
                with self._commit_s.time(), self._begin() as connection:
                    if self._term is not None:
                        self._term.confirm(connection)
                    results = _run_group(connection, group)
            except Exception as problem:  # noqa: BLE001  (each is passed to the caller's future)
                if is_full(problem):
                    group = self._wait_for_space(group)
                elif is_repeatable(problem):
                    group = self._wait_for_database(group, results)
                elif isinstance(problem, TermLost):
                    self._halt(problem)
                else:
                    self._commit_singly(group, problem)
                    return
            else:
                assert results is not None
                self._finish(group, results)
                return

    @contextlib.contextmanager
    def _begin(self) -> Iterator[Connection]:
        """A transaction, after which the connection can be used again."""
        try:
            connection = self._connect()
            with connection.begin():
                yield connection
        except Exception as problem:
            if is_repeatable(problem) or (self._connection and self._connection.invalidated):
                self._disconnect()
            raise

    def _finish(self, group: list[WriteRequest], results: list[Any]) -> None:
        if self._term is not None:
            self._term.note_committed()
        self._space.full.end()
        self._outage.end()
        self._resolve(list(zip(group, results, strict=True)))

    def _commit_singly(self, group: list[WriteRequest], problem: Exception) -> None:
        if len(group) > 1:
            for item in group:
                self._commit([item])
        elif group[0].is_books:
            self._halt(problem)
            self._fail_after(group, problem)
        else:
            self._log.error("store.write_failed", problem=repr(problem))
            self._resolve([(group[0], problem)])

    def _halt(self, problem: Exception) -> None:
        self._log.critical("store.halted", problem=repr(problem))
        self._failure = problem

    def _fail_after(self, group: list[WriteRequest], problem: Exception) -> None:
        """Fails writes behind a failed one: those of the books with its problem."""
        self._resolve([(item, problem if item.is_books else StoreHalted()) for item in group])

    def _wait_for_space(self, group: list[WriteRequest]) -> list[WriteRequest]:
        """Refuses the new work of a group that found the disk full; returns what to try again.

        Without new work in it, the next attempt comes after ``RETRY_S``.
        """
        if not self._space.full.is_present:
            self._log.error("store.full")
        self._space.full.note()
        return self._refuse_and_wait(group, StorageFull())

    def _wait_for_database(
        self, group: list[WriteRequest], results: list[Any] | None
    ) -> list[WriteRequest]:
        """Does the same with a group that the database did not take.

        Args:
            group: the writes.
            results: their results if the commit itself has failed: they may be on disk.
        """
        if not self._outage.is_present:
            self._log.error("store.away")
        self._outage.note()
        if results is not None and self._term is not None:
            return self._find_outcome(self._term, group, results)
        return self._refuse_and_wait(group, StoreAway())

    def _find_outcome(
        self, term: Term, group: list[WriteRequest], results: list[Any]
    ) -> list[WriteRequest]:
        """Asks the database, once it answers, whether it has committed a group."""
        while True:
            try:
                with self._begin() as connection:
                    is_committed = term.has_committed(connection)
            except Exception as problem:  # noqa: BLE001  (as in ``_commit``)
                if not is_repeatable(problem):
                    self._halt(problem)
                    return group
                self._outage.note()
                if not self._pause(group, StoreAway()):
                    return []
            else:
                self._log.warning("store.outcome", is_committed=is_committed)
                if not is_committed:
                    return group
                self._finish(group, results)
                return []

    def _refuse_and_wait(self, group: list[WriteRequest], error: PoolError) -> list[WriteRequest]:
        """Refuses new work; returns what to try again, after ``RETRY_S`` if nothing was refused."""
        books = self._refuse(group, error)
        if len(books) < len(group) or self._pause(books, error):
            return books
        return []

    def _pause(self, group: list[WriteRequest], error: PoolError) -> bool:
        """Waits for ``RETRY_S``; gives a group up and returns False if the writer is closed."""
        if self._closing.wait(RETRY_S):
            self._log.critical("store.given_up", writes=len(group))
            self._resolve([(item, error) for item in group])
            return False
        self._refuse_queued(error)
        return True

    def _refuse(self, group: Sequence[WriteRequest], error: PoolError) -> list[WriteRequest]:
        """Ends the writes that do not wait; returns those that do."""
        ends: dict[WhenFull, Any] = {WhenFull.REFUSE: error, WhenFull.DROP: None}
        ended = [(item, ends[item.when_full]) for item in group if item.when_full in ends]
        self._resolve(ended)
        return [item for item in group if item.when_full not in ends]

    def _refuse_queued(self, error: PoolError) -> None:
        """Does the same with the writes that were queued meanwhile."""
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return
            self._waiting.extend(self._refuse([item], error) if item is not None else [None])

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

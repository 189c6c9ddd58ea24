"""Store: the asynchronous interface of the database for the scheduler and its gateways.

Writes are queued in order and return a future that resolves after the commit; callers await it only
if their next step requires durability. Reads run in other threads and see committed data.
"""

import asyncio
from asyncio import Future
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from entraide_scheduler.core.policy import Policy
from entraide_scheduler.store import (
    answered,
    breakdown,
    grid_zones,
    journal,
    kept_jobs,
    members,
    policies,
    settlements,
    statements,
    usage,
)
from entraide_scheduler.store.answered import AnsweredRun
from entraide_scheduler.store.breakdown import BreakdownRow, MachineTotals
from entraide_scheduler.store.closed_files import ClosedFiles
from entraide_scheduler.store.database import (
    READERS_MAX,
    database_url,
    make_engines,
    truncate_log,
    unreachable_error,
    upgrade,
)
from entraide_scheduler.store.journal import NO_RETENTION, JournalExtent, JournalRow, Retention
from entraide_scheduler.store.leader import LeaderRow, Term, read_steady, release_term, take_term
from entraide_scheduler.store.metrics import StoreMetrics
from entraide_scheduler.store.outage import StoreAway, StoreOutage, is_away
from entraide_scheduler.store.rows import (
    CorrectionRow,
    GridZoneRow,
    JoinTokenRow,
    KeptJobRow,
    KeyRow,
    NodeRow,
    PolicyRow,
    SettlementRow,
    TokenRefusal,
)
from entraide_scheduler.store.settlements import SettledReceipt
from entraide_scheduler.store.space import StorageFull, StoreSpace
from entraide_scheduler.store.statements import StatementTotals
from entraide_scheduler.store.usage import UsageRow
from entraide_scheduler.store.writer import GroupCommitWriter, WhenFull

T = TypeVar("T")

OVERWRITE_TRIES, OVERWRITE_PAUSE_S = 8, 0.25  # to overwrite the log while others read


class Store:
    """The pool's store; create it with ``Store.open`` in a running event loop.

    Attributes:
        metrics: how long its reads and writes take.
        space: whether the disk takes new work.
        outage: whether the database answers.
        closed: reads the files of closed months, where they are; None before it is set.
    """

    def __init__(
        self,
        writing: Engine,
        reading: Engine,
        *,
        before_results: Callable[[], None],
        check_new: Callable[[], None],
    ) -> None:
        self._writing = writing
        self._reading = reading
        self._readers = ThreadPoolExecutor(READERS_MAX, thread_name_prefix="store-reader")
        self.metrics = StoreMetrics(lambda: self._writer.queued)
        self.space = StoreSpace(writing.url)
        self.closed: ClosedFiles | None = None
        self.outage = StoreOutage()
        self._writer = GroupCommitWriter(writing, self.metrics.commit_s, self.space, self.outage)
        self._overwriting = asyncio.Lock()
        self._before_results = before_results
        self._check_new = check_new

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        before_results: Callable[[], None] = lambda: None,
        check_new: Callable[[], None] = lambda: None,
    ) -> Self:
        """Opens a store and migrates it to this version's schema.

        Args:
            url: address of the database.
            before_results: passes on the journal's queued events, which come before a result.
            check_new: raises the error with which new kept work and new nodes are refused now, if
                they are.

        Raises:
            PoolError: ``store_url_refused``, ``store_unreachable``, ``store_too_new`` or
                ``store_unreleased``.
        """
        writing, reading = make_engines(database_url(url))
        with ExitStack() as on_error:
            on_error.callback(writing.dispose)
            try:
                await asyncio.to_thread(upgrade, writing)
            except OperationalError as problem:
                raise unreachable_error(writing, problem) from problem
            on_error.pop_all()
        return cls(writing, reading, before_results=before_results, check_new=check_new)

    async def close(self) -> None:
        """Commits the queued writes, waits for the reads under way, closes every connection.

        A read goes on when nobody waits for it any more, and needs its connection until it ends.
        """
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._readers.shutdown, cancel_futures=True)
        self._writing.dispose()
        self._reading.dispose()

    def committed(self) -> Future[None]:
        """Returns a future that resolves when all earlier writes are committed."""
        return self._writer.submit_row(settlements.write_nothing, None)

    async def take_term(
        self, leader: str, *, least: int = 0, stale: LeaderRow | None = None
    ) -> Term | LeaderRow:
        """Takes the next term, which each later write confirms; see ``leader.take_term``.

        Returns:
            The row if another leader's term is not over.
        """
        began_at = read_steady()
        row = await self.write(lambda c: take_term(c, leader, least=least, stale=stale))
        if row.leader != leader:
            return row
        term = Term(row, began_at=began_at)
        self._writer.hold_term(term)
        return term

    def release_term(self) -> Future[None]:
        """Ends the term, so that another scheduler need not wait."""
        return self.write(release_term, WhenFull.DROP)

    async def read(self, question: Callable[[Connection], T]) -> T:
        """Runs a query of this package in another thread; it sees committed data.

        Raises:
            StoreAway: the database does not answer, or did not just now.
        """
        self.outage.check()

        def ask() -> T:
            try:
                with self._reading.connect() as connection:
                    answer = question(connection)
            except SQLAlchemyError as problem:
                if not is_away(problem):
                    raise
                self.outage.note()
                raise StoreAway from problem
            return answer

        with self.metrics.read_s.time():
            return await asyncio.get_running_loop().run_in_executor(self._readers, ask)

    def write(
        self, step: Callable[[Connection], T], when_full: WhenFull = WhenFull.REFUSE
    ) -> Future[T]:
        """Queues a write of this package, in order; resolves to its result after the commit.

        If the disk is full it gets ``StorageFull``, and ``StoreAway`` if the database does not
        answer, unless it waits.
        """
        return self._writer.submit(step, when_full)

    async def overwrite_log(self) -> bool:
        """Overwrites SQLite's log, which holds earlier pages, so that what was erased is gone.

        Returns:
            False if a long read, a backup for instance, kept the log in use.
        """
        async with self._overwriting:
            for _ in range(OVERWRITE_TRIES):
                if await asyncio.to_thread(truncate_log, self._writing):
                    return True
                await asyncio.sleep(OVERWRITE_PAUSE_S)
        return False

    def write_new(self, step: Callable[[Connection], T]) -> Future[T]:
        """Queues a write of new kept work.

        Raises:
            StorageFull: the disk takes no new kept work.
            StoreAway: the database does not answer.
            EntraideError: ``check_new`` refuses it.
        """
        self._check_new()
        self.outage.check()
        if not self.space.takes_kept_work():
            raise StorageFull
        return self._writer.submit(self._checked(step))

    def _checked(self, step: Callable[[Connection], T]) -> Callable[[Connection], T]:
        """Returns a step that asks ``check_new`` again, in its transaction."""

        def checked(connection: Connection) -> T:
            self._check_new()
            return step(connection)

        return checked

    # Members: keys, policies, nodes, join tokens.

    async def find_key(self, digest: str) -> KeyRow | None:
        """Returns the key whose secret has this SHA-256 (hexadecimal), even if revoked."""
        return await self.read(lambda c: members.find_key(c, digest))

    async def list_keys(self, coop: str | None = None) -> tuple[KeyRow, ...]:
        """Returns the keys of a co-op, or all."""
        return await self.read(lambda c: members.list_keys(c, coop))

    def create_key(self, row: KeyRow, digest: str) -> Future[None]:
        """Adds a key by the SHA-256 of its secret."""
        return self._writer.submit(lambda c: members.create_key(c, row, digest))

    def revoke_key(self, key: str) -> Future[KeyRow | None]:
        """Revokes a key; resolves to None if there is none."""
        return self._writer.submit(lambda c: members.revoke_key(c, key))

    async def get_policy(self, version: str = "") -> Policy | None:
        """Returns a version of the policy, or the one in force; None if there is none."""
        if not version:
            return await self.read(policies.get_newest)
        return await self.read(lambda c: policies.get_version(c, version))

    async def get_coop_names(self) -> dict[str, str]:
        """Returns the names of the co-ops that have one, by identifier."""
        return await self.read(policies.get_coop_names)

    async def list_policies(self) -> tuple[PolicyRow, ...]:
        """Returns all versions of the policy, newest first."""
        return await self.read(policies.list_versions)

    def put_policy(self, policy: Policy, row: PolicyRow) -> Future[None]:
        """Adds a version of the policy that is in force from now on."""
        return self._writer.submit(lambda c: policies.put_version(c, policy, row))

    def withdraw_policy(self, version: str) -> Future[None]:
        """Deletes a version that could not come into force."""
        return self._writer.submit(lambda c: policies.withdraw_version(c, version))

    async def list_nodes(self) -> tuple[NodeRow, ...]:
        """Returns the record of every node."""
        return await self.read(members.list_nodes)

    def put_node(self, row: NodeRow) -> Future[None]:
        """Adds a node, or replaces its record."""
        return self._writer.submit(lambda c: members.put_node(c, row))

    def put_token(self, digest: str, row: JoinTokenRow) -> Future[None]:
        """Adds a join token by its SHA-256."""
        return self._writer.submit(lambda c: members.put_token(c, digest, row))

    async def find_token(
        self, digest: str, public_key: str, now: float
    ) -> JoinTokenRow | TokenRefusal:
        """Returns a token that a node's public key may show now, or why it may not."""
        return await self.read(lambda c: members.find_token(c, digest, public_key, now))

    def enrol_node(
        self, digest: str, row: NodeRow, now: float
    ) -> Future[JoinTokenRow | TokenRefusal]:
        """Uses a token up and puts a node's record, or neither; resolves as ``find_token``.

        Raises:
            EntraideError: ``check_new`` refuses it.
        """
        self._check_new()
        return self._writer.submit(self._checked(lambda c: members.enrol_node(c, digest, row, now)))

    def delete_tokens(self, coop: str) -> Future[None]:
        """Deletes the join tokens of a co-op."""
        return self._writer.submit(lambda c: members.delete_tokens(c, coop))

    async def list_grid_zones(self) -> tuple[GridZoneRow, ...]:
        """Returns what the operator imported and chose for each zone."""
        return await self.read(grid_zones.list_zones)

    def put_grid_zone(self, row: GridZoneRow) -> Future[None]:
        """Adds a zone, or replaces its record."""
        return self._writer.submit(lambda c: grid_zones.put_zone(c, row))

    # Kept jobs.

    def put_kept(self, row: KeptJobRow) -> Future[str]:
        """Stores a job; resolves to its id, or to that of the job with its idempotency key.

        Raises:
            EntraideError: as ``write_new``.
        """
        return self.write_new(lambda c: kept_jobs.put_job(c, row))

    async def get_kept(self, job: str) -> KeptJobRow | None:
        """Returns one kept job."""
        return await self.read(lambda c: kept_jobs.get_job(c, job))

    async def list_kept(
        self, coop: str, limit: int, senders: Sequence[str] = ()
    ) -> tuple[KeptJobRow, ...]:
        """Returns the kept jobs of a co-op's keys, or of a person, newest first."""
        return await self.read(lambda c: kept_jobs.list_of_coop(c, coop, limit, senders))

    async def list_pending_kept(self) -> tuple[KeptJobRow, ...]:
        """Returns the kept jobs that have not ended, oldest first."""
        return await self.read(kept_jobs.list_pending)

    async def list_answered_kept(self) -> tuple[str, ...]:
        """Returns the kept jobs that have an answer and no settlement yet."""
        return await self.read(kept_jobs.list_answered)

    async def list_answered_runs(self) -> tuple[AnsweredRun, ...]:
        """Returns the runs of kept jobs whose answers are stored and not settled yet."""
        return await self.read(answered.list_runs)

    def delete_answered_runs(self, jobs: Sequence[str]) -> Future[None]:
        """Deletes answered runs that cannot be settled."""
        return self._writer.submit(lambda c: answered.delete_runs(c, jobs), WhenFull.DROP)

    def end_kept(
        self,
        job: str,
        *,
        state: str,
        code: str,
        sealed_result: bytes,
        receipt_json: bytes,
        ended_at: float,
        run: AnsweredRun | None = None,
    ) -> Future[bool]:
        """Ends a kept job; resolves to False if it had ended already.

        The events of the journal so far, its placement among them, are written before.
        """
        self._before_results()
        return self._writer.submit(
            lambda c: kept_jobs.end_job(
                c,
                job,
                state=state,
                code=code,
                sealed_result=sealed_result,
                receipt_json=receipt_json,
                ended_at=ended_at,
                run=run,
            ),
            WhenFull.WAIT,
        )

    def expire_kept(self, now: float) -> Future[int]:
        """Deletes ended jobs after their ``keep_s``; resolves to their number."""
        return self._writer.submit(lambda c: kept_jobs.expire_jobs(c, now), WhenFull.DROP)

    # Journal, settlements, explanations.

    def append_journal(self, events: Sequence[JournalRow]) -> Future[None]:
        """Adds events to the journal."""
        return self._writer.submit_row(journal.append_events, events)

    def put_snapshot(
        self, seq: int, state: bytes, *, at: float = 0.0, retention: Retention = NO_RETENTION
    ) -> Future[None]:
        """Adds a snapshot up to and including event ``seq``; deletes rows beyond the retention."""
        return self._writer.submit(
            lambda c: journal.put_snapshot(c, seq, state, at=at, retention=retention),
            WhenFull.DROP,
        )

    async def load_journal(self) -> tuple[tuple[int, bytes] | None, tuple[JournalRow, ...]]:
        """Returns the newest snapshot (number, state) or None, and the events after it in order."""
        return await self.read(journal.load_latest)

    async def get_journal_extent(self) -> JournalExtent:
        """Returns how much of the past the journal holds."""
        return await self.read(journal.read_extent)

    def write_settlement(self, row: SettlementRow) -> Future[bool]:
        """Writes the settlement of a job; resolves to False if it was written already."""
        return self._writer.submit_row(settlements.write_settlements, row)

    async def get_receipt(self, job: str) -> SettledReceipt | None:
        """Returns the settled receipt of a job with its sender, or None."""
        receipt = await self.read(lambda c: settlements.read_receipt(c, job))
        if receipt is None and self.closed is not None:
            receipt = await self.read(partial(self.closed.read_receipt, job=job))
        return receipt

    async def find_settled_key(self, coop: str, key: str, idempotency: str) -> tuple[str, str]:
        """Returns the job of a sender's key that is charged; see ``settlements.find_key``."""
        return await self.read(lambda c: settlements.find_key(c, coop, key, idempotency))

    async def count_settled(self) -> int:
        """Returns how many jobs are settled."""
        return await self.read(settlements.count_settled)

    async def get_balances(self) -> dict[str, dict[str, int]]:
        """Returns the balance of each account in each unit: the sum of its entries."""
        return await self.read(settlements.read_balances)

    async def get_breakdown(
        self, coop: str, *, start_at: float, end_at: float
    ) -> tuple[BreakdownRow, ...]:
        """Returns the jobs that a co-op sent or ran, by place, class, promise and basis."""
        return await self.read(
            lambda c: breakdown.read_breakdown(c, coop, start_at=start_at, end_at=end_at)
        )

    async def get_machine_totals(
        self, coop: str, *, start_at: float, end_at: float
    ) -> tuple[MachineTotals, ...]:
        """Returns what each machine of a co-op ran, for itself and for others."""
        return await self.read(
            lambda c: breakdown.read_machine_totals(c, coop, start_at=start_at, end_at=end_at)
        )

    def write_correction(self, row: CorrectionRow) -> Future[bool]:
        """Writes a correction of the ledger; resolves to False if it was written already."""
        return self._writer.submit_row(statements.write_corrections, row)

    async def is_corrected(self, correction: str) -> bool:
        """Returns whether a correction of this name was posted."""
        return await self.read(lambda c: statements.is_corrected(c, correction))

    async def get_statement(self, coop: str, *, start_at: float, end_at: float) -> StatementTotals:
        """Returns what a co-op gave and received in a period."""
        return await self.read(
            lambda c: statements.read_statement(c, coop, start_at=start_at, end_at=end_at)
        )

    async def get_usage(
        self, coop: str, *, days: Sequence[float], end_at: float
    ) -> tuple[UsageRow, ...]:
        """Returns the jobs that a co-op sent, by day, key, project, model and node."""
        return await self.read(lambda c: usage.read_usage(c, coop, days=days, end_at=end_at))

    async def get_lent(
        self, coop: str, *, days: Sequence[float], end_at: float, node: str = ""
    ) -> tuple[UsageRow, ...]:
        """Returns the jobs that a co-op's nodes, or one of them, ran; see ``read_lent``."""
        return await self.read(
            lambda c: usage.read_lent(c, coop, days=days, end_at=end_at, node=node)
        )

    def put_explanation(
        self, job: str, coop: str, document: bytes, *, at: float, key: str = ""
    ) -> Future[None]:
        """Stores the newest explanation of a job (``Explanation`` in MessagePack)."""
        row = settlements.ExplanationRow(job, coop, at, document, key)
        return self._writer.submit_row(settlements.put_explanations, row, WhenFull.DROP)

    async def get_explanation(self, job: str) -> settlements.ExplanationRow | None:
        """Returns the newest explanation of a job with its sender, or None."""
        return await self.read(lambda c: settlements.read_explanation(c, job))

    def expire_explanations(self, now: float) -> Future[int]:
        """Deletes explanations beyond their retention; resolves to their number."""
        step = partial(settlements.expire_explanations, now=now)
        return self._writer.submit(step, WhenFull.DROP)

"""The journal as a recording: retention, export, and exact replay."""

import gzip
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.core.builders import card, facts, usage
from tests.scheduler.driver_support import POLICY, SentMessages, store_url

from entraide.errors import PoolError
from entraide.types import Outcome
from entraide.wire import messages as m
from entraide_scheduler.core import events as e
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.recording import (
    RecordedEvent,
    RecordingHead,
    RecordingTail,
    event_of,
    next_digest,
    read_parts,
)
from entraide_scheduler.driver import Clock, LiveDriver, recover, write_recording
from entraide_scheduler.store.journal import Retention, SnapshotKey, select_retained
from entraide_scheduler.store.store import Store

KEEP = Retention(keep_s=86_400.0, events_max=1_000_000)


def read(file: Path) -> list[RecordingHead | RecordedEvent | RecordingTail]:
    """Returns the parts of a recording."""
    return list(read_parts([gzip.decompress(file.read_bytes())]))


def replayed(recording: Sequence[Any]) -> list[bool]:
    """Replays a recording; returns, for each line, whether its digest is as recorded."""
    head = recording[0]
    core, digest = Core.restore(head.core), head.digest
    alike = []
    for line in recording[1:-1]:
        digest = next_digest(digest, line.event, core.handle(event_of(line)))
        alike.append(digest == line.digest)
    return alike


async def record_jobs(
    folder: Path, keep: Retention = KEEP
) -> tuple[LiveDriver, Store, SentMessages]:
    """Returns a driver that records, started on what its store holds."""
    store, sent = await Store.open(store_url(folder)), SentMessages()
    recovered = await recover(store)
    driver = LiveDriver(
        recovered, store=store, clock=Clock(last=recovered.at), outbound=sent, retention=keep
    )
    await driver.start("gw")
    driver.feed(e.PolicyChanged(*e.UNNUMBERED, policy=POLICY))
    driver.feed(e.NodeJoined(*e.UNNUMBERED, card=card("n1", "beta"), accepting=True, reason=""))
    return driver, store, sent


def one_job(driver: LiveDriver, sent: SentMessages, name: str) -> None:
    """Lets a job go from its request to its report."""
    driver.feed(e.JobRequested(*e.UNNUMBERED, facts=facts(name)))
    run = sent.last(m.JobPlaced)
    assert isinstance(run, m.JobPlaced)
    driver.feed(e.RunAccepted(*e.UNNUMBERED, job=name, epoch=run.epoch, node=run.node))
    values = {"outcome": Outcome.COMPLETED, "code": "", "delivered": True, "usage": usage()}
    driver.feed(e.RunReported(*e.UNNUMBERED, job=name, epoch=run.epoch, node=run.node, **values))


async def test_exported_journal_replays_exactly_over_snapshots_and_restarts(tmp_path: Path) -> None:
    """What two starts, a crash among them, have decided comes out byte for byte."""
    driver, store, sent = await record_jobs(tmp_path)
    one_job(driver, sent, "job-1")
    await driver.write_snapshot()
    one_job(driver, sent, "job-2")
    await driver.committed()
    driver._cancel_timer()  # a crash: no last snapshot
    await store.close()
    driver, store, sent = await record_jobs(tmp_path)
    one_job(driver, sent, "job-3")
    await driver.stop()
    done = write_recording(store_url(tmp_path), tmp_path / "pool.journal")
    await store.close()
    recording = read(tmp_path / "pool.journal")
    asked = [
        event.facts.job
        for line in recording
        if isinstance(line, RecordedEvent) and isinstance(event := event_of(line), e.JobRequested)
    ]

    assert ["job-1", "job-2", "job-3"] == asked
    assert [True] * done.events == replayed(recording)


async def test_altered_event_breaks_the_chain_from_there_on(tmp_path: Path) -> None:
    """Whoever changes one event, and makes the seal anew, is still found at that event."""
    driver, store, sent = await record_jobs(tmp_path)
    one_job(driver, sent, "job-1")
    await driver.stop()
    write_recording(store_url(tmp_path), tmp_path / "pool.journal")
    await store.close()
    recording = read(tmp_path / "pool.journal")
    where = 1 + next(
        number
        for number, line in enumerate(recording[1:-1])
        if isinstance(event_of(line), e.RunReported)  # type: ignore[arg-type]
    )
    line = recording[where]
    assert isinstance(line, RecordedEvent)
    recording[where] = RecordedEvent(line.event.replace(b"n1", b"n2"), line.digest)
    alike = replayed(recording)

    assert where - 1 == alike.index(False)


async def test_export_of_a_running_pool_takes_what_is_committed(tmp_path: Path) -> None:
    """An export beside a running driver changes nothing, is whole, and begins with the pool."""
    begun_at = Clock(last=0.0)()
    driver, store, sent = await record_jobs(tmp_path)
    one_job(driver, sent, "job-1")
    await driver.committed()
    before = await store.load_journal()
    done = write_recording(store_url(tmp_path), tmp_path / "pool.journal")
    after = await store.load_journal()
    await driver.stop()
    await store.close()

    assert before == after
    assert begun_at <= done.start_at <= driver.now()
    assert [True] * done.events == replayed(read(tmp_path / "pool.journal"))


@pytest.mark.parametrize("keep", [Retention(), KEEP])
async def test_nothing_to_export_is_one_error(tmp_path: Path, keep: Retention) -> None:
    """A store that is not there, or that keeps nothing of the past, has no journal to export."""
    if keep is not KEEP:
        driver, store, sent = await record_jobs(tmp_path, keep)
        one_job(driver, sent, "job-1")
        await driver.committed()
        driver._cancel_timer()
        await store.close()
    with pytest.raises(PoolError) as refused:
        write_recording(store_url(tmp_path), tmp_path / "pool.journal")

    assert "journal_absent" == refused.value.code
    assert not (tmp_path / "pool.journal").exists()


HOURS = [SnapshotKey(number * 10, number * 1_800.0) for number in range(9)]  # one each half-hour


@pytest.mark.parametrize(
    ("keep", "stay"),
    [
        (Retention(), [80]),
        (Retention(2 * 3_600.0, 1_000), [40, 60, 80]),
        (Retention(2 * 3_600.0 - 1, 1_000), [40, 60, 80]),
        (Retention(100 * 3_600.0, 1_000), [0, 20, 40, 60, 80]),
        (Retention(100 * 3_600.0, 35), [50, 70, 80]),
    ],
    ids=["only the newest", "two hours", "from the one before the edge", "all", "few events"],
)
def test_snapshots_that_stay(keep: Retention, stay: list[int]) -> None:
    """The newest stays, and older ones an hour apart, back to the edge of what is kept."""
    assert stay == [row.seq for row in select_retained(HOURS, keep, now=HOURS[-1].at)]


def test_older_snapshots_are_a_day_apart() -> None:
    """A month of hourly snapshots keeps three days of them, and one for each earlier day."""
    hourly = [SnapshotKey(hour, hour * 3_600.0) for hour in range(35 * 24 + 1)]
    kept = select_retained(hourly, Retention(35 * 86_400.0, 5_000_000), now=hourly[-1].at)
    apart_h = [int(later.at - row.at) // 3_600 for row, later in pairwise(kept)]

    assert [24] * 32 + [1] * 72 == apart_h


async def test_events_before_the_oldest_snapshot_are_forgotten(tmp_path: Path) -> None:
    """Events older than what is kept leave the journal with the snapshot that they follow."""
    driver, store, sent = await record_jobs(tmp_path, Retention(86_400.0, 0))
    one_job(driver, sent, "job-1")
    await driver.stop()
    done = write_recording(store_url(tmp_path), tmp_path / "pool.journal")
    await store.close()
    with closing(sqlite3.connect(tmp_path / "store.db")) as stored:
        (rows,) = stored.execute("select count(*) from journal").fetchone()

    assert (0, 0) == (done.events, rows)

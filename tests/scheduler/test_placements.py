"""Placements that go to gateways in other processes wait for the disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.core.builders import card, facts
from tests.scheduler.driver_support import SentMessages, running_driver
from tests.waiting import eventually

from entraide.wire import messages as m
from entraide_scheduler.core import events as e
from entraide_scheduler.driver import LiveDriver, placements


@contextmanager
def held_store(folder: Path) -> Iterator[None]:
    """Keeps a folder's store from being written, as a full disk does."""
    with closing(sqlite3.connect(folder / "store.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


def request_job(driver: LiveDriver) -> None:
    """Has a job placed on a new node."""
    driver.feed(e.NodeJoined(*e.UNNUMBERED, card=card("n1", "beta"), accepting=True, reason=""))
    driver.feed(e.JobRequested(*e.UNNUMBERED, facts=facts("job-1")))


def kinds(sent: SentMessages) -> list[type]:
    """The kinds of messages that gateways got about jobs, in order."""
    return [type(message) for _, message in sent.gateways]


async def test_placement_is_on_disk_before_another_process_gets_it(tmp_path: Path) -> None:
    """A scheduler that dies afterwards knows of each run that a gateway has sent to a node."""
    async with running_driver(tmp_path, elsewhere=True) as (driver, _, sent):
        await driver.committed()
        with held_store(tmp_path):
            request_job(driver)
            await eventually(lambda: driver.core.job("job-1"))
            before = kinds(sent)
        await eventually(lambda: sent.gateways)
        with closing(sqlite3.connect(tmp_path / "store.db")) as books:
            (last,) = books.execute("SELECT max(seq) FROM journal").fetchone()

        assert [] == before
        assert [m.JobPlaced] == kinds(sent)
        assert driver.event_id == last


async def test_gateway_in_this_process_gets_placements_at_once(tmp_path: Path) -> None:
    """It is lost with the scheduler, and need not wait."""
    async with running_driver(tmp_path) as (driver, _, sent):
        request_job(driver)

        assert [m.JobPlaced] == kinds(sent)


async def test_job_that_ends_before_its_placement_is_written_is_never_sent(tmp_path: Path) -> None:
    """Its gateway hears of the end only, and its node's slot is free again at once."""
    async with running_driver(tmp_path, elsewhere=True) as (driver, _, sent):
        request_job(driver)
        driver.feed(e.JobCancelled(*e.UNNUMBERED, job="job-1", reason="client_gone"))
        left = driver.core.count_leases()
        await driver.committed()
        driver.feed(e.JobRequested(*e.UNNUMBERED, facts=facts("job-2")))
        await eventually(lambda: m.JobPlaced in kinds(sent))

        assert [m.JobEnded, m.JobPlaced] == kinds(sent)
        assert ["job-1", "job-2"] == [getattr(message, "job", "") for _, message in sent.gateways]
        assert 0 == left


async def test_placement_does_not_wait_for_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its offer would expire, and a node that works would be blamed."""
    monkeypatch.setattr(placements, "WAIT_MAX_S", 0.05)
    async with running_driver(tmp_path, elsewhere=True) as (driver, _, sent):
        await driver.committed()
        with held_store(tmp_path):
            request_job(driver)
            await eventually(lambda: m.JobPlaced in kinds(sent))
        await driver.committed()

        assert [m.JobPlaced] == kinds(sent)

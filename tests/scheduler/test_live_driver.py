"""The live driver: durability, time, and recovery after a restart."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from sqlalchemy.exc import IntegrityError
from tests.core.builders import card, facts, usage
from tests.scheduler.driver_support import (
    POLICY,
    SentMessages,
    block_process,
    recovered_driver,
    running_driver,
    store_url,
)
from tests.waiting import eventually

from entraide.errors import PoolError
from entraide.types import JobKind, JobState, Outcome
from entraide.wire import messages as m
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Period
from entraide_scheduler.driver import LiveDriver, recover
from entraide_scheduler.store.journal import JournalRow
from entraide_scheduler.store.store import Store


def join(driver: LiveDriver, node: str = "n1", coop: str = "beta") -> None:
    driver.feed(e.NodeJoined(*e.UNNUMBERED, card=card(node, coop), accepting=True, reason=""))


def placed(sent: SentMessages) -> m.JobPlaced:
    message = sent.last(m.JobPlaced)
    assert isinstance(message, m.JobPlaced)
    return message


def report(driver: LiveDriver, run: m.JobPlaced) -> None:
    driver.feed(
        e.RunReported(
            *e.UNNUMBERED,
            job=run.job,
            epoch=run.epoch,
            node=run.node,
            outcome=Outcome.COMPLETED,
            code="",
            delivered=True,
            usage=usage(),
        )
    )


async def test_job_goes_from_request_to_books(tmp_path: Path) -> None:
    """A job is placed, accepted, reported, settled once with a signed receipt, and acknowledged."""
    async with running_driver(tmp_path) as (driver, store, sent):
        join(driver)
        driver.feed(e.JobRequested(*e.UNNUMBERED, facts=facts("job-1")))
        run = placed(sent)
        driver.feed(e.RunAccepted(*e.UNNUMBERED, job="job-1", epoch=run.epoch, node="n1"))
        report(driver, run)
        report(driver, run)
        await eventually(lambda: sent.nodes)
        settled = await store.get_receipt("job-1")
        explained = await store.get_explanation("job-1")

        assert [("n1", m.UsageAck("job-1", run.epoch, (("job-1", run.epoch),)))] == sent.nodes
        assert isinstance(sent.last(m.JobEnded), m.JobEnded)
        assert settled is not None
        assert ("alpha", True) == (settled.coop, settled.receipt.settled)
        assert 1 == await store.count_settled()
        assert driver.core.balances() == await store.get_balances()
        assert explained is not None
        assert ("alpha", "key-alpha") == (explained.coop, explained.key)


async def test_action_waits_for_the_last_event_only(tmp_path: Path) -> None:
    """What waits for the last event's disk write is called without a later event."""
    async with running_driver(tmp_path) as (driver, _, _):
        driver.feed(e.JobRequested(*e.UNNUMBERED, facts=facts("job-1")))
        called: list[int] = []
        is_deferred = driver.defer_until_written(driver.event_id, lambda: called.append(1))
        await eventually(lambda: called)

        assert is_deferred
        assert not driver.defer_until_written(driver.event_id, lambda: called.append(2))
        assert [1] == called


async def test_usage_is_acknowledged_only_when_it_is_on_disk(tmp_path: Path) -> None:
    """When the acknowledgement of a usage report leaves, the job's books are committed."""
    committed_rows: list[int] = []

    class Watching(SentMessages):
        def send_to_node(self, node: str, message: m.NodeDownCtl) -> None:
            super().send_to_node(node, message)
            with store._reading.connect() as connection:
                rows = connection.exec_driver_sql("SELECT count(*) FROM settled")
                committed_rows.append(rows.scalar_one())

    store, sent = await Store.open(store_url(tmp_path)), Watching()
    driver = await recovered_driver(store, sent)
    await driver.start("gw")
    driver.feed(e.PolicyChanged(*e.UNNUMBERED, policy=POLICY))
    join(driver)
    driver.feed(e.JobRequested(*e.UNNUMBERED, facts=facts("job-1")))
    report(driver, placed(sent))
    at_once = list(sent.nodes)
    await eventually(lambda: sent.nodes)
    await driver.stop()
    await store.close()

    assert [] == at_once
    assert [1] == committed_rows


async def test_restart_without_warning_finds_the_same_core(tmp_path: Path) -> None:
    """The core read back from the journal is the core that was, byte for byte."""
    async with running_driver(tmp_path) as (driver, store, sent):
        join(driver)
        for number in range(9):
            driver.feed(
                e.JobRequested(*e.UNNUMBERED, facts=facts(f"job-{number}", kind=JobKind.KEPT))
            )
        report(driver, placed(sent))
        driver.feed(e.PeriodBegan(*e.UNNUMBERED, period=Period.DAY, ends_at=driver.now() + 3_600.0))
        await driver.committed()
        from_events = await recover(store)
        expected = driver.core.snapshot()
        await driver.write_snapshot()
        driver.feed(e.JobRequested(*e.UNNUMBERED, facts=facts("job-late")))
        await driver.committed()
        from_both = await recover(store)

        assert expected == from_events.core.snapshot()
        assert driver.core.snapshot() == from_both.core.snapshot()
        assert driver.get_period_end(Period.DAY) == from_both.periods[Period.DAY]
        assert (1, from_both.at) == (from_both.incarnation, driver._feeder.at)


async def test_second_start_has_later_epochs_and_keeps_its_jobs(tmp_path: Path) -> None:
    """After a restart a kept job runs again under a later epoch; the old one counts no more."""
    async with running_driver(tmp_path) as (driver, _, sent):
        join(driver)
        driver.feed(e.JobRequested(*e.UNNUMBERED, facts=facts("job-1", kind=JobKind.KEPT)))
        first = placed(sent)
    async with running_driver(tmp_path) as (driver, store, sent):
        join(driver)
        second = placed(sent)
        report(driver, first)
        driver.feed(e.RunAccepted(*e.UNNUMBERED, job="job-1", epoch=second.epoch, node="n1"))
        report(driver, second)
        acks = (m.UsageAck("job-1", first.epoch, (("job-1", second.epoch),)),)
        await eventually(
            lambda: tuple(msg for _, msg in sent.nodes if type(msg) is m.UsageAck) == acks
        )

        assert (first.job, 2) == (second.job, driver.incarnation)
        assert second.epoch > first.epoch
        assert 1 == await store.count_settled()


async def test_books_that_a_crash_cut_off_are_written_at_the_next_start(tmp_path: Path) -> None:
    """Events that were journalled without their books settle the job at the next start."""
    async with running_driver(tmp_path) as (driver, store, sent):
        join(driver)
        driver.feed(e.JobRequested(*e.UNNUMBERED, facts=facts("job-1")))
        report(driver, placed(sent))
        await driver.committed()
        receipt = await store.get_receipt("job-1")
        with store._writing.begin() as connection:
            connection.exec_driver_sql("DELETE FROM settled")
            connection.exec_driver_sql("DELETE FROM entries")
        again = await recovered_driver(store, SentMessages())
        await store.committed()

        assert again.core.snapshot() == driver.core.snapshot()
        assert receipt == await store.get_receipt("job-1")


async def test_a_correction_that_a_crash_cut_off_is_written_at_the_next_start(
    tmp_path: Path,
) -> None:
    """The journal holds the correction, so the books get it once, whenever they were cut off."""
    async with running_driver(tmp_path) as (driver, store, _):
        fields = {"tokens": 9, "energy_uwh": 0, "carbon_ug": 0, "reason": "meter"}
        for _ in range(2):
            driver.feed(
                e.LedgerCorrected(
                    *e.UNNUMBERED, correction="c1", lender="alpha", borrower="beta", **fields
                )
            )
        await driver.committed()
        await eventually(lambda: driver.counts["corrected"])
        balances = await store.get_balances()
        with store._writing.begin() as connection:
            connection.exec_driver_sql("DELETE FROM corrections")
            connection.exec_driver_sql("DELETE FROM entries")
        again = await recovered_driver(store, SentMessages())
        await store.committed()

        assert again.core.snapshot() == driver.core.snapshot()
        assert driver.core.balances()["alpha"]["tokens"] == 9 == balances["alpha"]["tokens"]
        assert balances == await store.get_balances()
        assert await store.is_corrected("c1")


async def test_journal_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    """A start from a damaged journal is refused, and says at which event."""
    store = await Store.open(store_url(tmp_path))
    await store.append_journal([JournalRow(7, b"\xc1 not an event")])
    with pytest.raises(PoolError) as refused:
        await recover(store)
    await store.close()

    assert "journal_unreadable" == refused.value.code
    assert 7 == refused.value.values["event"]


async def test_core_is_woken_when_a_deadline_comes(tmp_path: Path) -> None:
    """A node that falls silent is suspect by the policy's clock, though no message comes."""
    timing = msgspec.structs.replace(POLICY.timing, suspect_after_s=0.05, lost_after_s=0.1)
    async with running_driver(tmp_path) as (driver, _, _told):
        driver.feed(
            e.PolicyChanged(*e.UNNUMBERED, policy=msgspec.structs.replace(POLICY, timing=timing))
        )
        join(driver)
        await eventually(lambda: driver.core.nodes()[0].state == "lost")

        assert 1 == driver.counts["node.suspect"]


async def test_message_that_had_come_counts_before_a_deadline_that_passed(tmp_path: Path) -> None:
    """A message that waited is fed before the deadline that passed while it waited."""
    timing = msgspec.structs.replace(POLICY.timing, suspect_after_s=0.2, lost_after_s=0.4)
    async with running_driver(tmp_path) as (driver, _, _told):
        driver.feed(
            e.PolicyChanged(*e.UNNUMBERED, policy=msgspec.structs.replace(POLICY, timing=timing))
        )
        join(driver)
        block_process(0.3)
        driver.feed(e.NodesSeen(*e.UNNUMBERED, nodes=("n1",)))

        assert ["live"] == [view.state for view in driver.core.nodes()]
        assert 0 == driver.counts["node.suspect"]


async def test_process_that_was_held_up_hears_its_nodes_before_it_calls_them_lost(
    tmp_path: Path,
) -> None:
    """After a hold-up longer than any patience, a node that goes on beating is never lost."""
    timing = msgspec.structs.replace(POLICY.timing, suspect_after_s=0.5, lost_after_s=1.0)
    async with running_driver(tmp_path) as (driver, _, _told):
        driver.feed(
            e.PolicyChanged(*e.UNNUMBERED, policy=msgspec.structs.replace(POLICY, timing=timing))
        )
        join(driver)
        block_process(2.5)
        await eventually(lambda: driver.counts["held_up"])
        driver.feed(e.NodesSeen(*e.UNNUMBERED, nodes=("n1",)))
        counts = dict(driver.counts)
        await eventually(lambda: driver.counts["node.lost"])

        assert (1, None, None) == tuple(
            counts.get(name) for name in ("held_up", "node.suspect", "node.lost")
        )


async def test_event_that_the_core_cannot_take_is_not_in_the_journal(tmp_path: Path) -> None:
    """It is dropped, what comes after it is not, and the driver goes on."""
    async with running_driver(tmp_path) as (driver, store, _):
        driver.feed(e.NodeChanged(*e.UNNUMBERED, node="n1", accepting=True, reason="", energy=None))
        await driver.committed()
        before = await store.load_journal()
        taken = driver.feed(e.NodesSeen(*e.UNNUMBERED, nodes=7))
        driver.feed(e.NodeLeft(*e.UNNUMBERED, node="n1", reason="goodbye"))
        await driver.committed()
        after = await store.load_journal()

        assert not taken
        assert before[0] == after[0]
        assert before[1] == after[1][:-1]
        assert not driver.failed.done()


async def test_journal_is_bounded_by_snapshots(tmp_path: Path) -> None:
    """When the journal has grown enough, a snapshot takes its place."""
    async with running_driver(tmp_path) as (driver, store, _):
        driver._journal._since_snapshot = 19_999
        driver.write_snapshot_if_due()
        await store.committed()
        first, long = await store.load_journal()
        driver.feed(e.NodesSeen(*e.UNNUMBERED, nodes=()))
        driver.write_snapshot_if_due()
        await store.committed()
        snapshot, events = await store.load_journal()

        assert (0, True) == (first[0], bool(long))
        assert (driver.event_id, ()) == (snapshot[0], events)


async def test_what_an_answer_leads_to_is_fed_after_it(tmp_path: Path) -> None:
    """A gateway that answers a placement from within does not disturb the event at hand."""

    class Leaving(SentMessages):
        def send_to_gateway(self, gateway: str, message: m.GatewayDown) -> None:
            super().send_to_gateway(gateway, message)
            if isinstance(message, m.JobPlaced):
                driver.feed(e.JobCancelled(*e.UNNUMBERED, job=message.job, reason="client_gone"))

    store, sent = await Store.open(store_url(tmp_path)), Leaving()
    driver = await recovered_driver(store, sent)
    await driver.start("gw")
    driver.feed(e.PolicyChanged(*e.UNNUMBERED, policy=POLICY))
    join(driver)
    driver.feed(e.JobRequested(*e.UNNUMBERED, facts=facts("job-1")))
    kinds = [type(message) for _, message in sent.gateways]
    view = driver.core.job("job-1")
    await driver.stop()
    await store.close()

    assert [m.JobPlaced, m.JobEnded] == kinds
    assert view is not None
    assert JobState.CANCELLED == view.state


async def test_two_drivers_on_one_journal_cannot_both_write(tmp_path: Path) -> None:
    """A second driver on the same database fails at its first write, and says so; nothing that it
    was told is committed is missing."""
    async with running_driver(tmp_path) as (driver, _, _):
        second = await Store.open(store_url(tmp_path))
        other = await recovered_driver(second, SentMessages())
        driver.feed(e.NodesSeen(*e.UNNUMBERED, nodes=("n1",)))
        await driver.committed()
        other.feed(e.NodesSeen(*e.UNNUMBERED, nodes=("n2",)))
        with pytest.raises(IntegrityError):
            await other.committed()
        await asyncio.wait({other.failed})
        await second.close()

        assert other.failed.exception() is not None
        assert not driver.failed.done()

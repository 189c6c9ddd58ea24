"""The driver: what it promises to the disk, to the clock, and after a restart."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from tests.core.builders import card, facts, usage
from tests.scheduler.driver_support import (
    POLICY,
    Told,
    eventually,
    hold_up,
    recovered_live,
    running_live,
    store_url,
)

from entraide.errors import PoolError
from entraide.types import JobKind, JobState, Outcome
from entraide.wire import messages as m
from entraide_scheduler.clock import Clock
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Period
from entraide_scheduler.journal import recover
from entraide_scheduler.live_driver import LiveDriver
from entraide_scheduler.store.journal import JournalRow
from entraide_scheduler.store.store import Store


def join(live: LiveDriver, node: str = "n1", coop: str = "beta") -> None:
    live.feed(e.NodeJoined, card=card(node, coop), accepting=True, reason="")


def placed(told: Told) -> m.JobPlaced:
    message = told.last(m.JobPlaced)
    assert isinstance(message, m.JobPlaced)
    return message


def report(live: LiveDriver, run: m.JobPlaced) -> None:
    live.feed(
        e.RunReported,
        job=run.job,
        epoch=run.epoch,
        node=run.node,
        outcome=Outcome.COMPLETED,
        code="",
        delivered=True,
        usage=usage(),
    )


async def test_job_goes_from_request_to_books(tmp_path: Path) -> None:
    """A job is placed, accepted, reported, settled once with a signed receipt, and acknowledged."""
    async with running_live(tmp_path) as (live, store, told):
        join(live)
        live.feed(e.JobRequested, facts=facts("job-1"))
        run = placed(told)
        live.feed(e.RunAccepted, job="job-1", epoch=run.epoch, node="n1")
        report(live, run)
        report(live, run)
        await eventually(lambda: len(told.nodes) == 2)
        coop, receipt = await store.get_receipt("job-1") or ("", None)
        explained = await store.get_explanation("job-1")

        assert [("n1", m.UsageAck("job-1", run.epoch))] * 2 == told.nodes
        assert isinstance(told.last(m.JobEnded), m.JobEnded)
        assert receipt is not None
        assert ("alpha", True) == (coop, receipt.settled)
        assert 1 == await store.count_settled()
        assert live.core.balances() == await store.get_balances()
        assert explained is not None
        assert "alpha" == explained[0]


async def test_usage_is_acknowledged_only_when_it_is_on_disk(tmp_path: Path) -> None:
    """When the acknowledgement of a usage report leaves, the job's books are committed."""
    seen: list[int] = []

    class Watching(Told):
        def to_node(self, node: str, message: m.NodeDownCtl) -> None:
            super().to_node(node, message)
            rows = store._reading.connect().exec_driver_sql("SELECT count(*) FROM settled")
            seen.append(rows.scalar_one())

    store, told = await Store.open(store_url(tmp_path)), Watching()
    live = await recovered_live(store, told)
    await live.start("gw")
    live.feed(e.PolicyChanged, policy=POLICY)
    join(live)
    live.feed(e.JobRequested, facts=facts("job-1"))
    report(live, placed(told))
    at_once = list(told.nodes)
    await eventually(lambda: told.nodes)
    await live.stop()
    await store.close()

    assert [] == at_once
    assert [1] == seen


async def test_restart_without_warning_finds_the_same_core(tmp_path: Path) -> None:
    """The core read back from the journal is the core that was, byte for byte."""
    async with running_live(tmp_path) as (live, store, told):
        join(live)
        for number in range(9):
            live.feed(e.JobRequested, facts=facts(f"job-{number}", kind=JobKind.KEPT))
        report(live, placed(told))
        live.feed(e.PeriodBegan, period=Period.DAY, ends_at=live.now() + 3_600.0)
        await live.committed()
        from_events = await recover(store)
        expected = live.core.snapshot()
        await live.write_snapshot()
        live.feed(e.JobRequested, facts=facts("job-late"))
        await live.committed()
        from_both = await recover(store)

        assert expected == from_events.core.snapshot()
        assert live.core.snapshot() == from_both.core.snapshot()
        assert live.period_ends_at(Period.DAY) == from_both.periods[Period.DAY]
        assert (1, from_both.at) == (from_both.incarnation, live._feeder.at)


async def test_second_start_has_later_epochs_and_keeps_its_jobs(tmp_path: Path) -> None:
    """After a restart a kept job runs again under a later epoch; the old one counts no more."""
    async with running_live(tmp_path) as (live, _, told):
        join(live)
        live.feed(e.JobRequested, facts=facts("job-1", kind=JobKind.KEPT))
        first = placed(told)
    async with running_live(tmp_path) as (live, store, told):
        join(live)
        second = placed(told)
        report(live, first)
        live.feed(e.RunAccepted, job="job-1", epoch=second.epoch, node="n1")
        report(live, second)
        await eventually(lambda: len([1 for _, one in told.nodes if type(one) is m.UsageAck]) == 2)

        assert (first.job, 2) == (second.job, live.incarnation)
        assert second.epoch > first.epoch
        assert 1 == await store.count_settled()


async def test_books_that_a_crash_cut_off_are_written_at_the_next_start(tmp_path: Path) -> None:
    """Events that were journalled without their books settle the job at the next start."""
    async with running_live(tmp_path) as (live, store, told):
        join(live)
        live.feed(e.JobRequested, facts=facts("job-1"))
        report(live, placed(told))
        await live.committed()
        receipt = await store.get_receipt("job-1")
        with store._writing.begin() as connection:
            connection.exec_driver_sql("DELETE FROM settled")
            connection.exec_driver_sql("DELETE FROM entries")
        again = await recovered_live(store, Told())
        await store.committed()

        assert again.core.snapshot() == live.core.snapshot()
        assert receipt == await store.get_receipt("job-1")


async def test_a_correction_that_a_crash_cut_off_is_written_at_the_next_start(
    tmp_path: Path,
) -> None:
    """The journal holds the correction, so the books get it once, whenever they were cut off."""
    async with running_live(tmp_path) as (live, store, _):
        fields = {"tokens": 9, "energy_uwh": 0, "carbon_ug": 0, "reason": "meter"}
        for _ in range(2):
            live.feed(e.LedgerCorrected, correction="c1", lender="alpha", borrower="beta", **fields)
        await live.committed()
        await eventually(lambda: live.counts["corrected"])
        balances = await store.get_balances()
        with store._writing.begin() as connection:
            connection.exec_driver_sql("DELETE FROM corrections")
            connection.exec_driver_sql("DELETE FROM entries")
        again = await recovered_live(store, Told())
        await store.committed()

        assert again.core.snapshot() == live.core.snapshot()
        assert live.core.balances()["alpha"]["tokens"] == 9 == balances["alpha"]["tokens"]
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
    async with running_live(tmp_path) as (live, _, _told):
        live.feed(e.PolicyChanged, policy=msgspec.structs.replace(POLICY, timing=timing))
        join(live)
        await eventually(lambda: live.core.nodes()[0].state == "lost")

        assert 1 == live.counts["node.suspect"]


async def test_message_that_had_come_counts_before_a_deadline_that_passed(tmp_path: Path) -> None:
    """A message that waited is fed before the deadline that passed while it waited."""
    timing = msgspec.structs.replace(POLICY.timing, suspect_after_s=0.2, lost_after_s=0.4)
    async with running_live(tmp_path) as (live, _, _told):
        live.feed(e.PolicyChanged, policy=msgspec.structs.replace(POLICY, timing=timing))
        join(live)
        hold_up(0.3)
        live.feed(e.NodesSeen, nodes=("n1",))

        assert ["live"] == [view.state for view in live.core.nodes()]
        assert 0 == live.counts["node.suspect"]


async def test_process_that_was_held_up_hears_its_nodes_before_it_calls_them_lost(
    tmp_path: Path,
) -> None:
    """After a hold-up longer than any patience, a node that goes on beating is never lost."""
    timing = msgspec.structs.replace(POLICY.timing, suspect_after_s=0.5, lost_after_s=1.0)
    async with running_live(tmp_path) as (live, _, _told):
        live.feed(e.PolicyChanged, policy=msgspec.structs.replace(POLICY, timing=timing))
        join(live)
        hold_up(2.5)
        await eventually(lambda: live.counts["held_up"])
        live.feed(e.NodesSeen, nodes=("n1",))
        counts = dict(live.counts)
        await eventually(lambda: live.counts["node.lost"])

        assert (1, None, None) == tuple(
            counts.get(name) for name in ("held_up", "node.suspect", "node.lost")
        )


async def test_event_that_the_core_cannot_take_is_not_in_the_journal(tmp_path: Path) -> None:
    """It is dropped, what comes after it is not, and the driver goes on."""
    async with running_live(tmp_path) as (live, store, _):
        live.feed(e.NodeChanged, node="n1", accepting=True, reason="", energy=None)
        await live.committed()
        before = await store.load_journal()
        taken = live.feed(e.NodesSeen, nodes=7)
        live.feed(e.NodeLeft, node="n1", reason="goodbye")
        await live.committed()
        after = await store.load_journal()

        assert not taken
        assert before[0] == after[0]
        assert before[1] == after[1][:-1]
        assert not live.failed.done()


async def test_journal_is_bounded_by_snapshots(tmp_path: Path) -> None:
    """When the journal has grown enough, a snapshot takes its place."""
    async with running_live(tmp_path) as (live, store, _):
        live._journal._since_snapshot = 19_999
        live.write_snapshot_if_due()
        await store.committed()
        first, long = await store.load_journal()
        live.feed(e.NodesSeen, nodes=())
        live.write_snapshot_if_due()
        await store.committed()
        snapshot, events = await store.load_journal()

        assert (0, True) == (first[0], bool(long))
        assert (live.event_id, ()) == (snapshot[0], events)


async def test_what_an_answer_leads_to_is_fed_after_it(tmp_path: Path) -> None:
    """A gateway that answers a placement from within does not disturb the event at hand."""

    class Leaving(Told):
        def to_gateway(self, gateway: str, message: m.GatewayDown) -> None:
            super().to_gateway(gateway, message)
            if isinstance(message, m.JobPlaced):
                live.feed(e.JobCancelled, job=message.job, reason="client_gone")

    store, told = await Store.open(store_url(tmp_path)), Leaving()
    live = await recovered_live(store, told)
    await live.start("gw")
    live.feed(e.PolicyChanged, policy=POLICY)
    join(live)
    live.feed(e.JobRequested, facts=facts("job-1"))
    kinds = [type(message) for _, message in told.gateways]
    view = live.core.job("job-1")
    await live.stop()
    await store.close()

    assert [m.JobPlaced, m.JobEnded] == kinds
    assert view is not None
    assert JobState.CANCELLED == view.state


def test_clock_never_goes_back_and_comes_home() -> None:
    """Set back by an hour, the clock goes on at half speed until the two meet."""
    wall = iter([1_000.0, -2_600.0, -2_599.0, 1_000.5, 1_002.0])
    steady = iter([0.0, 0.0, 1.0, 2.0, 3.0, 4.0])
    clock = Clock(wall=lambda: next(wall), steady=lambda: next(steady))

    assert [1_000.0, 1_000.5, 1_001.0, 1_001.5, 1_002.0] == [clock() for _ in range(5)]


async def test_two_drivers_on_one_journal_cannot_both_write(tmp_path: Path) -> None:
    """A second driver on the same store fails at its first write, and says so."""
    async with running_live(tmp_path) as (live, store, _):
        other = await recovered_live(store, Told())
        live.feed(e.NodesSeen, nodes=("n1",))
        await live.committed()
        other.feed(e.NodesSeen, nodes=("n2",))
        await asyncio.wait({other.failed})

        assert other.failed.exception() is not None
        assert not live.failed.done()

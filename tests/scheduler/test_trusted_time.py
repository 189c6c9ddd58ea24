"""Trusted time: nothing is deleted by age in one step after a jump of the clock."""

from functools import partial

import pytest
from msgspec import structs
from tests.scheduler.rows import kept_row

from entraide_scheduler.store import trusted_time
from entraide_scheduler.store.journal import JournalRow, Retention
from entraide_scheduler.store.store import Store

DAY_S = 86_400.0
AHEAD_S = 400 * DAY_S
KEEP = Retention(keep_s=35 * DAY_S, events_max=1_000_000)
NOW = 1_700_000_000.0


async def advance(store: Store, now: float, minutes: int = 1) -> float:
    """Lets the scheduler's watch run for some minutes at a time."""
    for _ in range(minutes):
        at = await store.write(partial(trusted_time.advance, now=now))
    return at


async def test_two_minutes_400_days_ahead_delete_nothing(store: Store) -> None:
    """The journal of last month, an explanation and a result of an hour ago are all kept."""
    await advance(store, NOW)
    for day in range(30):
        await store.append_journal([JournalRow(day, b"event")])
        at = NOW - (30 - day) * DAY_S
        await store.put_snapshot(day, b"state", at=at, retention=KEEP)
    await store.put_kept(structs.replace(kept_row("kept-1"), keep_s=DAY_S))
    ended = {"state": "completed", "code": "", "sealed_result": b"1", "receipt_json": b"{}"}
    await store.end_kept("kept-1", ended_at=NOW - 3_600.0, **ended)
    await store.put_explanation("job-1", "alpha", b"why", at=NOW - DAY_S)
    wrong = NOW + AHEAD_S
    await advance(store, wrong, minutes=2)
    await store.put_snapshot(30, b"state", at=wrong, retention=KEEP)
    deleted = [await store.expire_kept(wrong), await store.expire_explanations(wrong)]
    extent = await store.get_journal_extent()

    assert [0, 0] == deleted
    assert NOW - 30 * DAY_S == extent.since


async def test_a_pool_that_stood_still_catches_up(store: Store) -> None:
    """After a day at rest the deletions are as far as the clock within an hour."""
    await advance(store, NOW)
    after_half = await advance(store, NOW + DAY_S, minutes=30)
    after_all = await advance(store, NOW + DAY_S, minutes=30)

    assert (NOW + DAY_S / 2, NOW + DAY_S) == (after_half, after_all)


async def test_it_goes_back_with_the_clock(store: Store) -> None:
    """Set right, the trusted time is the right one at once, and ages nothing before its time."""
    await advance(store, NOW)
    await advance(store, NOW + AHEAD_S, minutes=60)

    back_at = await advance(store, NOW + 60.0)
    limit = await store.read(partial(trusted_time.limit, now=NOW + AHEAD_S))

    assert (NOW + 60.0, NOW + 60.0 + trusted_time.EVERY_S) == (back_at, limit)


@pytest.mark.parametrize("off_s", [-AHEAD_S, AHEAD_S], ids=["behind", "ahead"])
async def test_a_result_of_a_gateway_whose_clock_is_far_is_kept_for_its_time(
    store: Store, off_s: float
) -> None:
    """It counts as ended by the scheduler's clock: neither deleted at once nor kept for a year."""
    await advance(store, NOW)
    await store.put_kept(structs.replace(kept_row("kept-1"), keep_s=DAY_S))
    ended = {"state": "completed", "code": "", "sealed_result": b"1", "receipt_json": b"{}"}
    await store.end_kept("kept-1", ended_at=NOW + off_s, **ended)
    early = await store.expire_kept(NOW + 60.0)
    await advance(store, NOW + 2 * DAY_S, minutes=120)

    assert [0, 1] == [early, await store.expire_kept(NOW + 2 * DAY_S)]


async def test_a_clock_that_is_near_is_believed(store: Store) -> None:
    """A gateway's own time counts where it is minutes off, or the scheduler has been away."""
    await advance(store, NOW)
    times = [NOW - 300.0, NOW + 3 * DAY_S, NOW - 3_600.0, NOW + 8 * DAY_S]
    corrected = [await store.read(partial(trusted_time.correct, now=at)) for at in times]

    assert [NOW - 300.0, NOW + 3 * DAY_S, NOW, NOW] == corrected

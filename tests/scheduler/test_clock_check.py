"""Clock check: a start waits for its operator, and a pool that is set right says what is wrong."""

import asyncio
import gzip
import time
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
from msgspec import structs
from tests.core.builders import card, facts, usage
from tests.ports import free_port
from tests.scheduler.driver_support import POLICY, SentMessages, store_url
from tests.waiting import DEADLINE_S

from entraide.types import Outcome
from entraide.wire import messages as m
from entraide_scheduler.clock_check import (
    ClockWatch,
    act_on_decision,
    decide,
    read_clock,
    read_clock_file,
    wait_until_decided,
)
from entraide_scheduler.clock_check.watch import ClockIsSet
from entraide_scheduler.config import HttpConfig, JournalConfig, SchedulerConfig
from entraide_scheduler.core import events as e
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.recording import RecordedEvent, event_of, next_digest, read_parts
from entraide_scheduler.driver import Clock, ClockState, LiveDriver, recover, write_recording
from entraide_scheduler.gateway.messages import messages_answer
from entraide_scheduler.gateway.refusals import ErrorReply, error_body
from entraide_scheduler.restored import RestoredMark, write_mark
from entraide_scheduler.store.journal import list_snapshots
from entraide_scheduler.store.store import Store

DAY_S = 86_400.0
AHEAD_S = 400 * DAY_S
KEEP = JournalConfig(keep_days=35.0).retention


class Life:
    """A driver on a pool's store, whose system clock is wrong by some time."""

    def __init__(self, folder: Path, ahead_s: float = 0.0) -> None:
        self.folder, self.ahead_s = folder, ahead_s
        self.sent = SentMessages()

    async def __aenter__(self) -> Self:
        self.store = await Store.open(store_url(self.folder))
        recovered = await recover(self.store)
        self.clock = Clock(wall=self.wall, last=recovered.at)
        self.driver = LiveDriver(
            recovered, store=self.store, clock=self.clock, outbound=self.sent, retention=KEEP
        )
        await self.driver.start("gw")
        self.driver.feed(e.PolicyChanged(*e.UNNUMBERED, policy=POLICY))
        self.driver.feed(
            e.NodeJoined(*e.UNNUMBERED, card=card("n1", "beta"), accepting=True, reason="")
        )
        ClockWatch(self.driver, self.store, self.folder).check()
        await self.store.committed()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.driver.stop()
        await self.store.close()

    def wall(self) -> float:
        """The system clock."""
        return time.time() + self.ahead_s

    def run_job(self, name: str) -> None:
        """Lets a job go from its request to its report."""
        self.driver.feed(e.JobRequested(*e.UNNUMBERED, facts=facts(name)))
        run = self.sent.last(m.JobPlaced)
        assert isinstance(run, m.JobPlaced)
        self.driver.feed(e.RunAccepted(*e.UNNUMBERED, job=name, epoch=run.epoch, node=run.node))
        values = {"outcome": Outcome.COMPLETED, "code": "", "delivered": True, "usage": usage()}
        self.driver.feed(
            e.RunReported(*e.UNNUMBERED, job=name, epoch=run.epoch, node=run.node, **values)
        )


def make_config(folder: Path, **more: Any) -> SchedulerConfig:
    """The configuration of a scheduler in a folder."""
    http = HttpConfig(port=free_port())
    return SchedulerConfig(dir=str(folder), http=http, lang="fr", **more)


async def read_page(
    config: SchedulerConfig, path: str = "/", *, body: bytes = b"", **headers: str
) -> tuple[int, str, str]:
    """Asks a start that waits, once it listens; returns status, ``retry-after`` and text."""
    url, method = f"http://127.0.0.1:{config.http.port}{path}", "POST" if body else "GET"
    sent = {"accept": "text/html", **{name.replace("_", "-"): headers[name] for name in headers}}
    async with aiohttp.ClientSession() as session, asyncio.timeout(DEADLINE_S):
        while True:
            try:
                async with session.request(method, url, headers=sent, data=body or None) as answer:
                    return answer.status, answer.headers["retry-after"], await answer.text()
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.01)


async def test_a_start_far_from_the_last_event_waits_and_says_why(tmp_path: Path) -> None:
    """It changes nothing, answers 503 in both languages, and goes on once the operator decided."""
    async with Life(tmp_path, AHEAD_S) as life:
        life.run_job("job-1")
    config = make_config(tmp_path)
    before = (tmp_path / "store.db").read_bytes()
    reports: list[tuple[str, Any]] = []
    start = asyncio.create_task(
        wait_until_decided(config, lambda code, **values: reports.append((code, values["days"])))
    )
    status, retry_after, text = await read_page(config)
    after = (tmp_path / "store.db").read_bytes()
    has_waited = not start.done()
    decide(tmp_path, ClockState.BACK, time.time())

    assert (503, "60") == (status, retry_after)
    assert "horloge" in text
    assert "clock" in text
    assert [("pool-clock-back", 399)] == reports  # whole days
    assert has_waited
    assert before == after
    assert ClockState.BACK is await asyncio.wait_for(start, DEADLINE_S)


async def test_a_start_that_waits_tells_programs_the_error(tmp_path: Path) -> None:
    """They get it in their interface's form and language, also after a body of some size."""
    async with Life(tmp_path, AHEAD_S) as life:
        life.run_job("job-1")
    config = make_config(tmp_path)
    start = asyncio.create_task(wait_until_decided(config))
    answers = [
        await read_page(config, "/v1/models"),
        await read_page(config, "/v1/chat/completions", body=b"x" * 1_000_000),
        await read_page(config, "/v1/messages", body=b"{}", accept_language="fr-CA"),
        await read_page(config, "/machines", accept="application/json", accept_language="en"),
    ]
    start.cancel()
    refusal = ErrorReply("clock_far")

    assert {(503, "60")} == {(status, after) for status, after, _ in answers}
    assert [
        error_body(refusal, "en fr"),
        error_body(refusal, "en fr"),
        messages_answer.error_body(refusal, "fr"),
        error_body(refusal, "en"),
    ] == [text.encode() for *_, text in answers]


async def test_a_start_goes_on_by_itself_once_the_clock_is_right(tmp_path: Path) -> None:
    """A machine without a battery has the time of its last run, until NTP sets its clock."""
    async with Life(tmp_path) as life:
        life.run_job("job-1")
    with pytest.MonkeyPatch.context() as patched:
        right = time.time
        patched.setattr(time, "time", lambda: right() - 30 * DAY_S)
        config = make_config(tmp_path)
        start = asyncio.create_task(wait_until_decided(config))
        await read_page(config)
        has_waited = not start.done()

    assert has_waited
    assert ClockState.RIGHT is await asyncio.wait_for(start, DEADLINE_S)


@pytest.mark.parametrize(
    ("days", "waits"), [(3.0, False), (14.0, True), (-1.0 / 24.0, True), (-1.0 / 1_440.0, False)],
    ids=["three days at rest", "two weeks at rest", "behind by an hour", "behind by a minute"],
)  # fmt: skip
async def test_a_start_waits_only_where_the_clock_is_far(
    tmp_path: Path, days: float, waits: bool
) -> None:
    """A week at rest or ten minutes of error are no reason to wait."""
    async with Life(tmp_path, -days * DAY_S):
        pass
    reading = read_clock(tmp_path, store_url(tmp_path))

    assert waits == (reading.state is not ClockState.RIGHT)
    if not waits:
        assert reading.state is await wait_until_decided(make_config(tmp_path))


async def test_a_decision_counts_for_its_side_and_its_day(tmp_path: Path) -> None:
    """What was decided of a clock that is ahead is nothing once it is behind, or a day later."""
    decide(tmp_path, ClockState.AHEAD, 1_000.0)
    file = read_clock_file(tmp_path)

    assert file.allows(ClockState.AHEAD, 1_001.0)
    assert not file.allows(ClockState.BACK, 1_001.0)
    assert not file.allows(ClockState.AHEAD, 999.0)
    assert not file.allows(ClockState.AHEAD, 1_000.0 + DAY_S)


async def test_a_restored_pool_counts_from_its_restore(tmp_path: Path) -> None:
    """A backup of last month does not make the start wait: its operator restored it today."""
    async with Life(tmp_path, -30 * DAY_S):
        pass
    before = read_clock(tmp_path, store_url(tmp_path)).state
    write_mark(tmp_path, RestoredMark(time.time() - 60.0))

    assert ClockState.AHEAD is before
    assert ClockState.RIGHT is read_clock(tmp_path, store_url(tmp_path)).state


async def test_a_pool_that_is_set_right_says_which_records_are_dated_wrong(tmp_path: Path) -> None:
    """It keeps its journal and its books, names the job of the 400 days, and goes on today."""
    async with Life(tmp_path) as life:
        life.run_job("job-right")
    async with Life(tmp_path, AHEAD_S) as life:
        life.run_job("job-wrong")
        await life.driver.write_snapshot()
        life.driver.feed(e.Woke(*e.UNNUMBERED))
    store = await Store.open(store_url(tmp_path))
    before = await store.get_journal_extent()
    recovered = await recover(store)
    config = make_config(tmp_path)
    moved = await act_on_decision(ClockState.BACK, recovered, store, config)
    after = await store.get_journal_extent()
    newest = max(row.at for row in await store.read(list_snapshots))
    await store.close()
    async with Life(tmp_path) as life:
        life.run_job("job-after")
        now, due = life.driver.now(), life.driver.core.next_deadline()
        await life.driver.committed()
        settled = await life.store.count_settled()
        write_recording(store_url(tmp_path), tmp_path / "pool.journal")
    (setting,) = read_clock_file(tmp_path).settings
    wrong = {f"{each.table}.{each.column}": each.names for each in setting.records}

    assert abs(moved.at - time.time()) < 600.0
    assert abs(now - time.time()) < 600.0
    assert newest <= moved.at
    assert due is not None
    assert due < now + DAY_S
    assert abs(setting.was_at - setting.at - AHEAD_S) < 600.0
    assert ["job-wrong"] == wrong["settled.settled_at"]
    assert 3 == settled
    assert (before.since, True) == (after.since, after.events >= before.events)
    assert [True] == [*{*replay(tmp_path / "pool.journal")}]
    assert ["job-after"] == asked(tmp_path / "pool.journal")


def read(file: Path) -> list[Any]:
    """Returns the parts of a recording."""
    return list(read_parts([gzip.decompress(file.read_bytes())]))


def replay(file: Path) -> list[bool]:
    """Replays a recording; returns, for each event, whether its digest is as recorded."""
    head, *lines, _ = read(file)
    core, digest, alike = Core.restore(head.core), head.digest, []
    for line in lines:
        digest = next_digest(digest, line.event, core.handle(event_of(line)))
        alike.append(digest == line.digest)
    return alike


def asked(file: Path) -> list[str]:
    """Returns the jobs that a recording requests."""
    lines = [event_of(line) for line in read(file) if isinstance(line, RecordedEvent)]
    return [each.facts.job for each in lines if isinstance(each, e.JobRequested)]


async def test_a_running_pool_goes_on_until_its_operator_accepts_a_jump(tmp_path: Path) -> None:
    """Jobs settle at the old time, an incident says why, and the accepted time is the time."""
    async with Life(tmp_path) as life:
        watch = ClockWatch(life.driver, life.store, tmp_path)
        watch.check()
        life.ahead_s = AHEAD_S
        life.run_job("job-1")
        watch.check()
        watch.check()
        incidents = [(each.code, each.what, each.count) for each in life.driver.health.incidents()]
        during = life.driver.now() - time.time()
        decide(tmp_path, ClockState.AHEAD, life.wall())
        watch.check()
        watch.check()
        after = life.driver.now() - time.time()

        assert [("clock_far", "ahead", 1)] == incidents
        assert abs(during) < 60.0
        assert abs(after - AHEAD_S) < 60.0
        assert () == life.driver.health.incidents()
        assert read_clock_file(tmp_path).decision is None


async def test_a_running_pool_that_was_ahead_starts_anew_to_be_set_right(tmp_path: Path) -> None:
    """Its clock goes on until the operator decides; then it ends, and is set back at a start."""
    async with Life(tmp_path, AHEAD_S) as life:
        watch = ClockWatch(life.driver, life.store, tmp_path)
        life.ahead_s = 0.0
        watch.check()
        has_ended = life.driver.failed.done()
        decide(tmp_path, ClockState.BACK, time.time())
        watch.check()

        assert not has_ended
        assert isinstance(life.driver.failed.exception(), ClockIsSet)
    store = await Store.open(store_url(tmp_path))
    recovered = await recover(store)
    moved = await act_on_decision(ClockState.BACK, recovered, store, make_config(tmp_path))
    await store.close()

    assert abs(moved.at - time.time()) < 60.0


async def test_a_demonstration_never_waits(tmp_path: Path) -> None:
    """With ``[clock] wait = false``, as ``entraide up`` writes it, a start goes on at once."""
    async with Life(tmp_path, -100 * DAY_S):
        pass
    config = make_config(tmp_path)
    quick = structs.replace(config, clock=structs.replace(config.clock, wait=False))

    assert ClockState.RIGHT is await wait_until_decided(quick)

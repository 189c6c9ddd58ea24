"""Recovery: an event that raises affects its sender only.

Each handler and each deadline is made to change the state and then to raise. What is left must be,
byte for byte, what a driver has that never saw the event, but for what was decided about it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.core.builders import START, Pool, card, facts, replica, usage
from tests.scheduler.driver_support import SentMessages, store_url
from tests.scheduler.event_values import RUNS, VALUES

from entraide.types import JobKind, JobState, Outcome
from entraide.wire import messages as m
from entraide_scheduler.core import dispatch, events, machine
from entraide_scheduler.core.machine import DEADLINE_HANDLERS, HANDLERS, Core
from entraide_scheduler.core.policy import Period
from entraide_scheduler.core.records import EVENT_RAISED, JOB_DEADLINES, Sender, SenderKind
from entraide_scheduler.core.records import DeadlineKind as Kind
from entraide_scheduler.driver import Clock, LiveDriver, RecoveredState, recover
from entraide_scheduler.driver.checkpoint import RecoveryFailed
from entraide_scheduler.driver.feeder import RECOVERIES_PER_MINUTE_MAX
from entraide_scheduler.store.journal import Retention
from entraide_scheduler.store.store import Store

NODE, KEY = SenderKind.NODE, SenderKind.KEY
WAITS = "j-waits"  # behind RUNS on n1
LATER = START + 60.0
BY_KEY = (
    events.JobRequested,
    events.JobCancelled,
    events.JobAbandoned,
    events.BatchStated,
    events.AnswerResumed,
)
ANSWERED = BY_KEY[:3]  # whose dropped events the client is told of


class Driver:
    """A driver whose clock stands still until a test moves it."""

    def __init__(
        self, driver: LiveDriver, store: Store, sent: SentMessages, moment: list[float]
    ) -> None:
        self.live_driver = driver
        self.store = store
        self.sent = sent
        self._moment = moment

    def wait_until(self, at: float) -> None:
        """Moves the clock."""
        self._moment[0] = at

    def feed(self, kind: type, *values: Any) -> bool:
        """Feeds an event by its fields in order."""
        return self.live_driver.feed(kind(*events.UNNUMBERED, *values))

    def state(self) -> bytes:
        """Returns the core as bytes."""
        return self.live_driver.core.snapshot()

    async def replayed(self) -> bytes:
        """Returns the core that a start would bring back, as bytes."""
        await self.live_driver.committed()
        recovered = await recover(self.store)
        assert (
            recovered.digest == self.live_driver._journal._digest
        )  # the same commands, event by event
        return recovered.core.snapshot()


def busy_core(deadline: Kind | None = None) -> Core:
    """Two nodes, a job that runs on the first, one that waits; and a deadline, if one is named."""
    pool = Pool()
    pool.join(card("n1", "beta", replicas=(replica(slots=1),)))
    pool.ask(RUNS)
    pool.ask(WAITS)
    pool.ask("j-kept", kind=JobKind.KEPT, key="key-other")
    pool.join(card("n2", "beta", replicas=(replica("other"),)))
    if deadline == Kind.WAIT_LIMIT:  # which a job that could run does not have
        pool.tell(events.NodeChanged, "n1", False, "owner_hours", None)
    if deadline and not any(kind == deadline for kind, _, _ in pool.core._state.deadlines.listed()):
        name = WAITS if deadline in JOB_DEADLINES else "n1"
        pool.core._state.deadlines.set(deadline, name, START + 50.0)
    return pool.core


@asynccontextmanager
async def driver(folder: Path, core: Core, *, keep_s: float = 3_600.0) -> AsyncIterator[Driver]:
    """Drives a core on a store of its own."""
    await asyncio.to_thread(folder.mkdir)
    store, sent, moment = await Store.open(store_url(folder)), SentMessages(), [START + 1.0]
    state = core.snapshot()
    recovered = RecoveredState(Core.restore(state), 100, START, 1, {}, [], base=state)
    clock = Clock(wall=lambda: moment[0], steady=lambda: moment[0])
    keep = Retention(keep_s, 100_000)
    live = LiveDriver(recovered, store=store, clock=clock, outbound=sent, retention=keep)
    try:
        await live.start("gw-own")
        live.feed(events.NodesSeen(*events.UNNUMBERED, nodes=("n1", "n2")))
        yield Driver(live, store, sent, moment)
    finally:
        await live.stop()
        await store.close()


def break_handler(
    monkeypatch: pytest.MonkeyPatch, kind: type, first: int, *, times: int = 1_000
) -> None:
    """Makes a handler spoil the state and raise, from an event's number on."""
    handle, left = HANDLERS[kind], [times]

    def broken(state: Any, event: Any) -> None:
        handle(state, event)
        if event.id >= first and left[0]:
            left[0] -= 1
            spoil(state)
            raise ZeroDivisionError("spoilt")

    monkeypatch.setattr(machine, "HANDLERS", {**HANDLERS, kind: broken})


def spoil(state: Any) -> None:
    """Leaves hardly anything of a state as it was."""
    state.arrivals += 7
    state.ledger.balances["alpha"] = {"tokens": 1}
    state.deadlines.clear(Kind.NODE_SILENCE, "n1")
    state.jobs.clear()
    state.fleet.nodes.pop("n2", None)


def sender(kind: type) -> Sender | None:
    """Who is accountable for one of ``VALUES``."""
    if kind in BY_KEY:
        return Sender(KEY, "key-alpha")
    by_node = (events.NodeJoined, events.NodeChanged, events.NodeBeat, events.NodeLeft,
               events.LoadFailed)  # fmt: skip
    is_node = kind in by_node or kind.__name__.startswith("Run")
    return Sender(NODE, "n1") if is_node else None


@pytest.mark.parametrize("kind", HANDLERS, ids=lambda kind: kind.__name__)
async def test_an_event_that_raises_leaves_nothing_but_the_quarantine_of_its_sender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type
) -> None:
    """The core is as that of a driver which was told of the quarantine alone, byte for byte."""
    accountable = sender(kind)
    name = kind.__struct_config__.tag
    async with driver(tmp_path / "a", busy_core()) as bad, driver(tmp_path / "b", busy_core()) as b:
        if accountable is not None:
            b.feed(events.SenderQuarantined, *accountable, EVENT_RAISED, name)
        break_handler(monkeypatch, kind, bad.live_driver.event_id + 1)

        assert not bad.feed(kind, *VALUES[kind])
        assert b.state() == bad.state() == await bad.replayed()
        assert not bad.live_driver.failed.done()
        assert 1 == bad.live_driver.counts[f"event_dropped.{name}"]
        assert (1 if accountable else 2) == bad.live_driver.counts["recoveries"]
        assert "event_dropped" in {trouble.code for trouble in bad.live_driver.health.incidents()}
        assert b.live_driver._journal._digest == bad.live_driver._journal._digest
        assert b.sent.nodes == bad.sent.nodes
        assert len(b.sent.gateways) + (kind in ANSWERED) == len(bad.sent.gateways)


@pytest.mark.parametrize("deadline", DEADLINE_HANDLERS)
async def test_a_deadline_that_raises_twice_is_dropped_and_no_sender_pays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deadline: Kind
) -> None:
    """The core is as that of a driver which was told to drop it, byte for byte."""

    def broken(state: Any, name: str) -> None:
        del name
        spoil(state)
        raise ZeroDivisionError("spoilt")

    quiet = dict.fromkeys(DEADLINE_HANDLERS, lambda *_: None)
    core = busy_core(deadline)
    async with driver(tmp_path / "a", core) as bad, driver(tmp_path / "b", core) as good:
        monkeypatch.setattr(machine, "DEADLINE_HANDLERS", {**quiet, deadline: broken})
        for message in (bad, good):
            message.wait_until(LATER)
        taken = bad.feed(events.Woke)
        dropped = []
        while name := due(good.live_driver.core, deadline):
            dropped.append(name[0])
            good.feed(events.DeadlineDropped, deadline, name[0])
            view = good.live_driver.core.job(name[0])
            if view is not None and not view.ended_at:
                good.feed(events.JobCancelled, name[0], "internal")
        good.feed(events.Woke)

        assert taken
        assert dropped
        assert good.state() == bad.state() == await bad.replayed()
        assert [] == bad.live_driver.core.quarantines()
        assert len(dropped) == bad.live_driver.counts[f"deadline_dropped.{deadline}"]
        assert good.sent.gateways == bad.sent.gateways
        assert ("deadline_dropped", deadline) in troubles(bad)


def due(core: Core, kind: str) -> list[str]:
    """The names of the deadlines of a kind that are due, the earliest first."""
    deadlines = sorted((at, name) for k, name, at in core._state.deadlines.listed() if k == kind)
    return [name for at, name in deadlines if at <= LATER]


def troubles(driver: Driver) -> set[tuple[str, str]]:
    return {(trouble.code, trouble.what) for trouble in driver.live_driver.health.incidents()}


async def test_a_deadline_that_raises_once_is_done_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not dropped, and what it leads to is done once."""
    left = [1]

    def broken(state: Any, name: str) -> None:
        DEADLINE_HANDLERS[Kind.NODE_SILENCE](state, name)
        if left[0]:
            left[0] -= 1
            spoil(state)
            raise ZeroDivisionError("spoilt")

    core = busy_core()
    async with driver(tmp_path / "a", core) as bad, driver(tmp_path / "b", core) as good:
        for message in (bad, good):
            message.wait_until(LATER)
        good.feed(events.Woke)
        handlers = {**DEADLINE_HANDLERS, Kind.NODE_SILENCE: broken}
        monkeypatch.setattr(machine, "DEADLINE_HANDLERS", handlers)
        bad.feed(events.Woke)

        assert good.state() == bad.state() == await bad.replayed()
        assert good.sent.gateways == bad.sent.gateways
        assert good.sent.nodes == bad.sent.nodes
        assert (1, 0) == (
            bad.live_driver.counts["recoveries"],
            bad.live_driver.counts["deadline_dropped.node"],
        )


async def test_an_event_without_a_sender_that_raises_once_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried once more, and nothing is dropped."""
    core = busy_core()
    async with driver(tmp_path / "a", core) as bad, driver(tmp_path / "b", core) as good:
        kind = events.PeriodBegan
        good.feed(kind, *VALUES[kind])
        break_handler(monkeypatch, kind, bad.live_driver.event_id + 1, times=1)

        assert bad.feed(kind, *VALUES[kind])
        assert good.state() == bad.state() == await bad.replayed()
        assert START + 3_600.0 == bad.live_driver.get_period_end(Period.DAY)


async def test_events_of_a_kind_that_keeps_raising_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are dropped without a recovery, for longer each time, and then tried again."""
    async with driver(tmp_path / "a", busy_core()) as bad:
        kind = events.PeriodBegan
        break_handler(monkeypatch, kind, bad.live_driver.event_id + 1, times=4)
        taken = [bad.feed(kind, *VALUES[kind]) for _ in range(50)]
        recoveries = bad.live_driver.counts["recoveries"]
        bad.wait_until(START + 4.0)
        bad.feed(kind, *VALUES[kind])
        bad.wait_until(START + 6.0)
        paused = bad.feed(kind, *VALUES[kind])
        bad.wait_until(START + 10.0)

        assert not any(taken)
        assert 2 == recoveries
        assert 4 == bad.live_driver.counts["recoveries"]
        assert not paused
        assert bad.feed(kind, *VALUES[kind])


async def test_a_waiting_job_that_cannot_be_placed_costs_its_key_and_not_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It raises as another sender's report frees a slot: that report counts."""
    want = dispatch.evaluation.make_request

    def broken(state: Any, job: Any, at: float) -> Any:
        if job.facts.job == WAITS:
            spoil(state)
            raise ZeroDivisionError("spoilt")
        return want(state, job, at)

    async with driver(tmp_path / "a", busy_core()) as bad:
        view = bad.live_driver.core.job(RUNS)
        assert view is not None
        monkeypatch.setattr(dispatch.evaluation, "make_request", broken)
        fields = (RUNS, view.epoch, "n1", Outcome.COMPLETED, "", True, usage())
        taken = bad.feed(events.RunReported, *fields)
        monkeypatch.undo()
        ended = [message for _, message in bad.sent.gateways if isinstance(message, m.JobEnded)]
        placed = [
            message.job for _, message in bad.sent.gateways if isinstance(message, m.JobPlaced)
        ]

        assert taken
        assert ["key-alpha"] == [
            quarantine.name for quarantine in bad.live_driver.core.quarantines()
        ]
        assert {(WAITS, "key_quarantined"), (RUNS, "")} == {
            (message.job, message.code) for message in ended
        }
        assert ["j-kept"] == placed
        assert bad.state() == await bad.replayed()


async def test_a_quarantine_whose_consequences_raise_is_kept_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node is in quarantine all the same; its leases end when it has been silent."""
    async with driver(tmp_path / "a", busy_core()) as bad:
        first = bad.live_driver.event_id + 1
        break_handler(monkeypatch, events.NodeChanged, first)
        handlers = dict(machine.HANDLERS)
        break_handler(monkeypatch, events.SenderQuarantined, first, times=1)
        both = {**handlers, events.SenderQuarantined: machine.HANDLERS[events.SenderQuarantined]}
        monkeypatch.setattr(machine, "HANDLERS", both)
        bad.feed(events.NodeChanged, *VALUES[events.NodeChanged])
        view = bad.live_driver.core.job(RUNS)

        assert ["n1"] == [quarantine.name for quarantine in bad.live_driver.core.quarantines()]
        assert view is not None
        assert JobState.OFFERED is view.state
        assert bad.state() == await bad.replayed()


async def test_a_core_that_cannot_be_brought_back_stops_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As every failure did before: the next start goes on from the journal."""
    async with driver(tmp_path / "a", busy_core()) as bad:
        before = bad.state()
        break_handler(monkeypatch, events.NodesSeen, 0)
        taken = bad.feed(events.NodesSeen, ("n1",))
        monkeypatch.undo()
        await bad.store.committed()

        assert not taken
        assert isinstance(bad.live_driver.failed.exception(), ZeroDivisionError)
        assert before == (await recover(bad.store)).core.snapshot()


async def test_a_start_that_raises_stops_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a new incarnation no epoch of a lease would be new: nothing may be placed."""

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("spoilt")

    core = busy_core()
    monkeypatch.setattr(machine.node_lifecycle, "handle_started", broken)
    async with driver(tmp_path / "a", core) as bad:
        assert isinstance(bad.live_driver.failed.exception(), RecoveryFailed)
        assert not bad.feed(events.NodesSeen, ("n1",))


async def test_recoveries_that_do_not_help_stop_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their number within a minute has a limit."""
    async with driver(tmp_path / "a", busy_core()) as bad:
        kinds = [kind for kind in VALUES if sender(kind) is None and kind is not events.Woke]
        for _ in range(RECOVERIES_PER_MINUTE_MAX):
            for kind in kinds:
                monkeypatch.undo()
                break_handler(monkeypatch, kind, bad.live_driver.event_id + 1)
                bad.feed(kind, *VALUES[kind])
            bad.wait_until(bad.live_driver.now() + 2.0)

        assert isinstance(bad.live_driver.failed.exception(), RecoveryFailed)


async def test_a_snapshot_that_fails_leaves_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost or stopped; an event that raises is still taken back; readiness says so."""
    async with driver(tmp_path / "a", busy_core()) as bad:

        def broken(_: Any) -> bytes:
            raise OverflowError("spoilt")

        monkeypatch.setattr(machine.snapshot, "write", broken)
        await bad.live_driver.write_snapshot()
        bad.feed(events.JobRequested, facts("j-more", key="key-more"))
        break_handler(monkeypatch, events.NodeLeft, bad.live_driver.event_id + 1)
        bad.feed(events.NodeLeft, "n1", "goodbye")
        failing = troubles(bad)
        monkeypatch.undo()
        state, replayed = bad.state(), await bad.replayed()
        await bad.live_driver.write_snapshot()

        assert ("snapshot_failed", "") in failing
        assert ("snapshot_failed", "") not in troubles(bad)
        assert state == replayed
        assert not bad.live_driver.failed.done()
        assert bad.live_driver.core.job("j-more") is not None


async def test_questions_that_raise_stop_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next deadline is polled for instead, and an explanation is absent."""

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("spoilt")

    async with driver(tmp_path / "a", busy_core()) as bad:
        monkeypatch.setattr(Core, "next_deadline", broken)
        monkeypatch.setattr(Core, "explain", broken)
        taken = bad.feed(events.NodesSeen, ("n1",))
        bad.wait_until(LATER)
        bad.feed(events.NodesSeen, ())

        assert taken
        assert bad.live_driver.explain(WAITS) is None
        assert {("question_failed", "next_deadline"), ("question_failed", "explain")} <= troubles(
            bad
        )
        assert "live" not in {view.state.value for view in bad.live_driver.core.nodes()}
        assert not bad.live_driver.failed.done()


async def test_a_command_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    """What cannot be told to one gateway is counted; the node is told."""
    async with driver(tmp_path / "a", busy_core()) as bad:

        def broken(gateway: str, message: Any) -> None:
            raise ZeroDivisionError(gateway, message)

        bad.sent.send_to_gateway = broken  # type: ignore[method-assign]
        taken = bad.feed(events.JobCancelled, RUNS, "client_gone")

        assert taken
        assert [m.StopRun] == [type(message) for _, message in bad.sent.nodes]
        assert ("command_failed", "EndJob") in troubles(bad)


async def test_an_event_that_cannot_be_written_never_reaches_the_core(tmp_path: Path) -> None:
    """What MessagePack cannot hold would be lost to the journal: its sender pays."""
    core = busy_core()
    async with driver(tmp_path / "a", core) as bad:
        report = usage(output_tokens=2**70)
        fields = (RUNS, 1, "n1", Outcome.COMPLETED, "", True, report)

        assert not bad.feed(events.RunReported, *fields)
        assert ["n1"] == [quarantine.name for quarantine in bad.live_driver.core.quarantines()]
        assert bad.state() == await bad.replayed()


async def test_the_client_of_a_dropped_request_is_answered_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its gateway is told ``internal``; the key's next request is refused by the quarantine."""
    async with driver(tmp_path / "a", busy_core()) as bad:
        break_handler(monkeypatch, events.JobRequested, bad.live_driver.event_id + 1, times=1)
        bad.feed(events.JobRequested, facts("j-new"))
        bad.feed(events.JobRequested, facts("j-next"))
        codes = {
            message.job: message.code
            for _, message in bad.sent.gateways
            if isinstance(message, m.JobRefused)
        }

        assert {"j-new": "internal", "j-next": "key_quarantined"} == codes

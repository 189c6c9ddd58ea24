"""Two schedulers of one pool: on one database, and with a copied directory, on one bus."""

import asyncio
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.integration.killed_scheduler import SchedulerProcess, play_node
from tests.integration.nats_support import NatsPool, node_key
from tests.scheduler.pool_support import running_scheduler, write_config
from tests.suspending import suspended
from tests.waiting import eventually

from entraide.system_service.units import FINAL_STATUS
from entraide.wire import messages as m
from entraide.wire import subjects
from entraide.wire.terms import FORGOTTEN_S, FollowedTerm, term_headers
from entraide_scheduler.bus import Publisher
from entraide_scheduler.run import EXIT_BROKEN
from entraide_scheduler.store import leader
from entraide_scheduler.store.leader import LeaderRow, Term

LEASE_S = 2.0
# A scheduler whose terms are short.
RUN = """
import sys
from entraide_scheduler.driver import term
from entraide_scheduler.store import leader
from entraide_scheduler.__main__ import main

leader.LEASE_S = term.LEASE_S = float(sys.argv.pop(1))
leader.RENEW_S = leader.LEASE_S / 6
main()
"""


class ShortTerms(SchedulerProcess):
    """A scheduler in a process of its own, with short terms."""

    program = RUN


@pytest.fixture
def home(tmp_path: Path, bus: NatsPool) -> Path:
    """A directory of the pool whose bus runs."""
    folder = tmp_path / "original"
    shutil.copytree(tmp_path, folder, ignore=shutil.ignore_patterns("original"))
    return folder


def copy_pool(home: Path, name: str) -> Path:
    """Copies the directory of a pool that runs, with its store."""
    copy = home.parent / name
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns("store.db*"))
    if (home / "store.db").exists():
        with (
            closing(sqlite3.connect(home / "store.db")) as source,
            closing(sqlite3.connect(copy / "store.db")) as target,
        ):
            source.backup(target)
    return copy


async def test_a_suspended_scheduler_does_nothing_once_another_took_over(
    tmp_path: Path, home: Path, bus: NatsPool
) -> None:
    """Another scheduler on the same database takes over when the first one is suspended; when that
    one goes on, it writes nothing, sends nothing to the node that asks it, and ends."""
    shared = f'store_url = "sqlite:///{tmp_path / "shared.db"}"'
    second_home = copy_pool(home, "second")
    for folder in (home, second_home):
        write_config(folder, bus.url, shared)
    first, second = ShortTerms(home, bus), ShortTerms(second_home, bus)
    played = beating = None
    try:
        await first.start()
        played = await play_node(first)
        beating = asyncio.create_task(played.beat())
        await played.come()
        # A process that is suspended within a transaction keeps SQLite's lock: not this one.
        lock = sqlite3.connect(tmp_path / "shared.db", isolation_level=None, timeout=30.0)
        lock.execute("BEGIN IMMEDIATE")
        async with suspended(first.process.pid):
            lock.close()
            await second.start()
            played.node.boot += "x"  # a scheduler asks an unknown boot for a hello
            await played.node.send_heartbeat()
        status = await first.process.wait()
        asked = len(played.node.received(m.HelloRequest))
        await eventually(lambda: len(played.node.received(m.HelloRequest)) > asked)
        followed = played.node.connection.followed_term
        is_second_there = second.process.returncode is None
    finally:
        if played is not None and beating is not None:
            beating.cancel()
            await played.node.connection.close()
        await second.end(signal.SIGTERM)
        await first.end(signal.SIGKILL)
    (taken,), (then,) = first.said("term.taken"), second.said("term.taken")

    assert (EXIT_BROKEN, True) == (status, is_second_there)
    assert taken["term"] + 1 == then["term"]
    assert (then["term"], 0) == (followed.number, followed.dropped)
    assert first.said("store.halted")


async def test_of_a_directory_and_its_copy_one_scheduler_goes_on(
    home: Path, bus: NatsPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that is started beside the original has the higher term: the original ends, with the
    status that keeps a supervisor from starting it again; the pool's node follows the copy."""
    monkeypatch.setattr(leader, "LEASE_S", LEASE_S)
    monkeypatch.setattr(leader, "RENEW_S", LEASE_S / 6)
    write_config(home, bus.url)
    original, played = ShortTerms(home, bus), None
    try:
        await original.start()
        played = await play_node(original)
        await played.node.send_hello()
        await eventually(lambda: played.node.received(m.Welcome))
        async with running_scheduler(copy_pool(home, "copy"), bus) as copied:
            status = await original.process.wait()
            await played.node.send_hello()
            await eventually(lambda: copied.state(played.node.name) == "live")
            has_failed = copied.driver.failed.done()
    finally:
        if played is not None:
            await played.node.connection.close()
        await original.end(signal.SIGKILL)

    assert (FINAL_STATUS, False) == (status, has_failed)
    assert "SchedulerElsewhere" in original.said("live.failed")[0]["problem"]


async def test_a_killed_scheduler_starts_again_at_once(home: Path, bus: NatsPool) -> None:
    """Its own former term does not keep it waiting."""
    write_config(home, bus.url)
    scheduler = ShortTerms(home, bus)
    scheduler.seconds = 600.0
    terms = []
    for _ in range(2):
        await scheduler.start()
        terms += [line["term"] for line in scheduler.said("term.taken")]
        await scheduler.end(signal.SIGKILL)

    assert [1, 2] == terms


async def test_nodes_and_gateways_follow_the_highest_term(bus: NatsPool) -> None:
    """A node and a gateway get what the scheduler with the highest term sends, and nothing of a
    lower one; a version without terms is heard."""
    scheduler, node, gateway = await bus.scheduler(), await bus.node("n1"), await bus.gateway("gw")
    to_node, to_gateway = subjects.node_ctl_down(node_key("n1")), subjects.gateway_down("gw")
    heard: list[tuple[str, bytes]] = []

    async def on_control(message: object) -> None:
        heard.append(("node", message.data))  # type: ignore[attr-defined]

    await node.subscribe(to_node, cb=on_control)
    await gateway.receive(to_gateway, lambda _, data: heard.append(("gateway", data)))
    for connection in (node, gateway):
        await connection.flush()
    for term in (7, 6, 8, 0, 7):
        for subject in (to_node, to_gateway):
            scheduler.send(subject, b"%d" % term, term_headers(term) if term else b"")
    for subject in (to_node, to_gateway):
        scheduler.send(subject, b"end")
    await scheduler.flush()
    await eventually(lambda: [data for _, data in heard].count(b"end") == 2)

    for name in ("node", "gateway"):
        assert [b"7", b"8", b"0", b"end"] == [data for whom, data in heard if whom == name]


def test_a_term_that_is_not_heard_is_forgotten() -> None:
    """A pool whose database was set back is followed after a minute; others have no term."""
    now = [0.0]
    followed = FollowedTerm(lambda: now[0])
    subject = b"node.U.down.ctl"
    first = followed.accepts(subject, term_headers(9))
    lower = followed.accepts(subject, term_headers(3))
    elsewhere = followed.accepts(b"node.U.down.in", term_headers(3))
    now[0] = FORGOTTEN_S
    later = followed.accepts(subject, term_headers(3))
    next_one = followed.accepts(subject, term_headers(2))

    assert (True, False, True, True, False) == (first, lower, elsewhere, later, next_one)
    assert (3, 2) == (followed.number, followed.dropped)


@pytest.mark.parametrize("is_over", [False, True])
async def test_a_scheduler_sends_nothing_without_a_valid_term(bus: NatsPool, is_over: bool) -> None:
    """What a scheduler sends after the end of its term is dropped and counted."""
    now = [0.0]
    term = Term(LeaderRow("a", 3, 0.0), began_at=0.0, steady=lambda: now[0])
    scheduler, gateway = await bus.scheduler(), await bus.gateway("gw")
    heard: list[bytes] = []
    await gateway.receive(subjects.gateway_down("gw"), lambda _, data: heard.append(data))
    await gateway.flush()
    publisher = Publisher(scheduler, term)
    now[0] = 11.0 if is_over else 9.0
    publisher.publish(subjects.gateway_down("gw"), b"x")
    scheduler.send(subjects.gateway_down("gw"), b"end")
    await scheduler.flush()
    await eventually(lambda: b"end" in heard)

    assert ([b"end"] if is_over else [b"x", b"end"]) == heard
    assert int(is_over) == publisher.dropped

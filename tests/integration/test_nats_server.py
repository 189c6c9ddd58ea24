"""The nats-server as a child: what it is told, how it comes back, and that it never outlives us."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlparse

import psutil
import pytest
from nats.aio.client import Srv
from structlog.testing import capture_logs
from tests.integration.nats_support import NatsPool, listen, node_key, running_pool
from tests.serving import hang_up, serving
from tests.waiting import eventually

from entraide.errors import PoolError, PoolUnreachable
from entraide.wire.nats import (
    RECONNECT_DELAY_MAX_S,
    RECONNECT_DELAY_MIN_S,
    BusConnection,
    connect,
    reconnect_delay_s,
)
from entraide_scheduler.nats import config, server
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.nats.server import NatsServer, NatsSettings, is_healthy, write_config

A, B = node_key("a"), node_key("b")


def gone(pid: int) -> bool:
    """Whether a process has ended, its parent's wait for it aside."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_connection_outlives_a_killed_server(nats_pool: NatsPool) -> None:
    """After kill -9 of the server every connection finds it again, subscribed, on the same port."""
    node, scheduler = await nats_pool.node("a"), await nats_pool.scheduler()
    heard = await listen(node, f"node.{A}.down.>")
    url, before = nats_pool.url, nats_pool.server.pid
    psutil.Process(before).kill()
    await eventually(lambda: [1, 1] == [nats_pool.returns(c) for c in (node, scheduler)])
    await scheduler.publish(f"node.{A}.down.ctl", b"again")
    await eventually(lambda: heard.messages)

    assert [(f"node.{A}.down.ctl", b"again")] == heard.messages
    assert url == nats_pool.url
    assert before != nats_pool.server.pid


async def test_what_is_published_meanwhile_arrives(nats_pool: NatsPool) -> None:
    """What is published while the server is away is sent when it is back."""
    scheduler = await nats_pool.scheduler()  # it may both send this and hear it
    heard = await listen(scheduler, f"node.{A}.down.ctl")
    psutil.Process(nats_pool.server.pid).kill()
    await eventually(lambda: not scheduler.is_connected)
    await scheduler.publish(f"node.{A}.down.ctl", b"kept")
    await eventually(lambda: heard.messages)

    assert [(f"node.{A}.down.ctl", b"kept")] == heard.messages


async def test_owner_hears_of_loss_and_return(nats_pool: NatsPool) -> None:
    """The owner of a connection is told when it is lost and when it is back, in that order."""
    notices: list[str] = []

    async def lost() -> None:
        notices.append("lost")

    async def back() -> None:
        notices.append("back")

    with capture_logs() as logs:
        node = await nats_pool.enter(
            nats_pool.new_node("a")[0], on_disconnected=lost, on_reconnected=back
        )
        psutil.Process(nats_pool.server.pid).kill()
        await eventually(lambda: "back" in notices)
        await node.close()

    assert ["lost", "back"] == notices
    assert ["bus.connected", "bus.disconnected", "bus.reconnected", "bus.closed"] == [
        line["event"]
        for line in logs
        if line["event"].startswith("bus.") and line["event"] != "bus.error"
    ]


async def test_surprise_does_not_end_the_attempts(
    nats_pool: NatsPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that nats-py does not expect while it reconnects does not strand a node."""
    monkeypatch.setattr("entraide.wire.nats.RECONNECT_DELAY_MAX_S", 0.1)
    node = await nats_pool.node("a")
    original = node._process_connect_init
    surprises = []

    async def surprised() -> None:
        if not surprises:
            surprises.append(RuntimeError("the handler is closed"))
            raise surprises[0]
        await original()

    monkeypatch.setattr(node, "_process_connect_init", surprised)
    psutil.Process(nats_pool.server.pid).kill()
    await eventually(lambda: nats_pool.returns(node) == 1)

    assert 1 == len(surprises)


class Deaf:
    """A way to a server that leads nowhere, and that loses the first cancellation."""

    def __init__(self) -> None:
        self.reached = 0
        self.lost = 0

    async def __call__(self, *_arguments: object) -> None:
        """Waits until it is cancelled."""
        self.reached += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.lost += 1
            if self.lost == 1:
                raise ConnectionRefusedError from None
            raise


async def test_lost_cancellation_does_not_hang_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first connection ends at its deadline, also when the attempt loses its cancellation."""
    deaf = Deaf()
    monkeypatch.setattr(BusConnection, "_connect_to_server", deaf)
    with pytest.raises(PoolUnreachable):
        await connect("nats://127.0.0.1:9", identity=_no_identity(), name="t", deadline_s=0.05)

    assert deaf.lost


async def test_lost_cancellation_does_not_undo_a_close(
    nats_pool: NatsPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is closed while it reconnects stays closed."""
    node, deaf = await nats_pool.node("a"), Deaf()
    monkeypatch.setattr(BusConnection, "_connect_to_server", deaf)
    psutil.Process(nats_pool.server.pid).kill()
    await eventually(lambda: deaf.reached)
    await node.close()

    assert deaf.lost
    assert node.is_closed
    assert node._reconnection_task is not None
    assert node._reconnection_task.done()


async def test_a_start_cancelled_while_an_attempt_ends_leaves_nothing_open() -> None:
    """The connection of a failed attempt is closed, also when its end is cancelled half-way."""
    ends: list[bytes] = []

    async def speak_another_protocol(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"220 mail.example.coop\r\n")
        ends.append(await reader.read())

    async def cancel_soon(_problem: Exception) -> None:
        asyncio.get_running_loop().call_soon(start.cancel)

    connection = BusConnection()
    async with serving(speak_another_protocol) as port:
        start = asyncio.create_task(
            connection.connect(f"nats://127.0.0.1:{port}", error_cb=cancel_soon)
        )
        await asyncio.wait({start})
        await connection.close()
        await eventually(lambda: ends)

    assert start.cancelled()
    assert [b""] == ends


async def test_next_attempt_closes_the_connection_of_the_last() -> None:
    """An attempt that a server refused leaves no connection open when the next one begins."""
    async with serving(hang_up) as port:
        address, connection = Srv(urlparse(f"nats://127.0.0.1:{port}")), BusConnection()
        await connection._connect_to_server(address)
        refused = connection._transport._io_writer
        await connection._connect_to_server(address)
        last = connection._transport._io_writer
        last.close()
        await last.wait_closed()

    assert refused.is_closing()
    assert refused is not last


async def test_error_that_ends_nothing_ends_nothing(nats_pool: NatsPool) -> None:
    """A refused subject is reported, and the connection goes on undisturbed."""
    node = await nats_pool.node("a")
    heard = await listen(node, f"node.{A}.down.>")
    with capture_logs() as logs:
        await node.publish(f"node.{B}.up.ctl", b"")
        await node.flush()
    scheduler = await nats_pool.scheduler()
    await scheduler.publish(f"node.{A}.down.ctl", b"x")
    await eventually(lambda: heard.messages)

    assert ["bus.forbidden"] == [line["event"] for line in logs]
    assert 0 == node.stats["reconnects"]


async def test_flush_waits_for_what_is_not_written_yet(nats_pool: NatsPool) -> None:
    """When flush returns, the server holds each subscription that was asked for before."""
    scheduler, node = await nats_pool.scheduler(), await nats_pool.node("a")
    for number in range(24):
        inbox = await listen(node, f"node.{A}.down.{number}")
        await scheduler.publish(f"node.{A}.down.{number}", b"x")
        await scheduler.flush()
        await eventually(lambda: inbox.messages)  # noqa: B023  (it is awaited in the same turn)

        assert 1 == len(inbox.messages)


def test_waits_double_and_are_bounded() -> None:
    """Waits between attempts start at 50 ms, double to 2 s, and are spread by luck."""
    longest = [reconnect_delay_s(attempt, 1.0) for attempt in range(1_000)]
    shortest = [reconnect_delay_s(attempt, 0.0) for attempt in range(1_000)]

    assert RECONNECT_DELAY_MIN_S == longest[0]
    assert {RECONNECT_DELAY_MAX_S} == set(longest[6:])
    assert [delay_s / 2 for delay_s in longest] == shortest
    assert all(low <= high for low, high in pairwise(longest))


async def test_plain_text_stays_on_this_machine() -> None:
    """A connection without TLS to another machine is refused before a byte is sent."""
    pool_url = "nats://bus.example.coop:4222"
    with pytest.raises(PoolError) as refused:
        await connect(pool_url, identity=_no_identity(), name="test", deadline_s=0.1)

    assert "bus_plain_refused" == refused.value.code
    assert "bus.example.coop" == refused.value.values["host"]


def _no_identity():
    from entraide.wire.nats import Identity

    return Identity(jwt="", seed="", inbox_prefix=f"_INBOX.{A}")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "bus.example.coop"])
def test_server_refuses_plain_text_beyond_loopback(tmp_path: Path, host: str) -> None:
    """Without TLS no configuration is written that others could reach."""
    identity = PoolIdentity(tmp_path)
    settings = NatsSettings(state=tmp_path, host=host, port=4222)
    with pytest.raises(PoolError) as refused:
        write_config(settings, identity)

    assert "nats_plain_refused" == refused.value.code
    assert not (tmp_path / "nats").exists()


def test_configuration_says_what_matters(tmp_path: Path) -> None:
    """Limits, trust and files stand in the configuration; JetStream does not; no seed does."""
    state = tmp_path / 'a "pool" é'
    identity = PoolIdentity(state)
    text = write_config(NatsSettings(state=state, port=4222), identity).path.read_text()
    written = json.loads(text)

    assert ("127.0.0.1", 4222, 8 * 1024 * 1024) == (
        written["host"],
        written["port"],
        written["max_payload"],
    )
    assert {identity.build_server_claims().account, identity.build_server_claims().system} == set(
        written["resolver_preload"]
    )
    assert "jetstream" not in text.lower()
    assert "tls" not in written
    assert all(seed.read_text().strip() not in text for seed in (state / "identity").glob("*.seed"))


async def test_state_may_have_any_name(tmp_path: Path) -> None:
    """A server runs in a directory whose name has spaces, quotes and accents."""
    async with running_pool(tmp_path / 'a "pool" \\ é') as pool:
        node = await pool.node("a")

        assert node.is_connected


async def test_stop_ends_the_server(tmp_path: Path) -> None:
    """After stop the server is gone and nothing starts it again; stopping twice is stopping."""
    pool = NatsPool(tmp_path)
    await pool.server.start()
    pid, settings = pool.server.pid, pool.server.config
    await pool.server.stop()
    await pool.server.stop()

    assert gone(pid)
    assert not await is_healthy(settings)


async def test_taken_port_is_said(nats_pool: NatsPool, tmp_path: Path) -> None:
    """A server that cannot have its port does not pretend: the error holds the server's words."""
    state = tmp_path / "second"
    settings = NatsSettings(state=state, port=nats_pool.server.config.port)
    second = NatsServer(settings, PoolIdentity(state))
    with pytest.raises(PoolError) as refused:
        await second.start()
    log = (state / "nats/nats-server.log").read_text()
    await second.stop()

    assert "nats_not_ready" == refused.value.code
    assert "address already in use" in log
    assert "address already in use" in str(refused.value)


async def test_free_port_is_tried_again(
    nats_pool: NatsPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When somebody else is faster on a free port, the next free port is taken."""
    taken = nats_pool.server.config.port
    ports = iter([taken, config.free_port("127.0.0.1")])
    original = config.free_port
    monkeypatch.setattr(config, "free_port", lambda host: next(ports, None) or original(host))
    state = tmp_path / "second"
    second = NatsServer(NatsSettings(state=state), PoolIdentity(state))
    await second.start()
    try:
        assert taken != second.config.port
        assert await is_healthy(second.config)
    finally:
        await second.stop()


def test_missing_binary_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without nats-server beside Python the error says where it was looked for."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(config.sysconfig, "get_path", lambda _name: str(tmp_path))
    with pytest.raises(PoolError) as refused:
        server.find_server_binary()

    assert "nats_binary_missing" == refused.value.code
    assert str(tmp_path) == refused.value.values["path"]


def start(*command: str) -> subprocess.Popen[bytes]:
    """Starts a process that nobody watches."""
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)


PARENT = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from entraide_scheduler.nats.identity import PoolIdentity
    from entraide_scheduler.nats.server import NatsServer, NatsSettings

    async def main():
        state = Path(sys.argv[1])
        server = NatsServer(NatsSettings(state=state), PoolIdentity(state))
        await server.start()
        print("READY", server.pid, flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())
    """
)


def start_parent(state: Path) -> tuple[subprocess.Popen[str], int]:
    """Starts a process that holds a server; returns it and the server's pid."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(state)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    for line in parent.stdout:
        if line.startswith("READY"):
            return parent, int(line.split()[1])
    raise AssertionError("the parent never had its server")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
async def test_no_orphan_when_the_parent_is_killed(tmp_path: Path) -> None:
    """kill -9 of the process that holds the server ends the server as well."""
    parent, pid = start_parent(tmp_path)
    with parent:
        assert not gone(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        await eventually(lambda: gone(pid))


async def test_server_of_a_dead_owner_is_ended(tmp_path: Path) -> None:
    """Where a parent's death leaves the server behind, the next start ends it and goes on."""
    pool = NatsPool(tmp_path)
    written = write_config(NatsSettings(state=tmp_path), pool.identity)
    orphan = start(*server.build_server_command(written))
    try:
        pid_file = tmp_path / "nats/nats-server.pid"
        await eventually(lambda: pid_file.exists() and pid_file.read_text().strip())
        (tmp_path / "nats/nats-server.owner").write_text('{"pid":999999999,"created_at":1.0}')
        await pool.server.start()

        assert 0 <= orphan.wait(10)
        assert pool.server.pid != orphan.pid
    finally:
        await pool.close()
        orphan.kill()
        orphan.communicate()


async def test_server_of_a_living_owner_is_left_alone(tmp_path: Path) -> None:
    """A second start in the same directory is refused, and the first pool goes on."""
    parent, pid = start_parent(tmp_path)
    with parent:
        second = NatsServer(NatsSettings(state=tmp_path), PoolIdentity(tmp_path))
        with pytest.raises(PoolError) as refused:
            await second.start()
        alive = not gone(pid)
        parent.kill()
        await eventually(lambda: gone(pid))

    assert "nats_already_running" == refused.value.code
    assert str(parent.pid) == refused.value.values["pid"]
    assert alive


async def test_pid_file_alone_is_not_believed(tmp_path: Path) -> None:
    """A pid that belongs to some other program by now is left alone."""
    bystander = start(sys.executable, "-c", "input()")
    (tmp_path / "nats").mkdir()
    (tmp_path / "nats/nats-server.pid").write_text(str(bystander.pid))
    pool = NatsPool(tmp_path)
    await pool.server.start()
    await pool.close()
    alive = bystander.poll() is None
    bystander.kill()
    bystander.communicate()

    assert alive


async def test_connection_works_on_uvloop(tmp_path: Path) -> None:
    """On uvloop too, a connection comes back after kill -9 of the server."""
    script = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        import psutil, uvloop
        from tests.integration.nats_support import running_pool
        from tests.waiting import eventually

        async def main():
            async with running_pool(Path(sys.argv[1])) as pool:
                node = await pool.node("a")
                psutil.Process(pool.server.pid).kill()
                await eventually(lambda: pool.returns(node) == 1)
                print("CAME BACK")

        uvloop.run(main())
        """
    )
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path),
        stdout=asyncio.subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    printed, _ = await process.communicate()

    assert 0 == process.returncode
    assert b"CAME BACK" in printed


def test_connection_is_a_client() -> None:
    """What connect returns is nats-py's client, so that its documentation holds."""
    from nats.aio.client import Client

    assert issubclass(BusConnection, Client)

"""TLS on the bus: the pool's own CA, nothing in plain text, and certificates that renew."""

import asyncio
import datetime as dt
import hashlib
import ssl
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import uvloop
from cryptography import x509
from tests.cases import all_cases
from tests.cutting_proxy import cutting_proxy
from tests.integration.nats_support import NatsPool, listen, node_key, running_pool
from tests.serving import hang_up, serving
from tests.suspending import suspended
from tests.waiting import eventually

from entraide.errors import AuthenticationError, PoolError, PoolUnreachable
from entraide.wire.direct_transport import DirectTransport
from entraide.wire.nats import client_context, connect, requires_tls
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.nats.tls import (
    TlsFiles,
    compute_fingerprint,
    ensure_files,
    make_server_context,
)

DAY_S = 86_400
NAMES = ("bus.example.coop", "192.0.2.7")
A = node_key("a")


def trusted(pool: NatsPool) -> ssl.SSLContext:
    """A context that trusts the pool's CA."""
    ca = pool.server.config.ca
    assert ca is not None
    return client_context(ca.read_text())


def leaf(files: TlsFiles) -> x509.Certificate:
    """The server's certificate."""
    return x509.load_pem_x509_certificate(files.cert.read_bytes())


async def test_whole_way_over_tls(tmp_path: Path) -> None:
    """With TLS on, a node and the scheduler exchange messages, after a restart too."""
    async with running_pool(tmp_path, tls_hosts=NAMES) as pool:
        node = await pool.node("a", tls=trusted(pool))
        scheduler = await pool.scheduler(tls=trusted(pool))
        heard = await listen(node, f"node.{A}.down.>")
        await scheduler.publish(f"node.{A}.down.ctl", b"one")
        await eventually(lambda: heard.messages)
        psutil.Process(pool.server.pid).kill()
        await eventually(lambda: [1, 1] == [pool.returns(c) for c in (node, scheduler)])
        await scheduler.publish(f"node.{A}.down.ctl", b"two")
        await eventually(lambda: len(heard.messages) == 2)

        assert pool.url.startswith("tls://")
        assert [b"one", b"two"] == [data for _, data in heard.messages]


async def test_end_of_a_server_is_no_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the server ends a TLS connection, asyncio has nothing to complain about."""
    async with running_pool(tmp_path, tls_hosts=NAMES) as pool:
        node = await pool.node("a", tls=trusted(pool))
        psutil.Process(pool.server.pid).kill()
        await eventually(lambda: pool.returns(node) == 1)

    assert [] == [record.message for record in caplog.records if record.name == "asyncio"]


async def test_a_close_that_is_given_up_leaves_no_socket_open(tmp_path: Path) -> None:
    """A TLS connection closes when its server answers that; one that may not wait ends at once."""
    async with running_pool(tmp_path, tls_hosts=NAMES) as pool:
        node = await pool.node("a", tls=trusted(pool))
        connection: Any = node._transport._io_writer.get_extra_info("socket")
        async with suspended(pool.server.pid):
            closing = asyncio.ensure_future(node.close())
            await eventually(lambda: node.is_closed)
            closing.cancel()
            await asyncio.wait([closing])
            await asyncio.sleep(0)
            descriptor = connection.fileno()

    assert closing.cancelled()
    assert -1 == descriptor


async def test_revocation_over_tls(tmp_path: Path) -> None:
    """Revoking works over TLS as it does without."""
    async with running_pool(tmp_path, tls_hosts=NAMES) as pool:
        identity, public = pool.new_node("a")
        node = await pool.enter(identity, tls=trusted(pool))

        assert await pool.identity.revoke_keys([public], servers=pool.url, tls=trusted(pool))
        await eventually(lambda: not node.is_connected)


async def test_plain_text_gets_no_word(tmp_path: Path) -> None:
    """To one who speaks no TLS the server says nothing, not even its greeting."""
    async with running_pool(tmp_path, tls_hosts=NAMES) as pool:
        reader, writer = await asyncio.open_connection("127.0.0.1", pool.server.config.port)
        writer.write(b"CONNECT {}\r\nPING\r\n")
        said = await reader.read()
        writer.close()

        assert not said.startswith(b"INFO")
        assert b"PONG" not in said
        with pytest.raises(PoolUnreachable):
            await connect(
                pool.url.replace("tls://", "nats://"),
                identity=pool.new_node("a")[0],
                name="plain",
                deadline_s=0.5,
            )


FORGED = b"".join(b"MSG forged %d 6\r\nforged\r\n" % sid for sid in range(1, 6))


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_plain_text_before_the_handshake_is_not_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    runner: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    """Who sends a message before the real server's handshake ends the attempt, no more."""
    connect_plainly = DirectTransport.connect

    async def run() -> None:
        async with (
            running_pool(tmp_path, tls_hosts=NAMES) as pool,
            cutting_proxy(pool.server.config.port) as proxy,
        ):

            async def connect_slowly(
                transport: DirectTransport, *values: Any, **named: Any
            ) -> None:
                await connect_plainly(transport, *values, **named)
                for _ in range(20):  # what was sent is there by then
                    await asyncio.sleep(0)

            monkeypatch.setattr(DirectTransport, "connect", connect_slowly)
            received: list[tuple[str, bytes]] = []
            node = await connect(
                f"tls://127.0.0.1:{proxy.port}",
                identity=pool.new_node("a")[0],
                name="a",
                tls=trusted(pool),
                deadline_s=20,
            )
            await node.receive(f"node.{A}.in", lambda *message: received.append(message))
            await node.flush()
            proxy.first_word = FORGED
            proxy.cut()
            await eventually(lambda: not proxy.first_word and node.is_connected)
            await node.flush()
            await node.close()

            assert [] == received

    runner(run())


async def test_another_ca_is_refused(tmp_path: Path) -> None:
    """One who trusts another pool's CA does not enter, and is told why at once."""
    other = ensure_files(tmp_path / "other", ["127.0.0.1"])
    async with running_pool(tmp_path / "pool", tls_hosts=NAMES) as pool:
        with pytest.raises(PoolError) as refused:
            await pool.enter(pool.new_node("a")[0], tls=client_context(other.ca.read_text()))

        assert "bus_untrusted" == refused.value.code


async def test_another_name_is_refused(tmp_path: Path) -> None:
    """A certificate counts for the names in it only."""
    files = ensure_files(tmp_path, ["bus.example.coop"])
    context = client_context(files.ca.read_text())
    async with serving(hang_up, tls=make_server_context(files)) as port:
        for name, good in (("bus.example.coop", True), ("other.example.coop", False)):
            opening = asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
            if good:
                _, writer = await opening
                assert "TLSv1.3" == writer.get_extra_info("ssl_object").version()
                writer.close()
            else:
                with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
                    await opening


async def test_old_tls_is_refused(tmp_path: Path) -> None:
    """The server takes TLS 1.3 and nothing older."""
    async with running_pool(tmp_path, tls_hosts=NAMES) as pool:
        context = trusted(pool)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError, match="version"):
            await asyncio.open_connection(
                "127.0.0.1", pool.server.config.port, ssl=context, server_hostname="127.0.0.1"
            )


async def test_reload_takes_a_new_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A renewed certificate is shown to those who come, and those inside are not disturbed."""

    async def shown(pool: NatsPool) -> bytes | None:
        port = pool.server.config.port
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trusted(pool), server_hostname="127.0.0.1"
        )
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return der

    async with running_pool(tmp_path, tls_hosts=NAMES) as pool:
        identity, public = pool.new_node("b")
        await pool.identity.revoke_keys([public], servers=pool.url, tls=trusted(pool))
        node = await pool.node("a", tls=trusted(pool))
        before = await shown(pool)
        later = time.time() + 340 * DAY_S  # at the same second a server cannot tell a difference
        pool.identity._now = lambda: later
        monkeypatch.setattr("entraide_scheduler.nats.tls.RENEWAL_MARGIN", dt.timedelta(days=366))

        assert await pool.server.reload()
        after = await shown(pool)
        assert before != after
        assert node.is_connected
        assert 0 == node.stats["reconnects"]
        with pytest.raises(AuthenticationError):
            await pool.enter(identity, tls=trusted(pool))


async def test_reload_that_failed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the server does not take a new configuration, reload says so and the bus goes on."""
    monkeypatch.setattr("entraide_scheduler.nats.server.RELOAD_TIMEOUT_S", 0.2)
    async with running_pool(tmp_path, tls_hosts=NAMES) as pool:
        node = await pool.node("a", tls=trusted(pool))
        original = PoolIdentity.build_server_claims
        foreign = PoolIdentity(tmp_path / "another").build_server_claims().operator_jwt
        monkeypatch.setattr(
            PoolIdentity,
            "build_server_claims",
            lambda self: msgspec.structs.replace(original(self), operator_jwt=foreign),
        )

        assert not await pool.server.reload()
        assert node.is_connected


def test_certificate_is_what_was_promised(tmp_path: Path) -> None:
    """CA of ten years, certificate of one year for all names, elliptic keys, private files."""
    now = 1_800_000_000.0
    files = ensure_files(tmp_path, ["localhost", "::1", *NAMES], now=lambda: now)
    ca = x509.load_pem_x509_certificate(files.ca.read_bytes())
    names = leaf(files).extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert now + 3_650 * DAY_S == ca.not_valid_after_utc.timestamp()
    assert now + 365 * DAY_S == leaf(files).not_valid_after_utc.timestamp()
    assert {"localhost", "bus.example.coop"} == set(names.get_values_for_type(x509.DNSName))
    assert {"::1", "192.0.2.7"} == {str(ip) for ip in names.get_values_for_type(x509.IPAddress)}
    leaf(files).verify_directly_issued_by(ca)
    assert {0o600} == {file.stat().st_mode & 0o777 for file in (tmp_path / "tls").iterdir()}


@pytest.mark.parametrize(("days", "hosts", "renewed"), [
    (0, ["a.example"], False), (334, ["a.example"], False), (336, ["a.example"], True),
    (400, ["a.example"], True), (-400, ["a.example"], True),
    (1, ["a.example", "b.example"], True), (1, ["b.example"], True),
])  # fmt: skip
def test_certificate_is_renewed_when_due(
    tmp_path: Path, days: int, hosts: list[str], renewed: bool
) -> None:
    """It is made again with less than 30 days left, from a future or for other names; no CA is."""
    now = 1_800_000_000.0
    files = ensure_files(tmp_path, ["a.example"], now=lambda: now)
    ca, before = files.ca.read_bytes(), files.cert.read_bytes()
    again = ensure_files(tmp_path, hosts, now=lambda: now + days * DAY_S)

    assert renewed == (before != again.cert.read_bytes())
    assert ca == again.ca.read_bytes()
    make_server_context(again)


def test_renewal_keeps_the_key(tmp_path: Path) -> None:
    """Members pin the server's key, so that a new certificate has the old key."""
    now = 1_800_000_000.0
    files = ensure_files(tmp_path, ["a.example"], now=lambda: now)
    key, before = files.key.read_bytes(), leaf(files)
    after = leaf(ensure_files(tmp_path, ["b.example"], now=lambda: now + 336 * DAY_S))

    assert key == files.key.read_bytes()
    assert before.public_key() == after.public_key()
    assert before.serial_number != after.serial_number


def test_pair_that_does_not_match_is_made_again(tmp_path: Path) -> None:
    """After a crash between key and certificate the next start makes both anew."""
    files = ensure_files(tmp_path / "a", ["a.example"])
    other = ensure_files(tmp_path / "b", ["a.example"])
    files.key.write_bytes(other.key.read_bytes())
    make_server_context(ensure_files(tmp_path / "a", ["a.example"]))
    files.cert.write_bytes(other.cert.read_bytes())
    files.key.write_bytes(other.key.read_bytes())
    again = ensure_files(tmp_path / "a", ["a.example"])

    leaf(again).verify_directly_issued_by(x509.load_pem_x509_certificate(files.ca.read_bytes()))


@pytest.mark.parametrize("name", ["ca.key", "server.key"])
def test_open_key_is_refused(tmp_path: Path, name: str) -> None:
    """A key that others may read is not used."""
    ensure_files(tmp_path, ["a.example"])
    (tmp_path / "tls" / name).chmod(0o640)
    with pytest.raises(PoolError) as refused:
        ensure_files(tmp_path, ["a.example"])

    assert "identity_file_open" == refused.value.code
    assert str(tmp_path / "tls" / name) == refused.value.values["path"]


def test_fingerprint_is_of_the_certificate(tmp_path: Path) -> None:
    """The fingerprint is the SHA-256 of the DER form, whatever stands around the PEM."""
    pem = ensure_files(tmp_path, ["a.example"]).ca.read_text()
    der = ssl.PEM_cert_to_DER_cert(pem)

    assert hashlib.sha256(der).hexdigest() == compute_fingerprint(pem)
    assert compute_fingerprint(pem) == compute_fingerprint(f"\n{pem}\n".encode())


@all_cases(("host", "required"), [
    ("127.0.0.1", False), ("127.8.9.1", False), ("::1", False), ("[::1]", False),
    ("localhost", False), ("LOCALHOST", False), ("::ffff:127.0.0.1", False),
    ("0.0.0.0", True), ("::", True), ("", True), ("10.0.0.4", True), ("fe80::1", True),
    ("localhost.example.coop", True), ("bus.example.coop", True), ("::ffff:10.0.0.4", True),
])  # fmt: skip
def test_tls_is_required_beyond_loopback(host: str, required: bool) -> None:
    """Only an address that cannot leave this machine may do without TLS."""
    assert required == requires_tls(host)

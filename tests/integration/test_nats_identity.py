"""Who may do what on the bus: shown against a real server, which alone decides."""

import asyncio
import json
import math
import time
from pathlib import Path

import nkeys
import pytest
from structlog.testing import capture_logs
from tests.integration.nats_support import NatsPool, listen, node_key, node_seed
from tests.waiting import eventually

from entraide.errors import AuthenticationError, PoolError
from entraide.wire.bus_connection import BusConnection
from entraide.wire.nats import Identity, connect, expires_at, new_user_key
from entraide_scheduler.nats import claims
from entraide_scheduler.nats.identity import (
    NODE_LIFE_S,
    PoolIdentity,
    ServerClaims,
    load_sealing_key,
)
from entraide_scheduler.nats.receipt_keys import load_receipt_keys

A, B = node_key("a"), node_key("b")
NOWHERE = "nats://127.0.0.1:9"  # the port of a service that nobody runs any more


async def refusals(
    connection: BusConnection, *, publish: str = "", subscribe: str = ""
) -> list[str]:
    """What the server says to one publication or subscription: nothing when it is allowed."""

    async def ignore(_message: object) -> None:
        return

    with capture_logs() as logs:
        if publish:
            await connection.publish(publish, b"x")
        else:
            await connection.subscribe(subscribe, cb=ignore)
        await connection.flush()  # the server's refusal comes before its answer to this
    return [line["problem"] for line in logs if line["event"] == "bus.forbidden"]


@pytest.mark.parametrize("subject", [
    f"node.{B}.up.ctl", f"node.{A}.down.ctl", f"node.{B}.down.in", "gw.g.up.ctl", f"_INBOX.{B}.x",
    "_INBOX.scheduler.x", "other", "$SYS.REQ.CLAIMS.UPDATE",
])  # fmt: skip
async def test_node_publishes_only_upwards(nats_pool: NatsPool, subject: str) -> None:
    """A node that publishes outside its own up subjects is refused, and nobody hears it."""
    scheduler = await nats_pool.scheduler()
    heard = await listen(scheduler, "node.>")
    node = await nats_pool.node("a")

    assert [] == await refusals(node, publish=f"node.{A}.up.ctl")
    assert 1 == len(await refusals(node, publish=subject))
    await eventually(lambda: heard.messages)
    assert [(f"node.{A}.up.ctl", b"x")] == heard.messages


@pytest.mark.parametrize("subject", [
    f"node.{B}.down.>", "node.*.down.ctl", f"node.{A}.up.ctl", "_INBOX.>", f"_INBOX.{B}.>",
    "_INBOX.scheduler.>", "gw.>", ">", "$SYS.>",
])  # fmt: skip
async def test_node_hears_only_what_is_its_own(nats_pool: NatsPool, subject: str) -> None:
    """A node that subscribes beyond its own down subjects and inbox is refused."""
    node = await nats_pool.node("a")

    assert [] == await refusals(node, subscribe=f"node.{A}.down.>")
    assert 1 == len(await refusals(node, subscribe=subject))


async def test_nodes_cannot_read_each_other(nats_pool: NatsPool) -> None:
    """What is sent to one node reaches that node, and not another that tried to listen."""
    first, second = await nats_pool.node("a"), await nats_pool.node("b")
    mine = await listen(first, f"node.{A}.down.>")
    await refusals(second, subscribe=f"node.{A}.down.>")
    others = await listen(second, f"node.{B}.down.>")
    scheduler = await nats_pool.scheduler()
    await scheduler.publish(f"node.{A}.down.ctl", b"for a")
    await scheduler.publish(f"node.{B}.down.ctl", b"for b")
    await eventually(lambda: mine.messages and others.messages)

    assert [(f"node.{A}.down.ctl", b"for a")] == mine.messages
    assert [(f"node.{B}.down.ctl", b"for b")] == others.messages


async def test_node_asks_the_scheduler(nats_pool: NatsPool) -> None:
    """A node's request is answered in the node's own inbox."""
    scheduler = await nats_pool.scheduler()

    async def answer(message) -> None:
        await message.respond(message.subject.encode())

    await scheduler.subscribe("node.*.up.ctl", cb=answer)
    await scheduler.flush()
    node = await nats_pool.node("a")
    answered = await node.request(f"node.{A}.up.ctl", b"", timeout=5)

    assert f"node.{A}.up.ctl".encode() == answered.data
    assert answered.subject.startswith(f"_INBOX.{A}.")


@pytest.mark.parametrize(("publish", "subscribe"), [
    ("gw.h.up.ctl", ""), (f"node.{A}.down.ctl", ""), (f"node.{A}.up.out.g", ""),
    ("gw.g.down.ctl", ""),
    ("", "node.*.up.out.h"), ("", "node.*.up.ctl"), ("", "gw.h.down.>"), ("", f"node.{A}.down.in"),
    ("", "_INBOX.gw-h.>"), ("", "_INBOX.scheduler.>"),
])  # fmt: skip
async def test_gateway_is_confined(nats_pool: NatsPool, publish: str, subscribe: str) -> None:
    """A gateway neither speaks as another part of the pool nor reads what is not for it."""
    gateway = await nats_pool.gateway("g")

    assert 1 == len(await refusals(gateway, publish=publish, subscribe=subscribe))


async def test_gateway_and_node_exchange_a_job(nats_pool: NatsPool) -> None:
    """A body goes in from gateway to node, tokens come out to that gateway alone."""
    gateway, other = await nats_pool.gateway("g"), await nats_pool.gateway("h")
    node = await nats_pool.node("a")
    bodies = await listen(node, f"node.{A}.down.>")
    tokens = await listen(gateway, "node.*.up.out.g")
    others = await listen(other, "node.*.up.out.h")
    await gateway.publish(f"node.{A}.down.in", b"body")
    await eventually(lambda: bodies.messages)
    await node.publish(f"node.{A}.up.out.g", b"token")
    await eventually(lambda: tokens.messages)

    assert [(f"node.{A}.down.in", b"body")] == bodies.messages
    assert [(f"node.{A}.up.out.g", b"token")] == tokens.messages
    assert [] == others.messages


@pytest.mark.parametrize(("publish", "subscribe"), [
    ("$SYS.REQ.CLAIMS.UPDATE", ""), ("other", ""), ("", "$SYS.>"), ("", ">"), ("", f"_INBOX.{A}.>"),
])  # fmt: skip
async def test_scheduler_is_confined(nats_pool: NatsPool, publish: str, subscribe: str) -> None:
    """The scheduler's own connection has no hold on the server, nor on a node's inbox."""
    scheduler = await nats_pool.scheduler()

    assert 1 == len(await refusals(scheduler, publish=publish, subscribe=subscribe))


async def test_forged_chain_is_refused(nats_pool: NatsPool, tmp_path: Path) -> None:
    """A JWT that another pool's account signed, or that was altered, opens nothing."""
    stranger = PoolIdentity(tmp_path / "another")
    seed, public = new_user_key()
    forged = stranger.issue_node_jwt("a", public)
    assert forged is not None
    mine = nats_pool.new_node("a")[0]
    head, body, signature = mine.jwt.split(".")
    flipped = "A" if signature[9] != "A" else "B"
    altered = ".".join((head, body, signature[:9] + flipped + signature[10:]))
    another_key = new_user_key()[0]

    for jwt, key in ((forged, seed), (altered, mine.seed), (mine.jwt, another_key)):
        with pytest.raises(AuthenticationError) as refused:
            await nats_pool.enter(Identity(jwt=jwt, seed=key, inbox_prefix=f"_INBOX.{A}"))
        assert "bus_refused" == refused.value.code


async def test_nobody_enters_without_an_identity(nats_pool: NatsPool) -> None:
    """A client that shows nothing is refused."""
    from nats.aio.client import Client

    problems: list[Exception] = []

    async def note(problem: Exception) -> None:
        problems.append(problem)

    client = Client()
    with pytest.raises(Exception, match="Authorization Violation"):
        await client.connect(nats_pool.url, allow_reconnect=False, error_cb=note)
    await client.close()


async def test_subscriptions_are_limited(nats_pool: NatsPool) -> None:
    """A node holds as many subscriptions as its JWT says, and no more."""
    node = await nats_pool.node("a")
    allowed = claims.node_permissions(A).subscriptions_max
    with capture_logs() as logs:
        for number in range(allowed + 1):
            await listen(node, f"node.{A}.down.{number}")

    assert 32 == allowed
    assert ["nats: 'maximum subscriptions exceeded'"] == [line["problem"] for line in logs]
    assert 0 == node.stats["reconnects"]


async def test_joining_needs_no_reload(nats_pool: NatsPool) -> None:
    """A node that is admitted later enters the same running server, and nobody is disturbed."""
    early = await nats_pool.node("a")
    pid, config = nats_pool.server.pid, nats_pool.server.config.path.read_bytes()
    late = await nats_pool.node("b")

    assert [True, True] == [early.is_connected, late.is_connected]
    assert 0 == early.stats["reconnects"]
    assert (pid, config) == (nats_pool.server.pid, nats_pool.server.config.path.read_bytes())


async def test_revocation_cuts_at_once(nats_pool: NatsPool) -> None:
    """A revoked node is cut off and refused again; the others do not notice."""
    refused = asyncio.Event()

    async def note() -> None:
        refused.set()

    identity, public = nats_pool.new_node("a")
    revoked = await nats_pool.enter(identity, on_refused=note)
    other = await nats_pool.node("b")
    scheduler = await nats_pool.scheduler()

    assert await nats_pool.identity.revoke_keys([public], servers=nats_pool.url)
    await asyncio.wait_for(refused.wait(), 10)
    await eventually(lambda: not revoked.is_connected)
    assert [0, 0] == [other.stats["reconnects"], scheduler.stats["reconnects"]]
    assert [True, True] == [other.is_connected, scheduler.is_connected]
    with pytest.raises(AuthenticationError):
        await nats_pool.enter(identity)


async def test_revocation_may_be_repeated(nats_pool: NatsPool) -> None:
    """Revoking twice is revoking once, and one revocation never undoes another."""
    first, second = nats_pool.new_node("a"), nats_pool.new_node("b")
    for public in (first[1], first[1], second[1], first[1]):
        assert await nats_pool.identity.revoke_keys([public], servers=nats_pool.url)

    for identity, public in (first, second):
        assert nats_pool.identity.is_revoked(public)
        with pytest.raises(AuthenticationError):
            await nats_pool.enter(identity)


async def test_revocation_survives_an_emptied_server(nats_pool: NatsPool) -> None:
    """After a crash that also lost the server's own files, a revoked node is still refused."""
    identity, public = nats_pool.new_node("a")
    other = await nats_pool.node("b")
    assert await nats_pool.identity.revoke_keys([public], servers=nats_pool.url)
    before = nats_pool.server.pid
    for file in (nats_pool.state / "nats/jwt").iterdir():
        file.unlink()
    import psutil

    psutil.Process(before).kill()
    await eventually(lambda: nats_pool.returns(other) == 1)

    assert before != nats_pool.server.pid
    with pytest.raises(AuthenticationError):
        await nats_pool.enter(identity)


async def test_revocation_without_a_server_holds_later(tmp_path: Path) -> None:
    """A revocation made while the bus is down is on disk, and holds from the next start."""
    pool = NatsPool(tmp_path)
    identity, public = pool.new_node("a")

    assert not await pool.identity.revoke_keys([public], servers=NOWHERE, timeout_s=0.1)
    await pool.server.start()
    try:
        with pytest.raises(AuthenticationError):
            await pool.enter(identity)
    finally:
        await pool.close()


async def test_push_brings_a_server_up_to_date(nats_pool: NatsPool) -> None:
    """What another process wrote while the server ran is enforced after a push."""
    identity, public = nats_pool.new_node("a")
    node = await nats_pool.enter(identity)
    elsewhere = PoolIdentity(nats_pool.state)
    assert not await elsewhere.revoke_keys([public], servers=NOWHERE, timeout_s=0.1)
    assert node.is_connected

    assert await nats_pool.identity.push_claims(nats_pool.url)
    await eventually(lambda: not node.is_connected)


async def test_revoked_key_gets_nothing_more(tmp_path: Path) -> None:
    """A revoked key is issued no other JWT; the machine comes back with a new key."""
    pool = PoolIdentity(tmp_path)
    _, public = new_user_key()
    await pool.revoke_keys([public], servers=NOWHERE, timeout_s=0.1)

    assert pool.issue_node_jwt("a", public) is None
    assert PoolIdentity(tmp_path).issue_node_jwt("a", public) is None
    assert pool.issue_node_jwt("a", new_user_key()[1]) is not None


async def test_expired_identity_is_refused(nats_pool: NatsPool) -> None:
    """A JWT whose time has passed opens nothing."""
    late = PoolIdentity(nats_pool.state, now=lambda: time.time() - NODE_LIFE_S - 60)
    seed, public = new_user_key()
    jwt = late.issue_node_jwt("a", public)
    assert jwt is not None

    with pytest.raises(AuthenticationError):
        await nats_pool.enter(Identity(jwt=jwt, seed=seed, inbox_prefix=f"_INBOX.{A}"))


async def test_renewed_identity_outlives_the_first(nats_pool: NatsPool) -> None:
    """When a JWT expires on a live connection, the renewed one brings it back, subscribed."""

    def issued(life_s: float) -> Identity:
        jwt = nats_pool.identity.issue_node_jwt("a", A, life_s=life_s)
        assert jwt is not None
        return Identity(jwt=jwt, seed=node_seed("a"), inbox_prefix=f"_INBOX.{A}")

    current = issued(2)
    node = await nats_pool.enter(lambda: current)
    heard = await listen(node, f"node.{A}.down.>")
    current = issued(NODE_LIFE_S)
    await eventually(lambda: nats_pool.returns(node) == 1)
    scheduler = await nats_pool.scheduler()
    await scheduler.publish(f"node.{A}.down.ctl", b"still here")
    await eventually(lambda: heard.messages)

    assert [(f"node.{A}.down.ctl", b"still here")] == heard.messages


async def test_renewed_identity_can_be_taken_up_early(nats_pool: NatsPool) -> None:
    """A process may change to its renewed identity at a moment of its choice."""
    issued: list[str] = []

    def source() -> Identity:
        identity = nats_pool.identity.make_scheduler_identity()
        issued.append(identity.jwt)
        return identity

    scheduler = await nats_pool.enter(source)
    await scheduler.force_reconnect()
    await eventually(lambda: nats_pool.returns(scheduler) == 1)

    assert 2 == len(set(issued))


def test_node_identity_lasts_thirty_days(tmp_path: Path) -> None:
    """A node's JWT expires thirty days after it was issued."""
    pool = PoolIdentity(tmp_path, now=lambda: 1_000_000.0)
    jwt = pool.issue_node_jwt("a", new_user_key()[1])
    assert jwt is not None

    assert 1_000_000 + 30 * 86_400 == expires_at(jwt)
    assert math.inf == expires_at(pool.build_server_claims().operator_jwt)
    with pytest.raises(ValueError, match="not a JWT"):
        expires_at("nonsense")


@pytest.mark.parametrize(
    "name", ["scheduler", "system", "all", "gw-1", "a.b", "*", ">", "", "A", "a b", "a\n", "a" * 64]
)
def test_names_that_would_lie_are_refused(tmp_path: Path, name: str) -> None:
    """No gateway gets a name that reads as another's subject or inbox."""
    pool = PoolIdentity(tmp_path)

    with pytest.raises(ValueError, match="identifier"):
        pool.make_gateway_identity(name)


@pytest.mark.parametrize("key", ["", "U", "é", "SUAM", "U" + "A" * 55])
def test_keys_that_are_none_are_refused(tmp_path: Path, key: str) -> None:
    """A JWT is made for the public key of a user only, whole and of the right kind."""
    pool = PoolIdentity(tmp_path)
    account = pool.build_server_claims().account
    seed, public = new_user_key()
    swapped = public[:20] + ("A" if public[20] != "A" else "B") + public[21:]

    assert claims.is_user_key(public)
    for wrong in (key, account, seed, swapped):
        with pytest.raises(ValueError, match="key"):
            pool.issue_node_jwt("a", wrong)


def test_identity_is_made_once(tmp_path: Path) -> None:
    """A second start finds the keys of the first, and each pool has its own."""
    first, second = PoolIdentity(tmp_path / "a"), PoolIdentity(tmp_path / "a")
    other = PoolIdentity(tmp_path / "b")

    def names(pool: PoolIdentity) -> tuple[str, str]:
        known: ServerClaims = pool.build_server_claims()
        return known.account, known.system

    assert names(first) == names(second)
    assert not set(names(first)) & set(names(other))
    signed = load_receipt_keys(tmp_path / "a").signing.sign(b"receipt")
    load_receipt_keys(tmp_path / "a").signing.public_key().verify(signed, b"receipt")
    assert load_sealing_key(tmp_path / "a") == load_sealing_key(tmp_path / "a")
    assert 32 == len(load_sealing_key(tmp_path / "a"))
    assert load_sealing_key(tmp_path / "a") != load_sealing_key(tmp_path / "b")


def test_identity_is_private(tmp_path: Path) -> None:
    """Directory and files are their owner's alone, and no draft is left beside them."""
    PoolIdentity(tmp_path)
    home = tmp_path / "identity"

    assert 0o700 == home.stat().st_mode & 0o777
    assert {0o600} == {file.stat().st_mode & 0o777 for file in home.iterdir()}
    assert [home] == list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["operator.seed", "account.seed", "system.seed",
                                  "revocations.json", "receipts.pem", "sealing.key"])  # fmt: skip
@pytest.mark.parametrize("harm", ["open", "missing", "damaged"])
def test_harmed_identity_is_refused(tmp_path: Path, name: str, harm: str) -> None:
    """A key that others may read, that is gone or that is damaged stops the start, by name."""
    PoolIdentity(tmp_path)
    file = tmp_path / "identity" / name
    if harm == "open":
        file.chmod(0o640)
    elif harm == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-6] + b"??????"[:6])
    code = {"open": "identity_file_open", "missing": "identity_incomplete",
            "damaged": "identity_unreadable"}[harm]  # fmt: skip

    readers = {"receipts.pem": load_receipt_keys, "sealing.key": load_sealing_key}
    with pytest.raises(PoolError) as refused:
        readers.get(name, PoolIdentity)(tmp_path)

    assert code == refused.value.code
    assert str(file) == refused.value.values["path"]


def test_seeds_are_not_shown(tmp_path: Path) -> None:
    """An identity can be printed or logged without giving its key away."""
    identity = PoolIdentity(tmp_path).make_gateway_identity("g")

    assert identity.seed not in repr(identity) + str(identity) + f"{[identity]}"
    assert identity.jwt not in repr(identity)


def test_server_is_told_no_secret(tmp_path: Path) -> None:
    """What the server is told holds public keys and signed claims only."""
    claims = PoolIdentity(tmp_path).build_server_claims()
    text = json.dumps([claims.operator_jwt, claims.account_jwt, claims.system_jwt, claims.account])
    seeds = [file.read_text() for file in (tmp_path / "identity").glob("*.seed")]

    assert 3 == len(seeds)
    assert all(nkeys.from_seed(seed.encode()) and seed not in text for seed in seeds)


async def test_unreachable_bus_is_said_before_the_deadline() -> None:
    """Without a server the first connection gives up when it was told to, and says why."""
    from entraide.errors import PoolUnreachable

    seed, _ = new_user_key()
    identity = Identity(jwt="x.e30.x", seed=seed, inbox_prefix=f"_INBOX.{A}")
    with pytest.raises(PoolUnreachable) as refused:
        await connect(NOWHERE, identity=identity, name="test", deadline_s=0.3)

    assert "bus_unreachable" == refused.value.code
    assert refused.value.values["problem"]

"""Peers with wrong keys, many connections or odd requests, against a live gateway.

What a peer does stands in ``peers``.
"""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from tests.hostile import peers
from tests.hostile.peer_scenarios import (
    FEW,
    LONG,
    LOOPS,
    MODELS,
    SHORT,
    Scenario,
    Scenarios,
    answered,
    attacked,
    held_bytes,
    many,
    post,
    refused,
    server,
    serves,
)
from tests.hostile.peers import Address, head
from tests.scheduler.gateway_support import KEY_A, Pool, ask
from tests.waiting import eventually

from entraide_scheduler.config import KEY_GRACE_S, HttpLimits
from entraide_scheduler.gateway.signin.auth import hash_key
from entraide_scheduler.store.rows import KeyRow

IN_A_ROW = (
    head("GET", "/healthz")
    + head("GET", MODELS, "wrong")
    + head("GET", "/nowhere")
    + head("GET", MODELS, KEY_A)
    + head("POST", "/healthz", Content_Length="2")
    + b"ab"
    + head("POST", "/v1/models", KEY_A, Transfer_Encoding="chunked")
    + b"1\r\na\r\n0\r\nA: b\r\n\r\n"
    + head("HEAD", "/healthz", Connection="close")
)
IN_A_ROW_ANSWERS = [200, 401, 404, 200, 405, 405, 200]
SPLITS = 30

SCENARIOS = Scenarios()


# Keys.


@SCENARIOS.under(LONG)
async def wrong_key_is_refused_before_the_body(pool: Pool, address: Address) -> None:
    """A wrong key is answered at the end of the head; who sends on can still read the answer."""
    for headers in ({}, {"Expect": "100-continue"}):
        got = await asyncio.to_thread(partial(peers.refused_before_body, address, **headers))

        assert [401] == got

    assert [401] == await asyncio.to_thread(peers.refused_while_sending, address)


@SCENARIOS.under(LONG)
async def right_key_is_told_to_continue(pool: Pool, address: Address) -> None:
    """Who waits for 100 Continue with a right key gets it, and then the answer."""
    body = json.dumps(ask()).encode()
    raw = post(body, Expect="100-continue", Connection="close")
    with peers.dialled(address) as peer:
        peer.sendall(raw[: -len(body)])
        reply = await asyncio.to_thread(peer.recv, 1_024)
        peer.sendall(body)
        (await pool.placed()).finish()
        rest = await asyncio.to_thread(peers.until_closed, peer)

    assert b"HTTP/1.1 100 Continue\r\n\r\n" == reply
    assert [200] == peers.statuses(rest)


@SCENARIOS.under(SHORT)
async def wrong_keys_are_slowed(pool: Pool, address: Address) -> None:
    """After a few wrong keys an address is told to wait; a right key from it is served at once."""
    raw = head("GET", MODELS, "guess-{}", Connection="close")
    guesses = [
        await asyncio.to_thread(peers.answers, address, raw.replace(b"{}", b"%d" % number))
        for number in range(SHORT.wrong_keys + 2)
    ]
    right = head("GET", MODELS, KEY_A, Connection="close")
    with peers.dialled(address) as peer:
        peer.sendall(raw)
        text = (await asyncio.to_thread(peers.until_closed, peer)).decode()

    assert [[401]] * SHORT.wrong_keys + [[429]] * 2 == guesses
    assert "retry-after: " in text
    assert "too_many_wrong_keys" in text
    assert [200] == await asyncio.to_thread(peers.answers, address, right)
    assert float(SHORT.wrong_keys) == refused(pool, "wrong_key")
    assert 3.0 == refused(pool, "wrong_key_slowed")


@SCENARIOS.under(LONG)
async def key_has_so_many_requests_under_way(pool: Pool, address: Address) -> None:
    """Requests under way are counted by key: another key at the same address has its own."""
    raw = post(json.dumps(ask()).encode(), Connection="close")
    with many(address, LONG.requests_per_key, raw) as opened:
        runs = [await pool.placed() for _ in opened]
        beyond = await asyncio.to_thread(peers.answers, address, raw)
        await serves(pool)
        for run in runs:
            run.finish()
        ended = [peers.statuses(await asyncio.to_thread(peers.until_closed, p)) for p in opened]

    assert [429] == beyond
    assert [[200]] * LONG.requests_per_key == ended
    assert 1.0 == refused(pool, "requests_per_key")
    assert not pool.gateway._http._head_check._under_way


@SCENARIOS.under(FEW)
async def coop_has_so_many_connections(pool: Pool, address: Address) -> None:
    """Beyond them, a further connection of its keys is refused in words; one that closes helps."""
    last = head("GET", MODELS, KEY_A, Connection="close")
    with many(address, FEW.connections_per_coop, head("GET", MODELS, KEY_A)):
        await eventually(lambda: server(pool)._by_coop["alpha"] == FEW.connections_per_coop)
        with peers.dialled(address) as peer:
            peer.sendall(last)
            beyond = await asyncio.to_thread(peers.until_closed, peer)
        await serves(pool)
    await eventually(lambda: not server(pool)._by_coop["alpha"])
    afterwards = await asyncio.to_thread(peers.answers, address, last)

    assert [429] == peers.statuses(beyond)
    assert b"Your co-op already has as many connections open here" in beyond
    assert [200] == afterwards
    assert 1.0 == refused(pool, "connections_per_coop")


@SCENARIOS.under(FEW)
async def coop_has_so_many_keys(pool: Pool, address: Address) -> None:
    """While so many have requests under way a further one is refused, but not another co-op's."""
    row = KeyRow("key-alpha-2", "alpha", "main", "another")
    await pool.store.create_key(row, hash_key("ent_another"))
    another = head("GET", MODELS, "ent_another", Connection="close")
    with many(address, 1, post(json.dumps(ask()).encode(), Connection="close")) as (peer,):
        run = await pool.placed()
        with peers.dialled(address) as further:
            further.sendall(another)
            beyond = await asyncio.to_thread(peers.until_closed, further)
        await serves(pool)
        run.finish()
        await asyncio.to_thread(peers.until_closed, peer)
    afterwards = await asyncio.to_thread(peers.answers, address, another)

    assert [429] == peers.statuses(beyond)
    assert b"As many keys and people of your co-op" in beyond
    assert [200] == afterwards
    assert 1.0 == refused(pool, "keys_per_coop")


@SCENARIOS.under(LONG)
async def left_requests_are_not_under_way(pool: Pool, address: Address) -> None:
    """A client that leaves gives its place back."""
    raw = post(json.dumps(ask()).encode())
    for _ in range(2):
        with many(address, LONG.requests_per_key, raw):
            for _ in range(LONG.requests_per_key):
                await pool.placed()
        for _ in range(LONG.requests_per_key):
            await pool.cancelled()

    assert 0.0 == refused(pool, "requests_per_key")


# Connections.


@SCENARIOS.under(LONG)
async def connections_without_key_are_few(pool: Pool, address: Address) -> None:
    """So many connections of an address stay without a key; with a key a connection goes on."""
    most, total = LONG.connections_without_key_per_address, LONG.connections_without_key
    with peers.dialled(address) as known:
        known.sendall(head("GET", MODELS, KEY_A))
        await asyncio.to_thread(known.recv, 65_536)
        with many(address, total) as opened:
            await eventually(lambda: len(server(pool)._keyless) == total)
            young = refused(pool, "connections_without_key")
            await eventually(lambda: len(server(pool)._keyless) == most)
            with many(address, 1) as (last,):
                gone = [await asyncio.to_thread(peers.until_closed, peer) for peer in opened[:3]]
                last.sendall(head("GET", "/healthz"))
                served = await asyncio.to_thread(last.recv, 65_536)
                known.sendall(head("GET", MODELS, KEY_A))
                still = await asyncio.to_thread(known.recv, 65_536)
                keyless = len(server(pool)._keyless)

    assert 0.0 == young
    assert [b""] * 3 == gone
    assert 3.0 == refused(pool, "connections_without_key")
    assert [200] == peers.statuses(served)
    assert [200] == peers.statuses(still)
    assert most == keyless


def stand_still(seconds: float) -> None:
    """Keeps the event loop from everything else."""
    time.sleep(seconds)


@SCENARIOS.under(msgspec.structs.replace(LONG, requests_per_key=LONG.connections))
async def keys_that_wait_for_the_gateway_are_no_missing_keys(pool: Pool, address: Address) -> None:
    """Clients that show their keys at once keep their connections, though the gateway is busy."""
    total = LONG.connections_without_key
    pool.gateway.clear_key_cache()
    with many(address, total) as opened:
        await eventually(lambda: len(server(pool)._keyless) == total)
        for peer in opened:
            peer.sendall(head("GET", MODELS, KEY_A))
        stand_still(KEY_GRACE_S + 0.1)
        answers = [await asyncio.to_thread(peer.recv, 65_536) for peer in opened]

    assert [[200]] * total == [peers.statuses(answer) for answer in answers]


@SCENARIOS.under(LONG)
async def connections_without_key_have_a_limit_in_all(pool: Pool, address: Address) -> None:
    """Several addresses together have so many connections without a key."""
    with contextlib.ExitStack() as stack:
        for host in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            for _ in range(3):
                peer = stack.enter_context(socket.socket())
                peer.bind((host, 0))
                peer.connect((address.host, address.port))
        await eventually(lambda: refused(pool, "connections_without_key") == 3.0)

        assert LONG.connections_without_key == len(server(pool)._keyless)


@SCENARIOS.under(LONG)
async def idle_connection_makes_room(pool: Pool, address: Address) -> None:
    """When all connections are taken by keys, the one that is idle longest goes."""
    raw = head("GET", MODELS, KEY_A)
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(LONG.connections):
            peer = stack.enter_context(peers.dialled(address))
            peer.sendall(raw)
            await asyncio.to_thread(peer.recv, 65_536)
            opened.append(peer)
        await serves(pool)
        gone = await asyncio.to_thread(peers.until_closed, opened[0])

        assert b"" == gone
        assert LONG.connections == len(server(pool)._connections)


@SCENARIOS.under(LONG)
async def only_a_trusted_proxy_names_the_client(pool: Pool, address: Address) -> None:
    """A forwarded address counts when a trusted proxy sends it, and else not."""
    clients = []
    check = server(pool)._head_check.check

    def note(request: Any) -> Any:
        clients.append(request.peer)
        return check(request)

    server(pool)._head_check.check = note
    raw = head("GET", "/healthz", X_Forwarded_For="6.6.6.6, 203.0.113.9", Connection="close")
    for host in ("127.0.0.1", "127.0.0.9"):
        with socket.socket() as peer:
            peer.bind((host, 0))
            peer.settimeout(peers.PATIENCE_S)
            peer.connect((address.host, address.port))
            peer.sendall(raw)
            await asyncio.to_thread(peers.until_closed, peer)

    assert ["127.0.0.1", "203.0.113.9"] == clients


# Requests that two readers might read differently.


@SCENARIOS.under(SHORT)
async def odd_requests_never_desync(pool: Pool, address: Address) -> None:
    """Each odd request has one answer, or none, and nothing hidden in it is answered."""
    wrong = {}
    for name, (raw, right) in peers.ODD_REQUESTS.items():
        got = await asyncio.to_thread(peers.answers, address, raw)
        if got not in right:
            wrong[name] = got

    assert {} == wrong
    assert len(peers.ODD_REQUESTS) >= answered(pool)


@SCENARIOS.under(SHORT)
async def requests_sent_ahead_are_answered_in_order(pool: Pool, address: Address) -> None:
    """Requests that come in one read are answered in order, a refused one in its turn."""
    assert IN_A_ROW_ANSWERS == await asyncio.to_thread(peers.answers, address, IN_A_ROW)


@SCENARIOS.under(msgspec.structs.replace(LONG, wrong_keys=1_000))
async def splits_change_nothing(pool: Pool, address: Address) -> None:
    """The same bytes have the same answers, byte by byte and in parts of any length."""
    random = Random(11)
    lengths = [1, *(random.randint(2, len(IN_A_ROW) // 2) for _ in range(SPLITS))]
    for length in lengths:
        data = await asyncio.to_thread(peers.send_in_parts, address, IN_A_ROW, length)

        assert IN_A_ROW_ANSWERS == peers.statuses(data), length


@SCENARIOS.under(SHORT)
async def too_many_sent_ahead_end_the_connection(pool: Pool, address: Address) -> None:
    """Of requests beyond the limit sent in one read none is answered, the others are."""
    got = await asyncio.to_thread(peers.answers, address, head("GET", "/healthz") * 200)

    assert [200] * len(got) == got
    assert 0 < len(got) < 200


@SCENARIOS.under(LONG)
async def request_sent_ahead_waits_its_turn(pool: Pool, address: Address) -> None:
    """What comes while a request is answered is kept, and answered after it."""
    with peers.dialled(address) as peer:
        peer.sendall(post(json.dumps(ask()).encode()))
        run = await pool.placed()
        peer.sendall(head("GET", "/healthz") + head("GET", "/nowhere", Connection="close"))
        await eventually(lambda: held_bytes(pool) > 0)
        run.finish()
        data = await asyncio.to_thread(peers.until_closed, peer)

    assert [200, 200, 404] == peers.statuses(data)


@LOOPS
@pytest.mark.parametrize(("attack", "limits"), SCENARIOS.cases)
def test_peer_is_bounded(
    tmp_path: Path,
    attack: Scenario,
    limits: HttpLimits,
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    """The scenario holds, and another co-op is served after it."""
    run(attacked(tmp_path, attack, limits))

"""Behaviour of HTTP servers under hostile peers: our own server and three ASGI servers.

Servers and application are those of ``benchmarks.http_servers``, each with its own limits; the
peers are those of ``tests/hostile``. A server whose library cannot be imported is skipped.

    python -m benchmarks.http_peers [--json]

Rows: ``server, version``; ``odd_requests_wrong``: number of wrong answers to requests with
ambiguous framing, named in ``odd_requests``; ``dripping_head_s``, ``dripping_body_s``,
``silent_s``: time until such a connection was closed, null if not within 65 s; ``unread_mib``:
requests accepted from a peer that reads no answer, of 16 MiB; ``long_header_rss_mib``: peak memory
of one header of 32 MiB; ``before_body``: answer to a wrong key before any byte of the body;
``unread_stream_rss_mib``: memory of an endless stream in 10 s whose client reads nothing.
"""

import asyncio
import contextlib
import importlib.util
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.http_servers import OURS, SERVERS, served
from benchmarks.support.common import make_parser, markdown_table
from benchmarks.support.load_targets import Target, rss_mib, until_ready
from tests.hostile import peers

PATIENCE_S = 65.0
QUIET_S = 3.0
MIB = 1024 * 1024
HEADER_BYTES = 32 * MIB
STREAM_S = 10.0
STREAM = b'{"model":"mock","messages":[],"stream":true,"max_tokens":1000000000}'


def cut_off_s(attack: Callable[[peers.Address], bytes], address: peers.Address) -> float | None:
    """Returns the time until a connection was closed; None if it was not."""
    began = time.monotonic()
    try:
        attack(address)
    except TimeoutError:
        return None
    return round(time.monotonic() - began, 1)


def odd_requests(address: peers.Address) -> list[str]:
    """Returns the names of odd requests that were answered wrongly."""

    def wrong(name: str) -> bool:
        raw, right = peers.ODD_REQUESTS[name]
        data = b""
        with peers.dialled(address) as peer, contextlib.suppress(TimeoutError, ConnectionError):
            peer.settimeout(QUIET_S)
            peer.sendall(raw)
            while part := peer.recv(65_536):
                data += part
        return peers.statuses(data) not in right

    with ThreadPoolExecutor(8) as pool:
        results = pool.map(wrong, peers.ODD_REQUESTS)
        return [
            name for name, is_wrong in zip(peers.ODD_REQUESTS, results, strict=True) if is_wrong
        ]


def long_header_mib(address: peers.Address, target: Target) -> float:
    """Returns the peak memory of one header while it was sent."""
    pids = target.pids["server"]
    before = most = rss_mib(pids)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(peers.one_long_header, address, HEADER_BYTES)
        while not sending.done():
            most = max(most, rss_mib(pids))
            time.sleep(0.01)
    return round(most - before, 1)


def unread_stream_mib(address: peers.Address, target: Target) -> float:
    """Returns the memory of a stream whose client reads nothing."""
    pids = target.pids["server"]
    before = rss_mib(pids)
    length = str(len(STREAM))
    first = peers.head("POST", peers.CHAT, address.key, Content_Length=length)
    with peers.dialled(address, buffer_bytes=4_096) as peer:
        peer.sendall(first + STREAM)
        time.sleep(STREAM_S)
        return round(rss_mib(pids) - before, 1)


def before_body(address: peers.Address) -> int | None:
    """Returns the status that a wrong key gets before its body is sent."""
    with peers.dialled(address) as peer, contextlib.suppress(TimeoutError):
        peer.settimeout(QUIET_S)
        length = str(peers.BODY_BYTES)
        peer.sendall(peers.head("POST", peers.CHAT, "wrong", Content_Length=length))
        return next(iter(peers.statuses(peer.recv(65_536))), None)
    return None


def row(name: str, target: Target) -> dict[str, Any]:
    """Returns the row of one server."""
    address = peers.Address(target.port, target.key)
    attacks = (peers.dripping_head, peers.dripping_body, peers.silent)
    with ThreadPoolExecutor() as pool:
        waits = [pool.submit(cut_off_s, attack, address) for attack in attacks]
        head_s, body_s, silent_s = (wait.result() for wait in waits)
    wrong = odd_requests(address)
    return {
        "benchmark": "http_peers",
        "server": name,
        "version": version(name),
        "odd_requests_wrong": len(wrong),
        "dripping_head_s": head_s,
        "dripping_body_s": body_s,
        "silent_s": silent_s,
        "unread_mib": round(peers.unread(address, most_bytes=16 * MIB) / MIB, 1),
        "long_header_rss_mib": long_header_mib(address, target),
        "before_body": before_body(address),
        "unread_stream_rss_mib": unread_stream_mib(address, target),
        "odd_requests": wrong,
    }


def attacked(home: Path, name: str) -> dict[str, Any]:
    """Runs one server and returns its row."""
    with served(name, home) as target:
        asyncio.run(until_ready(target))
        return row(name, target)


def main() -> int:
    """Entry point; returns the exit code."""
    parser = make_parser(__doc__)
    options = parser.parse_args()
    peers.PATIENCE_S = PATIENCE_S
    home = Path(tempfile.mkdtemp(prefix="entraide-bench-"))
    names = [name for name in SERVERS if name == OURS or importlib.util.find_spec(name)]
    try:
        with ThreadPoolExecutor() as pool:
            rows = list(pool.map(partial(attacked, home), names))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps(rows) if options.json else markdown_table(rows, list(rows[0])[1:]))
    return 0


if __name__ == "__main__":
    sys.exit(main())

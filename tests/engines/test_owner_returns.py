"""An owner who comes back to a machine of a real pool: agents, engines, an X server, a key."""

import concurrent.futures
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.engines.screens import type_a_key, typed_screen
from tests.integration.local_pool import MODEL, RunningPool, up

from entraide_node.core.owner_terms import OwnerTerms
from entraide_node.owner.terms_file import write_terms

OWNED = "node-2"  # the greenest: it has sun of its own
GIVE_BACK_S = 1.0
TERMS = OwnerTerms(
    idle_min=0.1, give_back_s=GIVE_BACK_S, settle_s=1.0, temperature_max_c=0.0,
    load_max_percent=0.0, memory_free_min_gb=0.0,
)  # fmt: skip

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(300),
    pytest.mark.needs("Xvfb", "xdotool"),
]


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A real X server on which the owner types; what the pool starts belongs to its session."""
    with typed_screen(tmp_path) as environ:
        yield environ


@pytest.fixture
def owned_pool(tmp_path: Path, screen: dict[str, str]) -> Iterator[RunningPool]:
    """A pool of three nodes, one of which obeys an owner."""
    assert screen
    pool = up(tmp_path / "pool", "--nodes", "3")
    try:
        write_terms(tmp_path / "pool" / "nodes" / OWNED, TERMS)
        pool.until(lambda: reason(pool) == "", f"{OWNED} works while nobody is there")
        yield pool
    finally:
        pool.entraide("down")


def reason(pool: RunningPool) -> str:
    """Why the owned node takes no work, as the pool knows it."""
    row = next(node for node in pool.nodes() if node["node"] == OWNED)
    return str(row["reason"])


def reasons(pool: RunningPool) -> list[str]:
    """Why the owned node took no work, turn by turn, as its own log has it."""
    log = (pool.state / "logs" / f"{OWNED}.log").read_text("utf-8")
    records = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [record["reason"] for record in records if record["event"] == "node.owner"]


def stream(pool: RunningPool) -> Iterator[dict[str, Any]]:
    """Asks for a long story in a stream, of the machine with sun, and yields what comes."""
    address = urlsplit(pool.file.http)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=120)
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Write a long story."}],
            "max_tokens": 1_800, "stream": True, "temperature": 0}  # fmt: skip
    head = {"Authorization": f"Bearer {pool.file.keys['boreale']}",
            "Content-Type": "application/json", "X-Entraide-Max-Gco2e": "0"}  # fmt: skip
    connection.request("POST", "/v1/chat/completions", json.dumps(body), head)
    with connection.getresponse() as answer:
        for line in answer:
            if line.startswith(b"data: {"):
                yield json.loads(line[6:])
    connection.close()


def test_an_owner_gets_the_machine_back(owned_pool: RunningPool, screen: dict[str, str]) -> None:
    """New work stops, a stream that no other may continue ends, the rest is done elsewhere."""
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        coming = stream(owned_pool)
        first = next(coming)
        whole = [
            threads.submit(owned_pool.chat, f"Tell me story {number}.", tokens=300)
            for number in range(3)
        ]
        owned_pool.until(
            lambda: any(n["node"] == OWNED and n["running"] > 1 for n in owned_pool.nodes()),
            f"{OWNED} has jobs that are not streamed",
        )
        type_a_key(screen)
        rest = list(coming)
        answers = [future.result() for future in whole]
    owned_pool.until(lambda: reason(owned_pool) == "", "it works again once nobody is there")

    assert "choices" in first
    assert "stream_broken" == rest[-1]["error"]["code"]  # no other machine has sun
    assert ["owner_busy", "settling", ""] == reasons(owned_pool)[-3:]
    assert [200] * 3 == [status for status, _, _ in answers]
    assert all(body["choices"][0]["message"]["content"] for _, _, body in answers)

"""A request that ends engines, in a real pool: tried once more alone, then refused; others live on.

What ends the engine is the test itself: as soon as a node has a run of the marked co-op's job, its
engine's process is killed, whatever else is in it.
"""

import concurrent.futures
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
from tests.integration.local_pool import RunningPool, up

from entraide_node.engines.llamacpp_child import MODULE

KILLER = "grands-lacs"
OTHER = "boreale"
POLL_S = 0.02

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[RunningPool]:
    """A pool of three co-ops with a machine each."""
    started = up(tmp_path / "pool", "--nodes", "3")
    try:
        yield started
    finally:
        started.entraide("down")


class Hand:
    """Kills the engine of each node that has a run of a co-op, once for each of its runs."""

    def __init__(self, pool: RunningPool, coop: str) -> None:
        self.killed: list[str] = []
        self._pool = pool
        self._coop = coop
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        done: set[tuple[str, int]] = set()
        while not self._over.wait(POLL_S):
            for job in self._jobs():
                _, _, why = self._pool.http(f"/v1/jobs/{job}/explanation", coop=self._coop)
                run = job, why.get("epoch", 0)
                if why.get("decision") == "placed" and run not in done and self._kill(why["node"]):
                    done.add(run)

    def _jobs(self) -> list[str]:
        _, _, listed = self._pool.http("/v1/jobs", coop=self._coop)
        return [job["id"] for job in listed["data"] if job["state"] == "active"]

    def _kill(self, node: str) -> bool:
        for engine in engines_of(self._pool, node):
            os.kill(engine, signal.SIGKILL)
            self.killed.append(node)
            return True
        return False


def engines_of(pool: RunningPool, node: str) -> list[int]:
    """The processes in which a node's engine computes now."""
    agent = psutil.Process(pool.file.pids[node])
    return [child.pid for child in agent.children(recursive=True) if MODULE in child.cmdline()]


def story(pool: RunningPool, coop: str) -> Any:
    """Asks for something that takes a while."""
    return pool.chat("Tell me a very long story.", tokens=1_500, coop=coop)


def test_a_request_that_ends_engines_is_refused_and_others_live_on(pool: RunningPool) -> None:
    """It ends two engines on two machines and is refused; what ran beside it completes."""
    with Hand(pool, KILLER) as hand, concurrent.futures.ThreadPoolExecutor(4) as threads:
        beside = [
            threads.submit(pool.chat, f"Tell me story {number}.", tokens=200, coop=OTHER)
            for number in range(3)
        ]
        status, _, body = story(pool, KILLER)
        answers = [future.result() for future in beside]
    after, _, _ = pool.chat("Bonjour", coop=OTHER)

    assert (422, "request_ends_engine") == (status, body["error"]["code"])
    assert 2 == len(hand.killed) == len(set(hand.killed))
    assert [200] * 3 == [status for status, _, _ in answers]
    assert 200 == after


def test_three_refusals_put_the_key_in_quarantine_until_it_is_cleared(pool: RunningPool) -> None:
    """The key's fourth request is refused at once; the operator clears the key, and it may ask."""
    with Hand(pool, KILLER):
        codes = [story(pool, KILLER)[2]["error"]["code"] for _ in range(3)]
    status, _, body = pool.chat("Bonjour", coop=KILLER)
    keys = pool.entraide("keys", "list", "--json")
    listed = keys["keys"] if isinstance(keys, dict) else keys
    (marked,) = [key for key in listed if key.get("quarantine", {}).get("reason")]
    pool.entraide("keys", "clear", marked["key"])
    after, _, _ = pool.chat("Bonjour", coop=KILLER)

    assert ["request_ends_engine"] * 3 == codes
    assert (403, "key_quarantined") == (status, body["error"]["code"])
    assert ("engines_ended", KILLER) == (marked["quarantine"]["reason"], marked["coop"])
    assert 200 == after


def test_the_end_of_the_agent_does_not_count(pool: RunningPool) -> None:
    """An engine that goes with its killed agent ends no run of its own: it is done elsewhere."""
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        running = threads.submit(pool.chat, "Tell me a story.", tokens=400, coop=KILLER)
        pool.until(lambda: any(node.get("running") for node in pool.nodes()), "a node has the run")
        busy = next(node["node"] for node in pool.nodes() if node.get("running"))
        psutil.Process(pool.file.pids[busy]).kill()
        status, _, _ = running.result()
    _, _, why = pool.http("/v1/jobs", coop=KILLER)

    assert 200 == status
    assert ["completed"] == [job["state"] for job in why["data"]]

"""Nodes that hang, sleep or live two hours away: jobs go elsewhere, and each is billed once."""

import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration.local_pool import RunningPool, up

from entraide_node.owner import files as owner_files

pytestmark = [pytest.mark.engines, pytest.mark.long, pytest.mark.timeout(300)]

WRONG_CLOCK = Path(__file__).with_name("wrong_clock.py")
TWO_HOURS_S = 7_200.0
JOBS = 16


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    """A pool of three machines, for all tests of this file."""
    running = up(tmp_path_factory.mktemp("strange"))
    yield running
    running.entraide("down")


def family(pid: int) -> list[psutil.Process]:
    """A process and all that it started."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def stop(processes: list[psutil.Process]) -> None:
    """Makes processes stand still, as a closed lid or a debugger does."""
    for process in processes:
        process.suspend()


def go_on(processes: list[psutil.Process]) -> None:
    """Lets them go on as if nothing had been."""
    for process in processes:
        process.resume()


def nodes(pool: RunningPool) -> dict[str, dict[str, Any]]:
    """The nodes as the pool's page shows them, by name."""
    return {node["node"]: node for node in pool.http("/status.json")[2]["nodes"]}


def serving(pool: RunningPool) -> set[str]:
    """The live nodes that serve a model and take work."""
    return {
        name
        for name, node in nodes(pool).items()
        if node["state"] == "live" and node["accepting"] and node["models"]
    }


def settled(pool: RunningPool) -> int:
    """How many jobs the books hold."""
    return int(pool.entraide("status", "--json")["settled"])


def balance(pool: RunningPool) -> int:
    """The sum of all co-ops' balances, tokens: 0 when the books are right."""
    listed = pool.entraide("coops", "list", "--json")
    coops = listed["coops"] if isinstance(listed, dict) else listed
    return sum(int(coop["balance_tokens"]) for coop in coops)


def reports_left(pool: RunningPool, node: str) -> int:
    """Usage reports that a node still holds."""
    status = owner_files.read_status(pool.state / "nodes" / node, now=time.time())
    return 1 if status is None else status.reports


def ask(pool: RunningPool, number: int, tokens: int = 48) -> tuple[int, str, str]:
    """Asks one question; returns status, job, and the node that answered."""
    status, headers, body = pool.chat(f"Histoire {number}", tokens=tokens)
    return status, headers["x-request-id"], body["entraide"]["node"]


SLEEPERS = {"a hung agent": False, "a sleeping laptop": True}


@pytest.mark.parametrize("name", SLEEPERS)
def test_node_that_stands_still(pool: RunningPool, name: str) -> None:
    """Its jobs complete elsewhere and are billed once, and it is live again when it goes on."""
    pool.until(lambda: len(serving(pool)) == 3, "three live nodes")
    books = settled(pool)
    agent = pool.file.pids["node-2"]
    asleep = family(agent) if SLEEPERS[name] else [psutil.Process(agent)]
    with concurrent.futures.ThreadPoolExecutor(JOBS) as threads:
        jobs = [threads.submit(ask, pool, number) for number in range(JOBS)]
        pool.until(lambda: nodes(pool)["node-2"]["running"] > 0, "node-2 at work")
        stop(asleep)
        try:
            ended = [job.result() for job in jobs]
            pool.until(lambda: nodes(pool)["node-2"]["state"] == "lost", "node-2 is lost")
            while_lost = ask(pool, JOBS)
        finally:
            go_on(asleep)
    pool.until(lambda: len(serving(pool)) == 3, "it is live again")
    pool.until(lambda: reports_left(pool, "node-2") == 0, "its reports are in the books")
    after = ask(pool, JOBS + 1)

    assert {200} == {status for status, _, _ in (*ended, while_lost, after)}
    assert "node-2" != while_lost[2]
    assert JOBS == len({job for _, job, _ in ended})
    assert JOBS + 2 == settled(pool) - books
    assert 0 == balance(pool)
    assert agent == pool.file.pids["node-2"]


@contextmanager
def away(pool: RunningPool, *nodes: str) -> Iterator[None]:
    """Nodes whose owners paused them for a while."""
    folders = [pool.state / "nodes" / node for node in nodes]
    for folder in folders:
        owner_files.pause(folder)
    try:
        yield
    finally:
        for folder in folders:
            owner_files.resume(folder)


@pytest.mark.parametrize("off_s", [TWO_HOURS_S, -TWO_HOURS_S], ids=["ahead", "behind"])
def test_node_two_hours_off(pool: RunningPool, off_s: float, tmp_path: Path) -> None:
    """It serves as any other, its surplus counts, its receipts are sane, and the doctor says so."""
    folder, name = tmp_path / "node", "ahead" if off_s > 0 else "behind"
    vouched = ("--zone", "CA-ON", "--evidence", "contract", "--document", "roof")
    token = pool.entraide("invite", "boreale", *vouched, "--json")["token"]
    node = [sys.executable, str(WRONG_CLOCK), str(off_s)]
    join = [
        "join",
        pool.file.http,
        "--token",
        token,
        "--name",
        name,
        "--any-time",
    ]
    # By the right clock: gRPC's own deadlines would not move with ours.
    command = [sys.executable, "-m", "entraide_node", *join, "--dir", folder, "--no-service"]
    subprocess.run(command, check=True, timeout=60)
    (folder / "energy.toml").write_text("surplus_w = 500.0\nevidence = 'roof'\n", "utf-8")
    books = settled(pool)
    agent = subprocess.Popen([*node, "run", "--dir", folder], stderr=subprocess.DEVNULL)
    try:
        pool.until(lambda: name in serving(pool), "the node with the wrong clock is live")
        with away(pool, "node-1", "node-2", "node-3"):
            pool.until(lambda: serving(pool) == {name}, "it is the only one that works")
            answers = [pool.chat(f"Bonjour {number}", tokens=16)[2] for number in range(3)]
        receipts = [answer["entraide"] for answer in answers]
        command = [*node, "doctor", "--dir", folder, "--json"]
        completed = subprocess.run(command, check=False, capture_output=True, timeout=60)
        checks = {check["name"]: check["code"] for check in json.loads(completed.stdout)["checks"]}
    finally:
        agent.send_signal(signal.SIGTERM)
        agent.wait(60)
    pool.until(lambda: serving(pool) >= {"node-1"}, "the others work again")

    assert {name} == {receipt["node"] for receipt in receipts}
    assert all(0 <= receipt["ttft_ms"] < 60_000 for receipt in receipts)
    assert all(0 < receipt["energy_wh"] < 1.0 for receipt in receipts)
    assert {"declared"} == {receipt["surplus_basis"] for receipt in receipts}
    assert 3 == settled(pool) - books
    assert 0 == balance(pool)
    assert (0, "off") == (completed.returncode, checks["clock"])


def test_two_agents_with_one_identity(pool: RunningPool, tmp_path: Path) -> None:
    """A copied folder loses no job and bills none twice, and the doctor names it."""
    folder = tmp_path / "copy"
    shutil.copytree(pool.state / "nodes" / "node-1", folder)
    (folder / "status.json").unlink(missing_ok=True)
    node = [sys.executable, "-m", "entraide_node"]
    books = settled(pool)
    twin = subprocess.Popen([*node, "run", "--dir", folder], stderr=subprocess.DEVNULL)
    try:
        pool.until(
            lambda: (
                (s := owner_files.read_status(folder, now=time.time())) is not None and s.welcomed
            ),
            "the twin is welcomed",
        )
        answers = [ask(pool, number, 8) for number in range(4)]
        command = [*node, "doctor", "--dir", folder, "--json"]
        completed = subprocess.run(command, check=False, capture_output=True, timeout=60)
        checks = {check["name"]: check["code"] for check in json.loads(completed.stdout)["checks"]}
    finally:
        os.kill(twin.pid, signal.SIGTERM)
        twin.wait(60)
    pool.until(lambda: len(serving(pool)) == 3, "node-1 is live by itself")

    assert {200} == {status for status, _, _ in answers}
    assert 4 == settled(pool) - books
    assert 0 == balance(pool)
    assert (1, "two") == (completed.returncode, checks["twin"])

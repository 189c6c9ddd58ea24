"""What happens when a part of a real pool is killed with -9."""

import concurrent.futures
import json
import os
import signal
from pathlib import Path

import openai
import psutil
import pytest
from tests.integration.local_pool import MODEL, RunningPool, up

pytestmark = pytest.mark.engines  # minutes of a real pool

LINES = 40  # of a batch, of which the scheduler is killed after the first ones
FIRST = 6

KEPT = {
    "path": "/v1/chat/completions",
    "request": {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Bonjour"}],
        "max_tokens": 40,
    },
}


def balances(pool: RunningPool) -> list[int]:
    """Each co-op's balance in tokens."""
    listed = pool.entraide("coops", "list", "--json")
    coops = listed["coops"] if isinstance(listed, dict) else listed
    return [int(coop["balance_tokens"]) for coop in coops]


def settled(pool: RunningPool) -> int:
    """How many jobs the books hold."""
    return int(pool.entraide("status", "--json")["settled"])


def test_killed_agent_loses_no_job_and_bills_each_once(pool: RunningPool) -> None:
    """All non-streamed jobs complete elsewhere when the agent that held them is killed."""
    before = settled(pool)

    def ask(number: int) -> tuple[int, str]:
        status, headers, _ = pool.chat(f"Histoire {number}", tokens=30)
        return status, headers["x-request-id"]

    with concurrent.futures.ThreadPoolExecutor(24) as threads:
        jobs = [threads.submit(ask, number) for number in range(24)]
        pool.until(
            lambda: any(n["node"] == "node-2" and n["running"] > 0 for n in pool.nodes()),
            "node-2 at work",
        )
        os.kill(pool.file.pids["node-2"], signal.SIGKILL)
        ended = [job.result() for job in jobs]

    pool.until(lambda: len(pool.live()) == 3, "the agent is back by itself")

    assert {status for status, _ in ended} == {200}
    assert len({job for _, job in ended}) == 24
    assert settled(pool) - before == 24
    assert sum(balances(pool)) == 0


def test_killed_scheduler_comes_back_with_its_books_and_kept_jobs(pool: RunningPool) -> None:
    """Nodes are live again without a restart, kept jobs complete, the ledger sums to zero."""
    pids = pool.file.pids
    _, _, first = pool.http("/v1/jobs", KEPT)
    pool.until(
        lambda: pool.http(f"/v1/jobs/{first['id']}")[2]["state"] == "completed", "a kept job done"
    )
    books = settled(pool)
    waiting = [pool.http("/v1/jobs", KEPT)[2]["id"] for _ in range(6)]
    os.kill(pids["scheduler"], signal.SIGKILL)
    pool.until(
        lambda: pool.file.pids.get("scheduler") not in (None, pids["scheduler"]), "a restart"
    )
    pool.until(lambda: pool.http("/readyz")[0] == 200, "readiness")
    pool.until(lambda: len(pool.live()) == 3, "three live nodes", 10)
    for job in waiting:
        pool.until(
            lambda job=job: pool.http(f"/v1/jobs/{job}")[2]["state"] == "completed",  # type: ignore[misc]
            f"kept job {job}",
        )
    nodes = {name: pid for name, pid in pool.file.pids.items() if name.startswith("node")}

    assert nodes == {name: pid for name, pid in pids.items() if name.startswith("node")}
    assert settled(pool) == books + 6
    assert sum(balances(pool)) == 0


def test_killed_nats_server_is_only_a_pause(pool: RunningPool) -> None:
    """Every part finds the bus again by itself and the next job is served."""
    old = pool.file.pids["nats"]
    os.kill(old, signal.SIGKILL)
    pool.until(lambda: pool.file.pids["nats"] != old, "a new nats-server")
    pool.until(lambda: pool.chat("Bonjour")[0] == 200, "an answer again")
    pool.until(lambda: len(pool.live()) == 3, "three live nodes")

    assert sum(balances(pool)) == 0


def test_killed_supervisor_leaves_no_process(tmp_path: Path) -> None:
    """Bus, scheduler, agent and engine all end when ``entraide up`` is killed."""
    small = up(tmp_path / "pool", "--nodes", "1")
    supervisor = psutil.Process(small.file.pids["up"])
    family = supervisor.children(recursive=True)
    supervisor.kill()
    _, alive = psutil.wait_procs(family, timeout=30)

    assert len(family) >= 4
    assert [] == alive


def test_killed_scheduler_finishes_its_batch_and_answers_each_line_once(pool: RunningPool) -> None:
    """A batch goes on where it was: complete, each line once, each settled once."""
    names = [f"ligne-{number}" for number in range(LINES)]
    client = openai.OpenAI(base_url=f"{pool.file.http}/v1", api_key=pool.file.keys["boreale"])
    content = b"".join(batch_line(name) for name in names)
    books = settled(pool)
    with client:
        file = client.files.create(file=("lot.jsonl", content), purpose="batch")
        batch = client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        pool.until(lambda: completed(client, batch.id) >= FIRST, "a part of the batch")
        pid = pool.file.pids["scheduler"]
        os.kill(pid, signal.SIGKILL)
        pool.until(lambda: pool.file.pids.get("scheduler") not in (None, pid), "a restart")
        pool.until(lambda: pool.http("/readyz")[0] == 200, "readiness")
        middle = completed(client, batch.id)
        pool.until(lambda: client.batches.retrieve(batch.id).status == "completed", "all of it")
        done = client.batches.retrieve(batch.id)
        assert done.output_file_id is not None
        answers = client.files.content(done.output_file_id).text.splitlines()

    assert FIRST <= middle < LINES
    assert done.error_file_id is None
    assert sorted(names) == sorted(json.loads(answer)["custom_id"] for answer in answers)
    assert settled(pool) == books + LINES
    assert sum(balances(pool)) == 0


def batch_line(name: str) -> bytes:
    """A line of a batch that asks for a short answer."""
    request = {
        "model": MODEL,
        "messages": [{"role": "user", "content": f"Bonjour {name}"}],
        "max_tokens": 6,
    }
    line = {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": request}
    return json.dumps(line).encode() + b"\n"


def completed(client: openai.OpenAI, batch: str) -> int:
    """The number of a batch's answers so far."""
    counts = client.batches.retrieve(batch).request_counts
    return 0 if counts is None else counts.completed

"""An answer of a real pool whose machine is killed: another one continues it, exactly."""

import http.client
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from tests.engines.resuming import post
from tests.engines.support import llamacpp
from tests.integration.local_pool import MODEL, RunningPool, up

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]

QUESTION = [{"role": "user", "content": "Write a long story about a cat in Montréal."}]
TOKENS = 120
KILLED_AFTER = 20  # events
COMPARED = 10  # tokens after the seam


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[RunningPool]:
    """A pool of two machines with the same weights."""
    started = up(tmp_path / "pool", "--nodes", "2")
    try:
        started.until(lambda: len(started.live()) == 2, "both machines are live")
        yield started
    finally:
        started.entraide("down")


def stream(pool: RunningPool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Asks for a story in a stream that says where it goes on; yields the named events."""
    address = urlsplit(pool.file.http)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=120)
    body = {"model": MODEL, "messages": QUESTION, "max_tokens": TOKENS, "stream": True,
            "temperature": 0, "entraide": {"resume_events": True}}  # fmt: skip
    head = {"Authorization": f"Bearer {pool.file.keys['boreale']}",
            "Content-Type": "application/json"}  # fmt: skip
    connection.request("POST", "/v1/chat/completions", json.dumps(body), head)
    name = ""
    with connection.getresponse() as answer:
        for line in answer:
            if line.startswith(b"event: "):
                name = line[7:].strip().decode()
            elif line.startswith(b"data: {"):
                yield name, json.loads(line[6:])
                name = ""
    connection.close()


def text_of(event: dict[str, Any]) -> str:
    """The text of an event."""
    choices = event.get("choices") or [{}]
    return choices[0].get("delta", {}).get("content") or ""


def kill(pool: RunningPool, job: str) -> str:
    """Kills the agent that answers a job, and its engine with it; returns the node."""
    _, _, why = pool.http(f"/v1/jobs/{job}/explanation")
    agent = psutil.Process(pool.file.pids[why["node"]])
    for process in (agent, *agent.children(recursive=True)):
        os.kill(process.pid, signal.SIGKILL)
    return str(why["node"])


async def test_the_answer_of_a_killed_machine_goes_on_at_another(pool: RunningPool) -> None:
    """No character is missing or doubled, and the answer is what the second engine continues."""
    before, after, seams, last, killed = "", "", [], {}, ""
    for number, (name, event) in enumerate(stream(pool)):
        if name == "entraide.resumed":
            seams.append(event)
        elif seams:
            after += text_of(event)
            last = event
        else:
            before += text_of(event)
        if number == KILLED_AFTER:
            killed = kill(pool, event["id"])
    async with llamacpp() as engine:
        prompt = (await post(engine, "/apply-template", {"messages": QUESTION}))["prompt"]
        body = {"prompt": prompt + before, "n_predict": COMPARED, "temperature": 0}
        continued = (await post(engine, "/completion", body))["content"].rstrip("\ufffd")

    assert 1 == len(seams), (before, after, last)
    receipt = last["entraide"]
    assert after.startswith(continued)
    assert [killed, receipt["node"]] == [run["node"] for run in receipt["runs"]]
    assert killed != receipt["node"]
    assert TOKENS == sum(run["output_tokens"] for run in receipt["runs"])
    assert "length" == last["choices"][0]["finish_reason"]

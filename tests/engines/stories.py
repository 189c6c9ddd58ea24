"""A story that a client of a real pool reads in a stream, while the machine that writes it is lost.

The story is compared with what another engine, which has seen nothing of it, continues.
"""

import http.client
import json
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import psutil
from msgspec import Struct
from tests.engines.resuming import post
from tests.integration.local_pool import MODEL, RunningPool

from entraide_node.engines.supervised_engine import SupervisedEngine

QUESTION = [{"role": "user", "content": "Write a long story about a cat in Montréal."}]
COMPARED = 10  # tokens after the seam
COOP = "prairie"  # has no machine of its own in a pool of two


class Story(Struct):
    """What a client has read.

    Attributes:
        before, after: its text before and after the seam.
        seams: the events that mark one.
        last: the last event.
        lost: the machine that was lost.
    """

    before: str = ""
    after: str = ""
    seams: list[dict[str, Any]] = []
    last: dict[str, Any] = {}
    lost: str = ""


def read_story(
    pool: RunningPool, lose: Callable[[str], object], *, lost_after: int, **fields: Any
) -> Story:
    """Reads a story to its end; after so many events, the machine that writes it is lost.

    Args:
        pool: which is asked.
        lose: loses the machine with this name.
        lost_after: events before that.
        fields: of the request.
    """
    story = Story()
    for number, (name, event) in enumerate(stream(pool, fields)):
        story.last = event
        if name == "entraide.resumed":
            story.seams.append(event)
        elif story.seams:
            story.after += text_of(event)
        else:
            story.before += text_of(event)
        if number == lost_after:
            story.lost = node_of(pool, event["id"])
            lose(story.lost)
    return story


def kill(pool: RunningPool, node: str) -> None:
    """Kills the agent of a node, and its engine with it."""
    agent = psutil.Process(pool.file.pids[node])
    for process in (agent, *agent.children(recursive=True)):
        os.kill(process.pid, signal.SIGKILL)


def node_of(pool: RunningPool, job: str) -> str:
    """The machine that answers a job."""
    return str(pool.http(f"/v1/jobs/{job}/explanation", coop=COOP)[2]["node"])


def received(pool: RunningPool) -> dict[str, Any]:
    """What the statement of the co-op that asks says it has received."""
    return dict(pool.entraide("report", "--coop", COOP, "--json")["received"])


def text_of(event: dict[str, Any]) -> str:
    """The text of an event."""
    choices = event.get("choices") or [{}]
    return choices[0].get("delta", {}).get("content") or ""


async def continuation(engine: SupervisedEngine, earlier: str) -> str:
    """The first tokens with which an engine continues a story."""
    prompt = (await post(engine, "/apply-template", {"messages": QUESTION}))["prompt"]
    body = {"prompt": prompt + earlier, "n_predict": COMPARED, "temperature": 0}
    return str((await post(engine, "/completion", body))["content"]).rstrip("\ufffd")


def stream(pool: RunningPool, fields: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Asks in a stream that says where it goes on, for a story unless the fields say otherwise.

    Returns:
        The names of the events, and the events.
    """
    address = urlsplit(pool.file.http)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=120)
    body = {"model": MODEL, "messages": QUESTION, "stream": True, "temperature": 0,
            "entraide": {"resume_events": True}} | fields  # fmt: skip
    head = {"Authorization": f"Bearer {pool.file.keys[COOP]}", "Content-Type": "application/json"}
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

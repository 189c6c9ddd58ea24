"""Answers of a real pool go on elsewhere: real agents and engines that die, freeze or are revoked.

A client of OpenAI's own library asks for a long answer of one machine; in the middle of it that
machine is lost in one way or another.
"""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest
from tests.integration.local_pool import MODEL, RunningPool, up

TOKENS = 240
BEFORE = 30  # tokens that arrive before the machine is lost

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    """A pool of three machines with the same model."""
    running = up(tmp_path_factory.mktemp("pool") / "pool", "--nodes", "3")
    try:
        yield running
    finally:
        running.entraide("down")


def processes_of(pool: RunningPool, node: str) -> list[psutil.Process]:
    """The agent of a node and its engine."""
    agent = psutil.Process(pool.file.pids[node])
    return [agent, *agent.children(recursive=True)]


def signal_all(how: signal.Signals) -> Callable[[RunningPool, str], None]:
    """Returns what sends a signal to a node's agent and engine."""

    def send(pool: RunningPool, node: str) -> None:
        for process in processes_of(pool, node):
            process.send_signal(how)

    return send


def kill_engine(pool: RunningPool, node: str) -> None:
    for engine in processes_of(pool, node)[1:]:
        engine.kill()


def freeze_engine(pool: RunningPool, node: str) -> None:
    """The engine computes no more; its agent ends it after a while without output."""
    for engine in processes_of(pool, node)[1:]:
        engine.suspend()


def revoke(pool: RunningPool, node: str) -> None:
    pool.entraide("nodes", "revoke", node)


# The last one leaves a machine out of service.
LOSSES: dict[str, Callable[[RunningPool, str], None]] = {
    "agent and engine killed": signal_all(signal.SIGKILL),
    "engine killed": kill_engine,
    "engine hangs": freeze_engine,
    "agent and engine frozen": signal_all(signal.SIGSTOP),
    "revoked": revoke,
}


class Answer:
    """A streamed answer, read to its end; the machine that answers is lost on the way."""

    def __init__(self, pool: RunningPool, lose: Callable[[RunningPool, str], None]) -> None:
        self.text, self.seams, self.usage, self.receipt = "", [], None, None
        self.finish = ""
        client = openai.OpenAI(
            base_url=f"{pool.file.http}/v1", api_key=pool.file.keys["boreale"], max_retries=0
        )
        stream = client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Tell me a very long story about a cat."}],
            max_tokens=TOKENS,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
            extra_body={"entraide": {"resume_events": True}},
        )
        pieces = 0
        for chunk in stream:
            extra = chunk.model_extra or {}
            if "token_offset" in extra:
                self.seams.append(extra)
                continue
            for choice in chunk.choices:
                self.text += choice.delta.content or ""
                self.finish = choice.finish_reason or self.finish
                pieces += bool(choice.delta.content)  # the first chunk has only the role
            if pieces == BEFORE:
                self.node = busy_node(pool)
                lose(pool, self.node)
                pieces += 1
            if chunk.usage is not None:
                self.usage, self.receipt = chunk.usage, extra.get("entraide")


def busy_node(pool: RunningPool) -> str:
    """The node that runs the only job."""
    (node,) = [row["node"] for row in pool.nodes() if row["running"]]
    return str(node)


def settled_receipt(pool: RunningPool, job: str) -> dict[str, Any]:
    path = f"/v1/jobs/{job}/receipt"
    pool.until(lambda: pool.http(path)[0] == 200, "the job is settled")
    receipt: dict[str, Any] = pool.http(path)[2]
    return receipt


@pytest.mark.parametrize("how", LOSSES)
def test_an_answer_goes_on(pool: RunningPool, tmp_path: Path, how: str) -> None:
    """Each token once, billed once; the receipt names both machines and verifies."""
    pool.until(lambda: len(pool.live()) == 3, "all three machines are there", within_s=180.0)
    frozen: list[psutil.Process] = []
    try:
        answer = Answer(pool, LOSSES[how])
        if "frozen" in how:
            frozen = processes_of(pool, answer.node)
    finally:
        for process in frozen:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)
    assert answer.receipt is not None
    assert answer.usage is not None
    receipt = settled_receipt(pool, answer.receipt["job"])
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(receipt), "utf-8")
    verified = pool.entraide("receipts", "verify", str(file), "--json")
    (seam,) = answer.seams

    assert ("length", TOKENS) == (answer.finish, answer.usage.completion_tokens)
    assert BEFORE <= seam["token_offset"] < TOKENS
    assert answer.node == seam["node_before"] != seam["node_after"]
    assert [seam["node_before"], seam["node_after"]] == [run["node"] for run in receipt["runs"]]
    assert [seam["token_offset"], TOKENS - seam["token_offset"]] == [
        run["output_tokens"] for run in receipt["runs"]
    ]
    assert answer.receipt["runs"] == receipt["runs"]
    assert receipt["output_tokens"] == TOKENS
    assert seam["code"] == receipt["runs"][0]["ended"] != ""
    assert "genuine" in str(verified)


def test_without_another_machine_it_ends_after_the_text(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A pool of one machine: the client has the text and a clear error, and nobody is billed."""
    lone = up(tmp_path_factory.mktemp("pool") / "lone", "--nodes", "1")
    try:
        with pytest.raises(openai.APIError) as caught:
            Answer(lone, revoke)
        listed = lone.entraide("jobs", "list", "--json")
    finally:
        lone.entraide("down")

    assert "stream_broken" in str(caught.value.body)
    assert "stream_broken" in str(listed)

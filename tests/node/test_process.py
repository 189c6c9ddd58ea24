"""The agent as a process, with llama.cpp and the demonstration model."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import psutil
import pytest
from tests.integration.nats_support import NatsPool
from tests.node.support import MODEL, NODE, Peer, configure, run
from tests.ports import free_port
from tests.waiting import eventually

from entraide.types import Basis, Outcome
from entraide.wire.messages import (
    Accept,
    CancelRun,
    Decline,
    Goodbye,
    Heartbeat,
    Hello,
    RunEnded,
    Tokens,
    UsageReport,
)
from entraide_node.config import LlamaCpp, MetricsConfig, dump_config
from entraide_node.engines.sandbox import kind_sandbox

pytestmark = [pytest.mark.engines, pytest.mark.timeout(180)]

ENGINE = LlamaCpp(alias=MODEL, threads=1, slots=2, context_tokens=512)
LONG = (
    b'{"model":"small","messages":[{"role":"user","content":"Write a long story."}],'
    b'"max_tokens":400,"ignore_eos":true}'
)


@pytest.fixture(scope="module")
def rates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the speed that one test measured lies for the next."""
    return tmp_path_factory.mktemp("rates") / "rates.json"


@contextmanager
def agent(folder: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """The agent of a folder; it and its engine are gone at the end."""
    with (folder / "agent.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "entraide_node", "run", "--dir", str(folder)],
            stdin=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "ENTRAIDE_LANG": "fr", **environment},
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def prepare(bus: NatsPool, folder: Path, **fields: object) -> None:
    """Writes the folder of a node that the pool admitted."""
    folder.mkdir(exist_ok=True)
    (folder / "node.toml").write_text(
        dump_config(configure(bus, folder, dir=".", **fields)), "utf-8"
    )


def copy(this: Path, there: Path) -> None:
    """Copies a file, if it is there."""
    if this.exists():
        there.write_bytes(this.read_bytes())


def log_of(folder: Path) -> str:
    """What the agent wrote."""
    return (folder / "agent.log").read_text("utf-8")


@asynccontextmanager
async def node(
    bus: NatsPool,
    peer: Peer,
    folder: Path,
    rates: Path,
    metrics_port: int = 0,
    **environment: str,
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A node that is live, with its engine."""
    prepare(bus, folder, engine=ENGINE, metrics=MetricsConfig(port=metrics_port))
    copy(rates, folder / "rates.json")
    with agent(folder, **environment) as process:
        await eventually(lambda: peer.states(accepting=True) or process.poll() is not None)
        assert process.poll() is None, log_of(folder)
        copy(folder / "rates.json", rates)
        yield process


def engine_of(process: subprocess.Popen[bytes]) -> psutil.Process:
    """The engine's process."""
    return next(
        child
        for child in psutil.Process(process.pid).children()
        if "entraide_node.engines.llamacpp_child" in child.cmdline()
    )


async def test_a_real_answer(bus: NatsPool, peer: Peer, tmp_path: Path, rates: Path) -> None:
    """A node measures itself, takes a run and answers it; counts and energy come with it."""
    async with node(bus, peer, tmp_path / "node", rates):
        card = peer.said(Hello)[-1].card
        await peer.send(run("job-1", stream=True))
        await peer.hear(Accept, job="job-1")
        report = await peer.hear(UsageReport, job="job-1")
        streamed = await peer.hear(RunEnded, job="job-1")
        await peer.send(run("job-2"))
        whole = await peer.hear(RunEnded, job="job-2")

    replica = card.replicas[0]
    assert (MODEL, 512, 2) == (replica.model, replica.context_tokens, replica.slots)
    assert replica.revision.startswith("sha256:")
    assert replica.engine.startswith("llama.cpp/")
    assert kind_sandbox("llama.cpp", wanted=True) is card.sandbox
    assert Basis.MEASURED is replica.rates.basis
    assert replica.rates.prefill_tokens_per_s > 0
    assert (Outcome.COMPLETED, Basis.MEASURED) == (report.outcome, report.usage.counted)
    assert 0 < report.usage.output_tokens <= 8
    assert report.usage.energy_prefill_uwh + report.usage.energy_decode_uwh > 0
    assert peer.said(Tokens, job="job-1")
    assert json.loads(streamed.final)["choices"][0]["finish_reason"]
    answer = json.loads(whole.body)
    assert ("job-2", MODEL) == (answer["id"], answer["model"])
    assert answer["usage"]["completion_tokens"] == whole.usage.output_tokens


async def test_it_writes_no_text_and_opens_no_port_to_others(
    bus: NatsPool, peer: Peer, tmp_path: Path, rates: Path
) -> None:
    """No file of a node has a question or its answer; what listens does so on this machine only."""
    folder, question = tmp_path / "node", LONG.replace(b"story", b"story of zygomatique")
    async with node(bus, peer, folder, rates, free_port()) as process:
        await peer.send(run("job-1", body=question.replace(b"400", b"24")))
        ended = await peer.hear(RunEnded, job="job-1")
        agent_process = psutil.Process(process.pid)
        every = (agent_process, *agent_process.children(recursive=True))
        sockets = [each for child in every for each in child.net_connections("inet")]
    answer = json.loads(ended.body)["choices"][0]["message"]["content"]
    words = max(re.findall(r"[\w ,]+", answer), key=len)  # however a line of a log escapes the rest
    files = [path for path in folder.rglob("*") if path.is_file()]
    written = b"".join(path.read_bytes() for path in files)

    assert b"job-1" in written
    assert len(words) > 20, answer
    assert [] == [text for text in ("zygomatique", words) if text.encode() in written]
    assert {"127.0.0.1"} == {each.laddr.ip for each in sockets if each.status == psutil.CONN_LISTEN}


async def test_cancel_stops_the_engine(
    bus: NatsPool, peer: Peer, tmp_path: Path, rates: Path
) -> None:
    """A cancelled run stops the engine, and its usage so far is reported."""
    async with node(bus, peer, tmp_path / "node", rates):
        await peer.send(run("job-1", stream=True, body=LONG))
        await peer.hear(Tokens, job="job-1")
        await peer.send(CancelRun("job-1", 1))
        report = await peer.hear(UsageReport, job="job-1")

    assert Outcome.CANCELLED is report.outcome
    assert 0 < report.usage.output_tokens < 400


async def test_too_long(bus: NatsPool, peer: Peer, tmp_path: Path, rates: Path) -> None:
    """The engine's own count of a prompt that does not fit comes back as a decline."""
    content = "un deux trois " * 400
    body = msgspec.json.encode({"model": MODEL, "messages": [{"role": "user", "content": content}]})
    async with node(bus, peer, tmp_path / "node", rates):
        await peer.send(run("job-1", body=body))
        declined = await peer.hear(Decline, job="job-1")

    assert "context_length_exceeded" == declined.code
    assert 512 == declined.values["context_tokens"]
    assert int(declined.values["input_tokens"]) > 512


async def test_engine_killed(bus: NatsPool, peer: Peer, tmp_path: Path, rates: Path) -> None:
    """An engine that dies takes the node out of work; it comes back with the next one."""
    async with node(bus, peer, tmp_path / "node", rates) as process:
        await peer.send(run("job-1", body=LONG))
        await peer.hear(Accept, job="job-1")
        heard = len(peer.ctl)
        engine_of(process).kill()
        report = await peer.hear(UsageReport, job="job-1")
        await peer.hear(Heartbeat, accepting=False, reason="engine_down")
        await eventually(
            lambda: (
                any(isinstance(m, Heartbeat) and m.accepting for m in peer.ctl[heard:])
                and peer.said(Heartbeat)[-1].accepting
            )
        )
        await peer.send(run("job-2"))
        again = await peer.hear(UsageReport, job="job-2")

    assert (Outcome.FAILED, "engine_exited") == (report.outcome, report.code)
    assert Outcome.COMPLETED is again.outcome


async def test_sigterm(bus: NatsPool, peer: Peer, tmp_path: Path, rates: Path) -> None:
    """After SIGTERM the run ends, the node sends its goodbye, and no engine is left."""
    async with node(bus, peer, tmp_path / "node", rates) as process:
        engine = engine_of(process)
        await peer.send(run("job-1"))
        await peer.hear(Accept, job="job-1")
        process.send_signal(signal.SIGTERM)
        report = await peer.hear(UsageReport, job="job-1")
        await peer.hear(Goodbye)
        status = await asyncio.to_thread(process.wait, 20)

    assert Outcome.COMPLETED is report.outcome
    assert 0 == status
    assert not engine.is_running()


async def test_parent_gone(bus: NatsPool, peer: Peer, tmp_path: Path, rates: Path) -> None:
    """An agent whose parent closes its pipe ends at once, and so does its engine."""
    async with node(bus, peer, tmp_path / "node", rates, ENTRAIDE_PARENT_PIPE="1") as process:
        engine = engine_of(process)
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.to_thread(process.wait, 20)
        await eventually(lambda: not engine.is_running())


async def test_status_in_words(bus: NatsPool, peer: Peer, tmp_path: Path, rates: Path) -> None:
    """A person reads in one sentence why the node works or not, and pauses it."""

    async def entraide(*words: str, lang: str = "fr") -> str:
        command = [sys.executable, "-m", "entraide_node", *words, "--dir", str(tmp_path / "node")]
        done = await asyncio.to_thread(
            subprocess.run, command, check=True, capture_output=True, text=True,
            env={**os.environ, "ENTRAIDE_LANG": lang},
        )  # fmt: skip
        return done.stdout

    async with node(bus, peer, tmp_path / "node", rates):
        await peer.hear(Heartbeat)
        ready = await entraide("status")
        shown = json.loads(await entraide("status", "--json"))
        await entraide("pause")
        await peer.hear(Heartbeat, reason="paused")
        paused = await entraide("status", lang="en")
        await entraide("resume")
    stopped = await entraide("status")

    assert ready.startswith(f"{NODE} est prêt et attend du travail.")
    assert (NODE, "ready", 2) == (shown["node"], shown["state"], shown["slots"])
    assert paused.startswith(f"{NODE} is not working: the owner of the machine paused it.")
    assert stopped.startswith(f"{NODE} ne travaille pas\u00a0: son agent ne tourne pas.")


async def test_no_model(bus: NatsPool, tmp_path: Path) -> None:
    """An agent without its model prints the reason in one sentence and ends."""
    prepare(bus, tmp_path, engine=LlamaCpp(model="absent.gguf"), lang="fr")
    with agent(tmp_path) as process:
        status = await asyncio.to_thread(process.wait, 20)
    said = log_of(tmp_path)

    assert 1 == status
    assert "absent.gguf" in said.splitlines()[-1]

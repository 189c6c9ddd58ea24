"""The Python clients over a connection that is cut: they come back, or say why they cannot."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.cutting_proxy import Cut, CuttingProxy, cutting_proxy
from tests.scheduler.gateway_support import KEY_A, KEY_B, NodeRun, Pool, chunk, open_pool
from tests.waiting import eventually

from entraide.client import AsyncClient, Client, _receive_watchdog, transport
from entraide.errors import AnswerLost, ConnectionCut, EntraideError
from entraide.v1 import pool_pb2, pool_pb2_grpc

WORDS = [f" mot-{number}" for number in range(60)]
TEXT = "".join(WORDS)
KEY = (("authorization", f"Bearer {KEY_A}"), ("accept-language", "en"))
CLIENTS = ("async", "sync")


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


class Service:
    """The pool's gRPC service on a port that stays the same."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._server = grpc.aio.server()
        self.port = 0

    async def start(self) -> None:
        self._server = grpc.aio.server()
        pool_pb2_grpc.add_PoolServicer_to_server(self._pool.gateway.pool_service, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(0)


@pytest.fixture
async def service(pool: Pool) -> AsyncIterator[Service]:
    made = Service(pool)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def proxy(service: Service) -> AsyncIterator[CuttingProxy]:
    async with cutting_proxy(service.port) as made:
        yield made


async def read(kind: str, proxy: CuttingProxy, parts: list[str], **options: Any) -> str:
    """Reads an answer as a program does; adds each part as it comes."""
    address = f"127.0.0.1:{proxy.port}"
    if kind == "sync":
        return await asyncio.to_thread(read_synchronously, address, parts, options)
    async with (
        AsyncClient(address, KEY_A, lang="en", retries=0) as client,
        client.stream("Bonjour", model="petit", **options) as stream,
    ):
        async for part in stream:
            parts.append(part)  # noqa: PERF401  (as they come)
        return stream.text


def read_synchronously(address: str, parts: list[str], options: Any) -> str:
    with (
        Client(address, KEY_A, lang="en", retries=0) as client,
        client.stream("Bonjour", model="petit", **options) as stream,
    ):
        for part in stream:
            parts.append(part)  # noqa: PERF402  (as they come)
        return stream.text


async def begun(
    kind: str, pool: Pool, proxy: CuttingProxy, **options: Any
) -> tuple["asyncio.Task[str]", list[str], NodeRun]:
    parts: list[str] = []
    reading = asyncio.ensure_future(read(kind, proxy, parts, **options))
    run = await pool.placed()
    run.accept()
    run.tokens(WORDS[0])
    await eventually(lambda: parts)
    return reading, parts, run


def finish(run: NodeRun) -> None:
    run.end(final=chunk("", "stop"))
    run.report()


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_client_comes_back_after_each_cut(
    pool: Pool, proxy: CuttingProxy, kind: str
) -> None:
    """Wherever the connection is reset, each part of the text comes once, in its order."""
    draw = random.Random(7)
    reading, parts, run = await begun(kind, pool, proxy)
    for word in WORDS[1:]:
        run.tokens(word)
        if draw.random() < 0.1:
            proxy.cut()
        await asyncio.sleep(0)
    connections = proxy.connections
    finish(run)
    text = await asyncio.wait_for(reading, 60)

    assert TEXT == text
    assert TEXT == "".join(parts)
    assert proxy.connections > 1
    assert connections >= 1


@pytest.mark.parametrize("kind", CLIENTS)
async def test_silence_is_noticed(
    pool: Pool, proxy: CuttingProxy, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection on which nothing comes any more is given up for another one."""
    monkeypatch.setattr(transport, "SILENCE_S", 0.5)
    monkeypatch.setattr(_receive_watchdog, "SILENCE_S", 0.5)
    monkeypatch.setattr("entraide_scheduler.gateway.jobs.reconnectable_streams.QUIET_S", 0.1)
    reading, parts, run = await begun(kind, pool, proxy)
    proxy.cut(Cut.SILENT)
    run.tokens(*WORDS[1:])
    finish(run)
    text = await asyncio.wait_for(reading, 60)

    assert TEXT == text == "".join(parts)
    assert 2 == proxy.connections


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_gateway_that_forgot_the_job_is_lost(
    pool: Pool, proxy: CuttingProxy, kind: str
) -> None:
    """A gateway that was started again knows nothing of the answer: a stable error, at once."""
    reading, parts, run = await begun(kind, pool, proxy)
    streams, jobs = pool.gateway._streams, pool.gateway._running_jobs
    streams.forget(streams._streams[run.run.job])
    jobs.cancel(run.run.job, "client_gone")
    jobs.recent._ended.clear()
    proxy.cut()
    with pytest.raises(EntraideError) as caught:
        await asyncio.wait_for(reading, 60)

    assert ("gateway_lost", run.run.job) == (caught.value.code, caught.value.job)
    assert isinstance(caught.value, AnswerLost)
    assert [WORDS[0]] == parts
    assert (WORDS[0], True) == (caught.value.text, caught.value.retryable)
    assert "you can go on from there" in caught.value.message


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_gateway_that_stays_away_is_lost(
    service: Service, pool: Pool, proxy: CuttingProxy, kind: str
) -> None:
    """The client gives up when the pool would have given up the job: ``connection_cut``."""
    losses: list[bool] = []
    reading, parts, _ = await begun(
        kind, pool, proxy, reconnect_s=0.5, on_reconnecting=lambda: losses.append(True)
    )
    await service.stop()
    with pytest.raises(ConnectionCut) as caught:
        await asyncio.wait_for(reading, 60)

    assert ("connection_cut", 0.5) == (caught.value.code, caught.value.values["lost_s"])
    assert caught.value.message.startswith("The connection to the pool has been lost for 0.5")
    assert ([WORDS[0]], WORDS[0]) == (parts, caught.value.text)
    assert [True] == losses


@pytest.mark.parametrize("kind", CLIENTS)
async def test_closing_the_stream_cancels_the_job(service: Service, pool: Pool, kind: str) -> None:
    """Stop is said to the pool, which would otherwise wait for the client to come back."""
    address = f"127.0.0.1:{service.port}"

    def stop_synchronously() -> None:
        with Client(address, KEY_A) as client, client.stream("Bonjour", model="petit") as stream:
            next(iter(stream))

    async def stop() -> None:
        async with (
            AsyncClient(address, KEY_A) as client,
            client.stream("Bonjour", model="petit") as stream,
        ):
            await anext(aiter(stream))

    reading = asyncio.ensure_future(
        stop() if kind == "async" else asyncio.to_thread(stop_synchronously)
    )
    run = await pool.placed()
    run.accept()
    run.tokens("Il")
    await asyncio.wait_for(reading, 60)
    ended = pool.gateway._running_jobs.recent.get(run.run.job)

    assert run.run.job == (await pool.cancelled()).job
    assert (ended is not None and ended.code) == "cancelled"


@pytest.mark.parametrize("kind", CLIENTS)
async def test_without_reconnection_a_cut_ends_the_answer(
    pool: Pool, proxy: CuttingProxy, kind: str
) -> None:
    """With ``reconnect_s=0`` the call lives with its connection."""
    reading, _, run = await begun(kind, pool, proxy, reconnect_s=0)
    proxy.cut()
    with pytest.raises(EntraideError) as caught:
        await asyncio.wait_for(reading, 60)

    assert "connection_cut" == caught.value.code
    assert caught.value.message.startswith("The connection to the pool broke in mid-answer")
    assert run.run.job == (await pool.cancelled()).job


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_client_goes_on_from_what_came_of_a_cut_answer(
    pool: Pool, proxy: CuttingProxy, kind: str
) -> None:
    """The next run gets the text that came and is asked to continue it; the answer has both."""
    reading, _, _ = await begun(kind, pool, proxy, reconnect_s=0)
    proxy.cut()
    with pytest.raises(EntraideError) as caught:
        await asyncio.wait_for(reading, 60)
    await pool.cancelled()
    address = f"127.0.0.1:{proxy.port}"

    def go_on_synchronously() -> tuple[list[str], str]:
        with Client(address, KEY_A, lang="en") as client, client.go_on(caught.value) as stream:
            return list(stream), stream.answer().text

    async def go_on() -> tuple[list[str], str]:
        async with (
            AsyncClient(address, KEY_A, lang="en") as client,
            client.go_on(caught.value) as stream,
        ):
            return [part async for part in stream], (await stream.answer()).text

    going = asyncio.ensure_future(
        go_on() if kind == "async" else asyncio.to_thread(go_on_synchronously)
    )
    run = await pool.placed()
    run.accept()
    run.tokens(WORDS[1])
    finish(run)
    parts, text = await asyncio.wait_for(going, 60)

    assert ([WORDS[1]], WORDS[0] + WORDS[1]) == (parts, text)
    assert [
        ("user", "Bonjour"),
        ("assistant", WORDS[0]),
        ("user", "Continue your answer from where it stopped."),
    ] == [(message["role"], message["content"]) for message in run.body["messages"]]


async def test_the_numbers_and_the_refusals_of_the_call(pool: Pool, service: Service) -> None:
    """Events are numbered from 0; a foreign, unknown or unsent one is refused by its code."""
    message = pool_pb2.ChatMessage(role="user", content="Bonjour")
    options = pool_pb2.JobOptions(reconnect_s=20)
    request = pool_pb2.InferenceRequest(model="petit", messages=[message], options=options)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as channel:
        stub: Any = pool_pb2_grpc.PoolStub(channel)
        call = stub.Stream(request, metadata=KEY)
        run = await pool.placed()
        run.accept()
        run.tokens("Il", " était")
        first = [await call.read(), await call.read()]
        again = stub.Reconnect(pool_pb2.ReconnectRequest(job=run.run.job, offset=1), metadata=KEY)
        second = [await again.read()]
        with pytest.raises(grpc.aio.AioRpcError) as taken_over:
            await call.read()
        refusals = []
        for key, job, offset in (
            (KEY_B, run.run.job, 0), (KEY_A, "job-0123456789ab", 0), (KEY_A, "x", 0),
            (KEY_A, run.run.job, 9), (KEY_A, run.run.job, 2**32 - 1),
        ):  # fmt: skip
            asked = pool_pb2.ReconnectRequest(job=job, offset=offset)
            metadata = (("authorization", f"Bearer {key}"),)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Reconnect(asked, metadata=metadata).read()
            refusals.append(refused.value.code().name)
        finish(run)
        while (event := await again.read()) is not grpc.aio.EOF:
            second.append(event)

    assert [0, 1] == [event.number for event in first]
    assert (20, "Il était") == (first[0].started.reconnect_s, first[1].delta.text)
    assert [1, 2] == [event.number for event in second if event.WhichOneof("event")]
    assert "Il était" == second[-1].done.text
    assert "ABORTED" == taken_over.value.code().name
    assert ["NOT_FOUND"] * 3 + ["INVALID_ARGUMENT"] * 2 == refusals

"""Engine client: runs over HTTP, for any engine that implements OpenAI's API.

Every request for text is sent as a stream with usage, so that a run can be counted, watched and
stopped, whether or not its client asked for a stream. Events that arrive together are passed on
together, without delay. Embeddings are requested in parts, see ``embedding_run``.

Two time-outs watch a run: ``first_event_timeout_s`` between events until the first output, because
a long prefill is silent, and ``stall_timeout_s`` after it. Comment lines do not count as events: an
HTTP thread may send them while the device is stuck. The total duration is not limited, because long
answers are not faults. ``silence_watch`` notices much sooner that the engine hangs, once its steps
were measured.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Struct

from entraide.models import THINKING_BUDGET
from entraide.types import Outcome
from entraide.wire.messages import Resume
from entraide_node.engines.base import (
    BAD_REQUEST,
    EMBEDDINGS_PATH,
    ENGINE_CRASHED,
    ENGINE_HUNG,
    ENGINE_REJECTED,
    ChunkReceiver,
    EngineChunk,
    EngineEnd,
    EngineFailure,
    EngineRequest,
)
from entraide_node.engines.embedding_run import PART_ANSWER_BYTES_MAX, EmbeddingRun
from entraide_node.engines.engine_errors import failure_from_response
from entraide_node.engines.engine_http import ConnectionLost, EngineHttp, EngineResponse
from entraide_node.engines.prefix_keeper import PrefixKeeper, PrefixLease
from entraide_node.engines.run_connection import (
    Failed,
    RunConnection,
    Stopped,
    describe_error,
    run_failure,
)
from entraide_node.engines.seam import ChatContinuation, Seam, make_seam
from entraide_node.engines.shown_tokens import ShownTokens, held_chars_of
from entraide_node.engines.silence_watch import SilenceWatch
from entraide_node.engines.sse import EventReader, EventTooLong
from entraide_node.engines.stream_run import ANSWER_BYTES_MAX, StreamRun, parse_request
from entraide_node.engines.thought_control import is_told_off

WATCH_EVERY_S = 0.25
PAUSE_MIN_S = 0.25  # a watch that is this late means that this process did not run
REFUSAL_TIMEOUT_S = 5.0
REFUSAL_BYTES_MAX = 64 * 1024
SALT_BYTES = 16


class EngineEndpoint(Struct, frozen=True, kw_only=True):
    """The address of an engine, and its dialect.

    Attributes:
        base_url: ``http://host:port``, without a path; with a socket file, the host is a
            placeholder.
        model: the engine's name of the model.
        socket_path: the socket file, or "".
        api_key: bearer key; "" for none.
        extra: fields that are added to every request and replace its own.
        counted_each_event: whether to ask for the usage on every event (vLLM).
        salted: whether each run gets a cache salt of its own, so that no prefix is shared between
            runs (vLLM).
        continuation: how it continues an answer; None if it cannot.
        holds_back_text: whether it holds back as many characters as a stop string may have (vLLM).
        budget_field: its field for the limit on a thought; "" if it keeps none.
        off_fields: fields by which it is told not to think, beside the arguments of templates.
        reports_steps: whether the engine reports each step of reading a prompt (llama.cpp with
            batches of one step).
        keep_alive: whether connections are reused.
        first_event_timeout_s: longest silence before the first output.
        stall_timeout_s: longest silence after it.
    """

    base_url: str
    model: str
    socket_path: str = ""
    api_key: str = ""
    extra: dict[str, Any] = {}
    counted_each_event: bool = False
    salted: bool = False
    continuation: ChatContinuation | None = None
    holds_back_text: bool = False
    budget_field: str = ""
    off_fields: dict[str, Any] = {}
    reports_steps: bool = False
    keep_alive: bool = True
    first_event_timeout_s: float = 300.0
    stall_timeout_s: float = 60.0


class EngineClient:
    """Runs requests on one engine concurrently; must be closed."""

    def __init__(
        self,
        target: EngineEndpoint,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._clock = clock
        self._wall_clock = wall_clock
        self._connections: dict[str, RunConnection] = {}
        self._http = EngineHttp(
            target.base_url,
            socket_path=target.socket_path,
            api_key=target.api_key,
            keep_alive=target.keep_alive,
        )
        self._watch: asyncio.Task[None] | None = None
        self.silence = SilenceWatch(reports_steps=target.reports_steps)
        self.keeper: PrefixKeeper | None = None  # of an engine that finds prompts again
        self.is_hung = False  # the engine was silent for too long

    @property
    def running(self) -> int:
        """Number of current runs."""
        return len(self._connections)

    async def run(self, request: EngineRequest, receive: ChunkReceiver) -> EngineEnd:
        """Runs one request; see ``Engine.run``."""
        started = self._clock()
        body = parse_request(request)
        fields = body if isinstance(body, dict) else {}
        seam = None
        if isinstance(body, dict) and request.resume is not None:
            seam = self._find_seam(request, request.resume, body)
        failure = next((f for f in (body, seam) if isinstance(f, EngineFailure)), None)
        run = self._make_run(request, fields, started, seam if isinstance(seam, Seam) else None)
        if failure is not None:
            return run.abort(Outcome.FAILED, now=self._clock(), failure=failure)
        if request.job in self._connections:
            failure = EngineFailure(ENGINE_REJECTED, "the job runs already", retryable=False)
            return run.abort(Outcome.FAILED, now=self._clock(), failure=failure)
        limit_s = request.first_event_timeout_s or self._target.first_event_timeout_s
        connection = RunConnection(request.job, limit_s, self.silence)
        self._connections[request.job] = connection
        self.silence.begin(request, fields)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._watch_runs())
        try:
            if isinstance(run, EmbeddingRun):
                await self._embed(run, connection, request.job, receive)
            else:
                await self._pass_on_kept(run, connection, request, fields, receive)
            return run.complete(now=self._clock(), created=int(self._wall_clock()))
        except Stopped:
            return run.abort(Outcome.CANCELLED, now=self._clock())
        except Failed as failed:
            return run.abort(Outcome.FAILED, now=self._clock(), failure=failed.failure)
        finally:
            del self._connections[request.job]
            self.silence.end(request.job)

    def _find_seam(
        self, request: EngineRequest, resume: Resume, body: dict[str, Any]
    ) -> Seam | EngineFailure:
        """Returns where a run continues an answer, or why it cannot."""
        how, path = self._target.continuation, request.path
        if how is None or not request.stream or path == EMBEDDINGS_PATH:
            return EngineFailure(BAD_REQUEST, "the engine resumes no answer", retryable=True)
        return make_seam(resume, body=body, path=path, how=how)

    async def _watch_runs(self) -> None:
        """Watches until no run is left, or until the engine hangs."""
        now = asyncio.get_running_loop().time
        while self._connections:
            due_at = now() + WATCH_EVERY_S
            await asyncio.sleep(WATCH_EVERY_S)
            pause_s = now() - due_at
            if pause_s >= PAUSE_MIN_S:
                self._skip(pause_s)
            if self.silence.is_hung(now()):
                self.silence.times.add_hang(now())
                self._fail_hung()
                return
            for connection in tuple(self._connections.values()):
                connection.drop_if_overdue(now())

    def _skip(self, pause_s: float) -> None:
        """Leaves out a pause in which this process did not run."""
        self.silence.skip(pause_s, asyncio.get_running_loop().time())
        for connection in self._connections.values():
            connection.deadline += pause_s

    def _fail_hung(self) -> None:
        """Fails every run because the engine hangs."""
        self.is_hung = True
        for connection in tuple(self._connections.values()):
            connection.drop(run_failure(ENGINE_HUNG, "the engine hangs"))

    def _make_run(
        self, request: EngineRequest, body: dict[str, Any], started: float, seam: Seam | None
    ) -> StreamRun | EmbeddingRun:
        if request.path == EMBEDDINGS_PATH:
            return EmbeddingRun(request, body, started=started)
        held_chars = held_chars_of(body.get("stop")) if self._target.holds_back_text else 0
        return StreamRun(
            request, body, started=started, counted_each_event=self._target.counted_each_event,
            shown=ShownTokens(held_chars=held_chars), seam=seam,
        )  # fmt: skip

    def cancel(self, job: str) -> bool:
        """Ends a run at once; False if it is unknown."""
        connection = self._connections.get(job)
        if connection is not None:
            connection.drop(Stopped())
        return connection is not None

    async def get(self, path: str, *, timeout_s: float) -> tuple[int, bytes] | None:
        """Sends a small GET request; None if there is no answer in time."""
        return await self._ask("GET", path, b"", timeout_s=timeout_s)

    async def post(self, path: str, payload: bytes, *, timeout_s: float) -> bytes:
        """Sends a small POST request with JSON; b"" if it is refused or not answered in time."""
        answer = await self._ask("POST", path, payload, timeout_s=timeout_s)
        return answer[1] if answer is not None and answer[0] == 200 else b""

    async def _ask(
        self, method: str, path: str, payload: bytes, *, timeout_s: float
    ) -> tuple[int, bytes] | None:
        response: EngineResponse | None = None
        try:
            async with asyncio.timeout(timeout_s):
                while (response := self._http.send(method, path, payload)) is None:
                    await self._http.connect()
                status = await response.wait_for_head()
                body = bytearray()
                while data := await response.read():
                    body += data
                    if len(body) > ANSWER_BYTES_MAX:
                        return None
                return status, bytes(body)
        except OSError:  # a TimeoutError is one
            return None
        finally:
            if response is not None:
                response.close()

    async def close(self, *, crashed: bool = False) -> None:
        """Ends every run and closes every connection; may be called again.

        Args:
            crashed: whether the engine is gone, so that its runs have failed; else they are
                cancelled.
        """
        for connection in self._connections.values():
            connection.drop(
                run_failure(ENGINE_CRASHED, "the engine is gone") if crashed else Stopped()
            )
        if self._watch is not None:
            self._watch.cancel()
        if self.keeper is not None:
            await self.keeper.close()
        self._http.close()

    async def _pass_on_kept(
        self,
        run: StreamRun,
        connection: RunConnection,
        request: EngineRequest,
        body: dict[str, Any],
        receive: ChunkReceiver,
    ) -> None:
        """Passes chunks on as ``_pass_on`` does; the run may find what its keeper allows."""
        lease = PrefixLease({})
        if self.keeper is not None:
            lease = await connection.prepare(self.keeper.take(request, body))
        is_clean = False
        try:
            payload = self._request_body(body, run.continued, lease.fields)
            await self._pass_on(run, connection, request.path, payload, receive, lease=lease)
            is_clean = True
        finally:
            lease.end(run.tokens, is_clean=is_clean)

    async def _pass_on(
        self,
        run: StreamRun,
        connection: RunConnection,
        path: str,
        payload: bytes,
        receive: ChunkReceiver,
        *,
        lease: PrefixLease,
    ) -> None:
        """Passes chunks on until the stream is complete; raises Stopped or Failed."""
        response = await self._send(connection, path, payload)
        try:
            if response.status != 200:
                raise Failed(await _read_refusal(connection, response))
            reader = EventReader()
            waiting: Awaitable[None] | None = None

            def take(data: bytes) -> bool:
                nonlocal waiting
                chunk = self._add_events(run, connection, _payloads(reader, data))
                if run.events:
                    lease.note_begun()
                waiting = receive(chunk) if chunk is not None else None
                return waiting is None and not run.is_over

            has_ended = False
            while not has_ended and not run.is_over:
                has_ended = await _pass_stream(run, connection, take)
                if has_ended:
                    take(b"")
                if waiting is not None:
                    await waiting
            if run.failure is not None:
                raise Failed(run.failure)
            if not run.is_over and not run.is_answered:
                raise run_failure(ENGINE_CRASHED, "the stream ended before the answer did")
            response.leave()
        except BaseException:
            response.close()
            raise

    def _add_events(
        self, run: StreamRun, connection: RunConnection, payloads: list[bytes]
    ) -> EngineChunk | None:
        """Adds events that arrived together; returns the chunk to send, if any."""
        events_before = run.events
        chunk = run.add_events(payloads, now=self._clock())
        if run.events > events_before:
            has_output = run.has_output
            connection.note_event(
                self._target.stall_timeout_s if has_output else connection.limit_s,
                has_output=has_output,
            )
        return chunk

    async def _embed(
        self, run: EmbeddingRun, connection: RunConnection, job: str, receive: ChunkReceiver
    ) -> None:
        """Sends the parts one after the other; raises Stopped or Failed."""
        while (fields := run.next_part()) is not None:
            loop_now = asyncio.get_running_loop().time()
            connection.deadline = loop_now + connection.limit_s
            fields["model"] = self._target.model
            if self._target.salted:
                fields["cache_salt"] = secrets.token_urlsafe(SALT_BYTES)
            payload = msgspec.json.encode(fields)
            response = await self._send(
                connection, EMBEDDINGS_PATH, payload, accept="application/json"
            )
            try:
                if response.status != 200:
                    raise Failed(await _read_refusal(connection, response))
                run.add_answer(await _read_document(connection))
            finally:
                response.close()
            now = asyncio.get_running_loop().time()
            self.silence.add_event(job, now, has_output=False)
            waiting = receive(EngineChunk(b"", 0, run.n_prompt_tokens))
            if waiting is not None:
                await waiting
        if run.failure is not None:
            raise Failed(run.failure)

    def _request_body(
        self, body: dict[str, Any], continued: dict[str, Any], kept: dict[str, Any]
    ) -> bytes:
        """Returns the request; what the agent decides replaces its own fields."""
        target = self._target
        options: dict[str, Any] = {"include_usage": True}
        if target.counted_each_event:
            options["continuous_usage_stats"] = True
        fields: dict[str, Any] = {"model": target.model, "stream": True, "stream_options": options}
        if target.salted:
            fields["cache_salt"] = secrets.token_urlsafe(SALT_BYTES)
        budget_tokens = body.get(THINKING_BUDGET)
        body = {name: value for name, value in body.items() if name != THINKING_BUDGET}
        if target.budget_field and budget_tokens:
            fields[target.budget_field] = budget_tokens
        if target.off_fields and is_told_off(body):
            fields |= target.off_fields
        return msgspec.json.encode(body | target.extra | continued | fields | kept)

    async def _send(
        self,
        connection: RunConnection,
        path: str,
        payload: bytes,
        *,
        accept: str = "text/event-stream",
    ) -> EngineResponse:
        """Sends the request; once more if a reused connection is dead."""
        attempts_left = 2 if self._target.keep_alive else 1
        while True:
            attempts_left -= 1
            try:
                return await connection.send(self._http, path, payload, accept=accept)
            except OSError as error:
                # No byte of an answer has arrived, so a retry repeats nothing.
                if not attempts_left:
                    raise run_failure(ENGINE_CRASHED, describe_error(error)) from None
                self._http.close_idle()


async def _pass_stream(
    run: StreamRun, connection: RunConnection, take: Callable[[bytes], bool]
) -> bool:
    """Passes bytes on as they arrive until ``take`` returns False; returns whether all have.

    If the engine dies or hangs after the answer is complete, the run is still completed.
    """
    try:
        return await connection.pass_on(take)
    except Failed:
        if run.is_answered:
            return True
        raise
    except ConnectionLost as error:
        if run.is_answered:
            return True
        raise run_failure(ENGINE_CRASHED, describe_error(error)) from None


def _payloads(reader: EventReader, data: bytes) -> list[bytes]:
    try:
        return reader.feed(data) if data else reader.close()
    except EventTooLong:
        raise run_failure(ENGINE_REJECTED, "an event of the engine is too long") from None


async def _read_refusal(connection: RunConnection, response: EngineResponse) -> EngineFailure:
    loop_now = asyncio.get_running_loop().time()
    connection.deadline = min(connection.deadline, loop_now + REFUSAL_TIMEOUT_S)
    payload = b""
    try:
        while len(payload) < REFUSAL_BYTES_MAX:
            data = await connection.read()
            if not data:
                break
            payload += data
    except (Failed, OSError):
        pass  # use the bytes that have arrived
    return failure_from_response(response.status, payload)


async def _read_document(connection: RunConnection) -> bytes:
    """Returns the whole answer to a request that is not streamed."""
    document = bytearray()
    try:
        while data := await connection.read():
            document += data
            if len(document) > PART_ANSWER_BYTES_MAX:
                raise run_failure(ENGINE_REJECTED, "the engine's answer is too long")
    except OSError as error:
        raise run_failure(ENGINE_CRASHED, describe_error(error)) from None
    return bytes(document)

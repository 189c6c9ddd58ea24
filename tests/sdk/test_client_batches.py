"""``client.batches`` against the mock transport, which a program's own tests use, too."""

import asyncio
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entraide.client import AsyncClient, Batch, BatchResult, Client, _constants
from entraide.client.mock import AsyncMockTransport, MockTransport, embedding_events
from entraide.errors import EntraideError, PoolError, PoolUnreachable, RequestError, error_for
from entraide_scheduler.config import http_limits
from entraide_scheduler.gateway.batches import input_lines

CHAT = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets retries and looks follow at once."""
    monkeypatch.setattr("entraide.client._request.RETRY_DELAY_MIN_S", 0.0)
    monkeypatch.setattr("entraide.client.batches.waiting.BATCH_POLL_MIN_S", 0.0)
    monkeypatch.setattr("entraide.client.batches.waiting.BATCH_POLL_PART", 0.0)


def sent(transport: MockTransport) -> list[dict[str, Any]]:
    """The lines of the only file that was sent."""
    (content,) = transport.batches.files.values()
    return [json.loads(line) for line in content.splitlines()]


def fields(transport: MockTransport) -> dict[str, Any]:
    """The fields of the batch that was created."""
    (body,) = (
        b"".join(request.body)  # type: ignore[union-attr]
        for method, request in transport.requests
        if method == "POST /v1/batches"
    )
    return dict(json.loads(body))


def prepare(requests: Any, **options: Any) -> list[dict[str, Any]]:
    """Returns the lines that a client sends."""
    transport = MockTransport()
    Client(transport=transport).batches.create(requests, **options)
    return sent(transport)


def refused(requests: Any, **options: Any) -> str:
    """Returns the refusal of requests, of which nothing was sent."""
    transport = MockTransport()
    with pytest.raises(RequestError) as raised:
        Client(transport=transport, lang="en").batches.create(requests, **options)
    assert not transport.batches.files
    return raised.value.message


Run = Callable[..., tuple[Batch, list[BatchResult], MockTransport]]


def run(requests: Any, script: Any = None, **options: Any) -> Any:
    """Runs a batch through the client that waits."""
    transport = MockTransport(script)
    with Client(transport=transport) as client:
        batch = client.batches.create(requests, model="m", wait=True, **options)
        return batch, list(client.batches.results(batch)), transport


def run_async(requests: Any, script: Any = None, **options: Any) -> Any:
    """Runs a batch through the asyncio client."""
    transport = AsyncMockTransport(script)

    async def ask() -> Any:
        async with AsyncClient(transport=transport) as client:
            batch = await client.batches.create(requests, model="m", wait=True, **options)
            return batch, [result async for result in client.batches.results(batch)]

    return *asyncio.run(ask()), transport.mock


both = pytest.mark.parametrize("run", [run, run_async], ids=["sync", "async"])


@both
def test_a_batch_gives_the_answers_by_their_names(run: Run) -> None:
    """Prompts by name are sent, waited for with progress, and answered by name."""
    counts: list[int] = []
    batch, results, transport = run(
        {"a": "Bonjour", "b": "Salut"}, on_progress=lambda batch: counts.append(batch.counts.ended)
    )

    assert ("completed", 2, 2) == (batch.state, batch.counts.lines, batch.counts.completed)
    assert {"a": "Bonjour", "b": "Salut"} == {each.custom_id: each.text for each in results}
    assert [0, 1, 2] == counts
    assert transport.closed


@both
def test_a_reading_that_breaks_off_goes_on_after_the_last_line(run: Run) -> None:
    """Each line comes once, although the connection broke in the middle of the file."""
    lines = [
        json.dumps(
            {"custom_id": name, "response": {"status_code": 200, "request_id": "", "body": {}}}
        ).encode()
        for name in "abc"
    ]
    broken = [lines[0] + b"\n" + lines[1][:9], error_for("connection_cut")]
    script = {"GET /v1/files/batch_1-output/content": [broken, b"\n".join(lines) + b"\n"]}
    _, results, _ = run(["x"], script)

    assert ["a", "b", "c"] == [each.custom_id for each in results]


@both
def test_a_lost_reply_makes_no_second_batch(run: Run) -> None:
    """After a lost reply the client looks for the batch of its file before it creates one."""
    listed = json.dumps(
        {"data": [{"id": "batch_1", "status": "completed", "endpoint": CHAT,
                   "input_file_id": "file-1"}]}
    ).encode()  # fmt: skip
    script = {
        "POST /v1/batches": [error_for("pool_unreachable")],
        "GET /v1/batches?limit=20": [listed],
        "GET /v1/batches/batch_1": [listed[10:-2]],
    }
    batch, _, _ = run(["x"], script)

    assert ("batch_1", "completed") == (batch.batch, batch.state)


@both
def test_a_wait_outlasts_a_restart_of_the_pool(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that does not answer is waited for; what it refuses is raised."""
    ended = json.dumps({"id": "batch_1", "status": "completed", "endpoint": CHAT}).encode()
    lost = [error_for("pool_unreachable")] * (3 * (1 + _constants.RETRIES))
    lost += [error_for("not_ready")] * (1 + _constants.RETRIES)
    batch, _, _ = run(["x"], {"GET /v1/batches/batch_1": [*lost, ended]})
    monkeypatch.setattr("entraide.client.batches.waiting.BATCH_LOST_MAX_S", -1.0)

    assert "completed" == batch.state
    with pytest.raises(PoolUnreachable):
        run(["x"], {"GET /v1/batches/batch_1": lost})
    with pytest.raises(EntraideError, match="unknown_batch"):
        run(["x"], {"GET /v1/batches/batch_1": [error_for("unknown_batch")]})


def test_the_errors_of_lines_are_values() -> None:
    """A line that fails has a code and a sentence; the others have their answers."""

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        if "non" in str(body):
            raise error_for("context_length_exceeded", "Trop long.")
        return {"choices": [{"message": {"content": "oui"}}]}

    client = Client(transport=MockTransport(answer_line=answer))
    batch = client.batches.create({"a": "oui", "b": "non"}, wait=True)
    answered, failed = client.batches.results(batch)

    assert (1, 1) == (batch.counts.completed, batch.counts.failed)
    assert ("a", "oui", None) == (answered.custom_id, answered.text, answered.error)
    assert failed.error is not None
    assert ("b", "context_length_exceeded", "Trop long.") == (
        failed.custom_id, failed.error.code, failed.error.message
    )  # fmt: skip


def test_an_interrupted_wait_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C leaves the batch running, and its traceback names the call that goes on."""
    client = Client(transport=MockTransport(), lang="en")

    def interrupt(_: Batch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as raised:
        client.batches.create(["x"], wait=True, on_progress=interrupt)

    assert 'client.batches.wait("batch_1")' in raised.value.__notes__[0]
    assert "completed" == client.batches.wait("batch_1").state


def test_a_wait_has_its_own_time_limit() -> None:
    """A wait that is over before its batch says so, and the batch goes on."""
    client = Client(transport=MockTransport(), lang="en")
    batch = client.batches.create(["x"])
    with pytest.raises(PoolError) as raised:
        client.batches.wait(batch, timeout_s=-1.0)

    assert "deadline_exceeded" == raised.value.code
    assert batch.batch in raised.value.message


def test_batches_are_listed_and_cancelled() -> None:
    """The newest batch comes first; the lines of a cancelled batch have its error."""
    client = Client(transport=MockTransport())
    client.batches.create(["x"])
    second = client.batches.create(["y", "z"])
    cancelled = client.batches.cancel(second)

    assert ["batch_2", "batch_1"] == [each.batch for each in client.batches.list()]
    assert ("cancelled", 2) == (cancelled.state, cancelled.counts.failed)
    assert ["batch_cancelled"] * 2 == [
        each.error.code for each in client.batches.results(cancelled) if each.error
    ]


def test_the_options_of_a_batch_are_sent() -> None:
    """A batch has its metadata, its retention, and the pool's own options with its deadline."""
    transport = MockTransport()
    until = dt.datetime(2026, 12, 1, 8, tzinfo=dt.UTC)
    Client(transport=transport).batches.create(
        ["x"], until=until, metadata={"projet": "bulletin"}, keep_s=7_200.0, jurisdiction="CA-QC",
        data_class=None,
    )  # fmt: skip

    assert {
        "input_file_id": "file-1",
        "endpoint": CHAT,
        "completion_window": "24h",
        "metadata": {"projet": "bulletin"},
        "output_expires_after": {"anchor": "created_at", "seconds": 7_200},
        "entraide": {"jurisdiction": "CA-QC", "deadline": "2026-12-01T08:00:00+00:00"},
    } == fields(transport)


def test_two_deadlines_or_another_window_are_refused() -> None:
    """A moment and a duration contradict each other, and there is one completion window."""
    client = Client(transport=MockTransport(), lang="en")
    with pytest.raises(RequestError, match="deadline_s"):
        client.batches.create(["x"], until="2026-12-01T08:00Z", deadline_s=60.0)
    with pytest.raises(RequestError, match="24h"):
        client.batches.create(["x"], completion_window="48h")


def test_plain_text_is_one_prompt_per_line(tmp_path: Path) -> None:
    """Each line that is not empty is a question; its name is its number in the file."""
    path = tmp_path / "questions.txt"
    path.write_text("\ufeffBonjour\r\n\n  Salut  \n{pas du JSON}\n", "utf-8")
    lines = prepare(path, max_output_tokens=9)

    assert ["line-1", "line-3", "line-4"] == [each["custom_id"] for each in lines]
    assert [CHAT] * 3 == [each["url"] for each in lines]
    assert {
        "messages": [{"role": "user", "content": "Bonjour"}], "max_tokens": 9, "model": "mock",
    } == lines[0]["body"]  # fmt: skip
    assert "Salut" == lines[1]["body"]["messages"][0]["content"]


def test_requests_alone_get_names_and_a_model(tmp_path: Path) -> None:
    """A line with a request alone becomes a line of a batch; what it says itself stays."""
    path = tmp_path / "lot.jsonl"
    path.write_text('{"messages": [], "max_tokens": 3}\n{"body": {"messages": [1]}}\n', "utf-8")
    first, second = prepare(path, model="m", max_output_tokens=9, defaults={"seed": 1})

    assert ("line-1", CHAT, "line-2") == (first["custom_id"], first["url"], second["custom_id"])
    assert {"messages": [], "max_tokens": 3, "seed": 1, "model": "m"} == first["body"]
    assert 9 == second["body"]["max_tokens"]


def test_a_whole_line_is_sent_as_it_is(tmp_path: Path) -> None:
    """A line in OpenAI's form is not rewritten: its bytes arrive as they are."""
    line = (
        b'{"custom_id":"a",  "url":"/v1/completions","body":{"model":"m","prompt":"x","seed":1.0}}'
    )
    path = tmp_path / "lot.jsonl"
    path.write_bytes(line + b"\n")
    transport = MockTransport()
    Client(transport=transport).batches.create(str(path))

    assert [line + b"\n"] == list(transport.batches.files.values())
    assert "/v1/completions" == fields(transport)["endpoint"]


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [("/v1/completions", "prompt"), ("/v1/embeddings", "input"), ("/v1/responses", "input")],
)
def test_a_prompt_has_the_field_of_its_endpoint(endpoint: str, name: str) -> None:
    """A prompt becomes a request of the endpoint that was named, with its model."""
    (line,) = prepare(["Bonjour"], endpoint=endpoint)

    assert "Bonjour" == line["body"][name]
    assert ("mock-embeddings" if "embed" in endpoint else "mock") == line["body"]["model"]


def test_the_embeddings_of_a_batch() -> None:
    """The results of a batch of embeddings have their vectors."""
    client = Client(transport=MockTransport())
    batch = client.batches.create(["ab", "c"], endpoint="/v1/embeddings", wait=True)

    assert [((2.0, 1.0),), ((1.0, 1.0),)] == [
        each.vectors for each in client.batches.results(batch)
    ]


ANSWER = {"model": "m", "messages": []}


@pytest.mark.parametrize(
    ("lines", "where", "what"),
    [
        ([b'{"a": 1'], "line 1", "not valid JSON"),
        ([b"\xff"], "line 1", "not valid JSON"),
        ([b"[]"], "line 1", "JSON object"),
        ([{"custom_id": "a"}], "line 1", '"body" is missing'),
        ([{"model": "m"}], "line 1", "messages, prompt, input"),
        ([{"input": "x"}], "line 1", "Name the endpoint"),
        ([{"custom_id": 7, "body": ANSWER}], "line 1", '"custom_id" must be a text'),
        ([{"custom_id": "", "body": ANSWER}], "line 1", '"custom_id" is empty'),
        ([{"custom_id": "x" * 513, "body": ANSWER}], "line 1", "512"),
        ([{"custom_id": "a", "body": ANSWER}] * 2, "line 2", '"a" is that of an earlier line'),
        ([{"body": ANSWER, "methode": "POST"}], "line 1", '"methode"'),
        ([{"body": ANSWER, "method": "GET"}], "line 1", '"method"'),
        ([{"body": []}], "line 1", '"body" must be an object'),
        ([{"body": ANSWER, "url": "/v1/autre"}], "line 1", '"url"'),
        ([{"body": ANSWER}, {"body": ANSWER, "url": "/v1/completions"}], "line 2", CHAT),
        ([{"body": ANSWER}, {"body": ANSWER | {"model": "n"}}], "line 2", "first line"),
        ([{"body": ANSWER | {"model": 7}}], "line 1", '"body.model" must be a text'),
        ([b" ", b""], "", "no line with a request"),
    ],
)
def test_faults_of_a_file_are_found_before_it_is_sent(
    tmp_path: Path, lines: list[Any], where: str, what: str
) -> None:
    """The refusal names the line, what is wrong and what to do; nothing is sent."""
    path = tmp_path / "lot.jsonl"
    encoded = (each if isinstance(each, bytes) else json.dumps(each).encode() for each in lines)
    path.write_bytes(b"\n".join(encoded) + b"\n")
    sentence = refused(path)

    assert "lot.jsonl" in sentence
    assert where in sentence
    assert what in sentence


def test_all_faults_of_a_file_are_listed_up_to_a_number(tmp_path: Path) -> None:
    """Twenty faults are listed, not a thousand."""
    path = tmp_path / "lot.jsonl"
    path.write_text("?\n" * 1_000)

    assert 1 + _constants.BATCH_FAULTS_MAX == len(refused(path).splitlines())


def test_faults_of_a_program_name_the_request() -> None:
    """Requests that are no file are counted from one."""
    assert "request 2: " in refused(["x", {"custom_id": "a"}])
    assert "request 1: " in refused([{"messages": [object()]}])
    assert "/v1/autre" not in refused(["x"], endpoint="/v1/autre")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file, a folder and a text that is not UTF-8 are refused by name."""
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")

    for name in ("absent.jsonl", ".", "latin.txt"):
        assert str(tmp_path / name) in refused(tmp_path / name)


@pytest.mark.parametrize(
    ("limit", "size", "what"),
    [
        ("BATCH_LINES_MAX", 2, "more than 2 lines"),
        ("BATCH_LINE_BYTES_MAX", 150, "more than 150 bytes"),
        ("BATCH_FILE_BYTES_MAX", 300, "MiB"),
    ],
)
def test_the_limits_of_a_file_are_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str, size: int, what: str
) -> None:
    """A file of too many lines or bytes, and too long a line, are refused once."""
    monkeypatch.setattr(f"entraide.client.batches.input.{limit}", size)
    path = tmp_path / "lot.txt"
    path.write_text("a\nb\nc" + "c" * (100 if limit == "BATCH_LINE_BYTES_MAX" else 0) + "\nd\n")
    sentence = refused(path)

    assert what in sentence
    assert 2 == len(sentence.splitlines())


def test_the_limits_are_the_pools() -> None:
    """The client refuses what the pool would refuse, and nothing else."""
    assert (
        input_lines.LINES_MAX,
        input_lines.LINE_MAX_BYTES,
        input_lines.CUSTOM_ID_MAX,
        http_limits.FILE_MAX_BYTES,
    ) == (
        _constants.BATCH_LINES_MAX,
        _constants.BATCH_LINE_BYTES_MAX,
        _constants.CUSTOM_ID_MAX,
        _constants.BATCH_FILE_BYTES_MAX,
    )


def test_an_address_of_grpc_alone_has_no_batches() -> None:
    """Batches need the web address; the refusal says so, and ``web`` gives it."""
    client = Client("127.0.0.1:1", "ent_x", lang="en")
    with pytest.raises(RequestError, match="web address"):
        client.batches.get("batch_1")
    with pytest.raises(PoolUnreachable):
        Client("127.0.0.1:1", "k", web="http://127.0.0.1:1", retries=0).batches.get("batch_1")


def test_the_mock_answers_chats_and_embeddings_by_itself() -> None:
    """A program's test needs no script, and may give one for some calls."""
    client = Client(transport=MockTransport())
    scripted = Client(transport=MockTransport({"Pool/Stream": [embedding_events([0.5])]}))

    assert "Bonjour" == client.chat("Bonjour").text
    assert ((2.0, 1.0), (1.0, 1.0)) == client.embeddings(["ab", "c"]).vectors
    assert ((0.5,),) == scripted.embeddings("x", model="m").vectors

"""The clients against a scripted transport: answers, retries, and what is never tried again.

A retry that comes after text was handed out would say the beginning twice, and one after a refusal
would only repeat it: both are worse than the error. The script ends where the client must stop.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.sdk import mock_answers

import entraide
import entraide.client
from entraide.client import Answer, AsyncClient, Client, Embeddings, _constants
from entraide.client.mock import AsyncMockTransport, MockTransport
from entraide.errors import (
    AuthenticationError,
    EntraideError,
    NotFoundError,
    PoolError,
    PoolUnreachable,
    QuotaError,
    RequestError,
    error_for,
)
from entraide.types import Promise
from entraide.v1 import pool_pb2

Chat = Callable[[dict[str, list[Any]]], tuple[Answer, MockTransport]]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets retries follow at once."""
    monkeypatch.setattr("entraide.client._request.RETRY_DELAY_MIN_S", 0.0)


def chat(steps: dict[str, list[Any]], **options: Any) -> tuple[Answer, MockTransport]:
    """One question through the client that waits."""
    transport = MockTransport(steps)
    with Client(transport=transport, **options) as client:
        return client.chat("Bonjour", model="m"), transport


def chat_async(steps: dict[str, list[Any]], **options: Any) -> tuple[Answer, MockTransport]:
    """One question through the asyncio client."""
    transport = AsyncMockTransport(steps)

    async def ask() -> Answer:
        async with AsyncClient(transport=transport, **options) as client:
            return await client.chat("Bonjour", model="m")

    return asyncio.run(ask()), transport.mock


both = pytest.mark.parametrize("ask", [chat, chat_async], ids=["sync", "async"])


@both
def test_a_whole_answer(ask: Chat) -> None:
    """An answer has its text, its tokens, its receipt and its job."""
    answer, transport = ask({"Pool/Stream": [mock_answers.answer("Bon", "jour")]})

    assert ("Bonjour", "stop", "job-1") == (answer.text, answer.finish_reason, answer.job)
    assert (12, 3) == (answer.usage.input_tokens, answer.usage.output_tokens)
    assert answer.receipt is not None
    assert ("soleil", Promise.KEPT) == (answer.receipt.node_coop, answer.receipt.promise)
    assert transport.closed


@both
def test_text_that_comes_with_the_end_is_not_lost(ask: Chat) -> None:
    """The end carries the whole text: what had not come before is taken from it."""
    events = [mock_answers.started(), mock_answers.delta("Bon"), mock_answers.done("Bonjour")]

    assert "Bonjour" == ask({"Pool/Stream": [events]})[0].text
    assert (
        "Salut"
        == ask({"Pool/Stream": [[mock_answers.started(), mock_answers.done("Salut")]]})[0].text
    )


@both
def test_tried_again_before_the_first_text(ask: Chat) -> None:
    """A loss before any text is tried again, and the caller sees one answer."""
    lost = [mock_answers.started("job-0"), error_for("node_lost")]
    answer, transport = ask(
        {"Pool/Stream": [lost, error_for("no_node_live"), mock_answers.answer("A")]}
    )

    assert ("A", "job-1") == (answer.text, answer.job)
    assert 3 == len(transport.requests)


@both
def test_never_tried_again_after_text(ask: Chat) -> None:
    """Once text has come the error is raised, with the job's identifier."""
    broken = [mock_answers.started(), mock_answers.delta("Bon"), error_for("node_lost")]
    with pytest.raises(PoolError) as raised:
        ask({"Pool/Stream": [broken]})

    assert ("node_lost", "job-1", True) == (
        raised.value.code,
        raised.value.job,
        raised.value.retryable,
    )


@both
def test_an_answer_that_just_stops_is_an_error(ask: Chat) -> None:
    """A stream without its end is broken, whatever text it brought."""
    with pytest.raises(PoolError) as raised:
        ask({"Pool/Stream": [[mock_answers.started(), mock_answers.delta("Bon")]]})

    assert "stream_broken" == raised.value.code


@both
def test_retries_have_an_end(ask: Chat) -> None:
    """After two more attempts the last error is raised."""
    lost = [error_for("no_node_live")] * (1 + _constants.RETRIES)
    with pytest.raises(PoolError) as raised:
        ask({"Pool/Stream": lost})

    assert "no_node_live" == raised.value.code


@both
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_request", RequestError),
        ("unauthorised", AuthenticationError),
        ("unknown_model", NotFoundError),
        ("no_node_serves", PoolError),
        ("internal", PoolError),
        ("cancelled", PoolError),
        ("client_too_slow", PoolError),
        ("a_code_of_tomorrow", PoolError),
    ],
)
def test_what_is_never_tried_again(ask: Chat, code: str, kind: type[EntraideError]) -> None:
    """What would be refused again, or was wanted, is raised at once and in its kind."""
    with pytest.raises(kind) as raised:
        ask({"Pool/Stream": [error_for(code)]})

    assert code == raised.value.code


@both
def test_a_long_wait_is_the_callers_to_decide(ask: Chat) -> None:
    """A quota that opens tomorrow is not waited for; the error says when it does."""
    with pytest.raises(QuotaError) as raised:
        ask({"Pool/Stream": [error_for("quota_tokens", retry_after_s=40_000.0)]})

    assert 40_000.0 == raised.value.retry_after_s


@both
def test_a_short_wait_is_waited_for(ask: Chat) -> None:
    """A full queue that says how long is tried again."""
    steps = [error_for("queue_full", retry_after_s=0.001), mock_answers.answer("A")]

    assert "A" == ask({"Pool/Stream": steps})[0].text


def test_what_is_asked_travels() -> None:
    """Options are set in the contract's fields; any other field is sent unchanged."""
    transport = MockTransport({"Pool/Stream": [mock_answers.answer("A")]})
    client = Client(transport=transport, lang="en")
    messages = [{"role": "system", "content": "Réponds."}, {"role": "user", "content": "Bonjour"}]
    client.chat(
        messages,
        model="m",
        job_class="batch",
        data_class="restricted",
        jurisdiction="CA-QC",
        controlled_by="member",
        deadline_s=60.0,
        max_gco2e=0.5,
        max_output_tokens=7,
        temperature=0.5,
        stop=["\n"],
    )
    ((method, request),) = transport.requests

    assert ("Pool/Stream", ["en"]) == (method, transport.languages)
    assert isinstance(request, pool_pb2.InferenceRequest)
    assert ("m", 7) == (request.model, request.max_output_tokens)
    assert ["system", "user"] == [message.role for message in request.messages]
    assert ("batch", "restricted", "CA-QC", "member", 60.0, 0.5) == (
        request.options.job_class,
        request.options.data_class,
        request.options.jurisdiction,
        request.options.controlled_by,
        request.options.deadline_s,
        request.options.max_gco2e,
    )
    assert 0.5 == request.extra["temperature"]
    assert ["\n"] == list(request.extra["stop"])


@pytest.mark.parametrize("prompt", [[{"role": "user"}], [{"content": "a"}]])
def test_what_cannot_be_asked(prompt: list[dict[str, str]]) -> None:
    """A message without its parts is refused before anything is sent."""
    with pytest.raises(RequestError) as raised:
        Client(transport=MockTransport({})).chat(prompt, model="m")

    assert "invalid_request" == raised.value.code


def test_without_a_model_the_first_served_is_asked() -> None:
    """A program need not name a model, and the pool is asked for its models once."""
    steps = {
        "Pool/ListModels": [mock_answers.MODELS],
        "Pool/Stream": [mock_answers.answer("A")] * 2,
    }
    transport = MockTransport(steps)
    client = Client(transport=transport)
    client.chat("Bonjour")
    client.chat("Bonjour")

    assert ["Pool/ListModels", "Pool/Stream", "Pool/Stream"] == [m for m, _ in transport.requests]
    assert "smollm2-135m" == transport.requests[1][1].model  # type: ignore[attr-defined]


def test_a_stream_piece_by_piece() -> None:
    """Text comes piece by piece; tokens and receipt are there at the end, not before."""
    transport = MockTransport({"Pool/Stream": [mock_answers.answer("Bon", "jour")]})
    with Client(transport=transport).stream("Bonjour", model="m") as stream:
        first = next(iter(stream))
        before = (stream.job, stream.text, stream.receipt, stream.finish_reason)
        rest = list(stream)

    assert ("Bon", ["jour"]) == (first, rest)
    assert ("job-1", "Bon", None, "") == before
    assert stream.receipt is not None
    assert stream.usage is not None
    assert "stop" == stream.finish_reason


def test_leaving_a_stream_closes_its_call() -> None:
    """Leaving the block before the end lets go of the call, so that the pool cancels the job."""
    closed: list[bool] = []

    class Endless(MockTransport):
        def stream(self, request: Any, *, timeout_s: float, lang: str) -> Any:
            try:
                while True:
                    yield mock_answers.delta("a")
            finally:
                closed.append(True)

    with Client(transport=Endless({})).stream("Bonjour", model="m") as stream:
        assert "a" == next(iter(stream))
        assert not closed

    assert [True] == closed


def test_a_job_left_with_the_pool() -> None:
    """A kept job is submitted once, whatever is lost on the way, then waited for and read."""
    result = b'{"choices": [{"message": {"content": "Bonjour"}}]}'
    steps = {
        "Pool/Submit": [error_for("pool_unreachable"), mock_answers.job("queued")],
        "Pool/Get": [mock_answers.job("active"), mock_answers.job("completed", result_json=result)],
    }
    transport = MockTransport(steps)
    client = Client(transport=transport)
    job = client.submit("Bonjour", model="m", keep_s=60.0)
    ended_job = client.wait(job.job)
    keys = {
        request.request.options.idempotency_key
        for _, request in transport.requests
        if isinstance(request, pool_pb2.SubmitRequest)
    }

    assert ("queued", False) == (job.state, job.ended)
    assert ("completed", True, "Bonjour") == (ended_job.state, ended_job.ended, ended_job.text)
    assert 1 == len(keys)
    assert "" not in keys


def test_waiting_has_an_end() -> None:
    """A job that does not end in time is an error that names it."""
    client = Client(transport=MockTransport({"Pool/Get": [mock_answers.job("active")]}))
    with pytest.raises(PoolError) as raised:
        client.wait("job-1", timeout_s=0.0)

    assert ("deadline_exceeded", "job-1") == (raised.value.code, raised.value.job)


async def test_the_asyncio_client_has_the_same_calls() -> None:
    """Submit, get, wait, cancel, explain, models and jobs work as in the other client."""
    steps = {
        "Pool/Submit": [mock_answers.job("queued")],
        "Pool/Get": [mock_answers.job("active"), mock_answers.job("completed")],
        "Pool/Cancel": [mock_answers.job("cancelled")],
        "Pool/Explain": [mock_answers.explanation()],
        "Pool/ListModels": [mock_answers.MODELS],
        "Pool/ListJobs": [pool_pb2.ListJobsResponse(jobs=[mock_answers.job("active")])],
    }
    async with AsyncClient(transport=AsyncMockTransport(steps)) as client:
        submitted = await client.submit("Bonjour", model="m")
        waited = await client.wait(submitted.job)
        cancelled = await client.cancel("job-1", erase=True)
        explained = await client.explain("job-1", "en")
        models = await client.models()
        jobs = await client.jobs()

    assert ["queued", "completed", "cancelled"] == [submitted.state, waited.state, cancelled.state]
    assert str(explained).startswith("Placed on on-1")
    assert ["smollm2-135m", "phrases"] == [model.model for model in models]
    assert ["job-1"] == [job.job for job in jobs]


def test_both_clients_have_the_same_methods() -> None:
    """Who knows one client knows the other."""
    names = [
        {name for name in dir(kind) if not name.startswith("_")} for kind in (Client, AsyncClient)
    ]

    assert names[0] == names[1]


def test_exported_names() -> None:
    """What programs may import is what is listed, in order, and nothing is missing."""
    listed = entraide.client.__all__

    assert sorted(listed) == listed
    assert ["AsyncClient", "Client", "__version__"] == entraide.__all__
    assert [
        "Answer",
        "AsyncBatches",
        "AsyncClient",
        "AsyncMockTransport",
        "AsyncStream",
        "AsyncTransport",
        "Batch",
        "BatchCounts",
        "BatchError",
        "BatchExpectation",
        "BatchFault",
        "BatchHour",
        "BatchOptions",
        "BatchResult",
        "BatchUsage",
        "Batches",
        "Client",
        "Embeddings",
        "Job",
        "JobExplanation",
        "MockTransport",
        "ModelInfo",
        "RequestOptions",
        "Seam",
        "Stream",
        "TokenUsage",
        "Transport",
        "Waiting",
        "fetch_receipt_keys",
    ] == listed
    assert all(hasattr(entraide.client, name) for name in listed)
    assert entraide.Client is Client


def test_address_and_key_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment gives address and key; without them the error says what to set."""
    monkeypatch.delenv("ENTRAIDE_URL", raising=False)
    monkeypatch.delenv("ENTRAIDE_KEY", raising=False)
    with pytest.raises(PoolUnreachable, match="ENTRAIDE_URL"):
        Client(key="k")
    with pytest.raises(AuthenticationError, match="ENTRAIDE_KEY"):
        Client("127.0.0.1:1")
    monkeypatch.setenv("ENTRAIDE_URL", "127.0.0.1:1")
    monkeypatch.setenv("ENTRAIDE_KEY", "k")
    Client().close()


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_authority_that_cannot_be_read_is_named(
    client: type[Client | AsyncClient], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A missing file and one without a certificate give one sentence in each language."""
    (tmp_path / "text.pem").write_text("no certificate\n")
    for name in ("absent.pem", "text.pem"):
        monkeypatch.setenv("ENTRAIDE_CA", str(tmp_path / name))
        for lang in ("fr", "en"):
            with pytest.raises(RequestError, match=name):
                client("https://127.0.0.1:9", "key", lang=lang)


def embeddings(steps: dict[str, list[Any]], **options: Any) -> tuple[Embeddings, MockTransport]:
    """Embeddings of two texts through the client that waits."""
    transport = MockTransport(steps)
    with Client(transport=transport) as client:
        return client.embeddings(["a", "b"], **options), transport


def embeddings_async(
    steps: dict[str, list[Any]], **options: Any
) -> tuple[Embeddings, MockTransport]:
    """Embeddings of two texts through the asyncio client."""
    transport = AsyncMockTransport(steps)

    async def ask() -> Embeddings:
        async with AsyncClient(transport=transport) as client:
            return await client.embeddings(["a", "b"], **options)

    return asyncio.run(ask()), transport.mock


embed_both = pytest.mark.parametrize("ask", [embeddings, embeddings_async], ids=["sync", "async"])


@embed_both
def test_embeddings_are_numbers_with_a_receipt(ask: Callable[..., Any]) -> None:
    """Each text has its numbers, in order; the options travel as those of a chat do."""
    vectors = [[0.5, -1.0], [2.0, 3.0]]
    got, transport = ask(
        {"Pool/Stream": [mock_answers.embeddings(*vectors)]},
        model="m", dimensions=2, data_class="restricted",
    )  # fmt: skip

    assert ((0.5, -1.0), (2.0, 3.0)) == got.vectors
    assert (12, 0) == (got.usage.input_tokens, got.usage.output_tokens)
    assert ("job-1", Promise.KEPT) == (got.job, got.receipt.promise)
    request = transport.requests[0][1]
    assert (["a", "b"], "m", "restricted") == (
        list(request.inputs), request.model, request.options.data_class
    )  # fmt: skip
    assert 2 == request.extra["dimensions"]
    assert not request.messages


@embed_both
def test_embeddings_are_tried_again(ask: Callable[..., Any]) -> None:
    """A transient failure is retried, and a stream that just stops is an error."""
    steps = {"Pool/Stream": [error_for("no_node_live"), mock_answers.embeddings([1.0], [2.0])]}
    got, _ = ask(steps, model="m")

    assert ((1.0,), (2.0,)) == got.vectors
    with pytest.raises(PoolError):
        ask({"Pool/Stream": [[mock_answers.started()]] * 3}, model="m")


@embed_both
def test_without_a_model_one_that_embeds_is_asked(ask: Callable[..., Any]) -> None:
    """The first model of the pool writes text only, so the second is named."""
    steps = {
        "Pool/ListModels": [mock_answers.MODELS],
        "Pool/Stream": [mock_answers.embeddings([1.0], [2.0])],
    }
    _, transport = ask(steps)

    assert "phrases" == transport.requests[-1][1].model


def test_a_chat_is_never_sent_to_a_model_that_only_embeds() -> None:
    """A pool whose first model embeds answers a chat by the next."""
    models = pool_pb2.ListModelsResponse(models=reversed(mock_answers.MODELS.models))
    steps = {"Pool/ListModels": [models], "Pool/Stream": [mock_answers.answer("a")]}
    transport = MockTransport(steps)
    with Client(transport=transport) as client:
        client.chat("Bonjour")

    assert "smollm2-135m" == transport.requests[-1][1].model


@pytest.mark.parametrize(
    ("texts", "options", "param"),
    [
        (["a", 7], {}, "inputs[1]"),
        (["a"], {"dimensions": object()}, "dimensions"),
        *[(["a"], {name: ""}, name) for name in ("data_class", "jurisdiction", "controlled_by")],
    ],
)
def test_what_cannot_be_embedded(texts: list[Any], options: dict[str, Any], param: str) -> None:
    """A text that is none, or an option that cannot be sent, is named before anything is sent."""
    with Client(transport=MockTransport({})) as client, pytest.raises(RequestError) as refused:
        client.embeddings(texts, model="m", **options)

    assert param == refused.value.values["param"]


def test_a_pool_without_embeddings_says_so() -> None:
    """No model is guessed where none embeds."""
    models = pool_pb2.ListModelsResponse(models=mock_answers.MODELS.models[:1])
    transport = MockTransport({"Pool/ListModels": [models]})
    with Client(transport=transport, lang="en") as client, pytest.raises(RequestError) as refused:
        client.embeddings("a")

    assert "feature_unsupported" == refused.value.code
    assert "embeddings" in str(refused.value)

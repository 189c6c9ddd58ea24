"""``POST /v1/embeddings`` at a gateway with a real core; the test plays the node."""

import asyncio
import base64
import json
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.cases import all_cases
from tests.scheduler.gateway_support import MODEL, NodeRun, Pool, ask, card, open_pool
from tests.scheduler.test_gateway_kept import ended

from entraide.types import Basis, Outcome, Usage
from entraide.wire import messages as m
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Period, Quota, QuotaKind
from entraide_scheduler.gateway.jobs import TokenEstimator
from entraide_scheduler.gateway.refusals import Refused
from entraide_scheduler.gateway.requests import openai

EMBEDDINGS = "/v1/embeddings"
SENTENCES, BOTH = "phrases", "tout"
VECTOR = [0.5, -1.0, 2.0]
USAGE_EACH = 7  # tokens that the node counts for each input


def embedding_card(node: str, **changes: Any) -> Any:
    """A node with a text model, a sentence model, and a model that does both."""
    plain = card(node)
    text = plain.replicas[0]
    sentences = replace(
        text, model=SENTENCES, context_tokens=512, features=("embeddings", "embeddings_only")
    )
    both = replace(text, model=BOTH, features=("embeddings", "schema"))
    return replace(plain, replicas=(text, replace(sentences, **changes), both))


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path, joined=(embedding_card("n1"),)) as opened:
        yield opened


def embed(text: Any = "Bonjour", **fields: Any) -> dict[str, Any]:
    return {"model": SENTENCES, "input": text, **fields}


def answer_body(run: NodeRun, inputs: int, *, vectors: Any = None) -> bytes:
    """What a node answers: an embedding of each input, in the form that was asked."""
    packed = base64.b64encode(struct.pack("<3f", *VECTOR)).decode()
    each = packed if run.body.get("encoding_format") == "base64" else VECTOR
    data = [
        {"object": "embedding", "index": index, "embedding": each} for index in range(inputs)
    ] if vectors is None else vectors  # fmt: skip
    tokens = USAGE_EACH * inputs
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return json.dumps(
        {"object": "list", "data": data, "model": run.run.model, "usage": usage}
    ).encode()


def finish(run: NodeRun, inputs: int, *, output_tokens: int = 0, vectors: Any = None) -> None:
    """Accepts, answers and reports, as a node does."""
    usage = Usage(
        USAGE_EACH * inputs, 0, output_tokens, Basis.MEASURED, 2_000, 0, Basis.ESTIMATED, 0.1, 0.1
    )
    run.accept()
    job = run.run.job, run.run.epoch
    body = answer_body(run, inputs, vectors=vectors)
    run._out(m.RunEnded(*job, Outcome.COMPLETED, "", {}, 0, b"", body, usage))
    run.pool.driver.feed(
        e.RunReported(
            *e.UNNUMBERED,
            job=job[0],
            epoch=job[1],
            node=run.node,
            outcome=Outcome.COMPLETED,
            code="",
            delivered=False,
            usage=usage,
        )
    )


async def answered(
    pool: Pool, body: dict[str, Any], *, inputs: int = 1, **finish_options: Any
) -> tuple[NodeRun, int, dict[str, Any]]:
    """Asks, answers as the node, and returns the run, the status and the answer."""
    pending = asyncio.ensure_future(pool.send(body, path=EMBEDDINGS))
    run = await pool.placed()
    finish(run, inputs, **finish_options)
    async with await pending as response:
        return run, response.status, await response.json()


async def test_embeddings_carry_a_receipt_without_output(pool: Pool) -> None:
    """The answer is the node's, and its receipt charges the tokens that were read."""
    run, _, answer = await answered(pool, embed(["Bonjour", "Salut"]), inputs=2)
    await pool.store.committed()
    _, settled = await pool.call("GET", f"/v1/jobs/{run.run.job}/receipt")

    assert {"model": SENTENCES, "input": ["Bonjour", "Salut"]} == run.body
    assert (EMBEDDINGS, False) == (run.run.path, run.run.stream)
    assert [VECTOR, VECTOR] == [entry["embedding"] for entry in answer["data"]]
    assert {"prompt_tokens": 14, "total_tokens": 14} == answer["usage"]
    for receipt in (answer["entraide"], settled):
        assert (14, 0, "kept") == (
            receipt["input_tokens"], receipt["output_tokens"], receipt["promise"]
        )  # fmt: skip


@pytest.mark.parametrize(
    "inputs", ["Bonjour", ["Bonjour", "Salut"], [1, 2, 3], [[1, 2], [3]]], ids=str
)
async def test_each_form_of_input_reaches_the_node(pool: Pool, inputs: Any) -> None:
    """A text, texts, tokens and lists of tokens are one job each."""
    count = len(inputs) if isinstance(inputs, list) and not isinstance(inputs[0], int) else 1
    run, status, _ = await answered(pool, embed(inputs, user="someone"), inputs=count)

    assert 200 == status
    assert inputs == run.body["input"]
    assert "user" not in run.body


async def test_base64_comes_as_asked(pool: Pool) -> None:
    """The node is told the form, and the answer has it."""
    _, _, answer = await answered(pool, embed(encoding_format="base64"))

    data = base64.b64decode(answer["data"][0]["embedding"])
    assert tuple(VECTOR) == struct.unpack("<3f", data)


REFUSED = {
    "no input": ({"input": None}, "input", "missing"),
    "an empty list": ({"input": []}, "input", "empty"),
    "an empty text": ({"input": ["a", ""]}, "input[1]", "empty"),
    "an empty single text": ({"input": ""}, "input", "empty"),
    "an empty list of tokens": ({"input": [[1], []]}, "input[1]", "empty"),
    "tokens beside texts": ({"input": ["a", 1]}, "input", "mixed_inputs"),
    "too many inputs": ({"input": ["a"] * 2049}, "input", "too_many"),
    "a negative token": ({"input": [-1]}, "input[0]", "at_least"),
    "an object": ({"input": {"a": 1}}, "input", "wrong_kind"),
    "another form": ({"encoding_format": "hex"}, "encoding_format", "not_one_of"),
    "no length": ({"dimensions": 0}, "dimensions", "at_least"),
    "a stream": ({"stream": True}, "stream", "unknown_field"),
    "messages": ({"messages": []}, "messages", "unknown_field"),
}


@all_cases("name", REFUSED)
def test_an_unusable_request_is_refused_by_name(name: str) -> None:
    """What cannot be embedded is refused before a job is made of it."""
    fields, param, fault = REFUSED[name]
    body = {key: value for key, value in {**embed(), **fields}.items() if value is not None}

    with pytest.raises(Refused) as refused:
        openai.parse_request(EMBEDDINGS, json.dumps(body).encode())

    values = refused.value.refusal.values
    assert (param, fault) == (values["param"], values["fault"])


UNSUPPORTED = {
    "dimensions": (embed(dimensions=8), EMBEDDINGS, "dimensions"),
    "chat of a sentence model": (ask(model=SENTENCES), "/v1/chat/completions", "model"),
    "embeddings of a text model": (embed(model=MODEL), EMBEDDINGS, "model"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
async def test_what_no_machine_can_is_a_400(pool: Pool, name: str) -> None:
    """A feature that the model lacks is named, in the request's own terms."""
    body, path, param = UNSUPPORTED[name]
    async with pool.send(body, path=path) as response:
        error = (await response.json())["error"]

    assert (400, "feature_unsupported", param) == (response.status, error["code"], error["param"])
    assert "None" not in error["message"]
    assert "  " not in error["message"]


async def test_dimensions_reach_a_model_that_can(tmp_path: Path) -> None:
    """A replica that shortens its embeddings is told the length."""
    features = ("dimensions", "embeddings", "embeddings_only")
    node = embedding_card("n1", features=features)
    async with open_pool(tmp_path, joined=(node,)) as pool:
        run, status, _ = await answered(pool, embed(dimensions=3))

    assert (200, 3) == (status, run.body["dimensions"])


async def test_a_model_may_do_both(pool: Pool) -> None:
    """A replica without ``embeddings_only`` answers chats too."""
    _, status, _ = await answered(pool, embed(model=BOTH))
    pending = asyncio.ensure_future(pool.send(ask(model=BOTH)))
    (await pool.placed()).finish()
    async with await pending as response:
        assert (200, 200) == (status, response.status)


async def test_each_input_has_the_context_for_itself(pool: Pool) -> None:
    """A batch of inputs may exceed the context together; one input may not."""
    _, status, _ = await answered(pool, embed(["mot " * 300] * 20), inputs=20)
    async with pool.send(embed(["court", "mot " * 3_000]), path=EMBEDDINGS) as response:
        error = (await response.json())["error"]

    assert 200 == status
    assert (400, "context_length_exceeded") == (response.status, error["code"])
    assert error["message"].startswith("This model's maximum context length is 512 tokens.")
    assert "one of your inputs" in error["message"]
    assert error["message_fr"].startswith("Un des textes est trop long (")
    assert "512 jetons par texte." in error["message_fr"]


INVALID: dict[str, Any] = {
    "too few": [{"object": "embedding", "index": 0, "embedding": VECTOR}],
    "out of order": [
        {"object": "embedding", "index": index, "embedding": VECTOR} for index in (1, 0)
    ],
    "of two lengths": [
        {"object": "embedding", "index": index, "embedding": VECTOR[index:]} for index in (0, 1)
    ],
    "empty": [{"object": "embedding", "index": index, "embedding": []} for index in (0, 1)],
    "no numbers": [{"object": "embedding", "index": index, "embedding": ["x"]} for index in (0, 1)],
}


@pytest.mark.parametrize("name", INVALID)
async def test_an_invalid_answer_is_not_passed_on(tmp_path: Path, name: str) -> None:
    """Another node computes what the first answered wrongly."""
    joined = (embedding_card("n1"), embedding_card("n2"))
    async with open_pool(tmp_path, joined=joined) as pool:
        pending = asyncio.ensure_future(pool.send(embed(["a", "b"]), path=EMBEDDINGS))
        first = await pool.placed()
        first.accept()
        first.end(body=answer_body(first, 2, vectors=INVALID[name]))
        second = await pool.placed()
        finish(second, 2)
        async with await pending as response:
            answer = await response.json()

    assert first.node != second.node
    assert [VECTOR, VECTOR] == [entry["embedding"] for entry in answer["data"]]


async def test_no_output_is_charged_whatever_a_node_says(pool: Pool) -> None:
    """A node that reports output tokens of embeddings is paid for none."""
    _, _, answer = await answered(pool, embed(), output_tokens=5)

    assert (0, "estimated") == (
        answer["entraide"]["output_tokens"],
        answer["entraide"]["tokens_basis"],
    )
    assert "completion_tokens" not in answer["usage"]


async def test_a_quota_of_tokens_counts_what_is_read(tmp_path: Path) -> None:
    """No output is reserved: a quota of the text's bound admits it, and one token less does not."""
    bound = openai.parse_request(EMBEDDINGS, json.dumps(embed()).encode()).input_tokens_max
    for limit, expected in ((bound, 200), (bound - 1, 429)):
        folder = tmp_path / str(limit)
        folder.mkdir()
        quota = Quota(QuotaKind.TOKENS, limit, Period.DAY)
        async with open_pool(folder, joined=(embedding_card("n1"),), quotas=(quota,)) as pool:
            if expected == 200:
                _, status, _ = await answered(pool, embed())
            else:
                response = await pool.send(embed(), path=EMBEDDINGS)
                status = response.status

        assert expected == status


async def test_a_kept_job_may_embed(pool: Pool) -> None:
    """The answer of a kept job is what the live request would have got."""
    body = {"path": EMBEDDINGS, "request": embed(["a", "b"])}
    async with pool.send(body, path="/v1/jobs") as response:
        job = (await response.json())["id"]
    finish(await pool.placed(), 2)
    view = await ended(pool, job)

    assert [VECTOR, VECTOR] == [entry["embedding"] for entry in view["result"]["data"]]
    assert 14 == view["result"]["usage"]["total_tokens"]


def test_normalized_texts_stay_below_the_bound() -> None:
    """A character that a tokenizer takes for many more counts as these."""
    parsed = openai.parse_request(EMBEDDINGS, json.dumps(embed("\ufdfa")).encode())

    assert parsed.input_tokens_max >= len("صلى الله عليه وسلم".encode())


def test_the_estimate_learns_the_model() -> None:
    """The longest input's estimate is low, and follows what engines count."""
    estimator = TokenEstimator()
    parsed = openai.parse_request(EMBEDDINGS, json.dumps(embed(["mot " * 100, "a"])).encode())
    before = estimator.estimate_longest_input(parsed)
    for _ in range(20):
        estimator.add_count(parsed, SENTENCES, 205)

    assert before < 400 * 0.3
    assert 120 < estimator.estimate_longest_input(parsed) < 205
    text = openai.parse_request(openai.CHAT, json.dumps(ask()).encode())
    assert 0 == estimator.estimate_longest_input(text)

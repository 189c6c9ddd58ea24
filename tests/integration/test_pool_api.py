"""What programs see of a real pool: the official ``openai`` client, and errors as sentences."""

import concurrent.futures
from typing import Any

import openai
import pytest
from tests.integration.local_pool import MODEL, RunningPool

pytestmark = pytest.mark.engines  # a whole pool

PROMPT: Any = [{"role": "user", "content": "Bonjour, qui es-tu ?"}]


@pytest.fixture
def client(pool: RunningPool) -> openai.OpenAI:
    """The official client, unchanged but for base URL and key."""
    return openai.OpenAI(base_url=f"{pool.file.http}/v1", api_key=pool.file.keys["boreale"])


def test_models_are_listed(client: openai.OpenAI) -> None:
    """The pool lists the model that its nodes have loaded, then the sizes that it stands for."""
    names = [model.id for model in client.models.list()]

    assert [MODEL, "petit", "small", "auto"] == names


def test_chat_answers_with_usage_and_receipt(client: openai.OpenAI) -> None:
    """A chat has text, the engine's own counts, and a receipt that names a province."""
    answer = client.chat.completions.create(model=MODEL, messages=PROMPT, max_tokens=12)
    receipt = (answer.model_extra or {})["entraide"]

    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 12
    assert answer.usage.prompt_tokens == receipt["input_tokens"]
    assert answer.usage.completion_tokens == receipt["output_tokens"]
    assert receipt["province"].startswith("CA-")
    assert receipt["energy_wh"] > 0
    assert receipt["energy_basis"] == "default"


def test_stream_carries_usage_and_receipt_on_its_last_chunk(client: openai.OpenAI) -> None:
    """Chunks come one by one; the usage chunk bears the receipt and no chunk lacks choices."""
    chunks = list(
        client.chat.completions.create(
            model=MODEL,
            messages=PROMPT,
            max_tokens=12,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    finished = [c for c in chunks if c.choices and c.choices[0].finish_reason]

    assert text
    assert len(finished) == 1
    assert chunks[-1].usage is not None
    assert "entraide" in (chunks[-1].model_extra or {})


def test_fifty_at_once_all_complete(client: openai.OpenAI) -> None:
    """Fifty concurrent requests all get their own answer."""

    def ask(number: int) -> str:
        answer = client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": f"Compte jusqu'à {number}."}],
            max_tokens=8,
        )
        return answer.id

    with concurrent.futures.ThreadPoolExecutor(50) as threads:
        ids = set(threads.map(ask, range(50)))

    assert len(ids) == 50


def test_closing_a_stream_frees_the_node(pool: RunningPool, client: openai.OpenAI) -> None:
    """When the client goes away the run is cancelled and the node is idle again."""
    stream = client.chat.completions.create(
        model=MODEL, messages=PROMPT, max_tokens=1500, stream=True
    )
    next(iter(stream))
    stream.close()

    pool.until(lambda: all(node["running"] == 0 for node in pool.nodes()), "idle nodes", 10)


def test_completions_answer_too(client: openai.OpenAI) -> None:
    """The older endpoint goes the same way and counts alike."""
    answer = client.completions.create(model=MODEL, prompt="Il était une fois", max_tokens=8)

    assert answer.choices[0].text
    assert (answer.model_extra or {})["entraide"]["output_tokens"] > 0


@pytest.mark.parametrize(
    ("lang", "word"), [("fr", "modèle"), ("en", "model")], ids=["français", "English"]
)
def test_unknown_model_is_said_in_the_callers_language(
    pool: RunningPool, lang: str, word: str
) -> None:
    """A wrong model name is a 404 with a stable code and a sentence."""
    status, _, body = pool.chat("x", model="gpt-5", headers={"Accept-Language": lang})

    assert status == 404
    assert body["error"]["code"] == "unknown_model"
    assert word in body["error"]["message"]


def test_wrong_key_is_refused(pool: RunningPool) -> None:
    """A key that the pool did not make opens nothing."""
    status, _, body = pool.http("/v1/models", key="ent_wrong")

    assert status == 401
    assert body["error"]["code"] == "unauthorised"


def test_malformed_json_is_refused(pool: RunningPool) -> None:
    """A body that is not JSON is a 400 that says so."""
    status, _, body = pool.http("/v1/chat/completions", raw=b'{"model": ')

    assert status == 400
    assert body["error"]["code"] == "invalid_json"


def test_prompt_beyond_the_context_is_refused(pool: RunningPool) -> None:
    """A prompt longer than the model's context is a 400, not a failure of the pool."""
    status, _, body = pool.chat("mot " * 6000)

    assert status == 400
    assert body["error"]["code"] == "context_length_exceeded"


def test_explanation_lists_every_node(pool: RunningPool) -> None:
    """The explanation of a job names all three nodes, with predictions or the rule."""
    _, headers, _ = pool.chat("Bonjour")
    explanation = pool.entraide("jobs", "explain", headers["x-request-id"], "--json")
    named = {c["node"] for c in explanation["candidates"]} | {
        e["node"] for e in explanation["excluded"]
    }

    assert named == {node["node"] for node in pool.nodes()}


def test_page_and_probes_answer(pool: RunningPool) -> None:
    """The status page, the probes and the metrics are there."""
    for path in ("/", "/healthz", "/readyz", "/metrics"):
        status, _, body = pool.http(path)

        assert status == 200, path
        assert body

"""Other people's client programs, unmodified, against one running pool with real engines.

Each client has a program in ``programs/``, which runs in an environment of its own and prints what
it got. What the pool answers without a client is the reference: the answer is the same for all.
"""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from tests.clients.environments import node_folder, python_for
from tests.clients.pool import QUESTION, SENTENCE_MODEL, TEXT_MODEL, TOKENS_MAX, ClientPool
from tests.clients.table import CLIENTS, PROGRAMS

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="session"),
]

# The exceptions that clients have of their own for a question that is too long.
OWN = {"langchain": "ContextOverflowError", "litellm": "ContextWindowExceededError"}
# Those that have one exception for every error of a pool.
ERRORS = {
    "instructor": "InstructorRetryException", "pydantic-ai": r"Model\w+Error",
    "vercel-ai": "AI_APICallError",
}  # fmt: skip
TOWNS = ("Gaspé", "Rimouski")


def having(check: str) -> Any:
    """The clients whose program has a check, as parameters."""
    return pytest.mark.parametrize(
        "client",
        [
            pytest.param(name, marks=[pytest.mark.clients] if client.is_large else [])
            for name, client in CLIENTS.items()
            if client.program and (check in client.checks or not check)
        ],
    )


class Results:
    """What the clients' programs printed; each runs once, when it is first asked for."""

    def __init__(self, pool: ClientPool, folder: Path) -> None:
        self.pool = pool
        self._folder = folder
        self._known: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def of(self, name: str) -> dict[str, Any]:
        """What a client got, by check."""
        if name not in self._known:
            self._known[name] = asyncio.ensure_future(self._run(name))
        return await self._known[name]

    async def _run(self, name: str) -> dict[str, Any]:
        program, home = PROGRAMS / CLIENTS[name].program, self._folder / name
        if program.suffix == ".mjs":
            folder = await asyncio.to_thread(node_folder, name)
            printed = await self.pool.run("node", program, home=home, CLIENT_FOLDER=str(folder))
        else:
            python = await asyncio.to_thread(python_for, name)
            printed = await self.pool.run(
                python,
                "-P",
                program,
                home=home,
                LLM_USER_PATH=str(home / "llm"),
                LITELLM_LOCAL_MODEL_COST_MAP="True",
            )
        got: dict[str, Any] = json.loads(printed.splitlines()[-1])
        return got


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def results(pool: ClientPool, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What the clients got of the pool."""
    return Results(pool, tmp_path_factory.mktemp("homes"))


async def post(pool: ClientPool, path: str, body: dict[str, Any]) -> Any:
    """What the pool answers without a client."""
    async with (
        aiohttp.ClientSession(pool.url, headers=pool.headers) as session,
        session.post(path, json=body) as answer,
    ):
        assert 200 == answer.status
        return await answer.json()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reference(pool: ClientPool) -> Any:
    """The pool's answer to the question."""
    body = {
        "model": TEXT_MODEL, "messages": [{"role": "user", "content": QUESTION}],
        "temperature": 0, "max_tokens": TOKENS_MAX,
    }  # fmt: skip
    return await post(pool, "/v1/chat/completions", body)


def text_of(reference: Any) -> str:
    """The text of the reference."""
    return str(reference["choices"][0]["message"]["content"])


@having("")
async def test_a_program_has_the_checks_of_the_table(results: Results, client: str) -> None:
    """What the table says of a client was tried, and nothing else."""
    got = await results.of(client)

    assert set(CLIENTS[client].checks) == got.keys()


@having("chat")
async def test_chat(results: Results, reference: Any, client: str) -> None:
    """A client's whole answer is the pool's."""
    got = await results.of(client)

    assert text_of(reference) == got["chat"]["text"]


@having("usage")
async def test_usage(results: Results, reference: Any, client: str) -> None:
    """The client's own fields hold the tokens of the prompt and of the answer."""
    got = await results.of(client)

    usage = reference["usage"]
    assert [usage["prompt_tokens"], usage["completion_tokens"]] == got["usage"]


@having("stream")
async def test_stream(results: Results, reference: Any, client: str) -> None:
    """A stream comes in several pieces, which are the whole answer, with its tokens at the end."""
    got = (await results.of(client))["stream"]

    assert text_of(reference) == got["text"]
    assert got["pieces"] > 3
    assert reference["usage"]["completion_tokens"] == got["tokens"]


@having("tools")
async def test_tools(results: Results, client: str) -> None:
    """The model's call reaches the client's function, and its result the model."""
    got = (await results.of(client))["tools"]

    assert "meteo" == got["name"]
    assert got["arguments"]["ville"] in TOWNS
    assert got["after"]


@having("structured")
async def test_structured_output(results: Results, client: str) -> None:
    """An answer for which the client gives a schema follows it."""
    got = (await results.of(client))["structured"]

    assert {"ville"} == got.keys()
    assert got["ville"] in TOWNS


@having("embeddings")
async def test_embeddings(results: Results, pool: ClientPool, client: str) -> None:
    """An embedding in the client's default form is the pool's."""
    inputs = ["Le chat dort.", "La neige"]
    plain = await post(pool, "/v1/embeddings", {"model": SENTENCE_MODEL, "input": inputs})
    got = (await results.of(client))["embeddings"]

    assert pytest.approx(plain["data"][0]["embedding"], abs=1e-3) == got


@having("responses")
async def test_responses(results: Results, reference: Any, client: str) -> None:
    """The Responses API gives the answer of a chat, and follows a schema."""
    got = (await results.of(client))["responses"]

    assert text_of(reference) == got["text"]
    assert got.get("structured", {}).get("ville", TOWNS[0]) in TOWNS


@having("errors")
async def test_errors(results: Results, client: str) -> None:
    """A wrong model, field or key raises the client's own exception, with our sentence."""
    got = (await results.of(client))["errors"]

    # LangChain's are subclasses with longer names; some clients have one for all.
    three = ("NotFoundError", "(BadRequest|InvalidRequest)Error", "AuthenticationError")
    kinds = (ERRORS[client],) * 3 if client in ERRORS else three
    assert len(kinds) == len(got)
    for kind, (name, _, message) in zip(kinds, got, strict=True):
        assert re.search(f"{kind}$", name), got
        assert re.search(r"Models offered|must be|The API key", message), got


@having("limits")
async def test_limits(results: Results, client: str) -> None:
    """A question that is too long, and a quota per minute, raise the exceptions made for them."""
    long, long_for_auto, paced = (await results.of(client))["limits"]

    for name, code, message in (long, long_for_auto):
        assert re.search(OWN.get(client, "^BadRequestError$"), name)
        assert code in ("context_length_exceeded", "")
        assert re.search(r"This model's maximum context length is \d+ tokens\. However,", message)
    assert ("RateLimitError", True) == (paced[0][-14:], paced[1] in ("rate_limit_exceeded", ""))
    assert "Rate limit reached" in paced[2]


@having("models")
async def test_models(results: Results, client: str) -> None:
    """The client lists the pool's models, and reads one of them."""
    got = (await results.of(client))["models"]

    assert {TEXT_MODEL, SENTENCE_MODEL} < set(got)
    assert TEXT_MODEL == got[-1]


@having("batches")
async def test_batches(results: Results, reference: Any, client: str) -> None:
    """A file, a batch of its lines, and the file of the answers, by the client alone."""
    got = (await results.of(client))["batches"]

    assert ("completed", ["l0", "l1", "l2"]) == (got["status"], got["names"])
    assert [text_of(reference)] * 3 == got["texts"]


@having("count_tokens")
async def test_count_tokens(results: Results, reference: Any, client: str) -> None:
    """The estimate of a prompt is near what the engine counts."""
    got = (await results.of(client))["count_tokens"]

    assert pytest.approx(reference["usage"]["prompt_tokens"], rel=0.9) == got


@having("asyncio")
async def test_asyncio(results: Results, reference: Any, client: str) -> None:
    """A whole answer and a stream at the same time, by the client for asyncio."""
    got = (await results.of(client))["asyncio"]

    assert [text_of(reference)] * 2 == got

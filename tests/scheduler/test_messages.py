"""``POST /v1/messages`` by the official ``anthropic`` client, unmodified."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.scheduler.gateway_support import KEY_A, Pool, open_pool
from tests.scheduler.official_clients import (
    CALLS,
    MODEL,
    WEATHER,
    answered,
    call,
    document,
    event,
)

if TYPE_CHECKING:
    import anthropic  # takes a second: the tests import it when they run

MESSAGES = "/v1/messages"
TOOL: Any = {"name": "meteo", "description": "Météo", "input_schema": WEATHER}
ASK: Any = [{"role": "user", "content": "Bonjour"}]


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


@pytest.fixture
async def client(pool: Pool) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """The official client, which sends its key as ``x-api-key``."""
    import anthropic

    base = pool.gateway.url
    async with anthropic.AsyncAnthropic(base_url=base, api_key=KEY_A, max_retries=0) as opened:
        yield opened


async def test_message_is_answered_with_usage_and_receipt(
    pool: Pool, client: anthropic.AsyncAnthropic
) -> None:
    """The system's text and the turns reach the model as a chat."""
    asking = client.messages.create(
        model=MODEL, max_tokens=40, messages=ASK, stop_sequences=["."],
        system=[{"type": "text", "text": "Sois bref.", "cache_control": {"type": "ephemeral"}}],
        metadata={"user_id": "u"}, extra_body={"temperature": 0.5, "top_k": 3},
    )  # fmt: skip
    run, message = await answered(pool, asking, body=document(content="Salut"))

    assert [("system", "Sois bref."), ("user", "Bonjour")] == [
        (item["role"], item["content"]) for item in run.body["messages"]
    ]
    assert (40, ["."]) == (run.body["max_tokens"], run.body["stop"])
    assert (0.5, 3) == (run.body["temperature"], run.body["top_k"])
    assert [("text", "Salut")] == [(block.type, block.text) for block in message.content]
    assert ("end_turn", MODEL) == (message.stop_reason, message.model)
    assert (9, 2, 3) == (
        message.usage.input_tokens,
        message.usage.cache_read_input_tokens,
        message.usage.output_tokens,
    )
    assert run.run.job == (message.model_extra or {})["entraide"]["job"]


async def test_the_client_lists_models(client: anthropic.AsyncAnthropic) -> None:
    """Its fields of a model are set: a program that shows their names shows no ``None``."""
    listed = {model.id: model async for model in client.models.list()}
    model = await client.models.retrieve(MODEL)

    assert (MODEL, MODEL, "model") == (model.id, model.display_name, model.type)
    assert 1970 == model.created_at.year
    assert listed[MODEL] == model


async def test_the_clients_stream_helper_reads_it(
    pool: Pool, client: anthropic.AsyncAnthropic
) -> None:
    """``client.messages.stream`` builds thinking, text and calls from the events."""

    async def ask() -> Any:
        async with client.messages.stream(
            model=MODEL,
            max_tokens=2_000,
            messages=ASK,
            tools=[TOOL],
            thinking={"type": "enabled", "budget_tokens": 1_024},
        ) as stream:
            texts = [text async for text in stream.text_stream]
            return texts, await stream.get_final_message()

    pieces = [event(reasoning_content="Hm."), event(content="Je "), event(content="regarde.")]
    pieces += [call(0, name="meteo", arguments='{"ville":'), call(0, arguments='"Lévis"}')]
    run, (texts, message) = await answered(pool, ask(), *pieces, finish="tool_calls")

    assert (1_024, "medium") == (
        run.body["thinking_budget_tokens"], run.body["reasoning_effort"],
    )  # fmt: skip
    assert ["Je ", "regarde."] == texts
    assert ["thinking", "text", "tool_use"] == [block.type for block in message.content]
    assert ("Hm.", {"ville": "Lévis"}) == (message.content[0].thinking, message.content[2].input)
    assert ("tool_use", 3) == (message.stop_reason, message.usage.output_tokens)


async def test_thinking_that_was_not_asked_for_is_left_out(
    pool: Pool, client: anthropic.AsyncAnthropic
) -> None:
    """A client that did not turn thinking on gets text alone, and why it ends."""
    asking = client.messages.create(model=MODEL, max_tokens=9, messages=ASK)
    body = document("length", content="Salut", reasoning_content="Hm.")
    _, message = await answered(pool, asking, body=body)

    assert (["text"], "max_tokens") == (
        [block.type for block in message.content],
        message.stop_reason,
    )


async def test_calls_and_their_results_go_back(
    pool: Pool, client: anthropic.AsyncAnthropic
) -> None:
    """An agent sends the blocks of an answer back with the results of its tools."""
    asking = client.messages.create(model=MODEL, max_tokens=9, messages=ASK, tools=[TOOL])
    body = document("tool_calls", content="Voyons.", tool_calls=CALLS)
    _, first = await answered(pool, asking, body=body)
    history: Any = [
        *ASK,
        {"role": "assistant", "content": first.content[:2]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call-0", "content": "Soleil"},
                {"type": "text", "text": "Alors ?"},
            ],
        },
    ]
    asking = client.messages.create(
        model=MODEL, max_tokens=9, messages=history, tools=[TOOL],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        output_config={"format": {"type": "json_schema", "schema": WEATHER}, "effort": "max"},
    )  # fmt: skip
    run, _ = await answered(pool, asking, body=document(content="Il fait beau."))
    messages = run.body["messages"]

    assert [{"ville": "Lévis"}, {"arguments": "pas de JSON"}] == [
        block.input for block in first.content if block.type == "tool_use"
    ]
    assert ["user", "assistant", "tool", "user"] == [message["role"] for message in messages]
    assert "Voyons." == messages[1]["content"]
    assert "call-0" == messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"]
    assert ("required", False) == (run.body["tool_choice"], run.body["parallel_tool_calls"])
    assert "reasoning_effort" not in run.body  # the effort of the answer, without a thought
    assert WEATHER == run.body["response_format"]["json_schema"]["schema"]
    assert WEATHER == run.body["tools"][0]["function"]["parameters"]


ERRORS: dict[str, tuple[dict[str, Any], tuple[int, str, str | None]]] = {
    "no limit": ({"max_tokens": None}, (400, "invalid_request_error", "max_tokens")),
    "a model": ({"model": "x"}, (404, "not_found_error", "model")),
    "a tool of the server": (
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        (400, "invalid_request_error", "tools[0].type"),
    ),
    "a document": (
        {"messages": [{"role": "user", "content": [{"type": "document"}]}]},
        (400, "invalid_request_error", "messages[0].content[0].type"),
    ),
    "a picture elsewhere": (
        {"messages": [{"role": "user", "content": [
            {"type": "image", "source": {"type": "url", "url": "http://x"}}]}]},
        (400, "invalid_request_error", "messages[0].content[0].source.type"),
    ),
    "a result of no call": (
        {"system": "S", "messages": [{"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "x"}]}]},
        (400, "invalid_request_error", "messages[0]"),
    ),
    "a role": (
        {"messages": [{"role": "system", "content": "a"}]},
        (400, "invalid_request_error", "messages[0].role"),
    ),
    "a field": ({"mcp_servers": []}, (400, "invalid_request_error", "mcp_servers")),
    "a schema": (
        {"output_config": {"format": {"type": "json_schema", "schema": {"$ref": "#/x"}}}},
        (400, "invalid_request_error", "output_config.format.schema"),
    ),
    "a long turn": (
        {"messages": [{"role": "user", "content": "mot " * 6_000}]},
        (400, "invalid_request_error", "messages"),
    ),
}  # fmt: skip


async def test_the_clients_tool_runner_works(pool: Pool, client: anthropic.AsyncAnthropic) -> None:
    """The client's own loop of calls goes on without threads, which only Anthropic's server has."""
    from anthropic import beta_async_tool

    @beta_async_tool
    async def meteo(ville: str) -> str:
        """Gives the weather in a town."""
        return f"12 °C à {ville}"

    runner = client.beta.messages.tool_runner(
        model=MODEL, max_tokens=9, messages=ASK, tools=[meteo], max_iterations=3
    )
    pending = asyncio.ensure_future(runner.until_done())
    first = await pool.placed()
    first.accept()
    first.end(body=document("tool_calls", tool_calls=CALLS[:1]))
    first.report()
    second, message = await answered(pool, pending, body=document(content="Il fait 12 °C."))

    assert "Il fait 12 °C." == message.content[0].text
    assert ["user", "assistant", "tool"] == [item["role"] for item in second.body["messages"]]
    assert "12 °C à Lévis" == second.body["messages"][2]["content"]


async def test_errors_have_anthropics_form(pool: Pool) -> None:
    """On this path an error is what Anthropic's clients read, with our code and the parameter."""
    refusals = {}
    for name, (fields, _) in ERRORS.items():
        body = {"model": MODEL, "max_tokens": 9, "messages": ASK, **fields}
        async with pool.send(body, path=MESSAGES) as got:
            document_ = await got.json()
        error = document_["error"]
        refusals[name] = (got.status, error["type"], error["param"])

        assert "error" == document_["type"]
        assert error["message"]
        assert error["code"]

    assert refusals == {name: expected for name, (_, expected) in ERRORS.items()}


async def test_the_client_raises_its_own_errors(pool: Pool) -> None:
    """A wrong key is refused as the official client expects it."""
    import anthropic

    wrong = anthropic.AsyncAnthropic(base_url=pool.gateway.url, api_key="x", max_retries=0)
    async with wrong as client:
        with pytest.raises(anthropic.AuthenticationError) as caught:
            await client.messages.create(model=MODEL, max_tokens=9, messages=ASK)

    assert isinstance(caught.value.body, dict)
    assert "authentication_error" == caught.value.body["error"]["type"]


async def test_lost_node_ends_the_stream_with_an_error(
    pool: Pool, client: anthropic.AsyncAnthropic
) -> None:
    """After the first words a failure is an event that the client raises."""
    import anthropic

    async def ask() -> None:
        async with client.messages.stream(model=MODEL, max_tokens=9, messages=ASK) as stream:
            await stream.until_done()

    pending = asyncio.ensure_future(ask())
    run = await pool.placed()
    run.accept()
    run.raw(event(content="Sa"))
    pool.gateway._running_jobs.cancel(run.run.job, "stream_broken")
    with pytest.raises(anthropic.APIStatusError) as caught:
        await pending

    assert "stream_broken" in str(caught.value.body)


async def test_tokens_are_estimated(pool: Pool, client: anthropic.AsyncAnthropic) -> None:
    """The count is the estimate by which the request would be placed, and says that it is one."""
    count = await client.messages.count_tokens(model=MODEL, messages=ASK, system="Sois bref.")
    asking = client.messages.create(model=MODEL, max_tokens=9, messages=ASK, system="Sois bref.")
    run, _ = await answered(pool, asking, body=document(content="Salut"))
    ended = pool.gateway._running_jobs.recent.get(run.run.job)

    assert ended is not None
    assert count.input_tokens == ended.facts.input_tokens_est > 0
    assert {"basis": "estimated"} == (count.model_extra or {})["entraide"]


async def test_models_are_listed_for_its_client(client: anthropic.AsyncAnthropic) -> None:
    """Anthropic's client reads the pool's list of models."""
    assert [MODEL, "auto"] == [model.id async for model in client.models.list()]

"""``POST /v1/responses`` by the official ``openai`` client, unmodified."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.scheduler.gateway_support import KEY_A, Pool, open_pool
from tests.scheduler.official_clients import (
    CALLS,
    MODEL,
    WEATHER,
    answered,
    call,
    delta,
    document,
    event,
)

RESPONSES = "/v1/responses"
TOOL: Any = {"type": "function", "name": "meteo", "parameters": WEATHER, "strict": True}


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


@pytest.fixture
async def client(pool: Pool) -> AsyncIterator[openai.AsyncOpenAI]:
    base = f"{pool.gateway.url}/v1"
    async with openai.AsyncOpenAI(base_url=base, api_key=KEY_A, max_retries=0) as opened:
        yield opened


async def collect(stream: Any) -> list[Any]:
    return [item async for item in await stream]


async def test_text_is_answered_with_usage_and_receipt(
    pool: Pool, client: openai.AsyncOpenAI
) -> None:
    """Instructions and input reach the model as a chat; the answer says that nothing is stored."""
    asking = client.responses.create(
        model=MODEL,
        instructions="Sois bref.",
        input="Bonjour",
        max_output_tokens=40,
        temperature=0.5,
        metadata={"dossier": "7"},
        user="u-1",
    )
    run, response = await answered(pool, asking, body=document(content="Salut"))
    roles = [(message["role"], message["content"]) for message in run.body["messages"]]
    receipt = (response.model_extra or {})["entraide"]

    assert [("system", "Sois bref."), ("user", "Bonjour")] == roles
    assert (40, 0.5) == (run.body["max_tokens"], run.body["temperature"])
    assert ("completed", "Salut", {"dossier": "7"}) == (
        response.status,
        response.output_text,
        response.metadata,
    )
    assert response.store is False
    assert response.usage is not None
    assert (11, 2, 3, 14) == (
        response.usage.input_tokens,
        response.usage.input_tokens_details.cached_tokens,
        response.usage.output_tokens,
        response.usage.total_tokens,
    )
    assert run.run.job == receipt["job"] == response.id.removeprefix("resp_")


async def test_streamed_events_build_the_same_response(
    pool: Pool, client: openai.AsyncOpenAI
) -> None:
    """The client's own accumulator makes the whole response from the events."""
    asking = collect(client.responses.create(model=MODEL, input="Bonjour", stream=True))
    events = [event(reasoning_content="Hm. "), event(content="Sa"), event(content="lut")]
    _, got = await answered(pool, asking, *events, finish="length")
    names = [item.type for item in got]
    deltas = [item.delta for item in got if item.type == "response.output_text.delta"]
    last = got[-1].response

    assert ["response.created", "response.in_progress", "response.output_item.added"] == names[:3]
    assert list(range(len(got))) == [item.sequence_number for item in got]
    assert ["Sa", "lut"] == deltas
    assert "response.incomplete" == names[-1]
    assert ("incomplete", "max_output_tokens") == (last.status, last.incomplete_details.reason)
    assert ["reasoning", "message"] == [item.type for item in last.output]
    assert ("Hm. ", "Salut") == (last.output[0].content[0].text, last.output_text)
    assert "entraide" in (last.model_extra or {})


async def test_the_clients_stream_helper_reads_it(pool: Pool, client: openai.AsyncOpenAI) -> None:
    """``client.responses.stream`` reads text and calls."""

    async def ask() -> Any:
        tools = [TOOL]
        async with client.responses.stream(model=MODEL, input="Météo ?", tools=tools) as stream:
            return await stream.get_final_response()

    pieces = [event(content="Je regarde."), call(0, name="meteo", arguments='{"ville":')]
    pieces += [call(1, name="meteo"), call(0, arguments='"Lévis"}'), call(1, arguments="{}")]
    _, response = await answered(pool, ask(), *pieces, finish="tool_calls")
    calls = [item for item in response.output if item.type == "function_call"]

    assert "Je regarde." == response.output_text
    assert [("meteo", '{"ville":"Lévis"}'), ("meteo", "{}")] == [
        (item.name, item.arguments) for item in calls
    ]
    assert ["call-0", "call-1"] == [item.call_id for item in calls]


async def test_calls_and_their_results_go_back(pool: Pool, client: openai.AsyncOpenAI) -> None:
    """The items of an answer may be sent back with the results, as an agent does."""
    asking = client.responses.create(model=MODEL, input="Météo ?", tools=[TOOL])
    body = document("tool_calls", content=None, tool_calls=CALLS[:1])
    _, first = await answered(pool, asking, body=body)
    history: Any = [
        {"role": "user", "content": [{"type": "input_text", "text": "Météo ?"}]},
        *first.output,
        {"type": "function_call_output", "call_id": "call-0", "output": "Soleil"},
    ]
    asking = client.responses.create(
        model=MODEL, input=history, tools=[TOOL], tool_choice={"type": "function", "name": "meteo"},
        parallel_tool_calls=False, reasoning={"effort": "low"},
        text={"format": {"type": "json_schema", "name": "reponse", "schema": WEATHER}},
    )  # fmt: skip
    run, _ = await answered(pool, asking, body=document(content="{}"))
    messages = run.body["messages"]

    assert ["user", "assistant", "tool"] == [message["role"] for message in messages]
    assert "call-0" == messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"]
    assert {"name": "meteo"} == run.body["tool_choice"]["function"]
    assert run.body["parallel_tool_calls"] is False
    assert "low" == run.body["reasoning_effort"]
    assert WEATHER == run.body["response_format"]["json_schema"]["schema"]
    assert WEATHER == run.body["tools"][0]["function"]["parameters"]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an earlier response": ({"previous_response_id": "resp_1"}, "previous_response_id"),
    "a conversation": ({"conversation": "conv_1"}, "conversation"),
    "the background": ({"background": True}, "background"),
    "storage": ({"store": True}, "store"),
    "a tool of the server": ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    "a field of a chat": ({"messages": []}, "messages"),
    "a stored item": ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
    "a file": (
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
        "input[0].content[0].type",
    ),
    "a result of no call": (
        {"input": [{"role": "user", "content": "a"},
                   {"type": "function_call_output", "call_id": "x", "output": "b"}]},
        "input[1]",
    ),
    "a picture of the system": (
        {"input": [{"role": "system", "content": [{"type": "input_image", "image_url": "x"}]}]},
        "input[0].content[0].type",
    ),
    "a picture elsewhere": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://x"}]}]},
        "input[0]",
    ),
    "only reasoning": ({"input": [{"type": "reasoning", "summary": []}]}, "input"),
    "a tool that is not there": (
        {"tools": [TOOL], "tool_choice": {"type": "function", "name": "x"}}, "tool_choice",
    ),
    "a deep schema": (
        {"tools": [{"type": "function", "name": "f", "parameters": {"$ref": "#/x"}}]},
        "tools[0].parameters",
    ),
    "a format": (
        {"text": {"format": {"type": "json_schema", "name": "f", "schema": {"$ref": "#/x"}}}},
        "text.format.schema",
    ),
    "a long input": ({"input": "mot " * 6_000}, "input"),
    "a picture for a model without eyes": (
        {"input": [{"role": "user", "content": [
            {"type": "input_image", "image_url": "data:image/png;base64,AA=="}]}]},
        "input",
    ),
}  # fmt: skip


async def test_what_the_pool_does_not_do_is_refused_by_name(pool: Pool) -> None:
    """State, background, tools of the server: each is refused with the client's own field."""
    refusals, sentences = {}, {}
    for name, (fields, _) in REFUSED.items():
        async with pool.send({"model": MODEL, "input": "a", **fields}, path=RESPONSES) as got:
            error = (await got.json())["error"]
        refusals[name] = (got.status, error["param"])
        sentences[name] = error["message"]

    assert refusals == {name: (400, param) for name, (_, param) in REFUSED.items()}
    assert '"input"' in sentences["an earlier response"]
    assert "function_call_output" in sentences["a stored item"]


async def test_lost_node_ends_the_stream_with_a_failed_response(
    pool: Pool, client: openai.AsyncOpenAI
) -> None:
    """After the first words a failure is an event, after which the client raises an exception.

    Programs that pass over the event would take what came for the whole answer.
    """
    import asyncio

    import openai

    got = []

    async def read() -> None:
        events = await client.responses.create(model=MODEL, input="Bonjour", stream=True)
        while True:
            got.append(await anext(events))

    pending = asyncio.ensure_future(read())
    run = await pool.placed()
    run.accept()
    run.raw(event(content="Sa"))
    pool.gateway._running_jobs.cancel(run.run.job, "stream_broken")
    with pytest.raises(openai.APIError, match="The answer was interrupted") as raised:
        await pending

    assert "stream_broken" == raised.value.code
    assert "response.failed" == got[-1].type
    assert ("failed", "stream_broken") == (
        got[-1].response.status,
        got[-1].response.error.code,
    )
    assert list(range(len(got))) == [part.sequence_number for part in got]


async def test_kept_response_is_one(pool: Pool) -> None:
    """A kept job may be a response; its answer has that form."""
    request = {"model": MODEL, "input": "Bonjour", "entraide": {"explain": True}}
    async with pool.send({"path": RESPONSES, "request": request}, path="/v1/jobs") as got:
        job = (await got.json())["id"]
    run = await pool.placed()
    run.accept()
    run.end(body=document(content="Salut"))
    run.report()
    await pool.until_settled(job)
    _, view = await pool.call("GET", f"/v1/jobs/{job}")

    assert ("response", "completed") == (view["result"]["object"], view["result"]["status"])
    assert "Salut" == view["result"]["output"][0]["content"][0]["text"]
    assert {"job", "explanation"} <= set(view["result"]["entraide"])


def test_chunks_of_the_tests_are_chunks() -> None:
    """The test's own chunks have the form of an engine's."""
    assert "a" == json.loads(delta(content="a"))["choices"][0]["delta"]["content"]

"""The official Python client of Anthropic in an outage."""

from functools import cache
from typing import Any, Literal

import anthropic
from anthropic import beta_tool
from pydantic import BaseModel
from recorder import KEY, MODEL, PACED_KEY, STORY, run

TOOL: Any = {
    "name": "meteo",
    "input_schema": {
        "type": "object", "required": ["ville"],
        "properties": {"ville": {"type": "string", "enum": ["Gaspé", "Rimouski"]}},
    },
}  # fmt: skip
PLACE: list[Any] = [{"role": "user", "content": "Gaspé"}]
LONG: list[Any] = [{"role": "user", "content": STORY}]


class Place(BaseModel):
    """What a structured answer looks like."""

    ville: Literal["Gaspé", "Rimouski"]


@cache
def client(url: str) -> anthropic.Anthropic:
    """The client of a gateway."""
    return anthropic.Anthropic(base_url=url, api_key=KEY)


def create(url: str) -> Any:
    """A whole answer."""
    return client(url).messages.create(model=MODEL, messages=LONG, max_tokens=24).usage


def stream(url: str) -> Any:
    """A long answer in pieces, by the client's helper."""
    with client(url).messages.stream(model=MODEL, messages=LONG, max_tokens=48) as events:
        pieces = len(list(events.text_stream))
        return [pieces, events.get_final_message().stop_reason]


def events(url: str) -> Any:
    """A long answer's events as they come."""
    asked = client(url).messages.create(model=MODEL, messages=LONG, max_tokens=48, stream=True)
    kinds = [event.type for event in asked]
    return [len(kinds), kinds[-1]]


def tools(url: str) -> Any:
    """A call that is demanded, and the answer to its result."""
    asked: Any = {"model": MODEL, "tools": [TOOL], "max_tokens": 48}
    ask = client(url).messages.create
    answer = ask(messages=PLACE, tool_choice={"type": "any"}, **asked)
    call = next(block for block in answer.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "12 °C"}
    turns = [
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": [result]},
    ]
    return ask(messages=[*PLACE, *turns], **asked).stop_reason


@beta_tool
def meteo(ville: str) -> str:
    """Gives the weather in a town."""
    return f"12 °C à {ville}"


def tool_runner(url: str) -> Any:
    """The client's own loop of calls and results."""
    runner = client(url).beta.messages.tool_runner(
        model=MODEL, max_tokens=48, tools=[meteo], messages=PLACE, max_iterations=3
    )
    return runner.until_done().stop_reason


def parse(url: str) -> Any:
    """An answer of a Pydantic class."""
    answer = client(url).messages.parse(
        model=MODEL, messages=PLACE, max_tokens=24, output_format=Place
    )
    return answer.parsed_output


def count(url: str) -> Any:
    """The estimate of a prompt, and the list of models."""
    models = [model.id for model in client(url).models.list()]
    counted = client(url).messages.count_tokens(model=MODEL, messages=LONG).input_tokens
    return [counted, len(models)]


def paced(url: str) -> Any:
    """A co-op with two requests a minute."""
    asking = client(url).with_options(api_key=PACED_KEY)
    return asking.messages.create(model=MODEL, messages=PLACE, max_tokens=8).usage


async def asyncio_stream(url: str) -> Any:
    """The client for asyncio, in pieces."""
    async with (
        anthropic.AsyncAnthropic(base_url=url, api_key=KEY) as asking,
        asking.messages.stream(model=MODEL, messages=LONG, max_tokens=24) as pieces,
    ):
        return len([text async for text in pieces.text_stream])


CALLS = {
    "create": create, "stream": stream, "events": events, "tools": tools,
    "tool_runner": tool_runner, "parse": parse, "count": count, "paced": paced,
    "asyncio_stream": asyncio_stream,
}  # fmt: skip

if __name__ == "__main__":
    run("anthropic", CALLS)

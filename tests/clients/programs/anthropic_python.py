"""The official Python client of Anthropic, unmodified: prints what each check got, as JSON."""

import asyncio
import json
import os
import sys
from typing import Any, Literal

import anthropic
from pydantic import BaseModel

MODEL = os.environ["ENTRAIDE_MODEL"]
ASKED: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": os.environ["QUESTION"]}],
    "max_tokens": int(os.environ["TOKENS"]),
    "extra_body": {"temperature": 0},  # this version of the client has no parameter for it
}
TOOL: Any = {
    "name": "meteo",
    "description": "The weather in a town.",
    "input_schema": {
        "type": "object",
        "properties": {"ville": {"type": "string", "enum": ["Gaspé", "Rimouski"]}},
        "required": ["ville"],
        "additionalProperties": False,
    },
}
PLACE: list[Any] = [{"role": "user", "content": "Gaspé"}]


class Place(BaseModel):
    """What a structured answer looks like."""

    ville: Literal["Gaspé", "Rimouski"]


client = anthropic.Anthropic()
whole = client.messages.create(**ASKED)


def chat() -> Any:
    """A whole answer."""
    return {"text": whole.content[0].text}


def usage() -> Any:
    """The tokens of an answer, as counted."""
    # In this format, tokens that the engine had read before are counted beside the others.
    prompt = whole.usage.input_tokens + (whole.usage.cache_read_input_tokens or 0)
    return [prompt, whole.usage.output_tokens]


def count_tokens() -> Any:
    """The estimate of a prompt's tokens."""
    return client.messages.count_tokens(model=MODEL, messages=ASKED["messages"]).input_tokens


def stream() -> Any:
    """The pieces of an answer, put together by the client."""
    with client.messages.stream(**ASKED) as events:
        pieces = list(events.text_stream)
        final = events.get_final_message()
    assert final.content[0].text == "".join(pieces)
    return {"text": "".join(pieces), "pieces": len(pieces), "tokens": final.usage.output_tokens}


def tools() -> Any:
    """A call that is demanded, its result sent back, and the answer to it."""
    asked: Any = {"model": MODEL, "tools": [TOOL], "max_tokens": 48, "stop_sequences": ["."]}
    asked["extra_body"] = {"temperature": 0}
    answer = client.messages.create(messages=PLACE, tool_choice={"type": "any"}, **asked)
    call = next(block for block in answer.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "12 °C"}
    turns = [
        *PLACE,
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": [result]},
    ]
    after = client.messages.create(messages=turns, **asked)
    return {"name": call.name, "arguments": call.input, "after": after.content[0].text}


def structured() -> Any:
    """An answer of a Pydantic class."""
    answer = client.messages.parse(model=MODEL, messages=PLACE, max_tokens=60, output_format=Place)
    return answer.parsed_output.model_dump()


def errors() -> Any:
    """The client's own exceptions for a wrong model, a wrong field and a wrong key."""
    raised = []
    wrong = anthropic.Anthropic(api_key="ent_wrong")
    for asking, changes in (
        (client, {"model": "claude-sonnet-4-5"}),
        (client, {"extra_body": {"top_k": -9}}),
        (wrong, {}),
    ):
        try:
            asking.messages.create(**{**ASKED, **changes})
        except anthropic.APIStatusError as error:
            raised.append([type(error).__name__, error.body["error"]["type"], error.message])
    return raised


def models() -> Any:
    """The models of the pool, and one of them."""
    served = list(client.models.list())
    assert all(model.type == "model" and model.created_at for model in served)
    listed = [model.display_name for model in served]
    return [*listed, client.models.retrieve(MODEL).id]


def asyncio_client() -> Any:
    """The client for asyncio, whole and streamed at once."""

    async def ask() -> Any:
        async with anthropic.AsyncAnthropic() as asking:

            async def streamed() -> str:
                async with asking.messages.stream(**ASKED) as events:
                    return "".join([text async for text in events.text_stream])

            answer, pieces = await asyncio.gather(asking.messages.create(**ASKED), streamed())
            return [answer.content[0].text, pieces]

    return asyncio.run(ask())


CHECKS = {
    "chat": chat, "usage": usage, "count_tokens": count_tokens, "stream": stream, "tools": tools,
    "structured": structured, "errors": errors, "models": models, "asyncio": asyncio_client,
}  # fmt: skip

if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: check() for name, check in CHECKS.items()}))

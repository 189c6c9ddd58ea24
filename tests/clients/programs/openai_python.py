"""The official Python client of OpenAI, unmodified: prints what each check got, as JSON."""

import asyncio
import io
import json
import os
import sys
import time
from typing import Any, Literal

import openai
from pydantic import BaseModel

MODEL, EMBEDDING_MODEL = os.environ["ENTRAIDE_MODEL"], os.environ["ENTRAIDE_EMBEDDING_MODEL"]
ASKED: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": os.environ["QUESTION"]}],
    "temperature": 0,
    "max_tokens": int(os.environ["TOKENS"]),
}
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "meteo",
        "description": "The weather in a town.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"ville": {"type": "string", "enum": ["Gaspé", "Rimouski"]}},
            "required": ["ville"],
            "additionalProperties": False,
        },
    },
}
LONG, PACED_KEY = os.environ["QUESTION"] * 1_000, os.environ["PACED_KEY"]
PACED_TRIES = 4  # the key has one request a minute, and a minute may end between two
POLL_S = 0.1
PLACE: list[Any] = [{"role": "user", "content": "Gaspé"}]


class Place(BaseModel):
    """What a structured answer looks like."""

    ville: Literal["Gaspé", "Rimouski"]


client = openai.OpenAI()
whole = client.chat.completions.create(**ASKED)


def chat() -> Any:
    """A whole answer."""
    return {"text": whole.choices[0].message.content}


def usage() -> Any:
    """The tokens of an answer."""
    return [whole.usage.prompt_tokens, whole.usage.completion_tokens]


def stream() -> Any:
    """The pieces of an answer, put together by the client."""
    with client.chat.completions.stream(**ASKED, stream_options={"include_usage": True}) as events:
        pieces = [event.delta for event in events if event.type == "content.delta"]
        final = events.get_final_completion()
    assert final.choices[0].message.content == "".join(pieces)
    return {"text": "".join(pieces), "pieces": len(pieces), "tokens": final.usage.completion_tokens}


def tools() -> Any:
    """A call that is demanded, its result sent back, and the answer to it."""
    asked: Any = {
        "model": MODEL,
        "tools": [TOOL],
        "temperature": 0,
        "max_tokens": 48,
        "stop": ["."],
    }
    answer = client.chat.completions.create(messages=PLACE, tool_choice="required", **asked)
    message = answer.choices[0].message
    call = message.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "content": "12 °C"}
    after = client.chat.completions.create(
        messages=[*PLACE, message, result], tool_choice="none", **asked
    )
    return {
        "name": call.function.name,
        "arguments": json.loads(call.function.arguments),
        "after": after.choices[0].message.content,
    }


def structured() -> Any:
    """An answer of a Pydantic class."""
    answer = client.chat.completions.parse(
        model=MODEL, messages=PLACE, max_tokens=60, response_format=Place
    )
    return answer.choices[0].message.parsed.model_dump()


def embeddings() -> Any:
    """The embedding of a text, in the client's own default form."""
    answer = client.embeddings.create(model=EMBEDDING_MODEL, input=["Le chat dort.", "La neige"])
    return answer.data[0].embedding


def responses() -> Any:
    """A response, whole, streamed and structured."""
    asked: Any = {
        "model": MODEL, "input": os.environ["QUESTION"], "temperature": 0, "store": False,
        "max_output_tokens": ASKED["max_tokens"],
    }  # fmt: skip
    answer = client.responses.create(**asked)
    with client.responses.stream(**asked) as events:
        pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    parsed = client.responses.parse(
        model=MODEL, input="Gaspé", text_format=Place, max_output_tokens=60, store=False
    )
    assert answer.output_text == "".join(pieces)
    return {"text": answer.output_text, "structured": parsed.output_parsed.model_dump()}


def errors() -> Any:
    """The client's own exceptions for a wrong model, a wrong field and a wrong key."""
    raised = []
    wrong = openai.OpenAI(api_key="ent_wrong")
    for asking, changes in (
        (client, {"model": "gpt-4o"}), (client, {"temperature": 9}), (wrong, {}),
    ):  # fmt: skip
        try:
            asking.chat.completions.create(**{**ASKED, **changes})
        except openai.APIStatusError as error:
            raised.append([type(error).__name__, error.code, error.message])
    return raised


def limits() -> Any:
    """The client's own exceptions for a question that is too long, and for a quota per minute."""
    raised = []
    long = {"messages": [{"role": "user", "content": LONG}]}
    paced = client.with_options(api_key=PACED_KEY, max_retries=0)
    asked = [(client, long), (client, {**long, "model": "auto"}), *[(paced, {})] * PACED_TRIES]
    for asking, changes in asked:
        try:
            asking.chat.completions.create(**{**ASKED, "max_tokens": 1, **changes})
        except openai.APIStatusError as error:
            raised.append([type(error).__name__, error.code, error.message])
    return raised[:3]


def models() -> Any:
    """The models of the pool, and one of them."""
    listed = [model.id for model in client.models.list()]
    return [*listed, client.models.retrieve(MODEL).id]


def batches() -> Any:
    """A file, a batch of it, and the texts of its answers."""
    lines = [
        {"custom_id": f"l{n}", "method": "POST", "url": "/v1/chat/completions", "body": ASKED}
        for n in range(3)
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    file = client.files.create(file=("lot.jsonl", io.BytesIO(content)), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    while batch.status in ("validating", "in_progress", "finalizing"):
        time.sleep(POLL_S)
        batch = client.batches.retrieve(batch.id)
    assert batch.id in [listed.id for listed in client.batches.list()]
    assert content == client.files.content(file.id).content
    output = client.files.content(batch.output_file_id).text
    answers = [json.loads(line) for line in output.splitlines()]
    client.files.delete(file.id)
    return {
        "status": batch.status,
        "names": sorted(answer["custom_id"] for answer in answers),
        "texts": [a["response"]["body"]["choices"][0]["message"]["content"] for a in answers],
    }


def asyncio_client() -> Any:
    """The client for asyncio, whole and streamed at once."""

    async def ask() -> Any:
        async with openai.AsyncOpenAI() as asking:

            async def streamed() -> str:
                events = await asking.chat.completions.create(**ASKED, stream=True)
                chunks = [chunk async for chunk in events]
                return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)

            answer, pieces = await asyncio.gather(
                asking.chat.completions.create(**ASKED), streamed()
            )
            return [answer.choices[0].message.content, pieces]

    return asyncio.run(ask())


CHECKS = {
    "chat": chat, "usage": usage, "stream": stream, "tools": tools, "structured": structured,
    "embeddings": embeddings, "responses": responses, "errors": errors, "limits": limits,
    "models": models,
    "batches": batches, "asyncio": asyncio_client,
}  # fmt: skip

if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: check() for name, check in CHECKS.items()}))

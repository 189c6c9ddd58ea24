"""LiteLLM's SDK, unmodified: prints what each check got, as JSON."""

import asyncio
import json
import os
import sys
from typing import Any, Literal

import litellm
from pydantic import BaseModel

MODEL, EMBEDDING_MODEL = (
    f"openai/{os.environ[name]}" for name in ("ENTRAIDE_MODEL", "ENTRAIDE_EMBEDDING_MODEL")
)
ASKED: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": os.environ["QUESTION"]}],
    "temperature": 0,
    "max_tokens": int(os.environ["TOKENS"]),
}
LONG, PACED_KEY = os.environ["QUESTION"] * 1_000, os.environ["PACED_KEY"]
PACED_TRIES = 4  # the key has one request a minute, and a minute may end between two
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "meteo",
        "description": "The weather in a town.",
        "parameters": {
            "type": "object",
            "properties": {"ville": {"type": "string", "enum": ["Gaspé", "Rimouski"]}},
            "required": ["ville"],
        },
    },
}
PLACE: list[Any] = [{"role": "user", "content": "Gaspé"}]


class Place(BaseModel):
    """What a structured answer looks like."""

    ville: Literal["Gaspé", "Rimouski"]


litellm.suppress_debug_info = True
whole: Any = litellm.completion(**ASKED)


def chat() -> Any:
    """A whole answer."""
    return {"text": whole.choices[0].message.content}


def usage() -> Any:
    """The tokens of an answer."""
    return [whole.usage.prompt_tokens, whole.usage.completion_tokens]


def stream() -> Any:
    """The pieces of an answer, and what the client puts together of them."""
    events: Any = litellm.completion(**ASKED, stream=True, stream_options={"include_usage": True})
    chunks = list(events)
    pieces = [
        c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content
    ]
    final: Any = litellm.stream_chunk_builder(chunks)
    return {
        "text": final.choices[0].message.content,
        "pieces": len(pieces),
        "tokens": final.usage.completion_tokens,
    }


def tools() -> Any:
    """A call that is demanded, its result sent back, and the answer to it."""
    asked: Any = {
        "model": MODEL, "tools": [TOOL], "temperature": 0, "max_tokens": 48, "stop": ["."]
    }  # fmt: skip
    called: Any = litellm.completion(messages=PLACE, tool_choice="required", **asked)
    message = called.choices[0].message
    call = message.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "name": "meteo", "content": "12 °C"}
    after: Any = litellm.completion(messages=[*PLACE, message, result], **asked)
    return {
        "name": call.function.name,
        "arguments": json.loads(call.function.arguments),
        "after": after.choices[0].message.content,
    }


def structured() -> Any:
    """An answer of a Pydantic class."""
    answer: Any = litellm.completion(
        model=MODEL, messages=PLACE, max_tokens=60, response_format=Place
    )
    return Place.model_validate_json(answer.choices[0].message.content).model_dump()


def embeddings() -> Any:
    """The embedding of a text."""
    answer = litellm.embedding(model=EMBEDDING_MODEL, input=["Le chat dort.", "La neige"])
    return answer.data[0]["embedding"]


def responses() -> Any:
    """The same question through the Responses API, whole and streamed."""
    asked: Any = {
        "model": MODEL, "input": os.environ["QUESTION"], "temperature": 0, "store": False,
        "max_output_tokens": int(os.environ["TOKENS"]),
    }  # fmt: skip
    answer: Any = litellm.responses(**asked)
    events: Any = litellm.responses(**asked, stream=True)
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert answer.output_text == "".join(pieces)
    return {"text": answer.output_text}


def errors() -> Any:
    """The client's own exceptions for a wrong model, a wrong field and a wrong key."""
    raised = []
    for changes in ({"model": "openai/gpt-4o"}, {"temperature": 9}, {"api_key": "ent_wrong"}):
        try:
            litellm.completion(**{**ASKED, **changes})
        except (
            litellm.NotFoundError, litellm.BadRequestError, litellm.AuthenticationError
        ) as error:  # fmt: skip
            raised.append([type(error).__name__, "", error.message])
    return raised


def limits() -> Any:
    """The client's own exceptions for a question that is too long, and for a quota per minute."""
    raised = []
    long = {"messages": [{"role": "user", "content": LONG}]}
    paced = {"api_key": PACED_KEY, "max_tokens": 1}
    for changes in (long, {**long, "model": "openai/auto"}, *[paced] * PACED_TRIES):
        try:
            litellm.completion(**{**ASKED, **changes}, num_retries=0)
        except (litellm.ContextWindowExceededError, litellm.RateLimitError) as error:
            raised.append([type(error).__name__, "", error.message])
    return raised[:3]


def asyncio_client() -> Any:
    """Whole and streamed at once, under asyncio."""

    async def streamed() -> str:
        events: Any = await litellm.acompletion(**ASKED, stream=True)
        chunks = [chunk async for chunk in events]
        return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)

    async def ask() -> Any:
        answer, pieces = await asyncio.gather(litellm.acompletion(**ASKED), streamed())
        return [answer.choices[0].message.content, pieces]

    return asyncio.run(ask())


CHECKS = {
    "chat": chat, "usage": usage, "stream": stream, "tools": tools, "structured": structured,
    "embeddings": embeddings, "responses": responses, "errors": errors, "limits": limits,
    "asyncio": asyncio_client,
}  # fmt: skip

if __name__ == "__main__":
    got = {name: check() for name, check in CHECKS.items()}
    sys.stdout.write(json.dumps(got))

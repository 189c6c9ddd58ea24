"""Pydantic AI, unmodified, in its default modes: prints what each check got, as JSON."""

import asyncio
import json
import os
import sys
from typing import Any, Literal

from pydantic import BaseModel
from pydantic_ai import Agent, capture_run_messages
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

MODEL, QUESTION, TOKENS = (os.environ[name] for name in ("ENTRAIDE_MODEL", "QUESTION", "TOKENS"))
PLAIN: Any = {"temperature": 0, "max_tokens": int(TOKENS)}


class Place(BaseModel):
    """What a structured answer looks like."""

    ville: Literal["Gaspé", "Rimouski"]


model = OpenAIChatModel(MODEL)
agent = Agent(model, model_settings=PLAIN)
whole = agent.run_sync(QUESTION)


def chat() -> Any:
    """A whole answer."""
    return {"text": whole.output}


def usage() -> Any:
    """The tokens of an answer."""
    used = whole.usage() if callable(whole.usage) else whole.usage
    return [used.input_tokens, used.output_tokens]


def stream() -> Any:
    """The pieces of an answer."""

    async def streamed() -> Any:
        async with agent.run_stream(QUESTION) as running:
            pieces = [piece async for piece in running.stream_text(delta=True, debounce_by=None)]
            used = running.usage() if callable(running.usage) else running.usage
            return {
                "text": "".join(pieces), "pieces": len(pieces), "tokens": used.output_tokens,
            }  # fmt: skip

    return asyncio.run(streamed())


def tools() -> Any:
    """A function of the agent, which the model calls, and the answer to its result."""
    called: list[str] = []
    asking = Agent(
        model, model_settings={"temperature": 0, "max_tokens": 48, "stop_sequences": ["."]}
    )

    @asking.tool_plain
    def meteo(ville: Literal["Gaspé", "Rimouski"]) -> str:
        """Gives the weather in a town."""
        called.append(ville)
        return f"12 °C à {ville}"

    with capture_run_messages() as messages:
        answer = asking.run_sync("Gaspé").output
    (call,) = [
        part for message in messages for part in message.parts if part.part_kind == "tool-call"
    ]
    return {
        "name": call.tool_name,
        "arguments": call.args_as_dict(),
        "after": answer,
        "called": called,
    }


def structured() -> Any:
    """An answer of a Pydantic class."""
    asking = Agent(model, output_type=Place, model_settings={"max_tokens": 60})
    return asking.run_sync("Gaspé").output.model_dump()


def errors() -> Any:
    """The client's own exceptions for a wrong model, a wrong field and a wrong key."""
    raised = []
    wrong = OpenAIChatModel(MODEL, provider=OpenAIProvider(api_key="ent_wrong"))
    for asking, settings in (
        (OpenAIChatModel("gpt-4o"), {}), (model, {"temperature": 9}), (wrong, {}),
    ):  # fmt: skip
        fields: Any = settings
        try:
            Agent(asking, model_settings=fields).run_sync(QUESTION)
        except ModelHTTPError as error:
            raised.append([type(error).__name__, "", str(error)])
    return raised


CHECKS = {
    "chat": chat, "usage": usage, "stream": stream, "tools": tools, "structured": structured,
    "errors": errors,
}  # fmt: skip

if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: check() for name, check in CHECKS.items()}))

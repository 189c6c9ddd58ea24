"""LlamaIndex's clients for servers like OpenAI's, unmodified: prints what each check got."""

import asyncio
import json
import os
import sys
from typing import Any, Literal

import openai
from llama_index.core.llms import ChatMessage, MessageRole
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

POOL = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["ENTRAIDE_KEY"]}
MODEL, EMBEDDING_MODEL = os.environ["ENTRAIDE_MODEL"], os.environ["ENTRAIDE_EMBEDDING_MODEL"]
ASKED = [ChatMessage(role="user", content=os.environ["QUESTION"])]
TOKENS = int(os.environ["TOKENS"])


class Place(BaseModel):
    """What a structured answer looks like."""

    ville: Literal["Gaspé", "Rimouski"]


def meteo(ville: Literal["Gaspé", "Rimouski"]) -> str:
    """Gives the weather in a town."""
    return f"12 °C à {ville}"


def make_llm(**changes: Any) -> OpenAILike:
    """The client of the pool's model."""
    fields: Any = {
        "model": MODEL, "is_chat_model": True, "is_function_calling_model": True,
        "should_use_structured_outputs": True, "temperature": 0, "max_tokens": TOKENS,
        "max_retries": 0, **POOL, **changes,
    }  # fmt: skip
    return OpenAILike(**fields)


model = make_llm()


def chat() -> Any:
    """A whole answer."""
    return {"text": model.chat(ASKED).message.content}


def stream() -> Any:
    """The pieces of an answer."""
    pieces = [event.delta for event in model.stream_chat(ASKED) if event.delta]
    usage = list(model.stream_chat(ASKED, stream_options={"include_usage": True}))[-1].raw.usage
    return {"text": "".join(pieces), "pieces": len(pieces), "tokens": usage.completion_tokens}


def tools() -> Any:
    """A call that is demanded, its result sent back, and the answer to it."""
    tool = FunctionTool.from_defaults(meteo)
    called = model.chat_with_tools([tool], user_msg="Gaspé", tool_required=True)
    call = model.get_tool_calls_from_response(called)[0]
    result = tool(**call.tool_kwargs)
    history = [
        ChatMessage(role="user", content="Gaspé"),
        called.message,
        ChatMessage(
            role=MessageRole.TOOL,
            content=str(result),
            additional_kwargs={"tool_call_id": call.tool_id},
        ),
    ]
    after = model.chat_with_tools([tool], chat_history=history)
    return {"name": call.tool_name, "arguments": call.tool_kwargs, "after": after.message.content}


def structured() -> Any:
    """An answer of a Pydantic class."""
    return model.as_structured_llm(Place).complete("Gaspé").raw.model_dump()


def embeddings() -> Any:
    """The embedding of a text."""
    asking = OpenAILikeEmbedding(model_name=EMBEDDING_MODEL, **POOL)
    both = asking.get_text_embedding_batch(["Le chat dort.", "La neige"])
    assert len(asking.get_query_embedding("La neige")) == len(both[1])
    return both[0]


def errors() -> Any:
    """The exceptions for a wrong model, a wrong field and a wrong key."""
    raised = []
    for changes in (
        {"model": "gpt-4o"},
        {"additional_kwargs": {"top_p": 9}},
        {"api_key": "ent_wrong"},
    ):
        try:
            make_llm(**changes).chat(ASKED)
        except openai.APIStatusError as error:
            raised.append([type(error).__name__, error.code, error.message])
    return raised


def asyncio_client() -> Any:
    """Whole and streamed at once, under asyncio."""

    async def streamed() -> str:
        return "".join([event.delta or "" async for event in await model.astream_chat(ASKED)])

    async def ask() -> Any:
        answer, pieces = await asyncio.gather(model.achat(ASKED), streamed())
        return [answer.message.content, pieces]

    return asyncio.run(ask())


CHECKS = {
    "chat": chat, "stream": stream, "tools": tools, "structured": structured,
    "embeddings": embeddings, "errors": errors, "asyncio": asyncio_client,
}  # fmt: skip

if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: check() for name, check in CHECKS.items()}))

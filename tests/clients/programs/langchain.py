"""LangChain's client of OpenAI's API, unmodified: prints what each check got, as JSON."""

import asyncio
import json
import os
import sys
from typing import Any, Literal

import openai
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr

MODEL, EMBEDDING_MODEL = os.environ["ENTRAIDE_MODEL"], os.environ["ENTRAIDE_EMBEDDING_MODEL"]
QUESTION, TOKENS = os.environ["QUESTION"], int(os.environ["TOKENS"])
LONG, PACED_KEY = QUESTION * 1_000, os.environ["PACED_KEY"]
PACED_TRIES = 4  # the key has one request a minute, and a minute may end between two


class Place(BaseModel):
    """What a structured answer looks like."""

    ville: Literal["Gaspé", "Rimouski"]


@tool
def meteo(ville: Literal["Gaspé", "Rimouski"]) -> str:
    """Gives the weather in a town."""
    return f"12 °C à {ville}"


model = ChatOpenAI(model=MODEL, temperature=0, max_tokens=TOKENS)
whole = model.invoke(QUESTION)


def chat() -> Any:
    """A whole answer."""
    return {"text": whole.content}


def usage() -> Any:
    """The tokens of an answer."""
    used = whole.usage_metadata
    return [used["input_tokens"], used["output_tokens"]]


def stream() -> Any:
    """The pieces of an answer, put together by the client."""
    chunks = list(model.stream(QUESTION, stream_usage=True))
    final = chunks[0]
    for chunk in chunks[1:]:
        final += chunk
    pieces = [chunk.content for chunk in chunks if chunk.content]
    return {
        "text": final.content,
        "pieces": len(pieces),
        "tokens": final.usage_metadata["output_tokens"],
    }


def tools() -> Any:
    """A call that is demanded, its result sent back, and the answer to it."""
    asked = HumanMessage("Gaspé")
    called: AIMessage = model.bind_tools([meteo], tool_choice="any").invoke([asked], stop=["."])
    call = called.tool_calls[0]
    result: ToolMessage = meteo.invoke(call)
    after = model.bind_tools([meteo]).invoke([asked, called, result], stop=["."])
    return {"name": call["name"], "arguments": call["args"], "after": after.content}


def structured() -> Any:
    """An answer of a Pydantic class, by a schema and by a function."""
    by_schema = model.with_structured_output(Place).invoke("Gaspé")
    by_function = model.with_structured_output(Place, method="function_calling").invoke("Gaspé")
    assert isinstance(by_function, Place)
    return by_schema.model_dump()


def embeddings() -> Any:
    """The embedding of a text; as text, since the pool has no tokens of OpenAI's models."""
    asking = OpenAIEmbeddings(model=EMBEDDING_MODEL, check_embedding_ctx_length=False)
    both = asking.embed_documents(["Le chat dort.", "La neige"])
    assert len(asking.embed_query("La neige")) == len(both[1])
    return both[0]


def responses() -> Any:
    """The same question through the Responses API, whole and streamed."""
    asking = ChatOpenAI(
        model=MODEL, temperature=0, max_tokens=TOKENS, use_responses_api=True, store=False
    )
    answer = asking.invoke(QUESTION)
    pieces = "".join(chunk.text for chunk in asking.stream(QUESTION))
    assert answer.text == pieces
    parsed = asking.with_structured_output(Place).invoke("Gaspé")
    return {"text": answer.text, "structured": parsed.model_dump()}


def errors() -> Any:
    """The exceptions for a wrong model, a wrong field and a wrong key."""
    raised = []
    for changes in ({"model": "gpt-4o"}, {"temperature": 9}, {"api_key": SecretStr("ent_wrong")}):
        fields: Any = {"model": MODEL, **changes}
        try:
            ChatOpenAI(**fields).invoke(QUESTION)
        except openai.APIStatusError as error:
            raised.append([type(error).__name__, error.code, error.message])
    return raised


def limits() -> Any:
    """The exceptions for a question that is too long, and for a quota per minute."""
    raised = []
    paced = {"api_key": SecretStr(PACED_KEY), "max_tokens": 1}
    asked = [(LONG, {}), (LONG, {"model": "auto"}), *[(QUESTION, paced)] * PACED_TRIES]
    for question, changes in asked:
        fields: Any = {"model": MODEL, "max_retries": 0, **changes}
        try:
            ChatOpenAI(**fields).invoke(question)
        except (openai.APIStatusError, ContextOverflowError) as error:
            raised.append([type(error).__name__, getattr(error, "code", ""), str(error)])
    return raised[:3]


def asyncio_client() -> Any:
    """Whole and streamed at once, under asyncio."""

    async def streamed() -> str:
        return "".join([chunk.content async for chunk in model.astream(QUESTION)])

    async def ask() -> Any:
        answer, pieces = await asyncio.gather(model.ainvoke(QUESTION), streamed())
        return [answer.content, pieces]

    return asyncio.run(ask())


CHECKS = {
    "chat": chat, "usage": usage, "stream": stream, "tools": tools, "structured": structured,
    "embeddings": embeddings, "responses": responses, "errors": errors, "limits": limits,
    "asyncio": asyncio_client,
}  # fmt: skip

if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: check() for name, check in CHECKS.items()}))

"""LlamaIndex in an outage: chats, an agent with a tool, structured answers, and an index."""

from functools import cache
from typing import Any, Literal

from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel
from recorder import EMBEDDING_MODEL, KEY, MODEL, PACED_KEY, STORY, run

LONG = [ChatMessage(role="user", content=STORY)]
TEXTS = ["Le chat dort.", "La neige tombe à Gaspé.", "Le fleuve est gelé.", "La mer monte."]


class Place(BaseModel):
    """What a structured answer looks like."""

    ville: Literal["Gaspé", "Rimouski"]


def meteo(ville: Literal["Gaspé", "Rimouski"]) -> str:
    """Gives the weather in a town."""
    return f"12 °C à {ville}"


@cache
def model(url: str, tokens: int = 24, key: str = KEY) -> OpenAILike:
    """The client of a gateway, with its own retries and time-out."""
    return OpenAILike(
        model=MODEL, api_base=f"{url}/v1", api_key=key, is_chat_model=True, max_tokens=tokens,
        is_function_calling_model=True, should_use_structured_outputs=True, context_window=2_048,
    )  # fmt: skip


@cache
def embedder(url: str) -> OpenAILikeEmbedding:
    """The client for vectors."""
    return OpenAILikeEmbedding(model_name=EMBEDDING_MODEL, api_base=f"{url}/v1", api_key=KEY)


def chat(url: str) -> Any:
    """A whole answer."""
    return len(model(url).chat(LONG).message.content or "")


def stream(url: str) -> Any:
    """In pieces."""
    return len([event for event in model(url, 48).stream_chat(LONG) if event.delta])


def structured(url: str) -> Any:
    """An answer of a Pydantic class."""
    return model(url, 24).as_structured_llm(Place).complete("Gaspé").raw


async def agent(url: str) -> Any:
    """An agent with a tool."""
    asking = FunctionAgent(tools=[meteo], llm=model(url, 48), streaming=False, timeout=300)
    return str(await asking.run("Gaspé", max_iterations=3))


def index(url: str) -> Any:
    """An index of texts, and a question to it."""
    documents = [Document(text=text) for text in TEXTS]
    made = VectorStoreIndex.from_documents(documents, embed_model=embedder(url))
    return len(str(made.as_query_engine(llm=model(url, 24)).query("Que fait le chat ?")))


def embeddings(url: str) -> Any:
    """Vectors of several texts."""
    return len(embedder(url).get_text_embedding_batch(TEXTS))


def paced(url: str) -> Any:
    """A co-op with two requests a minute."""
    return len(model(url, 8, PACED_KEY).complete("Gaspé").text)


CALLS = {
    "chat": chat, "stream": stream, "structured": structured, "agent": agent, "index": index,
    "embeddings": embeddings, "paced": paced,
}  # fmt: skip

if __name__ == "__main__":
    run("llama-index", CALLS)

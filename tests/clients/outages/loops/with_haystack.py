"""Haystack in an outage: its generator, whole and in pieces, vectors, and an agent with a tool."""

from typing import Annotated, Any

from haystack.components.agents import Agent
from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage, Document
from haystack.tools import tool
from haystack.utils import Secret
from recorder import EMBEDDING_MODEL, KEY, MODEL, PACED_KEY, STORY, run

LONG = [ChatMessage.from_user(STORY)]
TEXTS = ["Le chat dort.", "La neige tombe à Gaspé.", "Le fleuve est gelé.", "La mer monte."]


@tool
def meteo(ville: Annotated[str, "the town"]) -> str:
    """Gives the weather in a town."""
    return f"12 °C à {ville}"


def generator(url: str, tokens: int, key: str = KEY, **more: Any) -> OpenAIChatGenerator:
    """The client of a gateway, with its own retries and time-out."""
    return OpenAIChatGenerator(
        api_key=Secret.from_token(key), model=MODEL, api_base_url=f"{url}/v1",
        generation_kwargs={"max_completion_tokens": tokens}, **more,
    )  # fmt: skip


def chat(url: str) -> Any:
    """A whole answer."""
    return len(generator(url, 24).run(LONG)["replies"][0].text)


def stream(url: str) -> Any:
    """In pieces."""
    pieces: list[Any] = []
    generator(url, 48, streaming_callback=pieces.append).run(LONG)
    return len(pieces)


def agent(url: str) -> Any:
    """An agent with a tool."""
    asking = Agent(chat_generator=generator(url, 48), tools=[meteo], max_agent_steps=3)
    return len(asking.run([ChatMessage.from_user("Gaspé")])["messages"])


def embeddings(url: str) -> Any:
    """Vectors of documents and of a question."""
    common: Any = {
        "api_key": Secret.from_token(KEY), "model": EMBEDDING_MODEL, "api_base_url": f"{url}/v1",
    }  # fmt: skip
    documents = OpenAIDocumentEmbedder(**common, progress_bar=False).run(
        [Document(content=text) for text in TEXTS]
    )["documents"]
    OpenAITextEmbedder(**common).run("Que fait le chat ?")
    return [document.embedding is not None for document in documents]


def paced(url: str) -> Any:
    """A co-op with two requests a minute."""
    return len(generator(url, 8, PACED_KEY).run(LONG)["replies"])


CALLS = {
    "chat": chat, "stream": stream, "agent": agent, "embeddings": embeddings, "paced": paced,
}  # fmt: skip

if __name__ == "__main__":
    run("haystack", CALLS)

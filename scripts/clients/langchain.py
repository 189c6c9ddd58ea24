"""LangChain: tools with the answer sent back, a stream, structured output, embeddings."""

from typing import Any

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel


class Weather(BaseModel):
    """What the answer must look like."""

    ville: str
    celsius: float


@tool
def meteo(ville: str) -> str:
    """Donne le temps qu’il fait."""
    return f"12 °C à {ville}"


model = ChatOpenAI(model="petit", temperature=0.2, max_tokens=64)
messages: list[Any] = [SystemMessage("Réponds en français."), HumanMessage("Quel temps à Lévis ?")]
with_tools = model.bind_tools([meteo])
first = with_tools.invoke(messages)
messages += [first, ToolMessage("12 °C", tool_call_id=first.tool_calls[0]["id"])]
messages.append(with_tools.invoke(messages))
messages.append(HumanMessage("Et demain ?"))
list(model.stream(messages, stop=["FIN"]))
for method in ("json_schema", "function_calling", "json_mode"):
    model.with_structured_output(Weather, method=method).invoke("En JSON ?")
OpenAI(model="petit", max_tokens=8).invoke("Il était")
pool = OpenAIEmbeddings(model="petit", check_embedding_ctx_length=False)
pool.embed_documents(["Bonjour", "Bonsoir"])
by_responses = ChatOpenAI(model="petit", max_tokens=64, use_responses_api=True, store=False)
by_responses.invoke(messages)
by_responses.with_structured_output(Weather).invoke("En JSON ?")

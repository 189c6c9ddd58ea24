"""LlamaIndex: tools with the answer sent back, a stream, structured output, embeddings."""

from llama_index.core.llms import ChatMessage, MessageRole
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai import OpenAI as Official
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel


class Weather(BaseModel):
    """What the answer must look like."""

    ville: str
    celsius: float


def meteo(ville: str) -> str:
    """Donne le temps qu’il fait."""
    return f"12 °C à {ville}"


model = OpenAILike(
    model="petit", is_chat_model=True, is_function_calling_model=True, temperature=0.2,
    should_use_structured_outputs=True, max_tokens=64,
)  # fmt: skip
tool = FunctionTool.from_defaults(meteo)
history = [ChatMessage(role="system", content="Réponds en français.")]
first = model.chat_with_tools([tool], user_msg="Quel temps à Lévis ?", chat_history=history)
call = model.get_tool_calls_from_response(first)[0]
history += [
    ChatMessage(role="user", content="Quel temps à Lévis ?"),
    first.message,
    ChatMessage(
        role=MessageRole.TOOL, content="12 °C", additional_kwargs={"tool_call_id": call.tool_id}
    ),
]
second = model.chat_with_tools([tool], chat_history=history)
history += [second.message, ChatMessage(role="user", content="Et demain ?")]
list(model.stream_chat(history))
model.as_structured_llm(Weather).complete("En JSON ?")
model.complete("Il était")
OpenAILike(model="petit", is_chat_model=False, max_tokens=8).complete("Il était")
Official(model="gpt-4o", temperature=0.0).chat(history)
OpenAILikeEmbedding(model_name="petit").get_text_embedding_batch(["Bonjour", "Bonsoir"])

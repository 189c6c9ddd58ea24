"""LiteLLM: tools with the answer sent back, a stream, a completion, embeddings."""

from typing import Any

import litellm

TOOL = {
    "type": "function",
    "function": {
        "name": "meteo",
        "description": "Donne le temps qu’il fait.",
        "parameters": {"type": "object", "properties": {"ville": {"type": "string"}},
                       "required": ["ville"]},
    },
}  # fmt: skip
messages: list[Any] = [
    {"role": "system", "content": [
        {"type": "text", "text": "Réponds en français.", "cache_control": {"type": "ephemeral"}}]},
    {"role": "user", "content": "Quel temps à Lévis ?"},
]  # fmt: skip
first: Any = litellm.completion(
    model="openai/petit", messages=messages, tools=[TOOL], tool_choice="auto", user="u-1",
    metadata={"trace": "a"}, temperature=0.2,
)  # fmt: skip
messages.append(first.choices[0].message.model_dump())
messages.append({"role": "tool", "tool_call_id": "call_abc123", "name": "meteo", "content": "12"})
second: Any = litellm.completion(model="openai/petit", messages=messages, tools=[TOOL])
messages.append(second.choices[0].message)
messages.append({"role": "user", "content": "Et demain ?"})
stream: Any = litellm.completion(
    model="openai/petit", messages=messages, stream=True, stream_options={"include_usage": True},
    max_tokens=64, stop=["FIN"], reasoning_effort="low", allowed_openai_params=["reasoning_effort"],
)  # fmt: skip
list(stream)
litellm.completion(
    model="openai/petit", messages=[{"role": "user", "content": "En JSON ?"}],
    response_format={"type": "json_object"}, n=1, seed=7,
)  # fmt: skip
litellm.text_completion(model="text-completion-openai/petit", prompt="Il était", max_tokens=8)
litellm.embedding(model="openai/petit", input=["Bonjour", "Bonsoir"])
litellm.responses(model="openai/petit", input="Bonjour", store=False, max_output_tokens=64)

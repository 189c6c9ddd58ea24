"""The official Python client: tools, the answer sent back, a stream, a schema, embeddings."""

from typing import Any

import openai
from pydantic import BaseModel


class Weather(BaseModel):
    """What the answer must look like."""

    ville: str
    celsius: float


TOOL: Any = {
    "type": "function",
    "function": {
        "name": "meteo",
        "description": "Donne le temps qu’il fait.",
        "parameters": {
            "type": "object",
            "properties": {"ville": {"type": "string"}},
            "required": ["ville"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}

client = openai.OpenAI()
messages: list[Any] = [
    {"role": "developer", "content": "Réponds en français."},
    {"role": "user", "content": [{"type": "text", "text": "Quel temps fait-il à Lévis ?"}]},
]
first = client.chat.completions.create(
    model="petit", messages=messages, tools=[TOOL], tool_choice="auto", parallel_tool_calls=True,
    user="u-1", metadata={"trace": "a"}, store=False, temperature=0.2, top_p=0.9, seed=7,
)  # fmt: skip
messages.append(first.choices[0].message)
messages.append({"role": "tool", "tool_call_id": "call_abc123", "content": "12 °C"})
second = client.chat.completions.create(model="petit", messages=messages, tools=[TOOL])
messages.append(second.choices[0].message.model_dump())
messages.append({"role": "user", "content": "Et demain ?"})
with client.chat.completions.stream(
    model="petit", messages=messages, stream_options={"include_usage": True},
    max_completion_tokens=64,
) as stream:  # fmt: skip
    for _ in stream:
        pass
client.chat.completions.parse(
    model="petit", messages=[{"role": "user", "content": "En JSON ?"}], response_format=Weather,
    logprobs=True, top_logprobs=3, stop=["\n\n"], n=1, frequency_penalty=0.1,
    reasoning_effort="low", service_tier="auto",
)  # fmt: skip
client.completions.create(model="petit", prompt="Il était", max_tokens=8, echo=False, logprobs=1)
client.embeddings.create(model="petit", input=["Bonjour", "Bonsoir"])
client.embeddings.create(model="petit", input="Bonjour", encoding_format="float")
client.responses.create(
    model="petit", input="Bonjour", instructions="Réponds en français.", store=False,
    max_output_tokens=64, reasoning={"effort": "low"}, metadata={"trace": "a"}, user="u-1",
)  # fmt: skip
client.responses.parse(
    model="petit", store=False, text_format=Weather,
    input=[{"role": "user", "content": [{"type": "input_text", "text": "En JSON ?"}]}],
)  # fmt: skip

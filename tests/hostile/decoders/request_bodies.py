"""Bodies of requests from which the decoders' tests start."""

import json
from pathlib import Path

from entraide_scheduler.gateway.requests import openai

CLIENTS = Path(__file__).resolve().parents[2] / "data/clients"
RECORDED = [
    request
    for path in sorted(CLIENTS.glob("*.json"))
    for request in json.loads(path.read_text("utf-8"))["requests"]
]


def bodies(path: str) -> tuple[bytes, ...]:
    """What nine clients really send to an endpoint, and every field at once."""
    given = [
        json.dumps(request["body"]).encode() for request in RECORDED if request["path"] == path
    ]
    full = {
        openai.CHAT: FULL_CHAT, openai.RESPONSES: FULL_RESPONSES, openai.MESSAGES: FULL_MESSAGES,
    }  # fmt: skip
    return (*given, full.get(path, FULL_COMPLETION))


FULL_CHAT = json.dumps({
    "model": "m", "n": 2, "max_tokens": 5, "temperature": 0.5, "top_p": 0.5, "top_k": 4,
    "logprobs": True, "top_logprobs": 3, "stop": ["a"], "seed": 1, "logit_bias": {"5": -1},
    "stream": True, "stream_options": {"include_usage": True}, "frequency_penalty": 1,
    "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {
        "type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {
            "type": "string", "pattern": "(a|b){2,3}", "maxLength": 9, "enum": ["x"]}}}}},
    "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}],
}).encode()  # fmt: skip
FULL_RESPONSES = json.dumps({
    "model": "m", "instructions": "i", "max_output_tokens": 5, "temperature": 0.5, "stream": True,
    "text": {"format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}}},
    "reasoning": {"effort": "low"}, "metadata": {"a": "b"}, "parallel_tool_calls": False,
    "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
    "tool_choice": {"type": "function", "name": "f"}, "entraide": {"deadline": "2030-01-01"},
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "x"}]},
        {"type": "reasoning"}, {"type": "message", "role": "assistant", "content": "y"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "z"},
    ],
}).encode()  # fmt: skip
FULL_MESSAGES = json.dumps({
    "model": "m", "system": "s", "max_tokens": 5, "temperature": 0.5, "stop_sequences": ["a"],
    "tools": [{"name": "f", "input_schema": {"type": "object"}}], "thinking": {"type": "enabled"},
    "tool_choice": {"type": "tool", "name": "f"}, "output_config": {"effort": "max"},
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image", "source": {
            "type": "base64", "media_type": "image/png", "data": "AA=="}}]},
        {"role": "assistant", "content": [
            {"type": "thinking"}, {"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c"}]},
    ],
}).encode()  # fmt: skip
FULL_COMPLETION = json.dumps(
    {"model": "m", "prompt": ["a", "b"], "max_tokens": 5, "n": 1, "stop": "x", "stream": False}
).encode()

"""Thought control: whether a request turns the thought off, and whether an engine follows it.

Input: a request's fields, and the end of a small request that asks for no thought. A model that
thinks all the same does so in a field of its own, or in its text after a sign.
"""

from typing import Any

from entraide.thinking import TEMPLATE_ARGUMENTS
from entraide_node.engines.base import EngineEnd
from entraide_node.engines.untrusted_json import list_objects, parse_object, parse_text

PROBE_TOKENS = 16
# A short sum: a model that can think does so here, and others answer it in few tokens.
PROBE: dict[str, Any] = {
    "messages": [{"role": "user", "content": "17 + 26 = ?"}],
    "max_tokens": PROBE_TOKENS,
    "chat_template_kwargs": dict.fromkeys(TEMPLATE_ARGUMENTS, False),
}
THOUGHT_SIGNS = ("<think>", "[THINK]")


def is_told_off(body: dict[str, Any]) -> bool:
    """Whether a request tells the model's template not to think."""
    arguments = body.get("chat_template_kwargs")
    if not isinstance(arguments, dict):
        return False
    values = [arguments[name] for name in TEMPLATE_ARGUMENTS if name in arguments]
    return bool(values) and not any(values)


def has_thought(end: EngineEnd) -> bool:
    """Whether the answer to a request that is told off, not streamed, has a thought."""
    if end.usage.reasoning_tokens:
        return True
    messages = [
        choice.get("message") for choice in list_objects(parse_object(end.body).get("choices"))
    ]
    texts = [parse_text(each.get("content")) for each in messages if isinstance(each, dict)]
    return any(text.lstrip().startswith(THOUGHT_SIGNS) for text in texts)

"""Responses: OpenAI's Responses API, by way of a chat.

Input: a request of that API, and a chat's answer. Output: a chat, and the answer in that API's
form.

``responses_fields`` are the accepted fields, ``responses`` translates a request,
``responses_answer`` the answer.
"""

from entraide_scheduler.gateway.responses import responses
from entraide_scheduler.gateway.responses.responses_answer import ResponsesAnswer
from entraide_scheduler.gateway.responses.responses_fields import (
    ChosenFunction,
    FunctionTool,
    ReasoningOptions,
    ResponsesRequest,
    TextOptions,
)

__all__ = [
    "ChosenFunction",
    "FunctionTool",
    "ReasoningOptions",
    "ResponsesAnswer",
    "ResponsesRequest",
    "TextOptions",
    "responses",
]

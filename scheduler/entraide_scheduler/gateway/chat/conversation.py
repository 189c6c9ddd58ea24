"""Conversation: semantic checks of a chat's messages and tools, and their form for the engine.

In: decoded messages and tools. Out: a refusal of inconsistent tool calls, schemas beyond the bounds
or external images; else messages that every engine accepts.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from entraide_scheduler.gateway.chat.fields import (
    AssistantMessage,
    CalledFunction,
    ChatRequest,
    DeveloperMessage,
    ImagePart,
    Message,
    NamedTool,
    Sampling,
    SchemaFormat,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
)
from entraide_scheduler.gateway.refusals import (
    SCHEMA_BYTES_MAX,
    Refused,
    check_free_json,
    check_schema,
    read_object,
    refused,
    show_value,
)

IMAGES_MAX = 16
TOOLS_BYTES_MAX = 4 * SCHEMA_BYTES_MAX
IMAGE_PREFIXES = (
    "data:image/png;base64,",
    "data:image/jpeg;base64,",
    "data:image/webp;base64,",
    "data:image/gif;base64,",
)


def check_format(request: Sampling) -> None:
    """Checks the JSON schema of the answer.

    Raises:
        Refused: ``invalid_request``.
    """
    if isinstance(request.response_format, SchemaFormat):
        check_schema(
            request.response_format.json_schema.schema, "response_format.json_schema.schema"
        )


def check_tools(request: ChatRequest) -> None:
    """Checks the tools and ``tool_choice``.

    Raises:
        Refused: ``invalid_request``.
    """
    size = 0
    for place, tool in enumerate(request.tools or ()):
        param = f"tools[{place}].function.parameters"
        size += check_schema(tool.function.parameters or {}, param)
        size += len((tool.function.description or "").encode())
    if size > TOOLS_BYTES_MAX:
        raise refused(
            "invalid_request", param="tools", fault="schema_bytes", limit=TOOLS_BYTES_MAX, size=size
        )
    choice = request.tool_choice
    names = {tool.function.name for tool in request.tools or ()}
    if isinstance(choice, NamedTool) and choice.function.name not in names:
        raise refused(
            "invalid_request", param="tool_choice", fault="tool_choice",
            found=show_value(choice.function.name),
        )  # fmt: skip
    if choice == "required" and not names:
        raise refused("invalid_request", param="tool_choice", fault="needs", needed="tools")


def check_history(messages: Sequence[Message]) -> None:
    """Checks that each tool result refers to a preceding call, and that arguments are JSON.

    Raises:
        Refused: ``invalid_request``.
    """
    calls: set[str] = set()
    for place, message in enumerate(messages):
        if isinstance(message, ToolMessage):
            if message.tool_call_id not in calls:
                raise refused(
                    "invalid_request", param=f"messages[{place}].tool_call_id",
                    fault="tool_call_unknown", found=show_value(message.tool_call_id),
                )  # fmt: skip
            calls.discard(message.tool_call_id)
        else:
            calls = set()
        if isinstance(message, AssistantMessage):
            for number, call in enumerate(message.tool_calls or ()):
                param = f"messages[{place}].tool_calls[{number}]"
                if call.id in calls:
                    raise refused(
                        "invalid_request", param=f"{param}.id", fault="tool_call_twice",
                        found=show_value(call.id),
                    )  # fmt: skip
                calls.add(call.id)
                _check_arguments(call.function, f"{param}.function.arguments")


def normalize_messages(messages: Sequence[Message]) -> list[Message]:
    """Returns messages in the form that every engine accepts."""
    return [_normalize_message(message) for message in messages]


def check_images(messages: Sequence[Message]) -> int:
    """Checks that images are ``data:`` URLs; returns their number.

    Raises:
        Refused: ``invalid_request``.
    """
    images = 0
    for place, message in enumerate(messages):
        if isinstance(message, UserMessage) and not isinstance(message.content, str):
            for number, part in enumerate(message.content):
                if isinstance(part, ImagePart):
                    images += 1
                    if not part.image_url.url.startswith(IMAGE_PREFIXES):
                        param = f"messages[{place}].content[{number}].image_url.url"
                        raise refused("invalid_request", param=param, fault="image_url")
    if images > IMAGES_MAX:
        raise refused("invalid_request", param="messages", fault="images", limit=IMAGES_MAX)
    return images


def read_questions(messages: Sequence[Message]) -> Iterator[str]:
    """Yields the texts of the user's messages, newest first; messages without text are left out."""
    for message in reversed(messages):
        if isinstance(message, UserMessage):
            content = message.content
            if not isinstance(content, str):
                content = "\n".join(part.text for part in content if isinstance(part, TextPart))
            if content.strip():
                yield content


def _check_arguments(function: CalledFunction, param: str) -> None:
    if not function.arguments.strip():
        return
    try:
        arguments: Mapping[str, Any] = read_object(function.arguments.encode("utf-8"))
    except Refused:
        raise refused("invalid_request", param=param, fault="tool_arguments") from None
    check_free_json(arguments, param)


def _normalize_message(message: Message) -> Message:
    match message:
        case DeveloperMessage():
            return SystemMessage(content=message.content, name=message.name)
        case AssistantMessage():
            return _normalize_answer(message)
        case _:
            return message


def _normalize_answer(message: AssistantMessage) -> AssistantMessage:
    content = message.content
    if content is not None and not isinstance(content, str):
        content = "".join(part.text for part in content if isinstance(part, TextPart))
    calls = message.tool_calls or None
    if calls is not None:
        calls = [
            call
            if call.function.arguments.strip()
            else msgspec.structs.replace(call, function=_without_arguments(call.function))
            for call in calls
        ]
    return AssistantMessage(content=content or "", name=message.name, tool_calls=calls)


def _without_arguments(function: CalledFunction) -> CalledFunction:
    return CalledFunction(name=function.name, arguments="{}")

"""Responses: translates a request of OpenAI's Responses API to a chat. Pure.

Consecutive calls become one message of the assistant, as a chat has them. ``responses_answer``
translates the answer back.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from entraide_scheduler.gateway.chat import (
    AssistantMessage,
    CalledFunction,
    ChatRequest,
    DeveloperMessage,
    Function,
    ImagePart,
    ImageUrl,
    JsonFormat,
    Message,
    NamedFunction,
    NamedSchema,
    NamedTool,
    SchemaFormat,
    SystemMessage,
    TextFormat,
    TextPart,
    Tool,
    ToolCall,
    ToolMessage,
    Translation,
    UserMessage,
)
from entraide_scheduler.gateway.refusals import refused
from entraide_scheduler.gateway.responses.responses_fields import (
    CallItem,
    CallOutputItem,
    ChosenFunction,
    FunctionTool,
    InputImage,
    Item,
    MessageItem,
    OutputRefusal,
    ResponsesRequest,
    SchemaTextFormat,
    TextOptions,
)

# The request's names of the chat's fields.
NAMES: Mapping[str, str] = MappingProxyType(
    {
        "messages": "input",
        "max_tokens": "max_output_tokens",
        "response_format.json_schema": "text.format",
        "response_format": "text.format",
        "reasoning_effort": "reasoning.effort",
        "tools": "tools",
    }
)


def with_item_types(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns a request's fields with the type of each message, which clients may leave out."""
    items = fields.get("input")
    if not isinstance(items, list):
        return fields
    typed = [
        {"type": "message", **item} if isinstance(item, dict) and "role" in item else item
        for item in items
    ]
    return {**fields, "input": typed}


def to_chat(request: ResponsesRequest) -> Translation:
    """Returns a request as a chat.

    Raises:
        Refused: ``invalid_request``: the input has nothing that a model could answer, or a picture
            where there can be none.
    """
    messages, places = _translate_input(request)
    if not messages:
        raise refused("invalid_request", param="input", fault="empty")
    choice = request.tool_choice
    chat = ChatRequest(
        model=request.model,
        messages=messages,
        max_tokens=request.max_output_tokens,
        stream=request.stream,
        temperature=request.temperature,
        top_p=request.top_p,
        response_format=_translate_format(request.text),
        tools=[_translate_tool(tool) for tool in request.tools or ()] or None,
        tool_choice=NamedTool(function=NamedFunction(name=choice.name))
        if isinstance(choice, ChosenFunction)
        else choice,
        parallel_tool_calls=request.parallel_tool_calls,
        reasoning_effort=request.reasoning.effort if request.reasoning else None,
        entraide=request.entraide,
    )
    return Translation(chat, tuple(places), NAMES)


def _translate_input(request: ResponsesRequest) -> tuple[list[Message], list[str]]:
    messages: list[Message] = []
    places: list[str] = []
    if request.instructions:
        messages.append(SystemMessage(content=request.instructions))
        places.append("instructions")
    if isinstance(request.input, str):
        return [*messages, UserMessage(content=request.input)], [*places, "input"]
    for place, item in enumerate(request.input):
        if isinstance(item, CallItem) and messages and isinstance(messages[-1], AssistantMessage):
            messages[-1] = _add_call(messages[-1], item)
        elif (message := _translate_item(item, f"input[{place}]")) is not None:
            messages.append(message)
            places.append(f"input[{place}]")
    return messages, places


def _translate_item(item: Item, place: str) -> Message | None:
    match item:
        case MessageItem():
            return _translate_message(item, place)
        case CallItem():
            return _add_call(AssistantMessage(), item)
        case CallOutputItem():
            output = item.output
            text = output if isinstance(output, str) else "".join(part.text for part in output)
            return ToolMessage(content=text, tool_call_id=item.call_id)
        case _:
            return None


def _translate_message(item: MessageItem, place: str) -> Message:
    if item.role == "user":
        return UserMessage(content=_user_content(item))
    text = _text_of(item, place)
    if item.role == "assistant":
        return AssistantMessage(content=text)
    kind = SystemMessage if item.role == "system" else DeveloperMessage
    return kind(content=text)


def _user_content(item: MessageItem) -> str | list[TextPart | ImagePart]:
    if isinstance(item.content, str):
        return item.content
    parts: list[TextPart | ImagePart] = []
    for part in item.content:
        if isinstance(part, InputImage):
            parts.append(ImagePart(image_url=ImageUrl(url=part.image_url)))
        elif not isinstance(part, OutputRefusal):
            parts.append(TextPart(text=part.text))
    return parts


def _text_of(item: MessageItem, place: str) -> str:
    if isinstance(item.content, str):
        return item.content
    texts = []
    for number, part in enumerate(item.content):
        if isinstance(part, InputImage):
            raise refused(
                "invalid_request", param=f"{place}.content[{number}].type", fault="not_one_of",
                choices="input_text, output_text", found='"input_image"',
            )  # fmt: skip
        if not isinstance(part, OutputRefusal):
            texts.append(part.text)
    return "".join(texts)


def _add_call(message: AssistantMessage, item: CallItem) -> AssistantMessage:
    function = CalledFunction(name=item.name, arguments=item.arguments)
    calls = [*(message.tool_calls or ()), ToolCall(id=item.call_id, function=function)]
    return AssistantMessage(content=message.content, tool_calls=calls)


def _translate_tool(tool: FunctionTool) -> Tool:
    return Tool(
        function=Function(
            name=tool.name,
            description=tool.description,
            parameters=tool.parameters,
            strict=tool.strict,
        )
    )


def _translate_format(text: TextOptions | None) -> TextFormat | JsonFormat | SchemaFormat | None:
    format_ = text.format if text else None
    if not isinstance(format_, SchemaTextFormat):
        return format_
    return SchemaFormat(
        json_schema=NamedSchema(
            name=format_.name,
            schema=format_.schema,
            description=format_.description,
            strict=format_.strict,
        )
    )

"""Messages: translates a request of Anthropic's Messages API to a chat. Pure.

The results of tools in a person's turn become messages of their own, before the rest of the turn.
``messages_answer`` translates the answer back.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from entraide_scheduler.gateway.chat import (
    AssistantMessage,
    CalledFunction,
    ChatRequest,
    Function,
    ImagePart,
    ImageUrl,
    Message,
    NamedFunction,
    NamedSchema,
    NamedTool,
    SchemaFormat,
    SystemMessage,
    TextPart,
    Tool,
    ToolCall,
    ToolMessage,
    Translation,
    UserMessage,
)
from entraide_scheduler.gateway.messages.messages_fields import (
    AnyTool,
    AssistantTurn,
    ChosenTool,
    CustomTool,
    ImageBlock,
    MessagesRequest,
    NoTool,
    OutputConfig,
    TextBlock,
    ThinkingAdaptive,
    ThinkingOn,
    ToolResultBlock,
    ToolUseBlock,
    UserTurn,
)

# The request's names of the chat's fields.
NAMES: Mapping[str, str] = MappingProxyType(
    {
        "reasoning_effort": "output_config.effort",
        "think": "thinking",
        "thinking_budget_tokens": "thinking.budget_tokens",
        "response_format.json_schema": "output_config.format",
        "response_format": "output_config.format",
        "stop": "stop_sequences",
    }
)


def to_chat(request: MessagesRequest) -> Translation:
    """Returns a request as a chat."""
    messages: list[Message] = []
    places: list[str] = []
    if request.system:
        messages.append(SystemMessage(content=_text_of(request.system)))
        places.append("system")
    for place, turn in enumerate(request.messages):
        for message in _translate_turn(turn):
            messages.append(message)
            places.append(f"messages[{place}]")
    choice, output = request.tool_choice, request.output_config or OutputConfig()
    thinking = request.thinking
    effort = "xhigh" if output.effort == "max" else output.effort
    is_on = isinstance(thinking, ThinkingOn | ThinkingAdaptive)  # else the effort is the answer's
    alone = not isinstance(choice, NoTool | None) and choice.disable_parallel_tool_use
    chat = ChatRequest(
        model=request.model,
        messages=messages,
        max_tokens=request.max_tokens,
        stream=request.stream,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        stop=request.stop_sequences,
        tools=[_translate_tool(tool) for tool in request.tools or ()] or None,
        tool_choice=_translate_choice(request),
        parallel_tool_calls=False if alone else None,
        response_format=SchemaFormat(json_schema=NamedSchema(schema=output.format.schema))
        if output.format
        else None,
        reasoning_effort=effort if is_on else None,
        think=None if thinking is None else is_on,
        thinking_budget_tokens=thinking.budget_tokens if isinstance(thinking, ThinkingOn) else None,
        entraide=request.entraide,
    )
    return Translation(chat, tuple(places), NAMES)


def _translate_turn(turn: UserTurn | AssistantTurn) -> Iterator[Message]:
    if isinstance(turn, AssistantTurn):
        yield _translate_answer(turn)
        return
    if isinstance(turn.content, str):
        yield UserMessage(content=turn.content)
        return
    parts: list[TextPart | ImagePart] = []
    for block in turn.content:
        match block:
            case ToolResultBlock():
                text = _text_of(block.content)
                yield ToolMessage(content=text, tool_call_id=block.tool_use_id)
            case ImageBlock():
                source = block.source
                url = f"data:{source.media_type};base64,{source.data}"
                parts.append(ImagePart(image_url=ImageUrl(url=url)))
            case _:
                parts.append(TextPart(text=block.text))
    if parts or not turn.content:
        yield UserMessage(content=parts)


def _translate_answer(turn: AssistantTurn) -> AssistantMessage:
    if isinstance(turn.content, str):
        return AssistantMessage(content=turn.content)
    text = "".join(block.text for block in turn.content if isinstance(block, TextBlock))
    calls = [
        ToolCall(
            id=block.id,
            function=CalledFunction(
                name=block.name, arguments=msgspec.json.encode(block.input).decode()
            ),
        )
        for block in turn.content
        if isinstance(block, ToolUseBlock)
    ]
    return AssistantMessage(content=text, tool_calls=calls or None)


def _text_of(content: str | list[TextBlock]) -> str:
    return content if isinstance(content, str) else "\n\n".join(block.text for block in content)


def _translate_tool(tool: CustomTool) -> Tool:
    return Tool(
        function=Function(
            name=tool.name,
            description=tool.description,
            parameters=tool.input_schema,
            strict=tool.strict,
        )
    )


def _translate_choice(
    request: MessagesRequest,
) -> Literal["none", "auto", "required"] | NamedTool | None:
    match request.tool_choice:
        case ChosenTool(name=name):
            return NamedTool(function=NamedFunction(name=name))
        case AnyTool():
            return "required"
        case NoTool():
            return "none"
        case None:
            return None
        case _:
            return "auto"

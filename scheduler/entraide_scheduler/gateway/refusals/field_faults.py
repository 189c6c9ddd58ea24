"""Field faults: converts a validation error of msgspec to a refusal with field, value and fault.

In: msgspec's error message and the fields. Out: ``invalid_request`` with the field's path, its
value (shortened, printable) and a fault code, whose sentence is in the locale files under
``fault-``.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from entraide_scheduler.gateway.refusals.refusals import ErrorReply, Refused, clean_text, refused

FOUND_MAX_CHARS = 60
WHOLE_MAX = 2**53

_PLACE = re.compile(r" - at `(?P<place>.+?)`$| - at `key` in `(?P<of>.+)`$")
_MISSING = re.compile(r"Object missing required field `(.+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`")
_KIND = re.compile(r"Expected `(.+?)`, got `(.+?)`")
_LENGTH = re.compile(r"Expected `(\w+).*?` of length (>=|<=) (\d+)")
_RANGE = re.compile(r"Expected `(?:int|float).*?` (>=|<=) (-?[\d.e+]+)")
_FORM = re.compile(r"Expected `str.*?` matching regex")
_CHOICE = re.compile(r"Invalid (?:enum )?value ")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")

# Accepted values of fields with a fixed set, by the last name in the path.
_ENDPOINTS = "/v1/chat/completions, /v1/completions, /v1/embeddings, /v1/responses, /v1/messages"
CHOICES: Mapping[str, str] = {
    "role": "system, developer, user, assistant, tool",
    "reasoning_effort": "none, minimal, low, medium, high, xhigh",
    "think": "true, false, none, low, medium, high",
    "tool_choice": "none, auto, required",
    "job_class": "interactive, standard, batch",
    "data_class": "public, internal, restricted",
    "controlled_by": "member, canadian, other",
    "task": "answer, extract, classify, summarise, rewrite, translate, compute",
    "language": "fr, en",
    "openness": "open-model, open-tooling, open-science",
    "prefix": "off",
    "encoding_format": "float, base64",
    "path": _ENDPOINTS,
    "endpoint": _ENDPOINTS,
    "completion_window": "24h",
    "anchor": "created_at",
    "method": "POST",
}
TYPES: Mapping[str, str] = {
    "content": "text, image_url",
    "response_format": "text, json_object, json_schema",
}
# Accepted values where a request's differ from these; of a ``type``, by the name of what has it.
OTHER_CHOICES: Mapping[str, Mapping[str, str]] = {
    "ResponsesRequest": {
        "role": "user, assistant, system, developer",
        "effort": "none, minimal, low, medium, high, xhigh",
        "verbosity": "low, medium, high",
        "include": "reasoning.encrypted_content",
        "input.type": "message, function_call, function_call_output, reasoning",
        "content.type": "input_text, input_image, output_text, refusal",
        "output.type": "input_text",
        "format.type": "text, json_object, json_schema",
    },
    "MessagesRequest": {
        "role": "user, assistant",
        "media_type": "image/png, image/jpeg, image/webp, image/gif",
        "content.type": "text, image, tool_use, tool_result, thinking, redacted_thinking",
        "system.type": "text",
        "source.type": "base64",
        "tools.type": "custom",
        "tool_choice.type": "auto, any, tool, none",
        "thinking.type": "enabled, adaptive, disabled",
        "effort": "low, medium, high, xhigh, max",
        "format.type": "json_schema",
    },
}
FORMS: Mapping[str, str] = {
    "name": "A-Z a-z 0-9 _ - . (1–128)",
    "logit_bias": "0-9",
    "jurisdiction": "CA, CA-QC",
}

Chosen = TypeVar("Chosen", bound=msgspec.Struct)


def convert(fields: Mapping[str, Any], kind: type[Chosen]) -> Chosen:
    """Returns fields as a struct.

    Raises:
        Refused: ``invalid_request``, with the field, its value and the accepted values.
    """
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as problem:
        others = OTHER_CHOICES.get(kind.__name__, {})
        raise _refusal_of(str(problem), fields, others) from None
    except RecursionError:
        raise refused("invalid_request", fault="too_deep", limit=0) from None


def show_value(value: Any) -> str:
    """Returns a value for a refusal; "" if it is neither a text nor a number."""
    if isinstance(value, str):
        return f'"{clean_text(value, FOUND_MAX_CHARS)}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return clean_text(repr(value), FOUND_MAX_CHARS)
    return ""


def _refusal_of(problem: str, fields: Mapping[str, Any], others: Mapping[str, str]) -> Refused:
    place = "$"
    if at := _PLACE.search(problem):
        place, problem = at["place"] or at["of"], problem[: at.start()]
    param, value = _locate(place, fields)
    values = _values(problem, param, value)
    if values.get("fault") == "not_one_of":
        name, of = _last(param), _last(param.rpartition(".")[0])
        choices = others.get(f"{of}.type" if name == "type" else name)
        values |= {"choices": choices} if choices else {}
    return Refused(ErrorReply("invalid_request", values))


def _values(problem: str, param: str, value: Any) -> dict[str, str | float]:
    shown: dict[str, str | float] = {"param": param, "found": show_value(value)}
    if not shown["found"]:
        del shown["found"]
    if match := _MISSING.match(problem):
        return {"param": _joined(param, match[1]), "fault": "missing"}
    if match := _UNKNOWN.match(problem):
        return {"param": _joined(param, clean_text(match[1])), "fault": "unknown_field"}
    if match := _KIND.match(problem):
        kinds = "-".join(part for part in match[1].split(" | ") if part != "null")
        return shown | {"fault": "wrong_kind", "expected": kinds, "got": match[2]}
    if match := _LENGTH.match(problem):
        limit = int(match[3])
        entries = match[1] in ("array", "object", "list", "dict")
        if match[2] == ">=":
            return {"param": param, "fault": "empty"}
        return {"param": param, "fault": "too_many" if entries else "too_long", "limit": limit}
    if match := _RANGE.match(problem):
        fault = "at_least" if match[1] == ">=" else "at_most"
        limit_value = float(match[2])
        whole = limit_value.is_integer() and abs(limit_value) < WHOLE_MAX
        return shown | {"fault": fault, "limit": int(limit_value) if whole else limit_value}
    if _FORM.match(problem):
        if _last(param) == "model":
            return shown | {"fault": "control_signs"}
        return shown | {"fault": "wrong_form", "form": FORMS.get(_last(param), "A-Z a-z 0-9")}
    if _CHOICE.match(problem):
        return shown | _choice(param)
    return {"param": param, "fault": "unreadable"}


def _choice(param: str) -> dict[str, str | float]:
    name = _last(param)
    if name != "type":
        return {"fault": "not_one_of", "choices": CHOICES.get(name, "…")}
    of = _last(param.rpartition(".")[0])
    return {"fault": "not_one_of", "choices": TYPES.get(of, "function")}


def _locate(place: str, fields: Mapping[str, Any]) -> tuple[str, Any]:
    """Returns a path as clients write it (``messages[0].content``), and the value there."""
    value: Any = fields
    parts: list[str] = []
    for name, index in _STEP.findall(place.removeprefix("$")):
        if name:
            parts.append(f".{clean_text(name)}" if parts else clean_text(name))
            value = value.get(name) if isinstance(value, dict) else None
        elif index == "...":
            value = None
        else:
            parts.append(f"[{index}]")
            value = value[int(index)] if isinstance(value, list) else None
    return "".join(parts), value


def _joined(param: str, name: str) -> str:
    return f"{param}.{name}" if param else name


def _last(param: str) -> str:
    return re.sub(r"\[\d+\]", "", param.rpartition(".")[2])

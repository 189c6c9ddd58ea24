"""The fields of a request: honoured within bounds, ignored, or refused by name."""

import json
import unicodedata
from typing import Any

import msgspec
import pytest
from tests.cases import all_cases

from entraide import i18n
from entraide_scheduler.gateway.refusals import ErrorReply, Refused, refusals
from entraide_scheduler.gateway.requests import IGNORED, NEUTRAL, REQUESTS, openai
from entraide_scheduler.gateway.requests.endpoints import REPLACEMENTS

CHAT, COMPLETION = openai.CHAT, openai.COMPLETION
USER = {"role": "user", "content": "Bonjour"}
PIXEL = "data:image/png;base64,iVBORw0KGgo="
TOOL = {"type": "function", "function": {"name": "meteo", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "meteo", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "12 °C"}


def chat(*messages: dict[str, Any], **fields: Any) -> bytes:
    body = {"model": "petit", "messages": list(messages or (USER,)), **fields}
    return json.dumps(body).encode()


def completion(**fields: Any) -> bytes:
    return json.dumps({"model": "petit", "prompt": "Il était", **fields}).encode()


def embedding(**fields: Any) -> bytes:
    return json.dumps({"model": "petit", "input": "Il était", **fields}).encode()


def response(**fields: Any) -> bytes:
    return json.dumps({"model": "petit", "input": "Il était", **fields}).encode()


def message(**fields: Any) -> bytes:
    return json.dumps({"model": "petit", "max_tokens": 9, "messages": [USER], **fields}).encode()


MAKERS = {
    CHAT: chat, openai.COMPLETION: completion, openai.EMBEDDINGS: embedding,
    openai.RESPONSES: response, openai.MESSAGES: message,
}  # fmt: skip


def schema(fields: dict[str, Any]) -> dict[str, Any]:
    named = {"name": "reponse", "schema": fields}
    return {"type": "json_schema", "json_schema": named}


def said(of: dict[str, Any], **values: Any) -> bytes:
    """A chat with one message that holds these fields."""
    return chat(of | values)


def refusal(path: str, body: bytes) -> ErrorReply:
    with pytest.raises(Refused) as refused:
        openai.parse_request(path, body)
    return refused.value.refusal


def engine_fields(path: str, body: bytes) -> dict[str, Any]:
    """What an engine is given of a request, but for what tells it not to think."""
    ask = openai.parse_request(path, body)
    given = json.loads(openai.encode_for_engine(ask, 9, model="smollm", stream=ask.stream))
    given.pop("chat_template_kwargs", None)
    return given


# A name; the request; the field that the refusal names; the fault.
REFUSED: dict[str, tuple[bytes, str, str]] = {
    "another engine's limit": (chat(n_predict=1_500), "n_predict", "unknown_field"),
    "another engine's choices": (chat(n_cmpl=99), "n_cmpl", "unknown_field"),
    "a grammar of parentheses": (chat(grammar="(" * 800_000), "grammar", "unknown_field"),
    "a cache": (chat(cache_prompt=True), "cache_prompt", "unknown_field"),
    "a slot": (chat(slot_id=3), "slot_id", "unknown_field"),
    "no end": (chat(ignore_eos=True), "ignore_eos", "unknown_field"),
    "a name with control signs": (chat(**{"a\x1b[2J": 1}), "a[2J", "unknown_field"),
    "older functions": (chat(functions=[]), "functions", "unknown_field"),
    "sound": (chat(modalities=["text", "audio"]), "modalities", "only_neutral"),
    "too hot": (chat(temperature=3), "temperature", "at_most"),
    "text for a number": (chat(temperature="1"), "temperature", "wrong_kind"),
    "a huge exponent": (b'{"model":"m","messages":[],"top_p":1e999}', "messages", "empty"),
    "beyond a half": (chat().replace(b"}]}", b'}],"top_p":1e999}'), "top_p", "at_most"),
    "no answer": (chat(n=0), "n", "at_least"),
    "many answers": (chat(n=129), "n", "at_most"),
    "truth for a number": (chat(n=True), "n", "wrong_kind"),
    "no tokens": (chat(max_tokens=0), "max_tokens", "at_least"),
    "endless tokens": (chat(max_completion_tokens=1e20), "max_completion_tokens", "wrong_kind"),
    "many logprobs": (chat(logprobs=True, top_logprobs=21), "top_logprobs", "at_most"),
    "logprobs of nothing": (chat(top_logprobs=2), "top_logprobs", "needs"),
    "a long stop": (chat(stop="x" * 257), "stop", "too_long"),
    "an empty stop": (chat(stop=["a", ""]), "stop[1]", "empty"),
    "many stops": (chat(stop=["a"] * 17), "stop", "too_many"),
    "a seed of 70 bits": (chat(seed=2**70), "seed", "at_most"),
    "biases": (chat(logit_bias={str(n): 1 for n in range(301)}), "logit_bias", "too_many"),
    "a heavy bias": (chat(logit_bias={"4": 101}), "logit_bias", "at_most"),
    "control by somebody": (
        chat(entraide={"controlled_by": "us"}), "entraide.controlled_by", "not_one_of",
    ),
    "a place that is none": (
        chat(entraide={"jurisdiction": "Canada"}), "entraide.jurisdiction", "wrong_form",
    ),
    "an option that is none": (
        chat(entraide={"priority": 3}), "entraide.priority", "unknown_field",
    ),
    "no model": (json.dumps({"messages": [USER]}).encode(), "model", "missing"),
    "a model's control signs": (chat(model="a\x00"), "model", "control_signs"),
    "no messages": (json.dumps({"model": "m", "messages": []}).encode(), "messages", "empty"),
    "a role": (said(USER, role="robot"), "messages[0].role", "not_one_of"),
    "no text": (said(USER, content=None), "messages[0].content", "wrong_kind"),
    "sound in a message": (
        said(USER, content=[{"type": "input_audio"}]), "messages[0].content[0].type", "not_one_of",
    ),
    "a picture from the network": (
        said(USER, content=[{"type": "image_url", "image_url": {"url": "http://10.0.0.1/a.png"}}]),
        "messages[0].content[0].image_url.url", "image_url",
    ),
    "a gallery": (
        said(USER, content=[{"type": "image_url", "image_url": {"url": PIXEL}}] * 17),
        "messages", "images",
    ),
    "a result without a call": (
        chat(USER, RESULT), "messages[1].tool_call_id", "tool_call_unknown",
    ),
    "a result of another call": (
        chat(USER, CALLED, RESULT | {"tool_call_id": "c2"}),
        "messages[2].tool_call_id", "tool_call_unknown",
    ),
    "a result given twice": (
        chat(USER, CALLED, RESULT, RESULT), "messages[3].tool_call_id", "tool_call_unknown",
    ),
    "a result that comes late": (
        chat(USER, CALLED, USER, RESULT), "messages[3].tool_call_id", "tool_call_unknown",
    ),
    "two calls of one name": (
        chat(CALLED | {"tool_calls": [CALL, CALL]}), "messages[0].tool_calls[1].id",
        "tool_call_twice",
    ),
    "arguments that are not JSON": (
        chat(CALLED | {"tool_calls": [
            CALL | {"function": {"name": "meteo", "arguments": "{'ville'"}}]}),
        "messages[0].tool_calls[0].function.arguments", "tool_arguments",
    ),
    "arguments that are a list": (
        chat(CALLED | {"tool_calls": [CALL | {"function": {"name": "m", "arguments": "[1]"}}]}),
        "messages[0].tool_calls[0].function.arguments", "tool_arguments",
    ),
    "a tool of another kind": (chat(tools=[{"type": "web"}]), "tools[0].type", "not_one_of"),
    "a tool's odd name": (
        chat(tools=[{"type": "function", "function": {"name": "a b"}}]),
        "tools[0].function.name", "wrong_form",
    ),
    "a choice among no tools": (chat(tool_choice="required"), "tool_choice", "needs"),
    "a choice of another tool": (
        chat(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "heure"}}),
        "tool_choice", "tool_choice",
    ),
    "a format of another kind": (
        chat(response_format={"type": "xml"}), "response_format.type", "not_one_of",
    ),
    "another engine's schema": (
        chat(response_format={"type": "json_object", "schema": {}}), "response_format.schema",
        "unknown_field",
    ),
}  # fmt: skip

DEEP: dict[str, Any] = {}
for _ in range(40):
    DEEP = {"items": DEEP}

SCHEMAS: dict[str, tuple[dict[str, Any], str]] = {
    "endless lists": ({"type": "array", "maxItems": 1e9}, "schema_keyword"),
    "long lists": ({"type": "array", "minItems": 1_001}, "schema_keyword"),
    "less than none": ({"type": "array", "minItems": -1}, "schema_keyword"),
    "long texts": ({"type": "string", "maxLength": 10**7}, "schema_keyword"),
    "a pattern's repetition": ({"type": "string", "pattern": "^a{1,99999}$"}, "schema_keyword"),
    "an open repetition": ({"type": "string", "pattern": "^a{99999999999,}$"}, "schema_keyword"),
    "a long pattern": ({"type": "string", "pattern": "a" * 513}, "schema_pattern_long"),
    "repetitions in repetitions": (
        {"pattern": "^((a{1,11}b){1,11})$"}, "schema_keyword",
    ),
    "repetitions of a class": ({"pattern": "^([ab]{9}|c){999}$"}, "schema_keyword"),
    "repetitions of nothing": ({"pattern": "^((a{0,10}b?){0,10}){0,10}$"}, "schema_pattern_empty"),
    "much that may be missing": ({"pattern": "^" + "(a?)" * 33 + "$"}, "schema_pattern_optional"),
    "a choice of nothing": ({"pattern": "^(?:a|b*){2}$"}, "schema_pattern_empty"),
    "a group of stars": ({"pattern": "^(a*(b|c)?){0,9}$"}, "schema_pattern_empty"),
    "many properties": ({"properties": {f"p{n}": {} for n in range(401)}}, "schema_properties"),
    "more at least than at most": ({"minLength": 5, "maxLength": 1}, "schema_order"),
    "no whole number": ({"type": "integer", "minimum": 5, "maximum": 1}, "schema_order"),
    "groups in groups": ({"pattern": "(" * 9 + "a" + ")*" * 9}, "schema_pattern_groups"),
    "many repetitions": (
        {"allOf": [{"type": "array", "maxItems": 1_000}] * 6}, "schema_repetitions",
    ),
    "many words": ({"enum": [str(n) for n in range(501)]}, "schema_enum"),
    "a long schema": ({"description": "x" * 65_536}, "schema_bytes"),
    "a deep schema": (DEEP, "too_deep"),
    "a number beyond": ({"type": "integer", "maximum": 1e300}, "schema_number"),
    "a whole number beyond": ({"default": 10**30}, "integer_too_large"),
    "a reference to itself": ({"$ref": "#"}, "schema_cycle"),
    "references in a ring": (
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        "schema_cycle",
    ),
    "a reference elsewhere": ({"$ref": "http://10.0.0.1/schema.json"}, "schema_reference"),
    "a reference to nothing": ({"items": {"$ref": "#/$defs/a"}}, "schema_reference"),
}  # fmt: skip

JSON: dict[str, tuple[bytes, str]] = {
    "cut off": (b'{"model": ', "json_syntax"),
    "nothing": (b"", "json_syntax"),
    "two documents": (b"{} {}", "json_syntax"),
    "no number": (b'{"temperature": NaN}', "json_not_finite"),
    "less than all": (b'{"temperature": -Infinity}', "json_not_finite"),
    "a name twice": (b'{"model": "a", "model": "b"}', "json_duplicate"),
    "a name twice, inside": (b'{"metadata": {"a": 1, "a": 2}}', "json_duplicate"),
    "deep lists": (b"[" * 100_000, "json_too_deep"),
    "deep objects": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "json_too_deep"),
    "many lists": (b"[" + b"[]," * 100_001 + b"[]]", "json_too_large"),
    "thousands of digits": (b'{"seed": ' + b"9" * 5_000 + b"}", "json_integer_too_large"),
    "half a sign": (b'{"model": "\\ud800"}', "json_surrogate"),
    "not UTF-8": (b'{"model": "\xff"}', "json_not_utf8"),
    "another encoding": ('{"model": "a"}'.encode("utf-16"), "json_not_utf8"),
}


@all_cases("name", REFUSED)
def test_field_is_refused_by_its_name(name: str) -> None:
    """The refusal names the field, and says in both languages what to do about it."""
    body, param, fault = REFUSED[name]
    refused = refusal(CHAT, body)

    assert ("invalid_request", param, fault) == (
        refused.code,
        refused.values["param"],
        refused.values["fault"],
    )
    for lang in i18n.LANGUAGES:
        sentence = refusals.error_sentence(refused, lang)

        assert param in sentence
        assert i18n.HOLE not in sentence
        assert not any(unicodedata.category(sign) == "Cc" for sign in sentence)


@all_cases("name", SCHEMAS)
@all_cases("place", ["response_format", "tools"])
def test_schema_is_bounded(name: str, place: str) -> None:
    """A schema that could end an engine is refused, of an answer as of a tool's arguments."""
    fields, fault = SCHEMAS[name]
    tool = {"type": "function", "function": {"name": "f", "parameters": fields}}
    held = {"response_format": schema(fields)} if place == "response_format" else {"tools": [tool]}
    refused = refusal(CHAT, chat(**held))

    assert (fault, True) == (
        refused.values["fault"],
        str(refused.values["param"]).startswith(place),
    )
    assert not any(i18n.HOLE in refusals.error_sentence(refused, lang) for lang in i18n.LANGUAGES)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^(\d{1,3}\.){3}\d{1,3}$",
        r"^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$",
        r"^[A-Z]\d[A-Z] ?\d[A-Z]\d$",
        r"^(?:\+1[ -]?)?\(?\d{3}\)?[ .-]?\d{3}[ .-]?\d{4}$",
        r"^[a-z0-9]+(-[a-z0-9]+)*$",
        r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?Z?)?$",
        r"^[{}()\[\]]{1,1000}$",
        "^.{1,1000}$",
        "{",
    ],
)
def test_usual_pattern_passes(pattern: str) -> None:
    """Patterns as people write them for codes, numbers, names and dates are forwarded."""
    asked = chat(response_format=schema({"type": "string", "pattern": pattern}))

    assert ("schema",) == openai.parse_request(CHAT, asked).features


def test_usual_schema_passes() -> None:
    """A schema with repetitions, a pattern, references and recursion within bounds is forwarded."""
    fields = {
        "type": "object",
        "properties": {
            "code": {"type": "string", "pattern": r"^[A-Z]\d[A-Z] ?\d{1,3}[{}]$"},
            "enfants": {"type": "array", "maxItems": 100, "items": {"$ref": "#"}},
            "ville": {"$ref": "#/$defs/ville"},
        },
        "required": ["code"],
        "$defs": {"ville": {"type": "string", "enum": ["Québec", "Lévis"], "maxLength": 1_000}},
    }
    format_ = schema(fields)

    assert format_ == engine_fields(CHAT, chat(response_format=format_))["response_format"]


@all_cases("name", JSON)
@all_cases("path", openai.PATHS)
def test_json_is_read_strictly(name: str, path: str) -> None:
    """What is not JSON, or more than we read, is refused with where it is wrong."""
    body, fault = JSON[name]
    refused = refusal(path, body)

    assert ("invalid_json", fault) == (refused.code, refused.values["fault"])
    assert not any(i18n.HOLE in refusals.error_sentence(refused, lang) for lang in i18n.LANGUAGES)


@pytest.mark.parametrize("body", [b"[]", b"3", b'"a"', b"null"])
def test_request_is_an_object(body: bytes) -> None:
    """JSON that is not an object is refused as such."""
    assert "not_an_object" == refusal(CHAT, body).values["fault"]


@pytest.mark.parametrize("path", openai.PATHS)
def test_the_pools_own_fields_stay_at_the_gateway(path: str) -> None:
    """Where a request may run is for the pool, and no engine is told."""
    make = MAKERS[path]
    own = {"data_class": "public", "jurisdiction": "CA-QC", "controlled_by": "member"}
    parsed = openai.parse_request(path, make(entraide=own))

    stated = msgspec.structs.asdict(parsed.pool_fields).items()

    assert own == {name: value for name, value in stated if value is not None}
    assert engine_fields(path, make()) == engine_fields(path, make(entraide=own))


@pytest.mark.parametrize("path", openai.PATHS)
def test_ignored_and_neutral_fields_stay_at_the_gateway(path: str) -> None:
    """A field that changes nothing is accepted and not forwarded; so is any null."""
    make = MAKERS[path]
    fields = {name: {"any": [1]} for name in IGNORED[path]} | dict(NEUTRAL[path])
    fields |= {"never_heard_of": None, "temperature": None}

    assert engine_fields(path, make()) == engine_fields(path, make(**fields))


def test_field_of_one_endpoint_is_unknown_to_the_other() -> None:
    """Each endpoint knows its own fields."""
    assert "unknown_field" == refusal(COMPLETION, completion(tools=[TOOL])).values["fault"]
    assert "unknown_field" == refusal(CHAT, chat(prompt="Il était")).values["fault"]


@pytest.mark.parametrize("field", ["best_of", "echo", "suffix"])
def test_neutral_field_has_one_value(field: str) -> None:
    """A field that the pool does not offer is refused with any value that would mean something."""
    value = {"best_of": 2, "echo": True, "suffix": "fin"}[field]

    assert "only_neutral" == refusal(COMPLETION, completion(**{field: value})).values["fault"]


def test_messages_are_built_anew() -> None:
    """Roles are those that engines know, and nothing unknown in a message goes on."""
    messages = [
        {"role": "developer", "content": "Sois bref.", "x": 1},
        {"role": "user", "content": [
            {"type": "text", "text": "Quel temps ?", "cache_control": {"type": "ephemeral"}},
            {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
        ]},
        CALLED | {"reasoning_content": "…", "refusal": None, "annotations": [], "audio": None,
                  "tool_calls": [CALL | {"index": 0}]},
        RESULT | {"name": "meteo"},
        {"role": "assistant", "content": [
            {"type": "text", "text": "Il fait "}, {"type": "refusal", "refusal": "non"},
            {"type": "text", "text": "12 °C."}]},
        {"role": "assistant", "tool_calls": []},
        USER,
    ]  # fmt: skip
    given = engine_fields(CHAT, chat(*messages, tools=[TOOL]))["messages"]

    assert [
        {"role": "system", "content": "Sois bref."},
        {"role": "user", "content": [
            {"type": "text", "text": "Quel temps ?"},
            {"type": "image_url", "image_url": {"url": PIXEL}},
        ]},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        RESULT | {"name": "meteo"},
        {"role": "assistant", "content": "Il fait 12 °C."},
        {"role": "assistant", "content": ""},
        USER,
    ] == given  # fmt: skip


def test_empty_arguments_become_an_object() -> None:
    """A call without arguments is given to the engine as a call with an empty object."""
    call = CALL | {"function": {"name": "meteo", "arguments": ""}}
    given = engine_fields(CHAT, chat(CALLED | {"tool_calls": [call]}, RESULT))["messages"]

    assert [CALL] == given[0]["tool_calls"]


def test_features_are_what_the_request_needs() -> None:
    """Tools, pictures and schemas are asked of an engine; a history of calls asks for tools."""
    pictures = said(USER, content=[{"type": "image_url", "image_url": {"url": PIXEL}}])
    parsed = {
        "text": openai.parse_request(
            CHAT, chat(tools=[], response_format={"type": "text"})
        ).features,
        "tools": openai.parse_request(CHAT, chat(tools=[TOOL])).features,
        "history": openai.parse_request(CHAT, chat(CALLED, RESULT)).features,
        "images": openai.parse_request(CHAT, pictures).features,
        "schema": openai.parse_request(CHAT, chat(response_format=schema({}))).features,
    }

    assert {
        "text": (),
        "tools": ("tools",),
        "history": ("tools",),
        "images": ("images",),
        "schema": ("schema",),
    } == parsed


def test_limit_and_stream_are_the_pools() -> None:
    """The engine is given the pool's limit and model once, and no options of the stream."""
    body = chat(
        max_tokens=7, max_completion_tokens=8, stream=True, stream_options={"include_usage": True}
    )
    ask = openai.parse_request(CHAT, body)

    assert (8, True, True) == (ask.output_tokens_max, ask.stream, ask.include_usage)
    assert {
        "model": "smollm", "messages": [USER], "max_tokens": 9, "stream": True,
    } == engine_fields(CHAT, body)  # fmt: skip


def test_no_field_is_in_two_groups() -> None:
    """Honoured, ignored and neutral fields are apart, and none of them has a substitute."""
    for path, request in REQUESTS.items():
        honoured = set(request.__struct_fields__)

        assert not honoured & IGNORED[path]
        assert not (honoured | IGNORED[path]) & NEUTRAL[path].keys()
        substitutes = {name for name, instead in REPLACEMENTS.items() if instead in honoured}
        assert not honoured & substitutes

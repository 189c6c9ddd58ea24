"""Any JSON, any bytes: the validators answer or refuse, with a sentence, and never raise else.

Few examples in `make test`; `make fuzz` repeats these tests for ten minutes with new ones.
"""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.hostile.strategies import FUZZ
from tests.scheduler.test_clients import RECORDED

from entraide import i18n
from entraide.types import UNKNOWN_PLACE, JobKind
from entraide_scheduler.gateway.jobs import (
    Caller,
    FactsBuilder,
    Partitions,
    TokenEstimator,
    options,
)
from entraide_scheduler.gateway.refusals import (
    ErrorReply,
    Refused,
    check_schema,
    convert,
    read_object,
    refusals,
)
from entraide_scheduler.gateway.refusals.pattern_bounds import check_pattern
from entraide_scheduler.gateway.refusals.schema_bounds import COUNTS, LIMITS
from entraide_scheduler.gateway.requests import IGNORED, REQUESTS, JobRequest, openai
from entraide_scheduler.gateway.requests.endpoints import REPLACEMENTS
from entraide_scheduler.gateways.request_bounds import find_facts_fault

CODES = {"invalid_json", "invalid_request", "deadline_passed"}
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.integers(-(2**70), 2**70) | st.floats()
    | st.text(max_size=20)
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)
FIELDS = sorted({name for kind in REQUESTS.values() for name in kind.__struct_fields__})
NAMES = st.sampled_from([*FIELDS, *REPLACEMENTS, *sorted(IGNORED[openai.CHAT])]) | st.text(
    max_size=12
)
BODIES = [json.dumps(asked["body"]) for client in RECORDED for asked in RECORDED[client][:3]]
KEYWORDS = ("type", "items", "properties", "anyOf", "enum", "const", "$ref", "$defs", "required")
SCHEMA_NAMES = st.sampled_from((*COUNTS, *LIMITS, *KEYWORDS, "pattern")) | st.text(max_size=4)
SCHEMAS = st.recursive(
    SCALARS | st.sampled_from(("object", "array", "#", "#/$defs/a", "#/items", "^(a|b){1,9}$")),
    lambda inner: st.dictionaries(SCHEMA_NAMES, inner, max_size=5) | st.lists(inner, max_size=3),
    max_leaves=25,
)
MAKER = FactsBuilder(
    gateway="main",
    kept_gateway="main",
    place=UNKNOWN_PLACE,
    secret=bytes(32),
    token_estimator=TokenEstimator(),
    partitions=Partitions(bytes(32)),
)
CALLER = Caller("key-1", "alpha", "main")


def told(refusal: ErrorReply) -> None:
    """Checks that a refusal has an expected code, and a whole sentence in both languages."""
    assert refusal.code in CODES
    for lang in i18n.LANGUAGES:
        sentence = refusals.error_sentence(refusal, lang)

        assert i18n.HOLE not in sentence
        assert len(sentence) < 1_000
        assert not any(ord(sign) < 32 for sign in sentence)
    json.loads(refusals.error_body(refusal, "fr"))


def answer(path: str, body: bytes) -> None:
    """Reads a request as the gateway does, up to the facts that the core sees."""
    try:
        ask = openai.parse_request(path, body)
        facts = MAKER.build_facts(ask, CALLER, options.Options(), JobKind.LIVE)
    except Refused as refused:
        told(refused.refusal)
        return
    given = msgspec.json.decode(openai.encode_for_engine(ask, 9, model="m", stream=ask.stream))

    assert given.keys() <= set(REQUESTS[path].__struct_fields__)
    assert "" == find_facts_fault(facts, now=0.0)


@pytest.mark.fuzz
@FUZZ
@given(body=st.binary(max_size=200))
@pytest.mark.parametrize("path", openai.PATHS)
def test_any_bytes(path: str, body: bytes) -> None:
    """Bytes that are anything are answered or refused."""
    answer(path, body)


@pytest.mark.fuzz
@FUZZ
@given(fields=st.dictionaries(NAMES, VALUES, max_size=6))
@pytest.mark.parametrize("path", openai.PATHS)
def test_any_value_of_any_field(path: str, fields: dict[str, Any]) -> None:
    """A request with anything in any field is answered or refused."""
    usual = {"model": "m", "messages": [{"role": "user", "content": "a"}], "prompt": "a"}
    usual = {name: usual[name] for name in usual if name in REQUESTS[path].__struct_fields__}
    answer(path, json.dumps({**usual, **fields}).encode())


@pytest.mark.fuzz
@FUZZ
@given(body=st.sampled_from(BODIES), data=st.data())
def test_any_change_of_a_real_request(body: str, data: st.DataObject) -> None:
    """A real client's request with one value exchanged is answered or refused."""
    request = json.loads(body)
    place: Any = request
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inside = place[key]
        if not (isinstance(inside, dict | list) and inside) or data.draw(st.booleans()):
            place[key] = data.draw(VALUES)
            break
        place = inside
    answer(openai.CHAT, json.dumps(request).encode())


@pytest.mark.fuzz
@FUZZ
@given(fields=SCHEMAS.filter(lambda value: isinstance(value, dict)))
def test_any_schema(fields: Any) -> None:
    """A schema that is anything is accepted or refused."""
    try:
        read = read_object(json.dumps(fields).encode())
        check_schema(read, "response_format")
    except Refused as refused:
        told(refused.refusal)


@pytest.mark.fuzz
@FUZZ
@example("(" * 512)
@example("{" * 512)
@given(st.text(alphabet="ab()|*+?{},109[]\\^$.", max_size=60))
def test_any_pattern(pattern: str) -> None:
    """A pattern that is anything is accepted or refused."""
    try:
        check_pattern(pattern, "response_format")
    except Refused as refused:
        told(refused.refusal)


@pytest.mark.fuzz
@FUZZ
@given(st.dictionaries(st.sampled_from(("request", "path", "keep_s", "x")), VALUES))
def test_any_job(fields: dict[str, Any]) -> None:
    """A kept job that is anything is accepted or refused."""
    try:
        convert(read_object(json.dumps(fields).encode()), JobRequest)
    except Refused as refused:
        told(refused.refusal)


@pytest.mark.fuzz
@FUZZ
@given(
    headers=st.dictionaries(
        st.sampled_from([name.lower() for name in options.HTTP_NAMES.values()])
        | st.text(max_size=9).map(lambda end: f"x_entraide-{end}"),
        st.text(max_size=12) | st.floats().map(str) | st.dates().map(str),
    ),
    now=st.floats(1e9, 2e9),
)
def test_any_header(headers: dict[str, str], now: float) -> None:
    """Options that are anything are accepted or refused."""
    try:
        options.check_options(options.options_from_headers(headers), now)
    except Refused as refused:
        told(refused.refusal)

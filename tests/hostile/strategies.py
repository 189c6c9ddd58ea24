"""Hypothesis strategies for a node's messages: within the table of bounds, or anything at all."""

import enum
import types
import typing
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from msgspec import Struct
from tests.fuzzing import EXAMPLES

from entraide.wire import messages as m
from entraide_scheduler.node_validation import bounds

# Few examples in `make test`, more in `make fuzz`.
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
EXTREME_FLOATS = (float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 5e-324, -1.0, 0.0)
EXTREME_INTS = (-(2**63), -1, 0, 1, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1)


def within(kind: Any, bound: bounds.Bound) -> st.SearchStrategy[Any]:
    """Returns values of a type that a bound accepts, its ends often."""
    match bound:
        case bounds.NumberBound() if kind is int:
            low, high = int(bound.low), int(bound.high)
            return st.sampled_from((low, high)) | st.integers(low, high)
        case bounds.NumberBound():
            return st.sampled_from((bound.low, bound.high)) | st.floats(bound.low, bound.high)
        case bounds.TextBound(form=form) if form:
            return st.from_regex(r"[a-z_.:-]{1,12}", fullmatch=True)
        case bounds.TextBound():
            letters = st.characters(
                min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=("C", "Z")
            )
            return st.text(letters, min_size=1, max_size=min(12, bound.chars))
        case bounds.BytesBound():
            return st.binary(max_size=64)
        case bounds.ValuesBound():
            values = within(float, bound.number) | within(int, bound.number) | st.text(max_size=9)
            return st.dictionaries(st.sampled_from(("a", "b")), values, max_size=2)
        case bounds.ListBound():
            inner = _items(_lists(kind), bound)
            lists = st.lists(inner, max_size=min(3, bound.count)).map(tuple)
            return lists | st.none() if type(None) in _options(kind) else lists
        case bounds.StructBound():
            options = [option for option in _options(kind) if option is not type(None)]
            valid_values: st.SearchStrategy[Any] = valid(options[0])
            return valid_values | st.none() if type(None) in _options(kind) else valid_values
        case _:
            return anything(kind)


def _items(kind: Any, bound: bounds.ListBound) -> st.SearchStrategy[Any]:
    inner = typing.get_args(kind)[0]
    if len(bound.items) == 1:
        return within(inner, bound.items[0])
    parts = zip(typing.get_args(inner), bound.items, strict=True)
    return st.tuples(*(within(part, limit) for part, limit in parts))


def _lists(kind: Any) -> Any:
    """The list of a field that may also be absent, or have a constraint on its length."""
    options = [option for option in _unions(kind) if option is not type(None)]
    return typing.get_args(options[0])[0] if hasattr(options[0], "__metadata__") else options[0]


def _unions(kind: Any) -> tuple[Any, ...]:
    is_union = isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union
    return typing.get_args(kind) if is_union else (kind,)


def _options(kind: Any) -> tuple[Any, ...]:
    return _unions(kind)


def valid(struct: type[Struct]) -> st.SearchStrategy[Any]:
    """Returns structs whose every field is within its own bound."""
    rows = bounds.BOUNDS[struct]
    fields = {field.name: field.type for field in msgspec.structs.fields(struct)}
    return st.builds(struct, **{name: within(fields[name], row) for name, row in rows.items()})


def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Returns values of a type with no regard to bounds, extremes often."""
    if kind is int:
        return st.sampled_from(EXTREME_INTS) | st.integers(-(2**63), 2**64 - 1)
    if kind is float:
        return st.sampled_from(EXTREME_FLOATS) | st.floats()
    if kind is str:
        return st.text(max_size=70)
    if kind is bool:
        return st.booleans()
    if kind is bytes:
        return st.binary(max_size=200)
    if kind is type(None):
        return st.none()
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return st.sampled_from(list(kind))
    if isinstance(kind, type) and issubclass(kind, Struct):
        fields = msgspec.structs.fields(kind)
        return st.builds(kind, **{field.name: anything(field.type) for field in fields})
    return _anything_generic(kind)


def _anything_generic(kind: Any) -> st.SearchStrategy[Any]:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and args[-1] is Ellipsis:
        return st.lists(anything(args[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(anything, args))
    if origin is dict:
        return st.dictionaries(anything(args[0]), anything(args[1]), max_size=18)
    return st.one_of(*map(anything, args))


CONTROL = typing.get_args(m.NodeUp)
ANSWERS = typing.get_args(m.NodeOut)
any_control = st.one_of(*map(anything, CONTROL))
valid_control = st.one_of(*map(valid, CONTROL))
any_answer = st.one_of(*map(anything, ANSWERS))

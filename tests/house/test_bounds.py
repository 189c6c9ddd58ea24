"""Every field that a node sends has a bound: a new one cannot be forgotten."""

import typing

import msgspec
from msgspec import Struct
from tests.cases import all_cases

from entraide.wire import messages as m
from entraide_scheduler.node_validation.bounds import ANSWER_BYTES, BOUNDS, CONTROL_BYTES


def structs_in(kind: typing.Any) -> set[type[Struct]]:
    """The structs that a type is made of, those inside them too."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        inner = (field.type for field in msgspec.structs.fields(kind))
        return {kind}.union(*(structs_in(argument) for argument in inner))
    return set().union(*(structs_in(argument) for argument in typing.get_args(kind)))


SENT = sorted(structs_in(m.NodeUp) | structs_in(m.NodeOut), key=lambda kind: kind.__name__)


@all_cases("kind", SENT, ids=lambda kind: kind.__name__)
def test_each_field_has_a_bound(kind: type[Struct]) -> None:
    """The table has a row for each field of each struct that a node sends, and no other."""
    assert list(kind.__struct_fields__) == list(BOUNDS[kind])


def test_no_other_struct_has_bounds() -> None:
    """The table is about what nodes send."""
    assert set(SENT) == set(BOUNDS)


def test_each_message_has_a_size() -> None:
    """Each tag that a node may send has a largest size on its subject."""
    for union, sizes in ((m.NodeUp, CONTROL_BYTES), (m.NodeOut, ANSWER_BYTES)):
        tags = {kind.__struct_config__.tag for kind in typing.get_args(union)}

        assert tags == set(sizes)

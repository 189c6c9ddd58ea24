"""Check: compares a node's message with the table of bounds.

In: a decoded message. Out: the path of the first field that is out of bounds, or "". The counts of
a run's usage are clipped instead, because a run that has ended must be settled; the core then
limits them to the lease's grant.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from entraide.printable import is_printable
from entraide.types import Basis, EnergyStatus, NodeCard, Power, Usage
from entraide.wire import messages as m
from entraide_scheduler.node_validation.bounds import (
    BOUNDS,
    DERIVED_BOUNDS,
    Bound,
    BytesBound,
    EnumBound,
    ListBound,
    NumberBound,
    StructBound,
    TextBound,
    ValuesBound,
)

FindFault = Callable[[Any], str | None]  # the path below a value ("" for itself); None without one

WithUsage = TypeVar("WithUsage", m.UsageReport, m.RunEnded)


def read_tag(data: bytes) -> str:
    """Returns the tag of an encoded message without decoding the rest; "" if it has none.

    A message is a MessagePack array whose first item is a short string.
    """
    if len(data) < 2 or not 0x90 < data[0] <= 0x9F or not 0xA0 < data[1] <= 0xBF:
        return ""
    return data[2 : 2 + (data[1] & 0x1F)].decode("ascii", "replace")


def find_size_fault(data: bytes, limits: Mapping[str, int]) -> str:
    """Returns the reason to drop an encoded message before decoding it, or "".

    Args:
        data: the message.
        limits: maximum bytes by tag, for the messages of its subject.
    """
    limit = limits.get(read_tag(data))
    if limit is None:
        return "undecodable"
    return "too_large" if len(data) > limit else ""


def find_fault(message: Struct) -> str:
    """Returns the path of the first field that is out of bounds, or ""."""
    if isinstance(message, m.Hello):
        return _struct_fault(message) or _card_fault(message.card)
    if isinstance(message, m.Heartbeat):
        return _struct_fault(message) or _energy_fault(message.energy)
    return _struct_fault(message)


def clip_message_usage(message: WithUsage) -> WithUsage:
    """Returns a message with its usage clipped to the bounds."""
    clipped = clip_usage(message.usage)
    return message if clipped is message.usage else msgspec.structs.replace(message, usage=clipped)


def clip_usage(usage: Usage) -> Usage:
    """Returns a usage with each number clipped to its bounds; the same object if all fit."""
    changed: dict[str, float] = {}
    for name, bound in BOUNDS[Usage].items():
        if isinstance(bound, NumberBound):
            value = getattr(usage, name)
            if not bound.low <= value <= bound.high:
                changed[name] = _clip(value, bound)
    cached = changed.get("cached_tokens", usage.cached_tokens)
    if cached > changed.get("input_tokens", usage.input_tokens):
        changed["cached_tokens"] = 0
    return msgspec.structs.replace(usage, **changed) if changed else usage


def _clip(value: float, bound: NumberBound) -> float:
    """Returns the nearer bound, of the value's type; the lower bound for NaN."""
    return type(value)(bound.high if value > bound.high else bound.low)


def _struct_fault(struct: Struct) -> str:
    for name, find in _FIELDS[type(struct)]:
        path = find(getattr(struct, name))
        if path is not None:
            return f"{name}.{path}" if path else name
    return ""


def _make_find_fault(bound: Bound) -> FindFault:
    """Returns what finds the fault of a value: a closure, for it is called for each token."""
    match bound:
        case NumberBound(low=low, high=high):
            return lambda value: None if low <= value <= high else ""
        case TextBound():
            return lambda value: None if _is_text(value, bound) else ""
        case BytesBound(size=size):
            return lambda value: None if len(value) <= size else ""
        case ListBound():
            items = tuple(map(_make_find_fault, bound.items))
            return lambda value: None if value is None else _listed_fault(value, bound.count, items)
        case ValuesBound():
            return lambda value: None if _are_values(value, bound) else ""
        case StructBound():
            return lambda value: None if value is None else _struct_fault(value) or None
        case EnumBound():
            return lambda _value: None


def _is_text(value: str, bound: TextBound) -> bool:
    if len(value) > bound.chars or (bound.form and not re.fullmatch(bound.form, value)):
        return False
    return bound.free or is_printable(value)


def _listed_fault(value: tuple[Any, ...], count: int, items: tuple[FindFault, ...]) -> str | None:
    if len(value) > count:
        return ""
    paths: Iterator[str | None]
    if len(items) == 1:
        paths = map(items[0], value)
    else:
        paths = (find(element) for item in value for element, find in zip(item, items, strict=True))
    return next((element for element in paths if element is not None), None)


def _are_values(values: dict[str, str | int | float], bound: ValuesBound) -> bool:
    if len(values) > bound.count:
        return False
    for name, value in values.items():
        if len(name) > bound.name_chars or not is_printable(name):
            return False
        if isinstance(value, str):
            if not _is_text(value, bound.text):
                return False
        elif not (math.isfinite(value) and bound.number.low <= value <= bound.number.high):
            return False
    return True


def _card_fault(card: NodeCard) -> str:
    """Returns the path of an inconsistency between fields of a card, or ""."""
    if card.power.idle_w > card.power.active_w:
        return "card.power.active_w"
    models = [replica.model for replica in card.replicas]
    if len(set(models)) != len(models) or not all(models):
        return "card.replicas.model"
    if not all(offer.model for offer in card.loadable):
        return "card.loadable.model"
    return _energy_fault(card.energy) or _product_fault(card.power, card)


def _energy_fault(energy: EnergyStatus | None) -> str:
    is_allowed = energy is None or energy.basis in (Basis.MEASURED, Basis.DECLARED)
    return "" if is_allowed else "energy.basis"


def _product_fault(power: Power, card: NodeCard) -> str:
    for replica in card.replicas:
        for product in DERIVED_BOUNDS:
            value = product.value(power, replica.rates, replica.slots)
            if not product.low <= value <= product.high:
                return f"card.replicas.{product.name}"
    return ""


_FIELDS: Mapping[type[Struct], tuple[tuple[str, FindFault], ...]] = {
    kind: tuple(
        (name, _make_find_fault(bound))
        for name, bound in bounds.items()
        if not isinstance(bound, EnumBound)
    )
    for kind, bounds in BOUNDS.items()
}

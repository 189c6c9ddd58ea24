"""Check: compares a node's message with the table of bounds.

In: a decoded message. Out: the path of the first field that is out of bounds, or "". The counts of
a run's usage are clipped instead, because a run that has ended must be settled; the core then
limits them to the lease's grant.
"""

import math
from collections.abc import Iterator, Mapping
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
    ListBound,
    NumberBound,
    StructBound,
    TextBound,
    ValuesBound,
)

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
    for name, bound in BOUNDS[type(struct)].items():
        path = _value_fault(getattr(struct, name), bound)
        if path is not None:
            return f"{name}.{path}" if path else name
    return ""


def _value_fault(value: Any, bound: Bound) -> str | None:
    """Returns the path of a fault below a value ("" for the value itself); None without one."""
    match bound:
        case NumberBound():
            return None if bound.low <= value <= bound.high else ""
        case TextBound():
            return None if _is_text(value, bound) else ""
        case BytesBound():
            return None if len(value) <= bound.size else ""
        case ListBound():
            return _listed_fault(value, bound)
        case ValuesBound():
            return None if _are_values(value, bound) else ""
        case StructBound() if value is not None:
            return _struct_fault(value) or None
    return None


def _is_text(value: str, bound: TextBound) -> bool:
    return len(value) <= bound.chars and (bound.free or is_printable(value))


def _listed_fault(value: tuple[Any, ...], bound: ListBound) -> str | None:
    if len(value) > bound.count:
        return ""
    paths: Iterator[str | None]
    if len(bound.items) == 1:
        paths = (_value_fault(item, bound.items[0]) for item in value)
    else:
        paths = (
            _value_fault(element, inner)
            for item in value
            for element, inner in zip(item, bound.items, strict=True)
        )
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

"""Struct samples: a value of any struct type, and the places of all structs within a value."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, get_args

import msgspec
from msgspec import Struct, structs

Path = tuple[str | int, ...]
PLAIN: Mapping[type, Any] = {str: "x", int: 1, float: 1.0, bool: False}


def make_sample(kind: type[Struct], given: Mapping[type, Mapping[str, Any]]) -> Any:
    """Returns a value that holds at least one struct of each type in its annotations.

    Args:
        kind: the struct's type.
        given: values of fields, by struct, where not every value is sound.
    """
    values = dict(given.get(kind, {}))
    for field in structs.fields(kind):
        if field.name in values:
            continue
        inner = find_struct(field.type)
        if inner is not None and field.default in (msgspec.NODEFAULT, None, ()):
            sample = make_sample(inner, given)
            values[field.name] = (sample,) if get_args(field.type)[-1:] == (...,) else sample
        elif inner is not None and not isinstance(field.default, tuple):
            values[field.name] = make_sample(inner, given)
        elif field.required:
            values[field.name] = _plain_sample(field.type)
    return kind(**values)


def find_struct(kind: Any) -> type[Struct] | None:
    """Returns the struct type that a type is, or holds; None without one."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return kind
    return next(filter(None, map(find_struct, get_args(kind))), None)


def _plain_sample(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    arguments = get_args(kind)
    if arguments and arguments[-1] is ...:
        return (_plain_sample(arguments[0]),)
    return _plain_sample(arguments[0]) if arguments else PLAIN[kind]


def list_paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yields the paths of all structs within a value: names of fields and positions in tuples."""
    if isinstance(value, tuple):
        for position, item in enumerate(value):
            yield from list_paths(item, (*path, position))
    if isinstance(value, Struct):
        yield path
        for name in value.__struct_fields__:
            yield from list_paths(getattr(value, name), (*path, name))


def get_at(value: Any, path: Path) -> Any:
    """Returns what stands at a path."""
    for step in path:
        value = getattr(value, step) if isinstance(step, str) else value[step]
    return value


def replace_at(value: Any, path: Path, **changes: Any) -> Any:
    """Returns a value in which the struct at a path has other fields."""
    if not path:
        return structs.replace(value, **changes)
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        return structs.replace(value, **{step: replace_at(getattr(value, step), rest, **changes)})
    return (*value[:step], replace_at(value[step], rest, **changes), *value[step + 1 :])


def caught(check: Callable[[], Iterable[str]]) -> list[str]:
    """Returns what a check yields; an exception counts as one more."""
    losses: list[str] = []
    try:
        losses.extend(check())
    except Exception as problem:  # noqa: BLE001  (whatever a list of fields raises is its fault)
        losses.append(f"{type(problem).__name__}: {problem}")
    return losses

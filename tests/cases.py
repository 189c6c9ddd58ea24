"""Many cases in one test: it tries all of them, and names each one that fails.

``pytest.mark.parametrize`` makes a test of each case. Collecting, distributing and reporting a test
costs some milliseconds, often more than the case itself. ``all_cases`` stands where ``parametrize``
would, for cases that are quick and share nothing, and gives them the same names.
"""

import functools
import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAME_CHARACTERS_MAX = 100
Test = Callable[..., None]
Cases = Callable[[], Iterable[tuple[str, dict[str, Any]]]]  # each case's name and its arguments


def all_cases(
    names: str | Sequence[str],
    values: Iterable[Any] | Callable[[], Iterable[Any]],
    ids: Iterable[str] | Callable[[Any], str] | None = None,
) -> Callable[[Test], Test]:
    """Makes a test of a function and the cases of one or several of its arguments.

    Where it stands more than once, the cases are all combinations, as with ``parametrize``.

    Args:
        names: the argument that takes each value, or the arguments that take each tuple of values.
        values: the cases, or a function that returns them; it is called when the test runs, which
            keeps work out of the collection of tests.
        ids: the cases' names, or a function that names a value; without them the values say them.
    """

    def decorate(function: Test) -> Test:
        assert not inspect.iscoroutinefunction(function), "nothing would await its cases"
        inner: Cases = getattr(function, "cases", lambda: [("", {})])
        body = getattr(function, "body", function)

        def cases() -> Iterator[tuple[str, dict[str, Any]]]:
            own = list(_named(names, values if isinstance(values, Iterable) else values(), ids))
            for case, arguments in inner():
                for name, more in own:
                    yield f"{case}-{name}" if case else name, arguments | more

        @functools.wraps(body)
        def test(*given: Any, **fixtures: Any) -> None:
            count, faults = 0, []
            for name, arguments in cases():
                count += 1
                try:
                    body(*given, **fixtures, **arguments)
                except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  (it is reported)
                    faults.append(f"[{name}] {_describe(error)}")
            if faults or not count:
                pytest.fail("\n".join([f"{len(faults)} of {count} cases fail", *faults]), False)

        signature = inspect.signature(function)
        taken = {names} if isinstance(names, str) else set(names)
        fixtures = [item for name, item in signature.parameters.items() if name not in taken]
        vars(test).update(
            cases=cases, body=body, __signature__=signature.replace(parameters=fixtures)
        )
        return test

    return decorate


def _named(
    names: str | Sequence[str], values: Iterable[Any], ids: Any
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields each case's name and arguments."""
    given = [] if ids is None or callable(ids) else list(ids)
    for index, value in enumerate(values):
        case = {names: value} if isinstance(names, str) else dict(zip(names, value, strict=True))
        if callable(ids):
            parts = [ids(item) for item in case.values()]
        elif ids is not None:
            parts = [given[index]]
        else:
            parts = [_name(item, f"{name}{index}") for name, item in case.items()]
        yield "-".join(parts), case


def _name(value: Any, otherwise: str) -> str:
    """A value's name as ``parametrize`` gives it."""
    if isinstance(value, str) and len(value) > NAME_CHARACTERS_MAX:
        return otherwise
    if isinstance(value, str | int | float | Enum | None):
        return str(value)
    return str(getattr(value, "__name__", otherwise))


def _describe(error: BaseException) -> str:
    """Where a case failed, and how."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    path = Path(last.filename)
    place = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return f"{place}:{last.lineno} {type(error).__name__}: {error}"

"""Message catalogue: the Fluent messages of one language, each parsed when it is first used.

It decides how a value enters a sentence: numbers are rounded and bounded, control characters are
taken out, long values are shortened. So a sentence always comes out whole, whatever a value holds.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from fluent.runtime import FluentBundle, FluentResource
from fluent.runtime.types import FluentType, fluent_number
from fluent.syntax import ast
from fluent.syntax.visitor import Visitor

from entraide.language import LANGUAGES
from entraide.printable import shortened

Value = str | int | float


class AbsentValue(str):
    """The value that was not given, by its class: somebody's text may read ``none``, too."""

    __slots__ = ()


ABSENT: Final = AbsentValue("none")
HOLE = "⟨?⟩"  # what a sentence shows in the place of a value that it needs and was not given
NUMBER_MAX = 1e15  # a larger number is written as a power of ten
# Characters of one value that a sentence shows. Fluent gives up on a part of more than 2,500, so a
# sentence with many long values is made again with shorter ones.
VALUE_CHARS_MAX = (1_000, 300, 80)

_ENTRY = re.compile(r"^([a-zA-Z][\w-]*) =", re.MULTILINE)
_NEXT = re.compile(r"^[a-zA-Z#]", re.MULTILINE)


class _Absent(FluentType):
    """A value that was not given: ``none`` to a selector, a hole in a sentence."""

    def __eq__(self, other: object) -> bool:
        return other == ABSENT

    def __hash__(self) -> int:
        return hash(ABSENT)

    def format(self, _: Any) -> str:
        return HOLE


class _Variables(Visitor):
    """Collects the names of the values that a message uses."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_VariableReference(self, node: Any) -> None:  # noqa: N802
        self.names.add(node.id.name)


class Catalogue:
    """The messages of one language."""

    def __init__(self, lang: str) -> None:
        text = (files("entraide") / "locales" / f"{lang}.ftl").read_text("utf-8")
        self._sources = dict(_entries(text))
        self._bundle = FluentBundle([f"{lang}-CA"], use_isolating=False)
        self._variables: dict[str, dict[str, frozenset[str]]] = {}

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the messages, in the order of the file; attributes left out."""
        return tuple(self._sources)

    def has(self, code: str) -> bool:
        """Whether there is a message, or an attribute ``code.attribute``, of that code."""
        name, _, attribute = code.partition(".")
        return name in self._sources and (not attribute or code in self._parsed(name))

    def variables(self, code: str) -> frozenset[str]:
        """Returns the names of the values that a message uses; none for an unknown code."""
        return self._parsed(code.partition(".")[0]).get(code, frozenset())

    def format(self, code: str, values: Mapping[str, Value]) -> str:
        """Returns the sentence of a code; the code where the message has attributes only."""
        name, _, attribute = code.partition(".")
        variables = self.variables(code)
        message = self._bundle.get_message(name)
        pattern = message.attributes[attribute] if attribute else message.value
        if pattern is None:
            return code
        for chars_max in VALUE_CHARS_MAX:
            given = {key: _fluent(values.get(key, ABSENT), chars_max) for key in variables}
            formatted, problems = self._bundle.format_pattern(pattern, given)
            if not any(isinstance(problem, ValueError) for problem in problems):
                return str(formatted)
        return code

    def _parsed(self, name: str) -> dict[str, frozenset[str]]:
        """The values of a message and of its attributes by code; parses it the first time."""
        if name not in self._variables:
            resource = FluentResource(self._sources.get(name, ""))
            self._bundle.add_resource(resource)
            self._variables[name] = {
                code: _names(pattern)
                for entry in resource.body
                if isinstance(entry, ast.Message)
                for code, pattern in (
                    (name, entry.value),
                    *((f"{name}.{one.id.name}", one.value) for one in entry.attributes),
                )
            }
        return self._variables[name]


@cache
def catalogue(lang: str) -> Catalogue:
    """Returns the catalogue of a language."""
    assert lang in LANGUAGES
    return Catalogue(lang)


def digits(value: float) -> int:
    """Returns how many decimals leave three significant digits, six at most."""
    size, count = abs(value), 2 if abs(value) < 10 else 1
    while 0 < size < 1 and count < 6:
        size, count = size * 10, count + 1
    return count


def is_large(value: float) -> bool:
    """Whether a number is infinite, no number, or too large for digits in groups."""
    return not -NUMBER_MAX <= value <= NUMBER_MAX


def power_of_ten(value: float) -> str:
    """Returns a large number in short: ``1.2e+20``, ``inf``."""
    try:
        return f"{float(value):.3g}"
    except OverflowError:
        return "inf" if value > 0 else "-inf"


def _entries(text: str) -> list[tuple[str, str]]:
    """The messages of a file, each with its code and its lines."""
    found = []
    for start in _ENTRY.finditer(text):
        end = _NEXT.search(text, start.end())
        found.append((start[1], text[start.start() : end.start() if end else len(text)]))
    return found


def _names(pattern: Any) -> frozenset[str]:
    reader = _Variables()
    if pattern is not None:
        reader.visit(pattern)
    return frozenset(reader.names)


def _fluent(value: Value, chars_max: int) -> Any:
    """A value as Fluent writes it: three significant digits are enough for a person."""
    if isinstance(value, AbsentValue):
        return _Absent()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        if is_large(value):
            return power_of_ten(value)
        whole = isinstance(value, int) or abs(value) >= 100
        return fluent_number(value, maximumFractionDigits=0 if whole else digits(value))
    return shortened(str(value), chars_max)

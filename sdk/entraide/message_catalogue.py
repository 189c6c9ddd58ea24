"""Message catalogue: the Fluent messages of one language, each parsed when it is first used.

Values are made safe before they enter a sentence: numbers are rounded and bounded, control
characters are removed, long values are shortened. So formatting never fails, whatever the values.
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

from entraide.coop_names import with_word
from entraide.language import LANGUAGES
from entraide.printable import shortened

Value = str | int | float


class AbsentValue(str):
    """A missing value. It has a class of its own because a real text may read ``none`` too."""

    __slots__ = ()


ABSENT: Final = AbsentValue("none")
HOLE = "⟨?⟩"  # shown in place of a missing value
NUMBER_MAX = 1e15  # a larger number is written as a power of ten
# Maximum length of one value, characters. Fluent refuses a part of more than 2,500 characters, so a
# sentence that it refuses is formatted again with the next shorter maximum.
VALUE_CHARS_MAX = (1_000, 300, 80)

_ENTRY = re.compile(r"^([a-zA-Z][\w-]*) =", re.MULTILINE)
_NEXT = re.compile(r"^[a-zA-Z#]", re.MULTILINE)


class _Absent(FluentType):
    """A missing value for Fluent: ``none`` to a selector, ``HOLE`` in a sentence."""

    def __eq__(self, other: object) -> bool:
        return other == ABSENT

    def __hash__(self) -> int:
        return hash(ABSENT)

    def format(self, _: Any) -> str:
        return HOLE


class _Variables(Visitor):
    """Collects the names of the values and of the other messages that a message uses."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.messages: set[str] = set()

    def visit_VariableReference(self, node: Any) -> None:  # noqa: N802
        self.names.add(node.id.name)

    def visit_MessageReference(self, node: Any) -> None:  # noqa: N802
        self.messages.add(node.id.name)


class MessageCatalogue:
    """The messages of one language."""

    def __init__(self, lang: str) -> None:
        text = (files("entraide") / "locales" / f"{lang}.ftl").read_text("utf-8")
        self._sources = dict(_entries(text))
        functions: dict[str, Any] = {"COOP": _coop}
        self._bundle = FluentBundle([f"{lang}-CA"], functions=functions, use_isolating=False)
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
        """Returns the sentence of a code; the code itself where the message has attributes only."""
        name, _, attribute = code.partition(".")
        variables = self.variables(code)
        message = self._bundle.get_message(name)
        pattern = message.attributes[attribute] if attribute else message.value
        if pattern is None:
            return code
        for chars_max in VALUE_CHARS_MAX:
            given = {key: _to_fluent(values.get(key, ABSENT), chars_max) for key in variables}
            formatted, problems = self._bundle.format_pattern(pattern, given)
            if not any(isinstance(problem, ValueError) for problem in problems):
                return str(formatted)
        return code

    def _parsed(self, name: str) -> dict[str, frozenset[str]]:
        """Value names of a message and of its attributes, by code; parses it at first use."""
        if name not in self._variables:
            resource = FluentResource(self._sources.get(name, ""))
            self._bundle.add_resource(resource)
            self._variables[name] = {
                code: self._names(pattern)
                for entry in resource.body
                if isinstance(entry, ast.Message)
                for code, pattern in (
                    (name, entry.value),
                    *((f"{name}.{item.id.name}", item.value) for item in entry.attributes),
                )
            }
        return self._variables[name]

    def _names(self, pattern: Any) -> frozenset[str]:
        """Names of the values of a pattern and of the messages that it refers to."""
        collector = _Variables()
        if pattern is not None:
            collector.visit(pattern)
        return frozenset(collector.names).union(*map(self.variables, sorted(collector.messages)))


def _coop(name: Any, word: str) -> str:
    """The function ``COOP($name, "word")`` of the catalogues."""
    return with_word(HOLE if isinstance(name, _Absent) else str(name), word)


@cache
def catalogue(lang: str) -> MessageCatalogue:
    """Returns the catalogue of a language."""
    assert lang in LANGUAGES
    return MessageCatalogue(lang)


def digits(value: float) -> int:
    """Returns the number of decimals that gives three significant digits, at most six."""
    size, count = abs(value), 2 if abs(value) < 10 else 1
    while 0 < size < 1 and count < 6:
        size, count = size * 10, count + 1
    return count


def is_large(value: float) -> bool:
    """Whether a number is infinite, NaN, or too large to be written out."""
    return not -NUMBER_MAX <= value <= NUMBER_MAX


def power_of_ten(value: float) -> str:
    """Returns a large number in scientific notation: ``1.2e+20``, ``inf``."""
    try:
        return f"{float(value):.3g}"
    except OverflowError:
        return "inf" if value > 0 else "-inf"


def _entries(text: str) -> list[tuple[str, str]]:
    """The messages of a file, each with its code and its lines."""
    entries = []
    for start in _ENTRY.finditer(text):
        end = _NEXT.search(text, start.end())
        entries.append((start[1], text[start.start() : end.start() if end else len(text)]))
    return entries


def _to_fluent(value: Value, chars_max: int) -> Any:
    """Converts a value for Fluent; a number keeps three significant digits."""
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

"""Templates of questions, and the items that a seed makes from them.

Input: the files of ``items`` (TOML) and a seed. Output: items, each a question with what is asked
of its answer. A template has slots; each item draws their values by SHA-256 of the seed, so that
the same seed gives the same items on every machine. Templates are data: each names its check by
the words of ``checkers``, and may be written by somebody who has not read these.
"""

import ast
import hashlib
import operator
import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

import msgspec
from msgspec import Struct

from entraide.decoding import decode_toml
from entraide.enums import Task
from entraide.evaluation.checkers import (
    Check,
    ChoiceCheck,
    DateCheck,
    NumberCheck,
    PassageCheck,
    TextCheck,
)
from entraide.evaluation.quantities import format_date, format_number

ITEMS_VERSION = "3"  # changes with each change of a template or checker
DRAWS_MAX = 10_000  # of one cell, until its templates give no further item
FILLS = 2  # a row's text may name slots
REDRAWS_MAX = 50  # of slots that must differ
_PLACE = re.compile(r"\{(\w+)(?::(\d))?\}")  # a slot; and how many decimals to write
_OPERATORS = MappingProxyType(
    {
        ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
        ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    }
)  # fmt: skip

Value = str | Fraction | date


class Range(Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """Whole numbers from ``from`` to ``to``, in steps, divided by ``per``."""

    start: int
    end: int
    step: int = 1
    per: int = 1


class Days(Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "since"}):
    """Days from ``since`` on."""

    start: date
    days: int


class Template(Struct, frozen=True, forbid_unknown_fields=True):
    """A template of questions; its texts name slots in braces.

    Attributes:
        id: its name.
        prompt: the question.
        check: name of the checker.
        slots: by name, whole numbers or a list of texts.
        days: by name, days.
        rows: lists of rows; one row of each list is drawn, and gives the values of its keys.
        let: values that expressions of slots give, in order.
        distinct: groups of slots whose values differ.
        value, unit, tolerance: of ``number``: an expression, and see ``NumberCheck``; of ``date``
            the name of a slot.
        accept, refuse: of ``text``.
        options, right: of ``choice``; ``right`` is an option's first form, or names a slot.
        require, forbid, words_max, words_min, sentences_max, answer_language: of ``passage``.
        example: a right answer; required of ``passage``.
    """

    id: str
    prompt: str
    check: Literal["number", "text", "choice", "date", "passage"]
    slots: dict[str, Range | tuple[str, ...]] = {}
    days: dict[str, Days] = {}
    rows: dict[str, tuple[dict[str, str | int], ...]] = {}
    let: dict[str, str] = {}
    distinct: tuple[tuple[str, ...], ...] = ()
    value: str = ""
    unit: str = ""
    tolerance: float = 0.0
    accept: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    options: tuple[tuple[str, ...], ...] = ()
    right: str = ""
    require: tuple[tuple[str, ...], ...] = ()
    forbid: tuple[str, ...] = ()
    words_max: int = 200
    words_min: int = 1
    sentences_max: int = 0
    answer_language: str = ""
    example: str = ""


class TemplateFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of templates of one cell.

    Attributes:
        task, language: the cell.
        template: the templates.
    """

    task: Task
    language: Literal["fr", "en"]
    template: tuple[Template, ...]


class Item(Struct, frozen=True):
    """A question and what is asked of its answer.

    Attributes:
        name: its name in a batch (``fr-compute-17``).
        template: identifier of the template.
        task, language: its cell.
        prompt: the question.
        check: what is asked of the answer.
        example: a right answer.
    """

    name: str
    template: str
    task: Task
    language: str
    prompt: str
    check: Check
    example: str


@cache
def load_templates() -> Mapping[tuple[Task, str], tuple[Template, ...]]:
    """Returns the templates that come with this version, by cell, each cell's by name."""
    cells: dict[tuple[Task, str], list[Template]] = {}
    for path in sorted((files("entraide.evaluation") / "items").iterdir(), key=lambda p: p.name):
        if path.name.endswith(".toml"):
            file = msgspec.convert(decode_toml(path.read_text("utf-8")), TemplateFile)
            cells.setdefault((file.task, file.language), []).extend(file.template)
    return {cell: tuple(sorted(listed, key=lambda t: t.id)) for cell, listed in cells.items()}


def digest(templates: tuple[Template, ...]) -> str:
    """Returns the SHA-256 of a cell's templates, hexadecimal."""
    return hashlib.sha256(msgspec.json.encode(templates)).hexdigest()


def make_items(
    templates: tuple[Template, ...], task: Task, language: str, *, seed: int
) -> Iterator[Item]:
    """Yields the items of a cell, none twice, until its templates give no further one."""
    prompts: set[str] = set()
    for number in range(DRAWS_MAX):
        draw = _Draw(f"{ITEMS_VERSION}/{seed}/{task}/{language}/{number}")
        template = templates[draw.below("template", len(templates))]
        item = make_item(template, task, language, draw=draw, number=number)
        if item.prompt not in prompts:
            prompts.add(item.prompt)
            yield item


class _Draw:
    """Random draws from a text; the same text and name give the same draw."""

    def __init__(self, text: str) -> None:
        self._text = text

    def below(self, name: str, bound: int) -> int:
        """Returns a number from 0 on and below the bound."""
        drawn = hashlib.sha256(f"{self._text}/{name}".encode()).digest()
        return int.from_bytes(drawn[:8], "big") % bound


def make_item(template: Template, task: Task, language: str, *, draw: _Draw, number: int) -> Item:
    """Returns one item of a template."""
    values = _draw_values(template, draw)
    for name, expression in template.let.items():
        values[name] = _compute(expression, values)

    def fill(text: str) -> str:
        for _ in range(FILLS):
            text = _PLACE.sub(lambda match: _written(values[match[1]], language, match[2]), text)
        return text

    check = _make_check(template, values, fill)
    return Item(
        name=f"{language}-{task}-{number}",
        template=template.id,
        task=task,
        language=language,
        prompt=fill(template.prompt).strip(),
        check=check,
        example=fill(template.example) or _write_example(check, language),
    )


def _draw_values(template: Template, draw: _Draw) -> dict[str, Value]:
    for attempt in range(REDRAWS_MAX):
        values: dict[str, Value] = {}
        for name, rows in template.rows.items():
            row = rows[draw.below(f"{name}/{attempt}", len(rows))]
            values |= {key: v if isinstance(v, str) else Fraction(v) for key, v in row.items()}
        for name, slot in template.slots.items():
            values[name] = _draw_slot(slot, draw, f"{name}/{attempt}")
        for name, days in template.days.items():
            shift = draw.below(f"{name}/{attempt}", days.days)
            values[name] = days.start + timedelta(days=shift)
        if all(len({values[n] for n in group}) == len(group) for group in template.distinct):
            return values
    raise ValueError(f"{template.id}: no distinct values")


def _draw_slot(slot: Range | tuple[str, ...], draw: _Draw, name: str) -> Value:
    if isinstance(slot, tuple):
        return slot[draw.below(name, len(slot))]
    count = (slot.end - slot.start) // slot.step + 1
    return Fraction(slot.start + slot.step * draw.below(name, count), slot.per)


def _compute(expression: str, values: Mapping[str, Value]) -> Fraction:
    """Returns the number that an expression of names, whole numbers and ``+ - * / // %`` gives."""

    def walk(node: ast.expr) -> Fraction:
        match node:
            case ast.BinOp(left=left, op=op, right=right):
                return Fraction(_OPERATORS[type(op)](walk(left), walk(right)))
            case ast.Name(id=name):
                value = values[name]
                if isinstance(value, Fraction):
                    return value
            case ast.Constant(value=int(number)):
                return Fraction(number)
        raise ValueError(f"{expression}: not an expression of numbers")

    return walk(ast.parse(expression, mode="eval").body)


def _written(value: Value, language: str, decimals: str | None) -> str:
    if isinstance(value, Fraction):
        return format_number(float(value), language, decimals_min=int(decimals or 0))
    return format_date(value, language) if isinstance(value, date) else value


def _make_check(template: Template, values: Mapping[str, Value], fill: Any) -> Check:
    match template.check:
        case "number":
            number = float(_compute(template.value, values))
            return NumberCheck(number, template.unit, template.tolerance)
        case "text":
            return TextCheck(tuple(map(fill, template.accept)), tuple(map(fill, template.refuse)))
        case "date":
            day = values[template.value]
            if not isinstance(day, date):
                raise ValueError(f"{template.id}: {template.value} is no slot of days")
            return DateCheck(day)
        case "choice":
            options = tuple(tuple(map(fill, forms)) for forms in template.options)
            right = fill(template.right)
            return ChoiceCheck(options, [forms[0] for forms in options].index(right))
        case "passage":
            return PassageCheck(
                require=tuple(tuple(map(fill, group)) for group in template.require),
                forbid=tuple(map(fill, template.forbid)),
                words_max=template.words_max,
                words_min=template.words_min,
                sentences_max=template.sentences_max,
                language=template.answer_language,
            )


def _write_example(check: Check, language: str) -> str:
    """Returns the shortest right answer."""
    match check:
        case NumberCheck():
            return format_number(check.value, language)
        case TextCheck():
            return check.accept[0]
        case DateCheck():
            return format_date(check.value, language)
        case ChoiceCheck():
            return check.options[check.right][0]
        case PassageCheck():
            raise ValueError("a passage needs an example")

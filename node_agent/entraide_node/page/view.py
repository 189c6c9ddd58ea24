"""View: the owner page as HTML.

Input: ``PageContent``. Output: HTML; every text comes from the message catalogue, and the template
escapes every value. The page works without scripts, in French and in English.
"""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined, Template
from msgspec import Struct

from entraide import i18n
from entraide.types import DataClass
from entraide_node.core.owner_terms import DAYS, OwnerTerms
from entraide_node.owner.terms_file import BOUNDS
from entraide_node.page.changes import DAY_CHARS, UNITS, number_with_unit, term_name
from entraide_node.page.fields import TEXT_CHARS_MAX, Fields, FormProblem, field_text
from entraide_node.page.form import CHOICES, DURATIONS, number_of
from entraide_node.page.given_figures import GivenFigures
from entraide_node.page.hours_rows import row_numbers
from entraide_node.page.machine_summary import MachineNow

STYLE_NAME, FRAME_NAME, FORM_NAME = "style.css", "page.html", "form.html"
ECHO_CHARS_MAX = 60  # of a faulty field's content in the sentence on it
PROGRAM_LINES = 3


class Notice(Struct, frozen=True):
    """What happened to the last form: a sentence, and a list of what changes."""

    text: str
    changes: Sequence[str] = ()
    good: bool = True


class PageContent(Struct, frozen=True, kw_only=True):
    """The content of the page.

    Attributes:
        lang: of the reader.
        node: name of the node.
        now: what the machine does now.
        given: what it gave; None if the pool does not tell it.
        paused: whether its owner paused it.
        give_back_s: how long running jobs may continue after a pause, seconds.
        start_command: command that starts a stopped agent.
        path: of the owner's file.
        csrf: token that the form must send back.
        fields: of the form.
        allowed: data classes that the node's configuration allows.
        problems: faulty fields.
        notices: what happened to the last form, and faults of the owner's file.
        focus: field that gets the focus; "" for none.
    """

    lang: str
    node: str
    now: MachineNow
    given: GivenFigures | None
    paused: bool
    give_back_s: float
    start_command: str
    path: str
    csrf: str
    fields: Fields
    allowed: Sequence[DataClass]
    problems: Sequence[FormProblem] = ()
    notices: Sequence[Notice] = ()
    focus: str = ""


def read_asset(name: str) -> str:
    """Returns a file of the page."""
    return (files("entraide_node") / "page" / name).read_text("utf-8")


def render_page(content: PageContent) -> str:
    """Returns the page."""
    lang, fields = content.lang, content.fields
    sentences = {each.field: problem_sentence(each, lang) for each in content.problems}
    return _template().render(
        content=content,
        say=_sayer(lang),
        other="en" if lang == "fr" else "fr",
        sentences=sentences,
        problem_list=[
            (each.field, _field_name(each.field, lang), sentences[each.field])
            for each in content.problems
        ],
        rows=row_numbers(fields),
        days=[(str(day), *_split_day(day, lang)) for day in range(len(DAYS))],
        choices=CHOICES,
        data_classes=list(DataClass),
        value=lambda key: _shown_value(fields, key, lang),
        default=lambda key: number_with_unit(number_of(OwnerTerms(), key), key, lang),
        unit=lambda key: i18n.text(f"page-unit-{UNITS[key.rpartition('.')[2]]}", lang),
        durations=DURATIONS,
        chars_max=TEXT_CHARS_MAX,
        program_lines=PROGRAM_LINES,
    )


def problem_sentence(problem: FormProblem, lang: str) -> str:
    """Returns why a field is refused, in one sentence."""
    low, high = BOUNDS.get(problem.field, (0.0, 0.0))
    return i18n.text(
        f"page-{problem.code}", lang, text=problem.text[:ECHO_CHARS_MAX], most=problem.text,
        low=i18n.decimal(low, lang), high=i18n.decimal(high, lang),
    )  # fmt: skip


@cache
def _template() -> Template:
    loader = DictLoader({name: read_asset(name) for name in (FRAME_NAME, FORM_NAME)})
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    ).get_template(FRAME_NAME)  # fmt: skip


def _sayer(lang: str) -> Callable[..., str]:
    def say(code: str, **values: i18n.Value) -> str:
        return i18n.text(f"page-{code}", lang, **values)

    return say


def _split_day(day: int, lang: str) -> tuple[str, str]:
    """A day's name as its short form and the rest, which only a screen reader reads."""
    name = i18n.text(f"page-day-{day}", lang)
    return name[:DAY_CHARS], name[DAY_CHARS:]


def _shown_value(fields: Fields, key: str, lang: str) -> str:
    text = field_text(fields, key)
    return text.replace(".", ",") if lang == "fr" and key in BOUNDS else text


def _field_name(field: str, lang: str) -> str:
    if field.startswith("row-"):
        number = int(field.split("-")[1]) + 1
        return i18n.text("page-row", lang, number=number)
    return term_name(field, lang)

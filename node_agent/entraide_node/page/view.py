"""View: the owner page as HTML: the node's state in sentences, and the form.

Input: ``PageContent``. Output: HTML; every text comes from the message catalogue and every value is
escaped. The page works without scripts, in French and in English.
"""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from msgspec import Struct

from entraide import i18n
from entraide.types import DataClass
from entraide_node.core.owner_terms import DAYS
from entraide_node.page.form import CHOICES, Fields

STYLE_NAME, FRAME_NAME = "style.css", "page.html"


class PageContent(Struct, frozen=True, kw_only=True):
    """The content of the page.

    Attributes:
        lang: of the reader.
        node: name of the node.
        state: sentences on what the machine does and why; the first is the title.
        works: whether it accepts work.
        paused: whether its owner paused it.
        path: of the owner's file.
        csrf: token that the form must send back.
        fields: of the form.
        notice, problem: a sentence on what was saved, or why it was not.
        wrong: the faulty field, or "".
    """

    lang: str
    node: str
    state: Sequence[str]
    works: bool
    paused: bool
    path: str
    csrf: str
    fields: Fields
    notice: str = ""
    problem: str = ""
    wrong: str = ""


def read_asset(name: str) -> str:
    """Returns a file of the page."""
    return (files("entraide_node") / "page" / name).read_text("utf-8")


def render_page(content: PageContent) -> str:
    """Returns the page."""
    text, lang = _PageTexts(content.lang), content.lang
    other = "en" if lang == "fr" else "fr"
    first, *rest = content.state
    act = "resume" if content.paused else "pause"
    return Template(read_asset(FRAME_NAME)).substitute(
        lang=lang,
        other=other,
        other_name=text("other-language"),
        title=text("title", node=content.node),
        what=text("what"),
        mood="works" if content.works else "rests",
        first=escape(first),
        rest="".join(f"<p>{escape(sentence)}</p>" for sentence in rest),
        notice=_message_paragraph("notice", content.notice),
        problem=_message_paragraph("problem", content.problem),
        act=act,
        act_name=text(act),
        csrf=escape(content.csrf),
        sections="".join(_form_sections(content, text)),
        save=text("save"),
        legend=text("legend", path=content.path),
    )


class _PageTexts:
    """The page's texts, escaped."""

    def __init__(self, lang: str) -> None:
        self.lang = lang

    def __call__(self, code: str, **values: i18n.Value) -> str:
        return escape(i18n.text(f"page-{code}", self.lang, **values))


def _message_paragraph(kind: str, text: str) -> str:
    return f'<p class="{kind}" role="status">{escape(text)}</p>' if text else ""


def _form_sections(content: PageContent, say: _PageTexts) -> list[str]:
    return [
        _fieldset(say("when"), _hours_section(content, say)),
        _fieldset(
            say("present"),
            _radio_group(content, say, "present")
            + _number_field(content, say, "idle_min")
            + f"<h3>{say('unseen')}</h3>"
            + _radio_group(content, say, "unseen"),
        ),
        _fieldset(say("spare"), _capacity_section(content, say)),
        _fieldset(
            say("whose"),
            _checkbox(content, say, "surplus_only")
            + _checkbox(content, say, "own_first")
            + f"<h3>{say('data_classes')}</h3>"
            + _data_class_boxes(content),
        ),
        _fieldset(
            say("back"),
            _number_field(content, say, "give_back_s") + _number_field(content, say, "settle_s"),
        ),
    ]


def _fieldset(title: str, body: str) -> str:
    return f"<fieldset><legend>{title}</legend>{body}</fieldset>"


def _hours_section(content: PageContent, say: _PageTexts) -> str:
    rows = "".join(
        f'<label class="day"><span>{say(f"day-{day}")}</span>'
        f'<input name="hours-{day}" value="{_field_value(content, f"hours-{day}")}"'
        f' placeholder="—" autocomplete="off"{_invalid_mark(content, f"hours-{day}")}></label>'
        for day in range(len(DAYS))
    )
    return f'<div class="days">{rows}</div><p class="hint">{say("hours-hint")}</p>'


def _capacity_section(content: PageContent, say: _PageTexts) -> str:
    numbers = ("charge_min_percent", "temperature_max_c", "load_max_percent", "memory_free_min_gb")
    caps = "".join(
        f'<div class="caps"><b>{say(table)}</b>'
        + "".join(
            _labelled_field(say(inner), _number_input(content, f"{table}.{inner}"))
            for inner in ("memory_gb", "power_w")
        )
        + "</div>"
        for table in ("caps_idle", "caps_present")
    )
    return (
        _checkbox(content, say, "on_battery")
        + "".join(_number_field(content, say, key) for key in numbers)
        + f'<label>{say("programs")}<textarea name="programs" rows="3" autocomplete="off">'
        + f"{_field_value(content, 'programs')}</textarea></label>"
        + f"<h3>{say('caps')}</h3>{caps}"
    )


def _number_field(content: PageContent, say: _PageTexts, key: str) -> str:
    return _labelled_field(say(key), _number_input(content, key))


def _labelled_field(text: str, control: str) -> str:
    return f'<label class="number"><span>{text}</span>{control}</label>'


def _number_input(content: PageContent, key: str) -> str:
    value = _field_value(content, key)
    if content.lang == "fr":
        value = value.replace(".", ",")
    return (
        f'<input name="{key}" inputmode="decimal" value="{value}"'
        f' autocomplete="off"{_invalid_mark(content, key)}>'
    )


def _checkbox(content: PageContent, say: _PageTexts, key: str) -> str:
    ticked = " checked" if content.fields.get(key) == "on" else ""
    box = f'<input type="checkbox" name="{key}"{ticked}>'
    return f'<label class="check">{box}<span>{say(key)}</span></label>'


def _radio_group(content: PageContent, say: _PageTexts, key: str) -> str:
    html = ""
    for value in CHOICES[key]:
        ticked = " checked" if content.fields.get(key) == value else ""
        html += (
            f'<label class="check"><input type="radio" name="{key}" value="{value}"{ticked}>'
            f"<span>{say(f'{key}-{value}')}</span></label>"
        )
    return html


def _data_class_boxes(content: PageContent) -> str:
    html = ""
    for value in DataClass:
        ticked = " checked" if value in content.fields.get("data_classes", []) else ""
        name = escape(i18n.text(f"data-{value}", content.lang))
        html += (
            f'<label class="check"><input type="checkbox" name="data_classes" value="{value}"'
            f"{ticked}><span>{name}</span></label>"
        )
    return html


def _field_value(content: PageContent, key: str) -> str:
    value = content.fields.get(key, "")
    return escape(value) if isinstance(value, str) else ""


def _invalid_mark(content: PageContent, key: str) -> str:
    return ' aria-invalid="true"' if key == content.wrong else ""

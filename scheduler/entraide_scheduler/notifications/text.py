"""Text: the words of a message, as a letter and as JSON.

In: what a recipient is told. Out: a subject and a text, or the body of a request, in the
recipient's language. Sentences and remedies are those of the doctor and of the operator's page;
details that a node or a client may have written are left out.
"""

import datetime as dt
import re
from collections.abc import Iterable
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct, structs

from entraide import i18n
from entraide.printable import shortened
from entraide.relative_time import format_moment
from entraide_scheduler.findings import SENTENCES, Finding, Report, report
from entraide_scheduler.notifications.plan import FindingChanges

SENTENCE_CHARS_MAX = 500
VALUE_CHARS_MAX = 100
VALUES_MAX = 8  # of one finding
SUBJECT_CHARS_MAX = 120
MARKS = {"fail": "✗", "warn": "!"}
HAS_FOREIGN_DETAIL = ("node-quarantined", "key-quarantined", "doctor-failed")
VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){1,3}((a|b|rc|\.dev|\.post)[0-9]{1,6})?")
TYPE_FINDINGS, TYPE_TEST = "entraide.findings", "entraide.test"


class Pool(Struct, frozen=True):
    """Facts about the pool that its messages say.

    Attributes:
        name: of the pool.
        url: address of its pages.
        lang: its default language.
        timezone: name of the time zone of the times in a letter.
    """

    name: str
    url: str
    lang: str
    timezone: str


class Letter(Struct, frozen=True):
    """Subject and text."""

    subject: str
    text: str


class Wording(Struct, frozen=True):
    """What differs between the letters to the operator and those to lenders.

    Attributes:
        sentences: begin of the codes of the findings' sentences.
        head, foot: codes of the first and the last line.
    """

    sentences: str
    head: str
    foot: str


OPERATOR = Wording(SENTENCES, "notify-head", "notify-foot")
LENDER = Wording("lender", "notify-lender-head", "notify-lender-foot")


class _Told(Struct, frozen=True):
    code: str
    level: str
    sentence: str
    remedy: str
    since: float
    values: dict[str, str | int | float]


class _Data(Struct, frozen=True):
    pool: str
    url: str
    begun: list[_Told] = []
    ended: list[_Told] = []
    left_out: int = 0


class _Body(Struct, frozen=True):
    type: str
    timestamp: str
    data: _Data


def write_letter(
    changes: FindingChanges, pool: Pool, lang: str, wording: Wording = OPERATOR
) -> Letter:
    """Returns the letter that tells of changes."""
    begun, ended = (
        _reports(part.values(), lang, wording.sentences) for part in (changes.begun, changes.ended)
    )
    lines = [i18n.text(wording.head, lang, pool=pool.name)]
    if begun:
        lines += ["", i18n.text("notify-begun", lang, number=len(begun))]
    for each in begun:
        begin = format_moment(each.since, lang, ZoneInfo(pool.timezone))
        since = i18n.text("pool-doctor-since", lang, since=begin)
        lines += ["", f"{MARKS[each.level]} {each.sentence} {since}"]
        if each.remedy:
            lines.append(f"  → {each.remedy}")
    if ended:
        lines += ["", i18n.text("notify-ended", lang), ""]
        lines += [f"✓ {each.sentence}" for each in ended]
    if changes.left_out:
        lines += ["", i18n.text("notify-left-out", lang, number=changes.left_out)]
    lines += ["", i18n.text(wording.foot, lang, url=pool.url)]
    first = [each.sentence for each in (*begun, *ended)][:1]
    subject = i18n.text("notify-subject", lang, pool=pool.name, begun=len(begun))
    words = " ".join(" ".join((subject, *first)).split())
    return Letter(shortened(words, SUBJECT_CHARS_MAX), "\n".join(lines) + "\n")


def write_test_letter(pool: Pool, lang: str) -> Letter:
    """Returns the letter that only shows that letters arrive."""
    lines = (
        i18n.text("notify-test", lang, pool=pool.name), "",
        i18n.text("notify-foot", lang, url=pool.url),
    )  # fmt: skip
    return Letter(i18n.text("notify-test-subject", lang, pool=pool.name), "\n".join(lines) + "\n")


def write_body(
    changes: FindingChanges, pool: Pool, lang: str, now: float, *, is_test: bool = False
) -> bytes:
    """Returns the JSON that tells of changes; of a test, it tells of none."""
    data = _Data(
        pool=pool.name,
        url=pool.url,
        begun=_list_told(changes.begun.values(), lang),
        ended=_list_told(changes.ended.values(), lang),
        left_out=changes.left_out,
    )
    at = dt.datetime.fromtimestamp(now, dt.UTC).isoformat(timespec="seconds")
    return msgspec.json.encode(_Body(TYPE_TEST if is_test else TYPE_FINDINGS, at, data))


def _reports(findings: Iterable[Finding], lang: str, sentences: str = SENTENCES) -> list[Report]:
    return [_bounded(report(_without_foreign(each), lang, sentences)) for each in findings]


def _without_foreign(each: Finding) -> Finding:
    """Returns a finding without what a node or a client may have written freely."""
    values = dict(each.values)
    if each.code in HAS_FOREIGN_DETAIL and "detail" in values:
        values["detail"] = "none"
    if each.code == "node-refused" and not _is_code(str(values["code"])):
        values["code"] = "other"
    if each.code == "node-old" and not VERSION.fullmatch(str(values["agent"])):
        values["agent"] = "?"
    return structs.replace(each, values=values)


def _is_code(code: str) -> bool:
    """Whether a code is one of an agent's failed loads."""
    return any(
        i18n.has_message(each) for each in (f"error-{code}", f"node-{code}".replace("_", "-"))
    )


def _bounded(each: Report) -> Report:
    values = {
        name: shortened(value, VALUE_CHARS_MAX) if isinstance(value, str) else value
        for name, value in list(each.values.items())[:VALUES_MAX]
    }
    sentence, remedy = (
        shortened(text, SENTENCE_CHARS_MAX) for text in (each.sentence, each.remedy)
    )
    return structs.replace(each, sentence=sentence, remedy=remedy, values=values)


def _list_told(findings: Iterable[Finding], lang: str) -> list[_Told]:
    return [
        _Told(each.code, each.level, each.sentence, each.remedy, each.since, each.values)
        for each in _reports(findings, lang)
    ]

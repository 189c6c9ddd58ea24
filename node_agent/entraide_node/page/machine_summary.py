"""Machine summary: what the machine does now, why, and until when, for the page.

Input: the agent's status and the owner's terms. Output: sentences in the reader's language, without
HTML.
"""

import datetime as dt
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from entraide import i18n
from entraide.printable import shortened
from entraide.relative_time import format_clock_time
from entraide.types import DataClass
from entraide_node.core.owner_terms import (
    OwnerTerms,
    is_within_hours,
    minutes_until_hours_change,
)
from entraide_node.energy.cli_output import power_values
from entraide_node.error_output import load_failure_sentence
from entraide_node.owner.cli_output import owner_sentences
from entraide_node.owner.files import NodeStatus

NAME_CHARS_MAX = 80
WORKING = ("working", "ready", "empty", "loading")
# Sentences that name a command or a file; the page offers a button or a field instead.
OWN_SENTENCES = ("paused", "activity_unknown")


class MachineNow(Struct, frozen=True, kw_only=True):
    """What the machine does now.

    Attributes:
        mood: ``works``, ``rests`` or ``stopped``.
        badge: the state in a word or two.
        sentence: the state in one sentence.
        details: since when, what would change it, and what else matters.
        facts: name and value of what it does, its hours, and what it may process.
        power: its power when idle and at full work, in a sentence; "" while unknown.
    """

    mood: str
    badge: str
    sentence: str
    details: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    power: str = ""


def summarise_now(
    status: NodeStatus | None,
    terms: OwnerTerms,
    *,
    node: str,
    data_classes: Sequence[DataClass],
    paused: bool,
    why_stopped: str,
    now: float,
    lang: str,
) -> MachineNow:
    """Returns what the machine does now.

    Args:
        status: of the running agent; None if none runs.
        terms: that apply.
        node: the machine's name.
        data_classes: that the node's configuration allows.
        paused: whether its owner paused it.
        why_stopped: why the last agent ended, in a sentence; "" if it was asked to.
        now: seconds since the epoch.
        lang: the reader's language.
    """
    facts = [
        (_say("fact-hours", lang), hours_sentence(terms, dt.datetime.fromtimestamp(now), lang)),  # noqa: DTZ006  (the machine's own clock)
        (_say("present", lang), _capitalised(_say(f"present-{terms.present}", lang))),
        (_say("data_classes", lang), _capitalised(_allowed_data(terms, data_classes, lang))),
    ]
    if status is None:
        badge, sentence = _say("badge-stopped", lang), _say("stopped", lang, node=node)
        details = (why_stopped,) if why_stopped else ()
        return MachineNow(
            mood="stopped", badge=badge, sentence=sentence, details=details, facts=facts
        )
    if paused and status.state != "paused":  # the agent has not read the file yet
        status = replace(status, state="paused")
    code = "page-paused" if status.state == "paused" else f"node-status-{status.state}"
    works = status.state in WORKING
    return MachineNow(
        mood="works" if works else "rests",
        badge=_say(f"badge-{_badge(status.state)}", lang),
        sentence=i18n.text(code, lang, node=node, **status.values),
        details=tuple(_details(status, lang, now=now)),
        facts=[(_say("fact-models", lang), _describe_models(status, lang)), *facts],
        power=_describe_power(status, lang),
    )


def hours_sentence(terms: OwnerTerms, now: dt.datetime, lang: str) -> str:
    """Returns whether the machine is within its hours, and when that changes next.

    Args:
        terms: of the owner.
        now: on the machine's own clock, without a time zone.
        lang: the reader's language.
    """
    minute = now.hour * 60 + now.minute
    wait_min = minutes_until_hours_change(terms.hours, now.weekday(), minute)
    if wait_min is None:
        return _say("hours-no-change", lang)
    change = now.replace(second=0, microsecond=0) + dt.timedelta(minutes=wait_min)
    is_open = is_within_hours(terms.hours, now.weekday(), minute)
    code = "hours-open" if is_open else "hours-closed"
    return _say(code, lang, when=_describe_moment(change, now, lang))


def _details(status: NodeStatus, lang: str, *, now: float) -> Iterator[str]:
    hidden = ""
    if status.state in OWN_SENTENCES:
        hidden = i18n.text(f"owner-change-{status.state}", lang, **status.owner.values, seconds=0)
        yield from () if status.state == "paused" else [_say(f"change-{status.state}", lang)]
    failed = [replace(each, model=shortened(each.model, NAME_CHARS_MAX)) for each in status.models]
    yield from filter(None, (load_failure_sentence(each, lang) for each in failed))
    yield from (each for each in owner_sentences(status, lang, now=now) if each != hidden)


def _describe_models(status: NodeStatus, lang: str) -> str:
    names = [shortened(each.model, NAME_CHARS_MAX) for each in status.models]
    if not names:
        return _say("models-none", lang)
    return _say("models", lang, models=", ".join(names), slots=status.slots)


def _describe_power(status: NodeStatus, lang: str) -> str:
    if not status.power.active_w:
        return ""
    return _say("power-now", lang, **power_values(status.power, lang))


def _badge(state: str) -> str:
    if state in ("working", "paused"):
        return state
    return "ready" if state in WORKING else "rests"


def _allowed_data(terms: OwnerTerms, configured: Sequence[DataClass], lang: str) -> str:
    allowed = [each for each in DataClass if each in terms.data_classes and each in configured]
    return ", ".join(_say(f"data-{each}", lang) for each in allowed) or _say("data-none", lang)


def _describe_moment(moment: dt.datetime, now: dt.datetime, lang: str) -> str:
    clock = format_clock_time(0.0, lang, lambda _: moment.astimezone())  # this machine's zone
    days = (moment.date() - now.date()).days
    if days < 2:
        return _say("at-tomorrow" if days else "at-today", lang, clock=clock)
    name = _say(f"day-{moment.weekday()}", lang)
    return _say("at-day", lang, day=name.lower() if lang == "fr" else name, clock=clock)


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _say(code: str, lang: str, **values: i18n.Value) -> str:
    return i18n.text(f"page-{code}", lang, **values)

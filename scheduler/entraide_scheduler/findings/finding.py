"""Finding: one thing that is wrong now, since when, and the values of its sentence."""

from collections.abc import Sequence
from typing import TypeVar

from msgspec import Struct, structs

from entraide import i18n
from entraide.errors import EntraideError
from entraide.printable import printable
from entraide_scheduler.findings.kinds import KINDS, Severity

NAMES_MAX = 10
SENTENCES = "pool-doctor"  # begin of the codes of the operator's sentences

Value = str | int | float


class Finding(Struct, frozen=True):
    """What a check has found, or that it has found nothing.

    Attributes:
        code: of ``KINDS``; another code says that a check has passed.
        since: when it began, seconds since the epoch; 0 where that is not known.
        values: names and numbers in the sentence.
        problem: code of an error with a sentence of its own, or "".
        watched: whether the running scheduler has found it.
        machines: the nodes that it concerns, of those kinds that concern some.
    """

    code: str
    since: float = 0.0
    values: dict[str, Value] = {}
    problem: str = ""
    watched: bool = False
    machines: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """How urgent it is."""
        kind = KINDS.get(self.code)
        return kind.severity if kind is not None else Severity.OK


class Report(Struct, frozen=True):
    """A finding in a language, for programs and pages."""

    code: str
    level: str
    sentence: str
    remedy: str = ""
    since: float = 0.0
    values: dict[str, Value] = {}
    problem: str = ""
    watched: bool = False


Each = TypeVar("Each", bound=Finding | Report)


def merge(own: Sequence[Each], watched: Sequence[Each]) -> list[Each]:
    """Returns the doctor's own results, then what only the running scheduler finds.

    Where both find the same, the scheduler knows since when.
    """
    since = {each.code: each.since for each in watched}
    codes = {each.code for each in own}
    merged = [structs.replace(each, since=since.get(each.code, each.since)) for each in own]
    merged.extend(each for each in watched if each.code not in codes)
    return merged


def finding(code: str, /, **values: Value) -> Finding:
    """Returns a finding of a kind."""
    assert code in KINDS, code
    return Finding(code, values=values)


def passed(code: str, /, **values: Value) -> Finding:
    """Returns the result of a check that has found nothing."""
    assert code not in KINDS, code
    return Finding(code, values=values)


def failure(check: str, problem: EntraideError) -> Finding:
    """Returns the finding of an error that has a sentence of its own."""
    values: dict[str, Value] = {key: str(value) for key, value in problem.values.items()}
    assert f"{check}-problem" in KINDS, check
    return Finding(f"{check}-problem", values=values, problem=problem.code)


def listed(names: list[str]) -> str:
    """Returns names in a sentence; of many, the first and their number."""
    more = f", … ({len(names)})" if len(names) > NAMES_MAX else ""
    return ", ".join(names[:NAMES_MAX]) + more


def _word(value: Value, lang: str) -> Value:
    """Returns a value as a sentence has it: a number in the language, a node's words printable."""
    match value:
        case float():
            return i18n.decimal(value, lang)
        case str():
            return printable(value)
        case _:
            return value


def report(fault: Finding, lang: str, sentences: str = SENTENCES) -> Report:
    """Returns a finding, or a check that has passed, with its sentence and its remedy.

    Args:
        fault: what was found.
        lang: ``fr`` or ``en``.
        sentences: begin of the codes of the sentences.
    """
    code = f"{sentences}-{fault.code}"
    values = {key: _word(value, lang) for key, value in fault.values.items()}
    remedy = ""
    if fault.problem:
        sentence = i18n.error(fault.problem, lang, values)
    else:
        sentence = i18n.text(code, lang, **values)
        if i18n.has_message(f"{code}.remedy"):
            remedy = i18n.text(f"{code}.remedy", lang, **values)
    return Report(
        code=fault.code,
        level=fault.severity.value,
        sentence=sentence,
        remedy=remedy,
        since=fault.since,
        values=fault.values,
        problem=fault.problem,
        watched=fault.watched,
    )

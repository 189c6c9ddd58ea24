"""Checkers: whether an answer is right, by rules and without another model.

Input: what is asked of the answer, the answer, the question and its language. Output: right or not.
A checker looks past form (``normalisation``): accents, spaces, quotes, a polite sentence around the
answer. It refuses an answer that denies, hedges between two, says more than was asked, names
another unit, or is in another language.
"""

import re
from datetime import date

from msgspec import Struct

from entraide.evaluation import normalisation as n
from entraide.evaluation.quantities import find_dates, find_quantities, without_dates

ANSWER_CHARS_MAX = 8_000  # of an answer without its thought; a longer one is wrong
SHORT_WORDS_MAX = 25  # of an answer that is a name, a number, a choice or a date
TOLERANCE = 1e-9  # relative
# Words that deny, words that hedge between answers, and function words of one language alone.
_DENIALS = frozenset(
    "pas non ni jamais aucun aucune sauf not no never neither nor except cannot incorrect".split()  # noqa: SIM905
)
_HEDGES = frozenset("ou soit or either maybe perhaps possibly probably peut-etre".split())  # noqa: SIM905
_FUNCTION_WORDS = {
    "fr": "le la les un une des du de et est sont dans pour avec sur par qui que ce cette ces il "
    "elle nous vous leur leurs son sa ses au aux ne pas plus mais ou sera ont ete",
    "en": "the and is are in for with by who that this these it he she we you their his her its to "
    "of not will be has have been was were from at",
}


_ALTERNATIVE = re.compile(r"(?:^|[.!?\n]\W*)(?:ou|or)\b", re.IGNORECASE)  # a second passage
_FIGURES = re.compile(r"\d+(?:x\d+)*")  # numbers of a text whose numbers are written in one way
_NO_MINUTES = "00"
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th|er|re)\b", re.IGNORECASE)


class NumberCheck(Struct, frozen=True, tag="number"):
    """The answer is one number.

    Attributes:
        value: the right number.
        unit: its unit, as ``UNITS`` names it; "" for a count. An answer may leave it out.
        tolerance: largest absolute difference.
    """

    value: float
    unit: str = ""
    tolerance: float = 0.0


class TextCheck(Struct, frozen=True, tag="text"):
    """The answer is a name or a few words.

    Attributes:
        accept: its right forms.
        refuse: other names in the question, of which the answer must have none. The longer of two
            forms counts: 4:30 is accepted, and 4:30 a.m. may be refused.
    """

    accept: tuple[str, ...]
    refuse: tuple[str, ...] = ()


class ChoiceCheck(Struct, frozen=True, tag="choice"):
    """The answer is one of several options.

    Attributes:
        options: the options, each with its forms.
        right: index of the right option.
    """

    options: tuple[tuple[str, ...], ...]
    right: int


class DateCheck(Struct, frozen=True, tag="date"):
    """The answer is one date."""

    value: date


class PassageCheck(Struct, frozen=True, tag="passage"):
    """The answer is a passage of some sentences in the language of the question.

    Its figures are those of the question or of the required forms, and no sentence comes twice.

    Attributes:
        require: groups of forms; the passage has one form of each group at least.
        forbid: forms that it must not have.
        words_max, words_min: length, without a polite sentence around it.
        sentences_max: most sentences; 0 for any number.
        language: language of the passage; "" for that of the question.
    """

    require: tuple[tuple[str, ...], ...]
    forbid: tuple[str, ...] = ()
    words_max: int = 200
    words_min: int = 1
    sentences_max: int = 0
    language: str = ""


Check = NumberCheck | TextCheck | ChoiceCheck | DateCheck | PassageCheck


def is_right(check: Check, answer: str, *, question: str, language: str) -> bool:
    """Tells whether an answer is right.

    Args:
        check: what is asked of the answer.
        answer: text of the model.
        question: the prompt; numbers in it may be repeated by the answer.
        language: of question and answer.
    """
    said = answer.rpartition(n.THOUGHT_END)[2]
    text = n.without_courtesy(n.plain(said)) if len(said) <= ANSWER_CHARS_MAX else ""
    if not text:
        return False
    if isinstance(check, PassageCheck):
        return _is_right_passage(check, text, question, check.language or language)
    if n.count_words(text) > SHORT_WORDS_MAX:
        return False
    match check:
        case NumberCheck():
            return _is_right_number(check, text, question, language)
        case DateCheck():
            return _is_right_date(check, text, language)
        case TextCheck():
            return _names(text, check.accept, check.refuse)
        case ChoiceCheck():
            others = [option for i, option in enumerate(check.options) if i != check.right]
            refused = tuple(form for option in others for form in option)
            return _names(text, check.options[check.right], refused)


def _is_right_number(check: NumberCheck, text: str, question: str, language: str) -> bool:
    asked = {quantity.value for quantity in find_quantities(n.plain(question), language)}
    most = max(check.tolerance, TOLERANCE * abs(check.value))

    def is_near(value: float) -> bool:
        return abs(value - check.value) <= most

    matching = [said for said in find_quantities(text, language) if is_near(said.value)]
    beside = find_quantities(without_dates(text), language)
    others = [said for said in beside if not is_near(said.value)]
    units = {quantity.unit for quantity in matching} - {""}
    return (
        bool(matching)
        and (not others if any(map(is_near, asked)) else all(q.value in asked for q in others))
        and units <= ({check.unit} if check.unit else set())
        and not _has_any(n.fold(text), _DENIALS | _HEDGES)
    )


def _is_right_date(check: DateCheck, text: str, language: str) -> bool:
    dates = find_dates(text, language)
    is_sure = not _has_any(n.fold(text), _DENIALS | _HEDGES)
    return is_sure and bool(dates) and all(check.value in readings for readings in dates)


def _names(text: str, accept: tuple[str, ...], refuse: tuple[str, ...]) -> bool:
    """Tells whether a text has an accepted form, and beside it no refused form, denial or hedge."""
    folded, is_named = n.fold(text), False
    accepted, refused = set(map(n.fold, accept)), set(map(n.fold, refuse))
    denials = frozenset() if _DENIALS & accepted else _DENIALS
    # The longest form first: it may hold a shorter one.
    for form in sorted((accepted | refused) - {""}, key=lambda f: (-len(f), f not in accepted, f)):
        while match := n.find_phrase(form, folded):
            if form not in accepted:
                return False
            is_named = True
            folded = f"{folded[: match.start()]}{folded[match.end() :]}"
    return is_named and not _has_any(folded, denials | _HEDGES)


def _has_any(folded: str, words: frozenset[str]) -> bool:
    return not words.isdisjoint(folded.split())


def _is_right_passage(check: PassageCheck, text: str, question: str, language: str) -> bool:
    words, folded = n.count_words(text), _with_plain_numbers(text, language)
    forms = [[_with_plain_numbers(form, language) for form in group] for group in check.require]
    given = [form for group in forms for form in group]
    given += [_with_plain_numbers(question, name) for name in _FUNCTION_WORDS]
    return (
        check.words_min <= words <= check.words_max
        and (not check.sentences_max or n.count_sentences(text) <= check.sentences_max)
        and all(any(n.find_phrase(form, folded) for form in group) for group in forms)
        and not any(n.find_phrase(_with_plain_numbers(f, language), folded) for f in check.forbid)
        and set(_FIGURES.findall(folded)) <= {_NO_MINUTES, *_FIGURES.findall(" ".join(given))}
        and not _ALTERNATIVE.search(text)
        and not n.repeats_sentence(text)
        and _is_in_language(folded, language)
    )


def _with_plain_numbers(text: str, language: str) -> str:
    """Returns folded text without hyphens, whose numbers are written in one way.

    ``1 250,00`` becomes ``1250``, ``12,5`` ``12x5``, and ``1st`` and ``1er`` ``1``.
    """
    plain = _ORDINAL.sub("", n.plain(text))
    compact = re.sub(r"(?<=\d)[ ' ](?=\d{3}(?!\d))", "", plain)
    if language == "en":
        compact = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", compact)
    compact = re.sub(r"(?<=\d)[.,]00(?!\d)", "", compact)
    return n.fold(re.sub(r"(?<=\d)[.,](?=\d)", "x", compact)).replace("-", " ")


def _is_in_language(folded: str, language: str) -> bool:
    """Tells whether function words of the language outnumber those of the other language."""
    words = folded.split()
    counts = {
        name: sum(word in known.split() for word in words)
        for name, known in _FUNCTION_WORDS.items()
    }
    own = counts.pop(language)
    return own >= max(counts.values())

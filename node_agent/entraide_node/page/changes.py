"""Changes: says in sentences how new terms differ from the terms before.

Input: two ``OwnerTerms``. Output: one sentence for each term that differs, in the form's order.
"""

from collections.abc import Iterator, Sequence

from entraide import i18n
from entraide.printable import shortened
from entraide_node.core.owner_terms import DAYS, OwnerTerms, WeeklyHours
from entraide_node.owner.terms_file import BOUNDS
from entraide_node.page.form import CHECKS, CHOICES, DURATIONS, number_of

LIST_CHARS_MAX = 200
DAY_CHARS = 3  # of a day's name where space is short

# Unit of each number: a code of the message catalogue, under ``page-unit-CODE``.
UNITS = {
    "idle_min": "min", "charge_min_percent": "percent", "temperature_max_c": "celsius",
    "load_max_percent": "percent", "memory_free_min_gb": "gb", "give_back_s": "seconds",
    "settle_s": "seconds", "memory_gb": "gb", "power_w": "watts", "memory_part": "part",
}  # fmt: skip


def change_sentences(before: OwnerTerms, now: OwnerTerms, lang: str) -> list[str]:
    """Returns a sentence for each term that differs."""
    old_values = dict(_described(before, lang))
    return [
        i18n.text("page-change", lang, name=name, new=new, old=old_values[name])
        for name, new in _described(now, lang)
        if new != old_values[name]
    ]


def term_name(key: str, lang: str) -> str:
    """Returns the name of a term; a cap is named with its condition."""
    table, _, inner = key.rpartition(".")
    name = i18n.text(f"page-{inner}", lang)
    return f"{name} ({i18n.text(f'page-{table}', lang)})" if table else name


def number_with_unit(number: float, key: str, lang: str) -> str:
    """Returns a number with its unit, or "no limit" where 0 means that."""
    if not number and key not in DURATIONS:
        return i18n.text("page-none", lang)
    unit = i18n.text(f"page-unit-{UNITS[key.rpartition('.')[2]]}", lang)
    return f"{i18n.decimal(number, lang)}\u00a0{unit}"


def describe_hours(hours: Sequence[WeeklyHours], lang: str) -> str:
    """Returns hours as a reader writes them: ``Mon–Fri 18:00–08:00``, by the machine's clock."""
    if not hours:
        return i18n.text("page-hours-always", lang)
    parts = []
    for span in hours:
        begin, end = (
            f"{minute // 60:02}:{minute % 60:02}" for minute in (span.begin_min, span.end_min)
        )
        parts.append(f"{_describe_days(span.days, lang)} {begin}–{end}")
    return i18n.text("page-hours-own", lang, hours=shortened(", ".join(parts), LIST_CHARS_MAX))


def describe_data_classes(terms: OwnerTerms, lang: str) -> str:
    """Returns the names of the data classes that the terms allow."""
    names = [i18n.text(f"data-{data_class}", lang) for data_class in terms.data_classes]
    return ", ".join(names) or i18n.text("page-data-none", lang)


def _described(terms: OwnerTerms, lang: str) -> Iterator[tuple[str, str]]:
    """Yields the name and the value of each term."""
    yield i18n.text("page-hours", lang), describe_hours(terms.hours, lang)
    for key in CHOICES:
        value = i18n.text(f"page-{key}-{getattr(terms, key)}", lang)
        yield i18n.text(f"page-{key}", lang), value
    for key in CHECKS:
        value = i18n.text("page-yes" if getattr(terms, key) else "page-no", lang)
        yield i18n.text(f"page-{key}", lang), value
    yield i18n.text("page-data_classes", lang), describe_data_classes(terms, lang)
    for key in BOUNDS:
        yield term_name(key, lang), number_with_unit(number_of(terms, key), key, lang)
    programs = shortened(", ".join(terms.programs), LIST_CHARS_MAX)
    yield i18n.text("page-programs", lang), programs or i18n.text("page-no-programs", lang)


def _describe_days(days: Sequence[int], lang: str) -> str:
    if len(days) == len(DAYS):
        return i18n.text("page-every-day", lang)
    names = [i18n.text(f"page-day-{day}", lang)[:DAY_CHARS] for day in days]
    in_a_row = list(days) == list(range(days[0], days[0] + len(days)))
    return f"{names[0]}–{names[-1]}" if in_a_row and len(days) > 2 else ", ".join(names)

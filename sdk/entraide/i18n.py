"""Internationalisation: every sentence that a person reads, in French or English, by stable code.

Input: a code, a language and values. Output: the sentence, with numbers, units and zones as the
language writes them. The sentences are in ``locales/fr.ftl`` and ``locales/en.ftl``.
``entraide.language`` chooses the language; its names are exported here too.

A missing value never raises: a selector of the catalogue sees it as ``none``, and elsewhere the
sentence shows ``HOLE``. An unknown code is shown as it is.
"""

import errno
import os
from collections.abc import Iterable, Mapping

from babel.numbers import format_decimal, format_percent

from entraide.language import (
    DEFAULT_LANG,
    LANGUAGES,
    Lang,
    error_langs,
    lang_of,
    lang_of_environment,
    lang_of_header,
)
from entraide.message_catalogue import (
    ABSENT,
    HOLE,
    MessageCatalogue,
    Value,
    catalogue,
    digits,
    is_large,
    power_of_ten,
)
from entraide.types import UNKNOWN, UNKNOWN_PLACE, Receipt, ServerPlace
from entraide.units import UG_PER_G

__all__ = [
    "ABSENT",
    "DEFAULT_LANG",
    "HOLE",
    "LANGUAGES",
    "Lang",
    "Value",
    "decimal",
    "earlier_runs_line",
    "error",
    "error_langs",
    "has_message",
    "lang_of",
    "lang_of_environment",
    "lang_of_header",
    "larger_line",
    "message_codes",
    "node_reason",
    "place_line",
    "place_name",
    "receipt_line",
    "rule",
    "seconds",
    "smaller_line",
    "text",
    "thought_line",
    "value_names",
    "word",
    "words",
    "zone_in",
    "zone_name",
]

SAVING_MIN = 1 / 3  # share of the energy that a smaller model must save to be mentioned

# Values from 0 to 1 that are shown in percent.
PERCENTS = frozenset(
    {"confidence", "credit", "credit_most", "kept_share", "right_least", "right_low"}
)

# Values that are codes of rules; their sentences use the other values.
RULES = frozenset({"rule", "greener_rule", "obstacle_rule"})

# The value ``fault`` is the code of what is wrong with a field; its sentence uses the other values.
# In any other message it selects a variant.
FAULT = "fault"
FIELD_MESSAGES = ("error-invalid_request", "error-invalid_json")

LIST_COMMA = ", "  # between the codes of a value that has several

# Units by the ending of a value's name; three significant digits are shown.
_UNITS = (("_g_per_kwh", "g\u00a0CO2e/kWh"), ("_wh", "Wh"), ("_g", "g\u00a0CO2e"), ("_w", "W"))

# Values that are stable codes themselves: prefix of their messages, by the value's name.
_CODE_PREFIXES: Mapping[str, str] = {
    "reason": "node-reason",
    "failure": "failure",
    "quarantine": "quarantine",
    "period": "period",
    "job_class": "class",
    "data_class": "data",
    "data_classes": "data",
    "features": "feature",
    "role": "role",
    "basis": "basis",
    "task": "task",
    "expected": "kind",
    "got": "kind",
    "zone": "zone",
    "jurisdiction": "zone",
    "province": "zone",
    "controlled_by": "control",
    "asked_control": "control-asked",
    "surplus_evidence": "evidence",
    "model_openness": "openness-class",
    "asked_openness": "openness-class",
}


# What the system says of a call that failed, which it says in English, and its code here.
_SYSTEM_FAULTS: Mapping[str, str] = {
    os.strerror(number): errno.errorcode[number].lower()
    for number in (
        errno.EACCES, errno.EADDRINUSE, errno.ECONNREFUSED, errno.EEXIST, errno.EIO, errno.EISDIR,
        errno.ENAMETOOLONG, errno.ENOENT, errno.ENOSPC, errno.ENOTDIR, errno.ENOTEMPTY, errno.EPERM,
        errno.EROFS,
    )
}  # fmt: skip


def has_message(code: str) -> bool:
    """Whether the catalogue has a message for a code."""
    return catalogue(DEFAULT_LANG).has(code)


def message_codes(prefix: str) -> list[str]:
    """Returns the message codes with a prefix (``rule-``), without it, in the file's order."""
    codes = catalogue(DEFAULT_LANG).codes
    return [code.removeprefix(prefix) for code in codes if code.startswith(prefix)]


def value_names(code: str) -> frozenset[str]:
    """Returns the names of the values that a message may use."""
    return catalogue(DEFAULT_LANG).variables(code)


def text(code: str, lang: str = DEFAULT_LANG, /, **values: Value) -> str:
    """Returns the sentence of a message code.

    Args:
        code: for instance ``error-unknown_model``; ``code.attribute`` reads an attribute.
        lang: ``fr`` or ``en``; any other tag is read as one of them, else as French.
        **values: the numbers and names in it. Stable codes (``reason``, ``rule``, ``fault``,
            ``zone``, ``period``, ``job_class``, ``data_class``, ``basis``, ``expected``, ``got``,
            ``controlled_by``, ``asked_control``, ``surplus_evidence``, ``model_openness``,
            ``asked_openness``) are replaced by their own
            messages. Numbers are formatted for the language, with the unit that ends their name. A
            time (``…_at``) that is a number counts as absent: ``relative_time`` formats times.

    Returns:
        The sentence, or the code itself when the catalogue does not have it.
    """
    chosen = lang_of(lang)
    messages = catalogue(chosen)
    if not messages.has(code):
        return code
    texts = {key: _value_text(key, values, chosen) for key in values}
    if FAULT in values and code not in FIELD_MESSAGES:
        texts[FAULT] = values[FAULT]  # it selects a variant of the message
    if values.get("coop_name"):
        texts["coop"] = texts["coop_name"]  # what people read in its place
    if "features" in values:
        texts["feature"] = values["features"]  # likewise; the codes themselves
    return messages.format(code, texts)


def _value_text(key: str, values: Mapping[str, Value], lang: Lang) -> Value:
    value = values[key]
    if not isinstance(value, str):
        return _with_unit(key, value, lang)
    if key in RULES:
        others = {name: other for name, other in values.items() if name not in RULES}
        return rule(value, lang, others)
    if key == FAULT and has_message(f"fault-{value}"):
        others = {name: other for name, other in values.items() if name != FAULT}
        return text(f"fault-{value}", lang, **others)
    prefix = "zone" if key.endswith("_zone") else _CODE_PREFIXES.get(key)
    if prefix is None:
        return (
            word("system-fault", _SYSTEM_FAULTS[value], lang) if value in _SYSTEM_FAULTS else value
        )
    if prefix == "zone":
        return zone_name(value, lang)
    return words(prefix, value.split(LIST_COMMA), lang)


def _with_unit(key: str, value: float, lang: Lang) -> Value:
    """A number with the unit that ends its name; the number itself where no unit does."""
    if is_large(value):
        return power_of_ten(value)
    if key in PERCENTS:
        return format_percent(
            value, format="#,##0.#\u00a0%" if lang == "fr" else "#,##0.#%", locale=f"{lang}_CA"
        )
    if key.endswith("_at"):
        return ABSENT
    if key.endswith("_ug"):
        return f"{decimal(value / UG_PER_G, lang)}\u00a0g\u00a0CO2e"
    if key.endswith("_s"):
        return seconds(value, lang)
    for ending, unit in _UNITS:
        if key.endswith(ending):
            return f"{decimal(value, lang)}\u00a0{unit}"
    return value


def wait_line(reason: str, position: int, retry_after_s: float | None, lang: str) -> str:
    """Returns why a question waits, its place in line, and when it is expected to start."""
    sentences = [word("wait", reason, lang)]
    if position > 1:
        sentences.append(text("waits-position", lang, position=position))
    if retry_after_s:
        sentences.append(text("waits-expected", lang, wait=seconds(retry_after_s, lang_of(lang))))
    return " ".join(sentences)


def word(prefix: str, value: str, lang: str) -> str:
    """Returns the text of a stable code (``word("class", "batch", "fr")``), or the code itself."""
    messages = catalogue(lang_of(lang))
    code = f"{prefix}-{value}"
    return messages.format(code, {}) if value and messages.has(code) else value


def words(prefix: str, values: Iterable[str], lang: str) -> str:
    """Returns the texts of stable codes as a list: ``words("data", node.data_classes, "fr")``."""
    return LIST_COMMA.join(word(prefix, value, lang) for value in values)


def _zone_code(zone: str, messages: MessageCatalogue) -> str:
    """The message code of a zone, or of the province that contains it; "" where there is none."""
    while zone and not messages.has(f"zone-{zone}"):
        zone = zone.rpartition("-")[0]
    return f"zone-{zone}" if zone else ""


def zone_name(zone: str, lang: str) -> str:
    """Returns the province's name of a zone (``Québec`` for ``CA-QC``), or the zone itself.

    A machine whose zone the operator has not named has the zone "".
    """
    messages = catalogue(lang_of(lang))
    if not zone:
        return messages.format("zone-unknown", {})
    code = _zone_code(zone, messages)
    return messages.format(code, {}) if code else zone


def zone_in(zone: str, lang: str) -> str:
    """Returns a zone's province with its preposition: ``au Québec``, ``in Ontario``."""
    messages = catalogue(lang_of(lang))
    code = _zone_code(zone, messages) if zone else "zone-unknown"
    return messages.format(f"{code}.in", {}) if code else f"({zone})"


def error(code: str, lang: str, values: Mapping[str, Value] | None = None) -> str:
    """Returns the sentence of an error code (a key of ``entraide.errors.CODES``)."""
    return text(f"error-{code}", lang, **(values or {}))


def rule(code: str, lang: str, values: Mapping[str, Value] | None = None) -> str:
    """Returns the sentence of the rule that excluded a node."""
    return text(f"rule-{code}", lang, **(values or {})) if has_message(f"rule-{code}") else code


def node_reason(code: str, lang: str) -> str:
    """Returns why a node takes no jobs, in a few words; "" without a reason."""
    return word("node-reason", code, lang)


def decimal(value: float, lang: str, *, digits_min: int = 0) -> str:
    r"""Returns a number to three significant digits, formatted for the language.

    >>> decimal(0.01234, "fr"), decimal(0.0, "en", digits_min=3), decimal(1234.5, "fr")
    ('0,0123', '0.000', '1\xa0234')
    """
    if is_large(value):
        return power_of_ten(value)
    count = max(digits_min, 0 if abs(value) >= 100 else digits(value))
    pattern = f"#,##0.{'0' * digits_min}{'#' * (count - digits_min)}"
    return format_decimal(value, format=pattern, locale=f"{lang_of(lang)}_CA")


def seconds(value_s: float, lang: str) -> str:
    """Returns a duration in seconds: ``0,4 s``; two decimals below 0.1 s, none from 100 s on."""
    if is_large(value_s):
        return f"{power_of_ten(value_s)}\u00a0s"
    rounded = round(value_s, 1 if value_s >= 0.1 else 2)
    return f"{decimal(rounded, lang, digits_min=1 if value_s < 100 else 0)}\u00a0s"


def smaller_line(receipt: Receipt, lang: str) -> str:
    """Returns one line on what a smaller model would have used; "" where it would save little."""
    smaller = receipt.smaller
    if smaller is None or smaller.energy_wh >= receipt.energy_wh * (1.0 - SAVING_MIN):
        return ""
    saved = 1.0 - smaller.energy_wh / receipt.energy_wh
    return text(
        "receipt-smaller",
        lang,
        model=smaller.model,
        energy=f"{decimal(smaller.energy_wh, lang, digits_min=3)}\u00a0Wh",
        carbon=f"{decimal(smaller.carbon_gco2e, lang, digits_min=3)}\u00a0g\u00a0CO2e",
        percent=_whole_percent(saved, lang),
        basis=word("basis", smaller.basis, lang),
    )


def larger_line(receipt: Receipt, lang: str) -> str:
    """Returns one line on what the next larger model would have used; "" where it is no more."""
    larger = receipt.larger
    if larger is None or larger.energy_wh <= receipt.energy_wh:
        return ""
    saved = 1.0 - receipt.energy_wh / larger.energy_wh
    return text(
        "receipt-larger",
        lang,
        model=larger.model,
        energy=f"{decimal(larger.energy_wh, lang, digits_min=3)}\u00a0Wh",
        percent=_whole_percent(saved, lang),
    )


def _whole_percent(part: float, lang: str) -> str:
    whole = "0\u00a0%" if lang == "fr" else "0%"
    return format_percent(part, format=whole, locale=f"{lang}_CA")


def thought_line(receipt: Receipt, lang: str) -> str:
    """Returns one line on the model's thought; "" where it did not think."""
    if not receipt.reasoning_tokens and not receipt.always_thinks:
        return ""
    return text(
        "receipt-thought",
        lang,
        tokens=receipt.reasoning_tokens,
        energy=f"{decimal(receipt.reasoning_wh, lang, digits_min=3)}\u00a0Wh",
        model=receipt.model if receipt.always_thinks else ABSENT,
    )


def earlier_runs_line(receipt: Receipt, lang: str) -> str:
    """Returns one line on the machines that began an answer; "" where one machine made it all."""
    if not receipt.runs:
        return ""
    *earlier, last = receipt.runs
    machines = ", ".join(
        text(
            "receipt-begun-machine",
            lang,
            node=run.node,
            coop=receipt.name_of(run.node_coop),
            where=zone_in(run.province, lang),
            output_tokens=run.output_tokens,
        )
        for run in earlier
    )
    return text("receipt-begun", lang, machines=machines, node=last.node)


def place_name(place: ServerPlace, lang: str) -> str:
    """Returns where a server stands, and who controls it, in a few words."""
    return text(
        "place",
        lang,
        where=ABSENT if place.zone == UNKNOWN else zone_in(place.zone, lang),
        controlled_by=ABSENT if place.controlled_by == UNKNOWN else place.controlled_by,
        invented="yes" if place.invented else ABSENT,
    )


def place_line(receipt: Receipt, lang: str) -> str:
    """Returns one line on the servers that the text passed; unknown on receipts of before."""
    further = ", ".join(place_name(place, lang) for place in receipt.further_places)
    return text(
        "receipt-place",
        lang,
        place=place_name(receipt.place or UNKNOWN_PLACE, lang),
        further=further or ABSENT,
    )


def receipt_line(receipt: Receipt, lang: str) -> str:
    """Returns a receipt in one line: machine, province, energy and carbon with their basis."""
    if receipt.surplus_basis is not None:
        carbon_basis = text(f"receipt-surplus-{receipt.surplus_basis}", lang)
    else:
        carbon_basis = text(f"receipt-grid-{receipt.intensity_basis}", lang)
    risky = receipt.at_risk and receipt.promise != "kept"
    return text(
        "receipt-line",
        lang,
        node=receipt.node,
        coop=receipt.name_of(receipt.node_coop),
        where=zone_in(receipt.province, lang),
        controlled_by=receipt.controlled_by or ABSENT,
        energy=f"{decimal(receipt.energy_wh, lang, digits_min=3)}\u00a0Wh",
        energy_basis=word("basis", receipt.energy_basis, lang),
        carbon=f"{decimal(receipt.carbon_gco2e, lang, digits_min=3)}\u00a0g\u00a0CO2e",
        carbon_basis=carbon_basis,
        surplus_evidence=receipt.surplus_evidence or ABSENT,
        output_tokens=receipt.output_tokens or ABSENT,  # none: embeddings
        ttft=seconds(receipt.ttft_ms / 1000, lang),
        promise=text("receipt-at-risk" if risky else f"receipt-promise-{receipt.promise}", lang),
    )

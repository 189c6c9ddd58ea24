"""Every sentence that a person reads: none is missing, and no value breaks it."""

import errno
import math
import os
import re
import string
from functools import cache
from importlib.resources import files

import msgspec
import pytest
from fluent.syntax import FluentParser, ast
from tests.cases import all_cases
from tests.contract.samples import RECEIPT

from entraide import i18n
from entraide.errors import CODES
from entraide.types import Basis, Promise

LANGS = ("fr", "en")

# A value for each name that a sentence may use.
VALUES: dict[str, str | int | float] = {
    "reason": "paused",
    "rule": "no_free_slot",
    "greener_rule": "node_suspect",
    "period": "day",
    "zone": "CA-QC",
    "jurisdiction": "CA",
    "controlled_by": "canadian",
    "asked_control": "member",
    "data_class": "restricted",
    "coops_ahead": 2,
    "attempts": 4,
    "nodes": 3,
    "slots": 1,
    "ahead": 0,
    "n": 1,
}


@cache
def codes() -> list[str]:
    """Every message of the catalogue."""
    source = (files("entraide") / "locales/fr.ftl").read_text("utf-8")
    entries = FluentParser().parse(source).body
    return [entry.id.name for entry in entries if isinstance(entry, ast.Message)]


@pytest.mark.parametrize(
    ("lang", "line"),
    [
        (
            "fr",
            (
                "Servi par on-1 en Ontario (coop soleil) · 0,012\u00a0Wh (par défaut) · "
                "0,000\u00a0g\u00a0CO2e (surplus renouvelable déclaré) · "
                "premier mot en 0,7\u00a0s · promesse tenue"
            ),
        ),
        (
            "en",
            (
                "Served by on-1 in Ontario (co-op soleil) · 0.012\u00a0Wh (default) · "
                "0.000\u00a0g\u00a0CO2e (declared renewable surplus) · first word in 0.7\u00a0s · "
                "promise kept"
            ),
        ),
    ],
)
def test_a_receipt_is_one_line(lang: str, line: str) -> None:
    """A receipt says whose machine, where, how much, and how each number was obtained."""
    assert line == i18n.receipt_line(RECEIPT, lang)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("basis", Basis)
def test_every_basis_and_promise_has_its_words(basis: Basis, lang: str) -> None:
    """Whatever a receipt holds, its line has no code in it."""
    for promise in Promise:
        for surplus in (None, basis):
            receipt = msgspec.structs.replace(
                RECEIPT,
                promise=promise,
                surplus_basis=surplus,
                intensity_basis=basis,
                energy_basis=basis,
            )

            assert "receipt-" not in i18n.receipt_line(receipt, lang)


@all_cases("lang", LANGS)
@all_cases("code", CODES)
def test_every_error_has_its_sentence(code: str, lang: str) -> None:
    """Each stable code has a sentence, with its values and without any."""
    for values in ({}, VALUES):
        sentence = i18n.error(code, lang, values)

        assert sentence != f"error-{code}"
        assert sentence[0] in string.ascii_uppercase + "«ÀÉ"
        assert sentence.endswith((".", "»."))


@pytest.mark.parametrize("lang", LANGS)
@all_cases("code", codes)
def test_no_sentence_shows_its_machinery(code: str, lang: str) -> None:
    """With all values and with none, a message has no brace, no doubled space and no code."""
    for values in (dict.fromkeys(i18n.value_names(code), 7) | VALUES, VALUES):
        text = i18n.text(code, lang, **values)

        assert "{" not in re.sub(r'\{"|\{\}', "", text)
        assert "  " not in text.replace("\n    ", "\n")
        assert " ." not in text.replace(" .  ", "")
        assert not re.search(r"\b(rule|reason|node-reason|period|zone|data)-[a-zA-Z]", text)


@all_cases(
    ("header", "lang"),
    [
        (None, "fr"),
        ("", "fr"),
        ("en", "en"),
        ("en-CA,en;q=0.9,fr;q=0.8", "en"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("de,en;q=0.3", "en"),
        ("en;q=0.2,fr;q=0.7", "fr"),
        ("de", "fr"),
        ("en;q=x", "fr"),
        ("*" * 10_000, "fr"),
    ],
)
def test_the_language_that_is_asked_for(header: str | None, lang: str) -> None:
    """``Accept-Language`` decides, by its weights; else it is the pool's language, French."""
    assert lang == i18n.lang_of_header(header)


def test_the_pools_own_language() -> None:
    """A pool may use English where the header names no language."""
    assert "en" == i18n.lang_of_header("de", "en")


@pytest.mark.parametrize(
    ("value", "french", "english"),
    [
        (0.0, "0", "0"),
        (0.000_012, "0,000012", "0.000012"),
        (0.012_34, "0,0123", "0.0123"),
        (1.5, "1,5", "1.5"),
        (31.59, "31,6", "31.6"),
        (1_234.5, "1\u00a0234", "1,234"),
        (1_000_000, "1\u00a0000\u00a0000", "1,000,000"),
    ],
)
def test_numbers_as_each_language_writes_them(value: float, french: str, english: str) -> None:
    """Three significant digits, a decimal comma in French, and spaces that do not break."""
    assert (french, english) == (i18n.decimal(value, "fr"), i18n.decimal(value, "en"))


@pytest.mark.parametrize(
    ("zone", "french", "english"),
    [
        ("CA-QC", "au Québec", "in Quebec"),
        ("CA-ON", "en Ontario", "in Ontario"),
        ("CA-PE", "à l’Île-du-Prince-Édouard", "in Prince Edward Island"),
        ("CA-NL-LB", "à Terre-Neuve-et-Labrador", "in Newfoundland and Labrador"),
        ("FR", "(FR)", "(FR)"),
    ],
)
def test_places_have_their_prepositions(zone: str, french: str, english: str) -> None:
    """A zone reads as its province, with the preposition that French asks for."""
    assert (french, english) == (i18n.zone_in(zone, "fr"), i18n.zone_in(zone, "en"))


def test_an_unknown_code_is_shown_as_it_is() -> None:
    """A newer pool's code reaches the reader rather than an exception."""
    assert "error-of-tomorrow" == i18n.text("error-of-tomorrow", "fr")
    assert "of_tomorrow" == i18n.rule("of_tomorrow", "fr")
    assert "resting" == i18n.node_reason("resting", "fr")


def test_values_are_never_read_as_patterns() -> None:
    """A value that looks like Fluent's own syntax is shown, not run."""
    sentence = i18n.error("unknown_model", "en", {"model": "{ $secret }"})

    assert "{ $secret }" in sentence


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize(
    "value",
    ["x" * 2_501, "x" * 10**6, "", -(10**5_000), math.inf, math.nan, 1e300, -1e300],
    ids=["just too long", "long", "empty", "5,001 digits", "inf", "nan", "large", "very negative"],
)
def test_no_value_breaks_a_sentence(value: str | float, lang: str) -> None:
    """Whatever the values hold, each sentence comes out whole, and no longer than can be read."""
    for code in codes():
        sentence = i18n.text(code, lang, **dict.fromkeys(i18n.value_names(code), value))

        assert "???" not in sentence
        assert code != sentence
        assert len(sentence) < 20_000


def test_a_long_value_keeps_its_ends() -> None:
    """A value is cut in its middle: a program that failed says why at the end of its output."""
    sentence = i18n.error(
        "up_failed", "fr", {"child": "node-1", "detail": "d" * 10**5 + "no memory"}
    )

    assert "node-1" in sentence
    assert "dd […] dd" in sentence
    assert sentence.endswith("no memory")


def test_control_characters_are_taken_out_of_values() -> None:
    """What a node or a file says cannot steer a terminal, nor turn the text that follows."""
    sentence = i18n.error("unknown_model", "en", {"model": "a\x1b[2Jb\x9b0mc\u202ed\r\x00"})

    assert 'called "a[2Jb0mcd"' in sentence


@all_cases(
    ("name", "value", "french", "english"),
    [
        ("energy_wh", 0.0123, "0,0123\u00a0Wh", "0.0123\u00a0Wh"),
        ("limit_wh", 500, "500\u00a0Wh", "500\u00a0Wh"),
        ("carbon_g", 0.0, "0\u00a0g\u00a0CO2e", "0\u00a0g\u00a0CO2e"),
        ("now_g_per_kwh", 91.66, "91,7\u00a0g\u00a0CO2e/kWh", "91.7\u00a0g\u00a0CO2e/kWh"),
        ("surplus_w", 400.0, "400\u00a0W", "400\u00a0W"),
        ("ttft_s", 0.42, "0,4\u00a0s", "0.4\u00a0s"),
        ("completion_s", 120.0, "120\u00a0s", "120\u00a0s"),
        ("max_carbon_ug", 500_000, "0,5\u00a0g\u00a0CO2e", "0.5\u00a0g\u00a0CO2e"),
        ("confidence", 0.9, "90\u00a0%", "90%"),
        ("confidence", 0.995, "99,5\u00a0%", "99.5%"),
        ("then_zone", "CA-QC", "Québec", "Quebec"),
        ("then_at", 1_772_373_900.0, "none", "none"),
    ],
)
def test_values_are_told_with_the_unit_in_their_name(
    name: str, value: float | str, french: str, english: str
) -> None:
    """A value's name says its unit; a moment alone says nothing and is left out."""
    texts = [i18n._value_text(name, {name: value}, lang) for lang in LANGS]

    assert [french, english] == texts


@pytest.mark.parametrize("lang", i18n.LANGUAGES)
def test_a_text_that_reads_none_is_shown(lang: str) -> None:
    """A text that reads ``none`` is shown; a missing value leaves a hole."""
    sentence = i18n.error("store_unreachable", lang, {"place": "none", "problem": "x"})

    assert "none" in sentence
    assert i18n.HOLE not in sentence
    assert i18n.HOLE in i18n.error("store_unreachable", lang, {"problem": "x"})


def test_what_the_system_says_of_a_failed_call_is_translated() -> None:
    """A sentence that quotes the system is in one language throughout."""
    problem = os.strerror(errno.ENOENT)
    said = [i18n.text("cli-file-unwritable", lang, path="x", detail=problem) for lang in LANGS]

    assert "No such file" not in said[0]
    assert ["fichier ou dossier introuvable" in said[0], "no such file" in said[1]] == [True, True]


def test_an_empty_list_of_messages_is_to_be_filled() -> None:
    """No sentence advises to leave out what a request must have."""
    values: dict[str, i18n.Value] = {"fault": "empty", "param": "messages"}
    french, english = (i18n.error("invalid_request", lang, values) for lang in LANGS)

    assert 'Mettez-y au moins un message, comme {"role": "user"' in french
    assert 'Put at least one message into it, such as {"role": "user"' in english

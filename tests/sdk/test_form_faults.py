"""Faults of a configuration file: key, code and sentence, without the parsers' own English."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from tests.cases import all_cases

from entraide import i18n
from entraide.decoding import decode_toml
from entraide.form_faults import FormFault, find_form_fault


class Level(StrEnum):
    LOW = "low"
    HIGH = "high"


class Engine(Struct, forbid_unknown_fields=True):
    port: int
    level: Level = Level.LOW


class File(Struct, forbid_unknown_fields=True):
    engines: tuple[Engine, ...] = ()
    names: dict[str, bool] = {}


CASES: dict[str, tuple[str, str, str, str]] = {
    "a key that resembles one": ("[[engines]]\nprot = 1", "engines.1.prot", "unknown_key", "port"),
    "a key that resembles none": ("colour = 1", "colour", "unknown_key", "engines, names"),
    "a key that lacks": ("[[engines]]\nport = 1\n[[engines]]", "engines.2.port", "missing_key", ""),
    "a text for a number": ("[[engines]]\nport = 'x'", "engines.1.port", "wrong_kind", "x"),
    "a list for a table": ("names = []", "names", "wrong_kind", "[…]"),
    "a word of no list": (
        "[[engines]]\nport = 1\nlevel = 'top'", "engines.1.level", "not_one_of", "low, high",
    ),
    "a value that lacks": ("names =\n", "", "not_toml", "1"),
    "a key twice": ("names = {}\nnames = {}\n", "", "key_twice", "2"),
}  # fmt: skip


def fault_of(text: str) -> FormFault:
    document: Any = None
    try:
        document = decode_toml(text)
        msgspec.convert(document, File)
    except ValueError as problem:
        return find_form_fault(problem, document, File)
    raise AssertionError(text)


@all_cases("name", CASES)
def test_a_fault_names_its_key_and_what_to_write(name: str) -> None:
    """A fault has its key as a reader counts, and a sentence of our own in both languages."""
    text, key, code, shown = CASES[name]
    fault = fault_of(text)
    sentences = [
        i18n.error("config_refused", lang, {"path": "a.toml", **fault.sentence_values})
        for lang in i18n.LANGUAGES
    ]

    assert (key, code) == (fault.key, fault.fault)
    assert all(shown in sentence and key in sentence for sentence in sentences)
    assert not [each for each in sentences if "Expected" in each or "Object" in each]


def test_a_file_that_cannot_be_read_says_so_in_the_readers_language(tmp_path: Path) -> None:
    """The system's English words become the language's own."""
    try:
        (tmp_path / "none.toml").read_bytes()
    except OSError as problem:
        fault = find_form_fault(problem)
    values = {"path": "none.toml", **fault.sentence_values}

    assert "No such file" not in i18n.error("config_refused", "fr", values)

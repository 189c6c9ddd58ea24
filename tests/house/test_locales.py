"""The two languages say the same things, and the French keeps French typography."""

import re
from pathlib import Path

import pytest
from fluent.syntax import FluentParser, ast
from fluent.syntax.visitor import Visitor
from tests.house.source import ROOT

LOCALES = ROOT / "sdk/entraide/locales"
LANGUAGES = ("en", "fr")
NO_BREAK = "\u00a0\u202f"

# A high sign after an ordinary space, or after a letter with none; signs inside addresses aside.
HIGH_SIGN = re.compile(rf"(?:[^\S{NO_BREAK}]|(?<=[\wàâéèêëîïôûùç)»]))[:;?!](?=\s|$)")
QUOTE = re.compile(rf"«(?![{NO_BREAK}])|(?<![{NO_BREAK}])»")


class Reader(Visitor):
    """Collects the variables and the literal text below a message."""

    def __init__(self) -> None:
        self.variables: set[str] = set()
        self.texts: list[str] = []

    def visit_VariableReference(self, node: ast.VariableReference) -> None:  # noqa: N802
        self.variables.add(node.id.name)

    def visit_TextElement(self, node: ast.TextElement) -> None:  # noqa: N802
        self.texts.append(node.value)


def entries(lang: str) -> dict[str, Reader]:
    """The messages of a language by code (and `code.attribute`), each one read."""
    found = {}
    for entry in FluentParser().parse((LOCALES / f"{lang}.ftl").read_text("utf-8")).body:
        assert not isinstance(entry, ast.Junk), f"{lang}.ftl: {entry.content}"
        if isinstance(entry, ast.Message | ast.Term):
            parts = [(entry.id.name, entry.value)]
            parts += [(f"{entry.id.name}.{a.id.name}", a.value) for a in entry.attributes]
            for code, pattern in parts:
                assert code not in found, f"{lang}.ftl says {code} twice"
                found[code] = Reader()
                if pattern is not None:
                    found[code].visit(pattern)
    return found


def test_both_languages_say_the_same_codes() -> None:
    """Each message exists in French and in English."""
    assert set(entries("en")) == set(entries("fr"))


def test_both_languages_use_the_same_values() -> None:
    """A message is given the same values in both languages."""
    english, french = entries("en"), entries("fr")

    assert {code: reader.variables for code, reader in english.items()} == {
        code: french[code].variables for code in english
    }


def test_french_keeps_its_spaces() -> None:
    """High signs and guillemets stand apart by a space that does not break."""
    wrong = [
        f"{code}: {text}"
        for code, reader in entries("fr").items()
        for text in reader.texts
        if HIGH_SIGN.search(text) or QUOTE.search(text)
    ]

    assert [] == wrong


@pytest.mark.parametrize("text", ["Quoi ?", "Quoi?", "« Oui", "Attention : rien"])
def test_the_reader_notices(text: str) -> None:
    """A text with a breaking space where none belongs is seen."""
    assert HIGH_SIGN.search(text) or QUOTE.search(text)


def test_each_file_is_a_language() -> None:
    """There is a file for each language, and no other."""
    assert {f"{lang}.ftl" for lang in LANGUAGES} == {path.name for path in Path(LOCALES).iterdir()}

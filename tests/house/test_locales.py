"""Both languages have the same messages, and the French keeps its typography and its terms."""

import re
import tomllib
from functools import cache

import pytest
from fluent.syntax import FluentParser, ast
from fluent.syntax.visitor import Visitor
from tests.house.source import ROOT

from entraide.types import NodeState

CATALOGUES = {  # those of the programs, and of the web pages
    "sdk": ROOT / "sdk/entraide/locales",
    "pages": ROOT / "dashboard/src/locales",
}
LANGUAGES = ("en", "fr")
API_TEXTS = "scheduler/entraide_scheduler/gateway/openapi/texts.toml"
NO_BREAK = "\u00a0\u202f"

# A high sign after an ordinary space, or after a letter with none; signs inside addresses aside.
HIGH_SIGN = re.compile(rf"(?:[^\S{NO_BREAK}]|(?<=[\wàâéèêëîïôûùç)»]))[:;?!](?=\s|$)")
QUOTE = re.compile(rf"«(?![{NO_BREAK}])|(?<![{NO_BREAK}])»")

# In French the pool is *le parc*: *réseau* is the power grid, or a network of computers.
POOL_AS_NETWORK = re.compile(
    r"\br[ée]seaux?\b(?![ \u00a0](?:électriques?|local|locaux|informatiques?)\b)", re.IGNORECASE
)
DEMAND = re.compile(r"\b(?:demandes|(?:une|cette) demande)\b")
# A command's help begins with an infinitive: « Énumérer les machines. »
INFINITIVE = re.compile(r"(?:Ne (?:rien |pas |plus )?)?\w+(?:er|ir|ire|dre|ettre|aître)\b")
TARGET = re.compile(r"^([a-z-]+):.*? ## .+? \| (.+)$", re.MULTILINE)


class Reader(Visitor):
    """Collects the variables and the literal text below a message."""

    def __init__(self) -> None:
        self.variables: set[str] = set()
        self.texts: list[str] = []

    def visit_VariableReference(self, node: ast.VariableReference) -> None:  # noqa: N802
        self.variables.add(node.id.name)

    def visit_TextElement(self, node: ast.TextElement) -> None:  # noqa: N802
        self.texts.append(node.value)


@cache
def entries(lang: str, catalogue: str = "sdk") -> dict[str, Reader]:
    """The messages of a language by code (and `code.attribute`), each one read."""
    readers = {}
    source = (CATALOGUES[catalogue] / f"{lang}.ftl").read_text("utf-8")
    for entry in FluentParser().parse(source).body:
        assert not isinstance(entry, ast.Junk), f"{lang}.ftl: {entry.content}"
        if isinstance(entry, ast.Message | ast.Term):
            parts = [(entry.id.name, entry.value)]
            parts += [(f"{entry.id.name}.{a.id.name}", a.value) for a in entry.attributes]
            for code, pattern in parts:
                assert code not in readers, f"{lang}.ftl says {code} twice"
                readers[code] = Reader()
                if pattern is not None:
                    readers[code].visit(pattern)
    return readers


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_both_languages_say_the_same_codes(catalogue: str) -> None:
    """A message that one language has, the other has."""
    assert set(entries("en", catalogue)) == set(entries("fr", catalogue))


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_both_languages_use_the_same_values(catalogue: str) -> None:
    """A message is given the same values in both languages."""
    english, french = entries("en", catalogue), entries("fr", catalogue)

    assert {code: reader.variables for code, reader in english.items()} == {
        code: french[code].variables for code in english
    }


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_french_keeps_its_spaces(catalogue: str) -> None:
    """High signs and guillemets stand apart by a space that does not break."""
    wrong = [
        f"{code}: {text}"
        for code, reader in entries("fr", catalogue).items()
        for text in reader.texts
        if HIGH_SIGN.search(text) or QUOTE.search(text)
    ]
    source = (CATALOGUES[catalogue] / "fr.ftl").read_text("utf-8")

    assert [] == wrong, "U+00A0 belongs before ; : ? ! and inside « »"
    assert [] == re.findall(r'.*\{" "\}[:;?!»].*', source)  # a breaking space by itself


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_machines_state_has_one_word(lang: str) -> None:
    """Commands, the operator's page, the machine's page, the API document and the glossary."""
    sdk, pages = entries(lang), entries(lang, "pages")
    words = {state.value: "".join(sdk[f"state-{state}"].texts).lower() for state in NodeState}
    glossary = (ROOT / f"docs/glossary{'.fr' if lang == 'fr' else ''}.md").read_text("utf-8")
    row = next(line for line in glossary.splitlines() if "node state (" in line)
    texts = tomllib.loads((ROOT / API_TEXTS).read_text("utf-8"))["PublicNode"]["state"]

    assert words == {state: "".join(pages[f"op-state-{state}"].texts).lower() for state in words}
    assert [] == [word for word in words.values() if word not in row]
    assert [] == [word for word in words.values() if word not in texts[LANGUAGES.index(lang)]]
    for state in ("suspect", "lost"):
        assert "".join(sdk[f"machine-{state}"].texts).lower().startswith(words[state])
    assert words["lost"] in "".join(sdk["pool-doctor-node-lost"].texts)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_command_and_page_say_a_lost_connection_alike(lang: str) -> None:
    """The chat page and ``entraide chat`` have the same words, and ask alike for the rest."""
    page, command = (entries(lang, name) for name in ("pages", "sdk"))

    for code in ("chat-reconnecting", "chat-continue-question"):
        assert page[code].texts == command[code].texts != []


def test_silence_is_no_state() -> None:
    """No French sentence calls a machine or a gateway « silencieuse » or « muette » any more."""
    silent = [
        f"{catalogue}: {code}"
        for catalogue in CATALOGUES
        for code, reader in entries("fr", catalogue).items()
        if re.search(r"silencieu|\bmuette?s?\b", " ".join(reader.texts), re.IGNORECASE)
    ]

    assert [] == silent


def test_french_splits_a_file_and_shares_no_text() -> None:
    """« Partagez » reads as *share it*: what is too long is divided."""
    shared = [
        f"{catalogue}: {code}"
        for catalogue in CATALOGUES
        for code, reader in entries("fr", catalogue).items()
        if re.search(r"\bpartagez\b", " ".join(reader.texts), re.IGNORECASE)
    ]

    assert [] == shared


def test_the_french_without_scripts_keeps_its_spaces() -> None:
    """So does the sentence for browsers that run no script."""
    page = (ROOT / "dashboard/index.html").read_text("utf-8")
    texts = re.findall(r'<p lang="fr">([^<]*)', page)

    assert 1 == len(texts)
    assert [] == [text for text in texts if HIGH_SIGN.search(text) or QUOTE.search(text)]


def test_french_keeps_the_network_for_the_grid() -> None:
    """The pool is *le parc* in every sentence that a person reads, on the web pages too."""
    texts = {
        code: " ".join(reader.texts)
        for catalogue in CATALOGUES
        for code, reader in entries("fr", catalogue).items()
    }
    texts |= {"Makefile": (ROOT / "Makefile").read_text("utf-8")}

    assert [] == [code for code, text in texts.items() if POOL_AS_NETWORK.search(text)]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_carbon_dioxide_is_written_one_way(lang: str) -> None:
    """CO2e, as in the glossary, the fields and the commands: no sentence has another spelling."""
    texts = {
        code: " ".join(reader.texts)
        for catalogue in CATALOGUES
        for code, reader in entries(lang, catalogue).items()
    }

    assert [] == [code for code, text in texts.items() if "CO₂" in text]


def test_the_pages_call_a_request_by_the_glossarys_word() -> None:
    """On the French pages a request is a *requête*; *la demande* is what people want in a year."""
    texts = {code: " ".join(reader.texts) for code, reader in entries("fr", "pages").items()}

    assert [] == [code for code, text in texts.items() if DEMAND.search(text)]


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        ("Le réseau est prêt.", True),
        ("l’exploitant du réseau", True),
        ("les RÉSEAUX de machines", True),
        ("le réseau électrique de la province", False),
        ("sur le réseau\u00a0local", False),
        ("l’intensité des réseaux électriques", False),
    ],
)
def test_the_word_for_the_pool_is_noticed(text: str, *, is_wrong: bool) -> None:
    """*Réseau* alone is seen, in any number and case; the grid and a local network are not."""
    assert is_wrong == bool(POOL_AS_NETWORK.search(text))


def test_french_help_begins_with_an_infinitive() -> None:
    """Every command and every target of make says what it does, with its verb first."""
    helps = {
        code: reader.texts[0] for code, reader in entries("fr").items() if code.startswith("help-")
    }
    helps |= dict(TARGET.findall((ROOT / "Makefile").read_text("utf-8")))

    assert {} == {code: text for code, text in helps.items() if not INFINITIVE.match(text)}


@pytest.mark.parametrize(
    ("text", "is_infinitive"),
    [
        ("Énumérer les cibles.", True),
        ("Ne rien changer.", True),
        ("Décrire cette machine.", True),
        ("Mettre en pause.", True),
        ("Énumère les cibles.", False),
        ("Montre une machine.", False),
        ("Les modèles offerts.", False),
        ("Le côté de cette machine.", False),
    ],
)
def test_an_infinitive_is_recognised(text: str, *, is_infinitive: bool) -> None:
    """A noun or a conjugated verb at the beginning is seen."""
    assert is_infinitive == bool(INFINITIVE.match(text))


@pytest.mark.parametrize("text", ["Quoi ?", "Quoi?", "« Oui", "Attention : rien"])
def test_the_reader_notices(text: str) -> None:
    """A text with a breaking space where none belongs is seen."""
    assert HIGH_SIGN.search(text) or QUOTE.search(text)


def test_each_file_is_a_language() -> None:
    """There is a file for each language, and no other."""
    for folder in CATALOGUES.values():
        assert {f"{lang}.ftl" for lang in LANGUAGES} == {path.name for path in folder.iterdir()}

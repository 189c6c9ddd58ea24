"""Each promise to a person is in the register, with a test that tries to break it and its break.

A promise is marked right after its sentence, with the same number in both languages. A sentence
with a word of promise and without a mark is found, unless it is listed here: it promises nothing.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from tests.cases import all_cases
from tests.house.source import ROOT
from tests.house.test_locales import entries

REGISTER = ROOT / "docs/reference/promises.md"
# The documents that the register covers; each of the first has a twin in French.
COVERED = ("README.md", *(f"docs/guides/{name}.md" for name in ("backup", "batches", "board",
    "found-a-pool", "gateways", "invite", "memory", "models", "notify", "office-alone", "operate",
    "people", "run-a-node", "tell-members")))  # fmt: skip
# In English only; of it these parts, since the others are about machines.
ENGLISH_ONLY = ("docs/reference/policy.md", "docs/reference/security.md")
PARTS = re.compile(r"^## (?:Secrets and text|Roles|Who can technically see which data"
    r"|New machines: `\[newcomer\]`)$.*?(?=^## )", re.MULTILINE | re.DOTALL)  # fmt: skip
PREFIXES = (
    "answer-canada-",
    "class-",
    "foot-",
    "key-",
    "keep-",
    "link-",
    "page-t",
    "receipt-verified-",
    "sessions-",
    "start-",
)
MARK = re.compile(r" ?<!-- (promise-\d{3}) -->")
ROW = re.compile(r"^\| (promise-\d{3}) \|([^|]+)\|([^|]+)\|([^|]+)\|([^|]+)\|$", re.MULTILINE)
QUOTED = re.compile(r"`([^`]+)`")
LINKED = re.compile(r"\]\(([^)]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
ITEM = re.compile(r"(?:[-*]|\d+\.) ")
END = re.compile(r"(?:(?<=[.!?])(?:\*\*)?|(?<=-->))\s+(?!<!--)")
WORDS = {
    "en": re.compile(r"\b(never|nobody|nothing|no other|only|alone|cannot|always|at once"
                     r"|neither|none)\b", re.IGNORECASE),
    "fr": re.compile(r"\b(jamais|personne d’autre|aucune? autre|tout de suite|aussitôt)\b",
                     re.IGNORECASE),
}  # fmt: skip


# Sentences with such a word that promise nothing, by the reason; each by how it begins.
NO_PROMISE = {
    "advice to the reader, or a step": (
        "Anybody who has the link can use it", "If one person alone has a project",
        "On a Mac the service runs", "Never: passwords", "Tell [NAME] at once",
        "Dites-le aussitôt", "A single Mac or a single PC", "`entraide node bench` mesure",
        "- the risks that remain", "what leads to the conclusion",
        "Never use `--insecure` without", "N’employez jamais",
        "For backups at night, a file", "Never run the old pool", "Ne faites jamais fonctionner",
        "Copy the list with the backups", "If the disk of the pool is lost", "name another one;",
        "- Python 3.11 or newer", "Check that nothing is missing", "Give it to that person only",
        "- Safari or Chrome on macOS", "Write it (four or five words)", "Write a passphrase (four",
        "On a machine with neither", "pin only the format", "If this machine alone asks",
        "Embeddings of two models", "a name that no other gateway", "un nom qu’aucune autre",
    ),
    "what the members promise each other, in a text to adapt": (
        "The operator, and the member whose machine", "To use only the agreed engines",
        "To keep the system up to date", "To keep nothing after the end",
        "To use `restricted` for", "- No decision about a person",
    ),
    "how something works, in a description that nobody relies on for protection": (
        "but where an owner sets other limits",
        "- **A programmer** points", "The first target makes", "All three were run on Linux",
        "The person's first link is no new start", "At the first sign-in the pool finds",
        "Only the first one, which is found", "At any time the agent says",
        "The line installs Entraide for your account",
        "Where `entraide` is installed already", "The machine needs outgoing connections",
        "- A finding is told once it has lasted", "- A stopped pool tells nothing",
        "La machine a besoin de connexions", "a link whose secret is the token alone",
        "a link with a pin alone", "neither", "none: keep", "Starts the engines",
        "A file that cannot be read counts", "`--key` does the same",
        "a node's message that contains one is refused",
        "authorization code with PKCE", "If the pool's mirror has nothing",
        "If an invitation was used, has expired", "Either alone is not enough",
        "Where the pool's server and a gateway elsewhere",
        "and for this machine only once it has joined",
        "`tests/scheduler/person_routes.py` is the table",
        "More than 256 new connections at once",
        "The file appears only once it is complete", "Machines connect by themselves with",
        "A list repeats nothing inside", "the backup cannot be written", "nothing is lost; `DIR",
        "A batch sends them all at once", "It also leaves the machines free",
        "Il laisse aussi les machines libres", "The command returns at once",
        "La commande rend la main", "`show` says which hours", "`show` dit quelles heures",
        "`fetch` prints the answers", "Besides plain text, JSON lines", "A fault is shown with",
        "256 lines of a co-op are", "30 days, or the time", "30 jours, ou le temps",
        "the command sends nothing;", "Port 8444 (gRPC) is only", "Run again, it changes nothing",
        "Run again, the command changes", "If the name leads to no machine",
        "The machines connect again by themselves", "Pages and sign-in links use the first",
        "What a gateway knows of a live", "notice nothing", "Without a zone, a new machine is",
        "The agent says in one sentence", "An unchanged document is not read",
        "If no passage is similar enough", "This threshold was chosen with",
        "A pool runs only open-weight", "If the disk is too small", "`--checksums-only`;",
        "If two operators change", "A member that reaches nothing", "If you pin from another",
        "Before a transfer the node checks", "A model needs memory for", "Weights are never split",
        "Les poids ne sont jamais partagés", "[En français](office-alone.fr.md)",
        "Other co-ops can join later", "`entraide models place qwen3-8b",
        "The other computers need port 8443", "[What to tell members](tell-members.md) says",
        "Every command here is for the operator", "Toutes ces commandes sont pour",
        "It has the lowest priority", "This makes a new version;", "`none` takes your word back",
        "How much a surplus without evidence", "In a pool that begins, no machine has ended",
        "Runs for its own co-op show others nothing", "runs for other co-ops without a fault",
    ),
    "what no code does: there is nothing that a test could break": (
        "nothing: the weights are downloaded",
        "The agent asks no package index", "L’agent n’interroge aucun index",
        "It changes nothing, its output contains", "This is the only moment when something",
    ),
}  # fmt: skip
# The same for messages.
NO_PROMISE_MESSAGES = frozenset({
    "class-public-means", "keep-not-kept", "page-told-state",  # they warn, or tell what is known
    "keep-none", "keep-delete-sure", "keep-erase-sure", "keep-needs-https", "keep-unreadable",
    "page-too-large",  # they say what cannot be done
})  # fmt: skip


class Promise(NamedTuple):
    """A row of the register."""

    number: str
    sentence: str
    documents: tuple[str, ...]
    messages: tuple[str, ...]
    tests: tuple[str, ...]
    breaks: str


@cache
def register() -> dict[str, Promise]:
    """The rows of the register by their number."""
    promises = {}
    for number, sentence, places, tests, breaks in ROW.findall(REGISTER.read_text("utf-8")):
        assert number not in promises, f"{number} twice"
        documents = tuple(
            (REGISTER.parent / link).resolve().relative_to(ROOT).as_posix()
            for link in LINKED.findall(places)
        )
        promises[number] = Promise(
            number, sentence.strip(), documents, tuple(QUOTED.findall(places)),
            tuple(QUOTED.findall(tests)), breaks.strip(),
        )  # fmt: skip
    return promises


def marks(name: str) -> list[str]:
    """The marks of a document, in order."""
    return MARK.findall((ROOT / name).read_text("utf-8"))


def read(name: str) -> str:
    """What of a document speaks to persons."""
    text = (ROOT / name).read_text("utf-8")
    return "\n".join(PARTS.findall(text)) if name in ENGLISH_ONLY else text


def french(name: str) -> str:
    return name.removesuffix(".md") + ".fr.md"


def sentences(text: str) -> Iterator[str]:
    """The sentences of paragraphs, items and cells, each with the marks that follow it."""
    blocks: list[str] = [""]
    for line in FENCE.sub("\n", text).splitlines():
        words = line.strip().removeprefix(">").strip()
        if words.startswith("|"):
            blocks += [*words.strip("|").split("|"), ""]
        elif not words or words.startswith("#"):
            blocks.append("")
        elif ITEM.match(words):
            blocks.append(words)
        else:
            blocks[-1] += f" {words}"
    for block in blocks:
        yield from (sentence.strip() for sentence in END.split(block))


def test_each_promise_is_whole() -> None:
    """It has a sentence, places, tests that exist, and a break in a file that exists."""
    missing = []
    for promise in register().values():
        broken = [path for path in QUOTED.findall(promise.breaks) if "/" in path]
        if not (promise.sentence and promise.tests and broken):
            missing.append(promise.number)
        missing += [path for path in broken if not (ROOT / path).is_file()]
        missing += [test for test in promise.tests if not is_test(test)]
        missing += [code for code in promise.messages if not is_message(code)]

    assert len(register()) > 40
    assert [] == missing


def is_test(name: str) -> bool:
    path, _, function = name.partition("::")
    file = ROOT / path
    return file.is_file() and f"\ndef {function}(" in file.read_text("utf-8").replace("async ", "")


def is_message(code: str) -> bool:
    return any(code in entries("en", catalogue) for catalogue in ("sdk", "pages"))


def test_marks_and_rows_agree() -> None:
    """Each mark has a row that names the document, and each row a mark in what it names."""
    marked = {(number, name) for name in (*COVERED, *ENGLISH_ONLY) for number in marks(name)}
    listed = {
        (promise.number, name) for promise in register().values() for name in promise.documents
    }

    assert marked == listed
    assert [] == [each.number for each in register().values() if not each.documents + each.messages]


@all_cases("name", COVERED)
def test_both_languages_promise_the_same(name: str) -> None:
    """The French page has the marks of the English one, in the same order."""
    assert marks(name) == marks(french(name))


@all_cases("name", (*COVERED, *ENGLISH_ONLY, *map(french, COVERED)))
def test_no_promise_without_a_mark(name: str) -> None:
    """A sentence with a word of promise is marked, or is listed as one that promises nothing."""
    words = WORDS["fr" if name.endswith(".fr.md") else "en"]
    known = tuple(begin for begins in NO_PROMISE.values() for begin in begins)
    unmarked = [
        sentence
        for sentence in sentences(read(name))
        if words.search(sentence) and not MARK.search(sentence) and not sentence.startswith(known)
    ]

    assert [] == unmarked, unmarked


def test_no_message_promises_in_silence() -> None:
    """A message of the pages on reading, keys, links and sessions is in the register or listed."""
    listed = {code for promise in register().values() for code in promise.messages}
    silent = [
        code
        for catalogue in ("sdk", "pages")
        for code, reader in entries("en", catalogue).items()
        if code.startswith(PREFIXES) and WORDS["en"].search(" ".join(reader.texts))
        and code not in listed | NO_PROMISE_MESSAGES
    ]  # fmt: skip

    assert [] == silent, silent


def test_each_exception_is_needed() -> None:
    """A listed sentence still stands in a document, and a listed message in a catalogue."""
    documents = (*COVERED, *ENGLISH_ONLY, *map(french, COVERED))
    text = [each for name in documents for each in sentences(read(name))]
    begins = [begin for begins in NO_PROMISE.values() for begin in begins]

    unused = [begin for begin in begins if not any(each.startswith(begin) for each in text)]

    assert [] == unused, unused
    assert [] == [code for code in NO_PROMISE_MESSAGES if not is_message(code)]

"""The papers keep their form, and no file holds what none may hold."""

import re
import tomllib

from tests.cases import all_cases
from tests.house.source import ROOT, files, tree, written
from tests.house.test_locales import HIGH_SIGN, QUOTE

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

CHANGE_KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
RELEASE = re.compile(r"## \[(Unreleased|\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2})\]?$")
ADR_HEADINGS = ["## Context", "## Decision", "## Alternatives", "## Consequences"]
ADR_LINES_MAX = 70

# Where packages come from is the machine's business; a checkout's own place is nobody's.
ADDRESSES = ("pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "deb.debian" + ".org")
OPEN_ENDS = ("TO" + "DO", "FIX" + "ME", "X" + "XX", "NotImplemented" + "Error")

TEXT_FILES = [
    path
    for path in files()
    if path.suffix in {".py", ".md", ".toml", ".sh", ".proto", ".ftl", ".lock", ".html", ".css",
                       ".js", ".csv", ".json", ""}
]  # fmt: skip


FRENCH_PAGES = [path for path in files() if path.name.endswith(".fr.md")]


def lines(name: str) -> list[str]:
    """The lines of a file at the top of the checkout."""
    return (ROOT / name).read_text("utf-8").splitlines()


def outline(name: str) -> list[int]:
    """The levels of a page's headings, in order."""
    text = re.sub(r"^```.*?^```", "", (ROOT / name).read_text("utf-8"), flags=re.M | re.S)
    return [len(mark) for mark in re.findall(r"^(#+) ", text, re.M)]


def commands(name: str) -> list[str]:
    """The lines in a page's code blocks, without comments, and with quoted words left out."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", (ROOT / name).read_text("utf-8"), re.M | re.S)
    bare = (re.sub(r"\s*#.*| *(\"[^\"]*\"|'[^']*')", "", line) for b in blocks
            for line in b.splitlines())  # fmt: skip
    return [line.rstrip() for line in bare if line.strip()]


def test_changelog_keeps_its_form() -> None:
    """The changelog opens with what is unreleased, and sorts changes into the known kinds."""
    text = lines("CHANGELOG.md")
    releases = [line for line in text if line.startswith("## ")]
    kinds = [line for line in text if line.startswith("### ")]

    assert "# Changelog" == text[0]
    assert "## [Unreleased]" == releases[0]
    assert [] == [line for line in releases if not RELEASE.match(line)]
    assert {kind.removeprefix("### ") for kind in kinds} <= CHANGE_KINDS
    assert [] == [
        line
        for line, after in zip(text, [*text[1:], ""], strict=True)
        if line.startswith("### ") and after.strip()
    ]


def test_read_mes_say_the_same() -> None:
    """The French and the English read-me have the same headings and the same commands."""
    assert outline("README.md") == outline("README.fr.md")
    assert commands("README.md") == commands("README.fr.md")


PAGES = [path for path in files() if path.suffix == ".md"]


def repeated_headings(text: str, *, is_changelog: bool = False) -> list[str]:
    """The headings that a page has twice; in the changelog, twice in one release."""
    text = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.M | re.S)
    earlier: list[str] = []
    repeated = []
    for mark, title in re.findall(r"^(#+) +(.+?)[ #]*$", text, re.M):
        if is_changelog and mark == "##":
            earlier = []
        plain = re.sub(r"[`*_]", "", title).casefold()
        repeated += [title] if plain in earlier else []
        earlier.append(plain)
    return repeated


def test_no_page_has_a_heading_twice() -> None:
    """Each heading of a page is there once: a link leads to one place, and one text is right."""
    twice = [
        f"{path.relative_to(ROOT)}: {title}"
        for path in PAGES
        for title in repeated_headings(
            path.read_text("utf-8"), is_changelog=path.name == "CHANGELOG.md"
        )
    ]

    assert [] == twice
    assert ["`B`"] == repeated_headings("# A\n\n## B\n```\n# A\n```\n### `B`\n")


def test_contributing_names_every_folder() -> None:
    """The table in CONTRIBUTING has each folder at the top of the checkout."""
    folders = {path.relative_to(ROOT).parts[0] for path in files() if path.parent != ROOT}
    named = set(re.findall(r"^\| `(\w+)/` \|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.M))

    assert {folder for folder in folders if not folder.startswith(".")} == named


@all_cases("path", FRENCH_PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_french_pages_keep_their_spaces(path) -> None:
    """High signs and guillemets in a French page stand apart by a space that does not break."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "x", path.read_text("utf-8"), flags=re.S)

    assert [] == [
        line for line in text.splitlines() if HIGH_SIGN.search(line) or QUOTE.search(line)
    ]


@all_cases("path", sorted((ROOT / "docs/adr").glob("*.md")), ids=lambda p: p.stem)
def test_decisions_keep_their_form(path) -> None:
    """A decision is one page with a number, a date, and four parts in order."""
    text = path.read_text("utf-8").splitlines()

    assert re.fullmatch(r"\d{4}-[a-z0-9-]+", path.stem)
    assert text[0].startswith(f"# {path.stem[:4]}: ")
    assert ADR_HEADINGS == [line for line in text if line.startswith("## ")]
    assert ADR_LINES_MAX >= len(text)


def test_decisions_are_numbered_in_a_row() -> None:
    """No decision's number is missing or used twice."""
    numbers = sorted(int(path.stem[:4]) for path in (ROOT / "docs/adr").glob("*.md"))

    assert list(range(1, len(numbers) + 1)) == numbers


def test_every_dependency_and_exception_has_its_reason() -> None:
    """Each dependency, extra and ignored rule in the project file says why beside it."""
    extras = "|".join(PROJECT["optional-dependencies"])
    watched = re.compile(rf'^(dependencies|ignore|{extras}|"[^"]+") = \[$')
    inside, silent = False, []
    for number, line in enumerate(lines("pyproject.toml"), 1):
        inside = bool(watched.match(line)) or (inside and line != "]")
        if inside and line.startswith('    "') and " # " not in line:
            silent.append(f"pyproject.toml:{number} {line.strip()}")

    assert [] == silent


def test_nothing_is_left_open() -> None:
    """No file of ours says that something remains to be done, and no test is skipped for good."""
    words = re.compile(rf"\b({'|'.join(OPEN_ENDS)})\b|mark\.(skip|xfail)\(")
    faults = [
        f"{path.relative_to(ROOT)}:{number} {line.strip()}"
        for path in written()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if words.search(line)
    ]

    assert [] == faults


def test_no_file_names_a_place_that_is_not_its_own() -> None:
    """No file holds a package registry's address, or the path of the checkout it was written in."""
    places = (*ADDRESSES, f"{ROOT}/")
    faults = [
        f"{path.relative_to(ROOT)} names {place}"
        for path in TEXT_FILES
        for place in places
        if place in path.read_text("utf-8", errors="replace")
    ]

    assert [] == faults


def test_locks_hold_hashes_and_no_address() -> None:
    """Each pinned package has a hash, and no line names where to fetch it."""
    for name in ("requirements.lock", "requirements-model.lock"):
        text = (ROOT / name).read_text("utf-8")
        pins = re.findall(r"^[a-z0-9._-]+==.*(?:\n +.*)*", text, re.M)

        assert pins
        assert [] == [pin for pin in pins if "--hash=sha256:" not in pin]
        assert "://" not in text


def test_every_file_parses() -> None:
    """Each Python file that a person wrote is one that this Python understands."""
    for path in written():
        assert tree(path).body or path.name == "__init__.py" or not path.stat().st_size


def test_the_french_list_says_which_pages_are_in_english() -> None:
    """In the French list of documents and on the board's pages, a link to English says so."""
    pages = [ROOT / "docs/README.fr.md", ROOT / "docs/guides/board.fr.md"]
    pages += [
        path
        for name in ("benchmarks", "energy", "fairness", "green-hours", "policy", "quotas")
        for path in ROOT.glob(f"docs/*/{name}.fr.md")
    ]
    link = re.compile(r"\[(?!In English\])[^\]]*\]\((?![^)]*\.fr\.md)[^)\s]*\.md(?:#[^)]*)?\)"
                      r"(?!(?: \(|, )en anglais\))")  # fmt: skip

    assert 8 == len(pages)
    assert [] == [f"{path.name}: {target}" for path in pages
                  for target in link.findall(path.read_text("utf-8"))]  # fmt: skip

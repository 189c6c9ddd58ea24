"""Every guide is there in French and in English, with the same commands, and its links resolve."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from scripts.docs_check import broken_links
from tests.cases import all_cases
from tests.house.source import ROOT
from tests.house.test_papers import outline
from tests.testbed.guides import FOLDER, Block, read_blocks

FRENCH, ENGLISH = ".fr.md", ".md"
PAGES = sorted(path.name for path in FOLDER.glob("*.md"))
NAMES = sorted({name.removesuffix(ENGLISH).removesuffix(".fr") for name in PAGES})
LINK = re.compile(r"\]\(([^)#\s]+\.md)(?:#[^)]*)?\)")
PROMPT, CONTINUED = "$ ", "\\"
NESTED_FENCE = re.compile(r"^ +```", re.MULTILINE)


def typed(session: str) -> Iterator[str]:
    """The lines that a person types in a session; what the commands print is left out."""
    is_typed = False
    for line in session.splitlines():
        is_typed = is_typed or line.startswith(PROMPT)
        if is_typed:
            yield line
        is_typed = is_typed and line.endswith(CONTINUED)


def content(block: Block) -> object:
    """What a block says to the machine: reasons, comments and output have the page's language."""
    match block.language:
        case "toml":
            return tomllib.loads(block.text)
        case "console":
            return list(typed(block.text))
        case _:
            return re.sub(r'--reason "[^"]*"', '--reason "…"', block.text)


def told(page: str) -> list[tuple[str, str, str, str, object]]:
    """The blocks of a page, each with its step, host, mode, language and content."""
    return [
        (block.step, block.host, block.mode, block.language, content(block))
        for block in read_blocks(page)
    ]


def test_there_are_guides() -> None:
    """Each guide has a French and an English page, and there are guides."""
    assert "office-alone" in NAMES
    assert sorted(f"{name}{end}" for name in NAMES for end in (FRENCH, ENGLISH)) == PAGES


@all_cases("name", NAMES)
def test_both_languages_have_the_same_commands(name: str) -> None:
    """The pages have the same blocks in the same order, under headings of the same levels."""
    french, english = f"{name}{FRENCH}", f"{name}{ENGLISH}"
    folder = FOLDER.relative_to(ROOT)

    assert told(french) == told(english)
    assert outline(str(folder / french)) == outline(str(folder / english))


@all_cases("page", PAGES)
def test_blocks_are_not_nested(page: str) -> None:
    """No block is inside a list, where these tests and the testbed would not see it."""
    assert not NESTED_FENCE.search((FOLDER / page).read_text("utf-8"))


@all_cases("page", PAGES)
def test_links_resolve(page: str) -> None:
    """Each relative link leads to a file, and each anchor to a heading."""
    assert [] == broken_links(FOLDER / page)


@all_cases("page", PAGES)
def test_links_keep_the_language(page: str) -> None:
    """The first link leads to the other language, the others stay in this one where they can."""
    name = page.removesuffix(ENGLISH).removesuffix(".fr")
    own, other = (FRENCH, ENGLISH) if page.endswith(FRENCH) else (ENGLISH, FRENCH)
    twin, *others = LINK.findall((FOLDER / page).read_text("utf-8"))
    strangers = [
        target
        for target in others
        if target.endswith(FRENCH) != (own == FRENCH) and has_twin(FOLDER / target, own)
    ]

    assert f"{name}{other}" == twin
    assert [] == strangers


def has_twin(path: Path, end: str) -> bool:
    """Whether a page exists in the language of a file name's end."""
    name = path.name.removesuffix(ENGLISH).removesuffix(".fr")
    return path.with_name(f"{name}{end}").is_file()

"""One term per thing: the glossary knows the core's classes, and names are terms of the field."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.house.source import PACKAGES, ROOT, is_generated, modules, nodes, tree, where, written

GLOSSARY = ROOT / "docs/glossary.md"
CORE = "entraide_scheduler.core"
PAGES = tuple(
    ROOT / "docs" / name
    for name in ("architecture.md", "architecture.fr.md", "glossary.md", "glossary.fr.md")
)
COMPONENTS = tuple(PACKAGES)
SHARED = "Names that several components share"
VOCABULARY = ("entraide.types", "entraide.enums", "entraide.settlements",
              "entraide.candidates")  # fmt: skip

# Words that no reader of the field would search for; each form that code could use.
METAPHORS = frozenset(
    {"bay", "bays", "blow", "blows", "crew", "crews", "crowd", "crowds", "desk", "desks", "door",
     "doors", "ear", "ears", "fall", "falls", "garage", "garages", "lane", "lanes", "leash", "menu",
     "menus", "obey", "obeys", "roster", "rosters", "seat", "seats", "shelf", "shelves", "shut",
     "shuts", "stand", "stands", "stick", "sticks", "stuck", "unstick", "voice", "voices"}
)  # fmt: skip
EMPTY_WORDS = frozenset({"found", "told", "seen", "one", "it"})


def paths(component: str) -> Iterator[Path]:
    """The files of a component that a person wrote."""
    root = PACKAGES[component] / component
    return (path for path in written() if path.is_relative_to(root) and not is_generated(path))


@cache
def section(title: str) -> str:
    """The text below a heading of the glossary, up to the next one."""
    parts = re.split(r"^## (.+)$", GLOSSARY.read_text("utf-8"), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


def named(title: str) -> set[str]:
    """The names in the first column of a section's table."""
    return set(re.findall(r"^\| `(\w+)` \|", section(title), re.M))


def classes(component: str) -> Iterator[tuple[str, str, ast.ClassDef]]:
    """The public classes of a component: module, place and definition."""
    for module, path in modules().items():
        if module.split(".")[0] == component and not is_generated(path):
            for node in tree(path).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    yield module, where(path, node.lineno), node


def words(name: str) -> set[str]:
    """The words of a snake_case or CamelCase name, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def metaphors(component: str) -> list[str]:
    """The modules, classes and functions of a component whose names hold a metaphor."""
    definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    named_files = {
        str(path.relative_to(ROOT))
        for path in paths(component)
        for part in path.relative_to(PACKAGES[component]).with_suffix("").parts
        if words(part) & METAPHORS
    }
    return sorted(named_files) + [
        f"{where(path, node.lineno)} {node.name}"
        for path in paths(component)
        for node in nodes(path)
        if isinstance(node, definition) and words(node.name) & METAPHORS
    ]


@cache
def fields(path: Path) -> frozenset[ast.expr]:
    """The names of the fields that the classes of a file declare."""
    return frozenset(
        statement.target
        for node in nodes(path)
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign)
    )


def empty_locals() -> list[str]:
    """The locals whose name does not say what the value is; fields are encoded."""
    return [
        f"{where(path, node.lineno)} {node.id}"
        for path in written()
        for node in nodes(path)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in EMPTY_WORDS
        if node not in fields(path)
    ]


def repeats(component: str) -> list[str]:
    """The class names that a component has twice or shares with `entraide.types`."""
    vocabulary = {node.name for module, _, node in classes("entraide") if module in VOCABULARY}
    every = [(module, place, node.name) for module, place, node in classes(component)]
    count = Counter(name for _, _, name in every)
    count.update(vocabulary if component != "entraide" else ())
    excused = named("Names that several components share")
    return [
        f"{place} {name}" for _, place, name in every if count[name] > 1 and name not in excused
    ]


def test_the_glossary_has_every_class_of_the_core() -> None:
    """Each public class of the core has a row in the glossary with its module, and no other has."""
    table = section("Public classes of the core")
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", table, re.M)
    defined = [
        (node.name, module.rpartition(".")[2])
        for module, _, node in classes("entraide_scheduler")
        if module.startswith(f"{CORE}.")
    ]

    assert sorted(defined) == sorted(rows)


def test_the_pages_name_modules_that_exist() -> None:
    """Each module that the glossary and the architecture name is one of ours."""
    named_modules = {
        name
        for page in PAGES
        for name in re.findall(r"`(entraide\w*(?:\.\w+)+)`", page.read_text("utf-8"))
    }

    assert set() == named_modules - modules().keys()


def test_the_architecture_links_to_the_modules_that_it_names() -> None:
    """The text of each link to a module ends with the name of the linked file."""
    links = [
        link
        for page in PAGES
        for link in re.findall(r"\[`([\w/.]+)`\]\(([\w/.]+)\.py\)", page.read_text("utf-8"))
    ]

    assert links
    assert [] == [
        (text, file)
        for text, file in links
        if re.split(r"[/.]", text)[-1] != file.rpartition("/")[2]
    ]


def test_both_languages_have_the_same_terms() -> None:
    """The French glossary has the terms of the English one, each with its twin and module."""
    row = re.compile(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \| (`[\w.]+`|—) \|$", re.M)
    english = row.findall(GLOSSARY.read_text("utf-8"))
    french = row.findall(GLOSSARY.with_suffix(".fr.md").read_text("utf-8"))

    assert english
    assert english == [(term, twin, module) for twin, term, module in french]


@pytest.mark.parametrize("component", COMPONENTS)
def test_class_names_are_unique(component: str) -> None:
    """A public class name is unique in its component and against the vocabulary."""
    assert [] == repeats(component)


def test_names_that_components_share_are_listed() -> None:
    """The glossary says the concept of each class name that several components use, and no more."""
    count = Counter(
        name
        for component in COMPONENTS
        for name in {node.name for _, _, node in classes(component)}
    )

    assert {name for name, uses in count.items() if uses > 1} == named(SHARED)


@pytest.mark.parametrize("component", COMPONENTS)
def test_names_are_no_metaphors(component: str) -> None:
    """No module, class or function is named after a metaphor."""
    assert [] == metaphors(component)


def test_locals_name_the_thing() -> None:
    """No local of ours, tests included, is called `found`, `told`, `seen`, `one` or `it`."""
    assert [] == empty_locals()

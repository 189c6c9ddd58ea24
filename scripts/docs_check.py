"""Checks the documents: relative links and heading anchors resolve, and doctests pass.

Reads every Markdown file that git tracks, and every Python module with a doctest. It does not check
addresses on the web: no check needs a network.
"""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("sdk", "scheduler", "node_agent", "sim", "dashboard")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


def tracked(*patterns: str) -> list[Path]:
    """Returns the files in git that match."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    ).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def anchors(text: str) -> set[str]:
    """Returns the anchors that a code-hosting site makes from a page's headings."""
    titles = (re.sub(r"[`*]|\]\([^)]*\)|\[", "", title) for title in HEADING.findall(text))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(page: Path) -> list[str]:
    """Returns one sentence for each broken link of a page."""
    text = FENCE.sub("", page.read_text("utf-8"))
    broken = []
    for target in LINK.findall(text):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.is_relative_to(ROOT):
            broken.append(f"{page.relative_to(ROOT)}: {target} leaves the checkout")
        elif not file.exists():
            broken.append(f"{page.relative_to(ROOT)}: no file at {target}")
        elif (
            anchor
            and file.suffix == ".md"
            and anchor not in anchors(FENCE.sub("", file.read_text("utf-8")))
        ):
            broken.append(f"{page.relative_to(ROOT)}: no heading for {target}")
    return broken


def module_name(path: Path) -> str:
    """Returns the import name of a source file."""
    inside = path.relative_to(ROOT).parts[1:]
    return ".".join(inside).removesuffix(".py").removesuffix(".__init__")


def failed_doctests() -> int:
    """Runs the doctests of pages and modules, and counts those that fail."""
    failed = 0
    for page in tracked("*.md"):
        if ">>> " in page.read_text("utf-8"):
            failed += doctest.testfile(str(page), module_relative=False).failed
    for path in tracked(*(f"{root}/**/*.py" for root in SOURCES)):
        if ">>> " in path.read_text("utf-8"):
            failed += doctest.testmod(importlib.import_module(module_name(path))).failed
    return failed


def main() -> int:
    """Prints what is wrong; returns the exit status."""
    broken = [sentence for page in tracked("*.md") for sentence in broken_links(page)]
    for sentence in broken:
        print(sentence)
    return 1 if broken or failed_doctests() else 0


if __name__ == "__main__":
    sys.exit(main())

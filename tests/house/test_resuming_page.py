"""The page on resumed answers names tests that exist, in both languages alike."""

import re
from pathlib import Path

import pytest
from tests.house.source import ROOT

from entraide.resuming import RESUME_UNSUPPORTED, lost_options

PAGES = [ROOT / "docs/concepts/resuming.md", ROOT / "docs/concepts/resuming.fr.md"]
FIELDS = ("frequency_penalty", "presence_penalty", "n", "tools", "response_format")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
pytestmark = pytest.mark.checkout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_named_test_exists(page: Path) -> None:
    """A line of the table rests on a test that can be run."""
    text = page.read_text("utf-8")
    sources = [path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    named = re.findall(r"`(test_\w+)`", text)

    assert named
    assert [] == [name for name in named if not any(f"def {name}(" in s for s in sources)]


def test_both_languages_name_the_same() -> None:
    """Options, errors, engines and tests stand in both pages, in the same order."""
    quoted = [re.findall(r"`([^`]+)`", FENCE.sub("", page.read_text("utf-8"))) for page in PAGES]

    assert quoted[0] == quoted[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_lost_is_named(page: Path) -> None:
    """Each option that an engine loses has a line with its stable error."""
    lines = page.read_text("utf-8").splitlines()

    assert FIELDS[:2] == lost_options("vllm/1", FIELDS[:2])
    for field in lost_options("vllm/1", FIELDS):
        assert any(f"`{field}`" in line and "`stream_broken`" in line for line in lines), field
    assert any(f"`{RESUME_UNSUPPORTED}`" in line for line in lines)

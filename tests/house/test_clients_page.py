"""The page of clients says what was tried, with the versions of the lock files."""

import re

import pytest
from tests.clients.table import CLIENTS, PROGRAMS, version_of
from tests.house.source import ROOT

pytestmark = pytest.mark.checkout

PAGE = (ROOT / "docs/reference/clients.md").read_text("utf-8")
ROW = re.compile(r"^\| \[`(.+?)`\]\(#\S+\) \| `(.+?)` \| (\S+) \| (.+?) \|$", re.MULTILINE)


def test_the_table_is_what_the_tests_try() -> None:
    """Each client has a row with its package, its locked version and its checks, in this order."""
    rows = [
        (name, client.package, version_of(name), ", ".join(client.checks))
        for name, client in CLIENTS.items()
    ]

    assert rows == ROW.findall(PAGE)


def test_each_check_is_explained() -> None:
    """The page says what each word of the table means."""
    words = {check for client in CLIENTS.values() for check in client.checks}

    assert {word for word in words if f"`{word}`, " in PAGE} == words


def test_each_client_is_pointed_at_a_pool_in_three_lines() -> None:
    """Each client has a section with one block, of three lines besides comments."""
    sections = PAGE.split("\n## ")[1:-2]  # then other programs, and what goes wrong
    blocks = [re.findall(r"```\w+\n(.*?)```", section, re.DOTALL) for section in sections]

    assert len(CLIENTS) == len(sections)
    assert [1] * len(CLIENTS) == [len(section) for section in blocks]
    assert all(3 >= len(block.splitlines()) for (block,) in blocks)


def test_each_program_is_one_of_the_table() -> None:
    """No program is left that nobody runs."""
    named = {client.program for client in CLIENTS.values()} - {""}

    assert named == {path.name for path in PROGRAMS.iterdir() if path.is_file()}

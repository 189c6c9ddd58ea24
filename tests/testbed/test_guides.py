"""The testbed runs every block of the guides for operators."""

from pathlib import Path

import pytest
from tests.testbed.guides import read_blocks

RUN = ("found-a-pool", "invite", "backup")
RUNNERS = (
    Path("tests/engines/test_founded_pages.py"),
    Path("tests/engines/test_three_organisations.py"),
    Path("tests/first_month/month.py"),
    Path("tests/testbed/federation.py"),
)


@pytest.mark.checkout
@pytest.mark.parametrize("name", RUN)
def test_every_block_is_a_step(name: str) -> None:
    """No block of these pages is left out of the testbed's run, and no name is used twice."""
    blocks = read_blocks(f"{name}.fr.md")
    steps = [block.step for block in blocks]
    runners = "".join(runner.read_text("utf-8") for runner in RUNNERS)

    assert [] == [step for step in steps if not step or f'"{step}"' not in runners]
    assert len(steps) == len(set(steps))

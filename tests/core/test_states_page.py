"""The pages on states show the core's transition tables."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.checkout
def test_the_page_is_drawn_from_the_tables() -> None:
    """Each diagram on the page is what its table gives now, and each table has one."""
    names = ("states.md", "owner.md")
    page = "".join((ROOT / "docs/concepts" / name).read_text("utf-8") for name in names)
    command = [sys.executable, "scripts/state_diagrams.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")
    assert re.findall(r"<!-- table: (\w+) -->", page) == [
        "jobs", "leases", "nodes", "replicas", "orders", "models", "owner",
    ]  # fmt: skip

"""The reference pages that are made from the code are as the code says."""

import pytest


@pytest.mark.checkout
@pytest.mark.parametrize(
    "name", ["errors.md", "explanations.md", "cli.md", "metrics.md", "node-limits.md"]
)
def test_the_page_is_current(name: str) -> None:
    """The page in the repository is what ``python scripts/reference.py`` writes now."""
    from scripts import reference

    path = reference.PAGES / name

    assert reference.pages()[path] == path.read_text("utf-8")

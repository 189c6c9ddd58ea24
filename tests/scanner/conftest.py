"""Leaves out the scans, with the reason, where the scanner cannot be had."""

import pytest
from tests.scanner.environment import why_absent

_REASON = pytest.StashKey[str]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the scans; asks only where scans are to run."""
    scans = [item for item in items if "scanner" in item.path.parts]
    config.stash[_REASON] = why_absent() if scans else ""
    if config.stash[_REASON]:
        items[:] = [item for item in items if item not in scans]
        config.hook.pytest_deselected(items=scans)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Says what is left out, and why."""
    reason = config.stash.get(_REASON, "")
    return [f"left out: scans: {reason}"] if reason else []

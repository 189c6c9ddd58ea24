"""Leaves out, with the reason, the tests of engines that cannot be had on this machine."""

import os
from functools import cache

import pytest
from tests.engines.own_environments import ENVIRONMENT, find_install_problem
from tests.testbed.network import find_obstacle

from entraide import i18n

SEPARATE_HOSTS = ("test_founded_pages.py", "test_testbed.py", "test_three_organisations.py")
_REASONS = pytest.StashKey[list[str]]()


@cache
def why_absent(kind: str) -> str:
    """Why an engine's environment cannot be made here; "" when it can."""
    problem = find_install_problem(ENVIRONMENT[kind])
    if problem is None:
        return ""
    return i18n.text(f"node-{problem.code.replace('_', '-')}", "en", **problem.values)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the tests that name an engine which cannot be had; asks only if there are any."""
    ours = [item for item in items if "tests/engines/" in item.path.as_posix()]
    without: list[pytest.Item] = []
    for kind in ENVIRONMENT:
        named = [item for item in ours if kind in item.name]
        if named and why_absent(kind):
            without += named
            config.stash.setdefault(_REASONS, []).append(f"{kind}: {why_absent(kind)}")
    if os.geteuid() != 0:  # only root mounts a disk small enough to fill
        mounting = [item for item in ours if "full_disk" in item.name]
        without += mounting
        if mounting:
            config.stash.setdefault(_REASONS, []).append("full disks: only root can mount one")
    separate = [item for item in ours if item.path.name in SEPARATE_HOSTS]
    obstacle = find_obstacle() if separate else ""
    if obstacle:
        without += separate
        config.stash.setdefault(_REASONS, []).append(f"separate hosts: {obstacle}")
    if without:
        items[:] = [item for item in items if item not in without]
        config.hook.pytest_deselected(items=without)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Says what is left out, and why."""
    return [f"left out: {reason}" for reason in config.stash.get(_REASONS, [])]

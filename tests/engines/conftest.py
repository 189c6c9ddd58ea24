"""What tests of engines share; and leaves out, with the reason, those that cannot run here."""

import contextlib
import os
from collections.abc import Callable
from functools import cache

import psutil
import pytest
from tests.engines.own_environments import ENVIRONMENT, find_install_problem
from tests.testbed.network import find_obstacle

from entraide import i18n
from entraide_node.engines.llamacpp_child import MODULE

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


@pytest.fixture
def engines() -> Callable[[], list[int]]:
    """Lists the live engines of llama.cpp that this process has started since the test began.

    The process may have others: what the files share lives until the run ends.
    """

    def living() -> list[int]:
        pids = []
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.Error):  # it has just ended
                if MODULE in child.cmdline():
                    pids.append(child.pid)
        return pids

    before = living()
    return lambda: [pid for pid in living() if pid not in before]

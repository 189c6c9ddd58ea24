"""How the processes of a run share its tests: which files go together, and which begin."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

TESTS = Path(__file__).resolve().parent

# One process has them all: they parse the whole checkout, which takes seconds, once.
TOGETHER = "tests/house"

# Files that take long, the longest first: they begin, so that none of them ends alone.
LONGEST = (
    "chaos/test_defects.py", "chaos/test_findings.py", "chaos/test_chaos.py",
    "engines/test_three_organisations.py", "engines/test_one_pool.py",
    "engines/test_founded_pages.py", "engines/test_vllm.py", "engines/test_owner_page.py",
    "engines/test_memoire.py", "engines/test_mlx.py", "engines/test_exits.py",
    "engines/test_green_batch.py", "engines/test_strange_nodes.py", "engines/test_resumed_vllm.py",
    "engines/test_embeddings.py", "engines/test_install.py", "scanner/test_scanner.py",
    "engines/test_kept_prompts.py", "engines/test_testbed.py", "pool/test_upgrade.py",
    "scheduler/test_who_is_whom.py", "sim/test_report_questions.py", "sim/test_sweep.py",
    "sim/test_owner_week.py", "sim/test_report.py", "scheduler/test_own_alone.py",
    "pool/test_clock.py", "pool/test_erased_restore.py", "scheduler/test_two_schedulers.py",
    "core/test_explain.py", "core/test_load_properties.py", "core/test_properties.py",
    "core/test_put_off_work.py", "integration/test_request_hops.py", "scheduler/test_run.py",
)  # fmt: skip


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: "Producer"
) -> "LoadFileScheduling | None":
    """Gives the tests out by files, as ``--dist loadfile`` does, but the house as a whole."""
    from xdist.scheduler import LoadFileScheduling

    class Shares(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return TOGETHER if nodeid.startswith(f"{TOGETHER}/") else super()._split_scope(nodeid)

    return Shares(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Orders the tests of a process that shares them with others.

    The house begins, then the files that take longest, then those of most tests.
    """
    if hasattr(config, "workerinput"):
        tests = Counter(item.path for item in items)
        places = {TESTS / name: place for place, name in enumerate(LONGEST)}
        house = TESTS.parent / TOGETHER

        def rank(item: pytest.Item) -> tuple[bool, int, int]:
            file = item.path
            return file.parent != house, places.get(file, len(places)), -tests[file]

        items.sort(key=rank)

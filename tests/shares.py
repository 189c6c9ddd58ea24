"""How the processes of a run share its tests: which files go together, and which begin.

With ``--dist loadfile`` each process collects all tests, and takes a file when it has none left.
With ``--dist each`` each process collects its own share of the files alone, so that no file is read
twice: for runs of many short tests, where collecting costs as much as many of them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling
    from xdist.workermanage import WorkerController

TESTS = Path(__file__).resolve().parent

_SHARE = pytest.StashKey[set[Path]]()

# One process has them all: they parse the whole checkout, which takes seconds, once.
TOGETHER = "tests/house"

# What the dearest files take of a process, seconds; each other file counts as REST_S.
REST_S = 0.6
SECONDS: dict[str, float] = {}

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
def pytest_configure_node(node: "WorkerController") -> None:
    """Tells a process of ``--dist each`` that it collects its own share alone."""
    node.workerinput["own_share"] = node.config.getvalue("dist") == "each"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out a file of another process's share."""
    given = getattr(config, "workerinput", {})
    if not given.get("own_share") or not collection_path.name.startswith("test_"):
        return None
    if _SHARE not in config.stash:
        place = int(given["workerid"].removeprefix("gw"))
        asked = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
        config.stash[_SHARE] = set(split(files_of(asked), given["workercount"])[place])
    return collection_path not in config.stash[_SHARE] or None


def files_of(folders: Iterable[Path]) -> list[Path]:
    """The test files of some folders, and those that are named themselves."""
    found: set[Path] = set()
    for path in folders:
        found |= set(path.rglob("test_*.py")) if path.is_dir() else {path}
    return sorted(found)


def split(files: Sequence[Path], parts: int) -> list[list[Path]]:
    """Divides files into parts that take about as long; the house stays whole."""
    units: defaultdict[Path, list[Path]] = defaultdict(list)
    for file in files:
        units[file.parent if file.parent == TESTS.parent / TOGETHER else file].append(file)
    shares: list[list[Path]] = [[] for _ in range(parts)]
    for unit in sorted(units.values(), key=lambda unit: (-seconds_of(unit), unit)):
        min(shares, key=seconds_of).extend(unit)
    return shares


def seconds_of(files: Iterable[Path]) -> float:
    """What files take of a process, about, seconds."""
    return sum(SECONDS.get(file.as_posix().rpartition("/tests/")[2], REST_S) for file in files)


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

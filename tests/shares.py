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
REST_S = 1.6
SECONDS: dict[str, float] = {
    "pool/test_backup.py": 48,
    "sim/test_report.py": 43,
    "pool/test_doctor.py": 39,
    "scheduler/test_closing.py": 34,
    "sim/test_baseline.py": 29,
    "core/fuzz/test_fuzz.py": 27,
    "scheduler/test_own_alone.py": 24,
    "scheduler/test_scheduler_adapters.py": 24,
    "scheduler/test_two_schedulers.py": 22,
    "core/test_asking.py": 20,
    "scheduler/test_who_is_whom.py": 20,
    "scheduler/test_control.py": 17,
    "pool/test_erased_restore.py": 16,
    "scheduler/test_policy_versions.py": 16,
    "sim/test_advice.py": 16,
    "sim/test_replay.py": 16,
    "scheduler/test_closing_running.py": 15,
    "sim/test_sensitivity.py": 15,
    "node/test_environments.py": 14,
    "scheduler/test_admin_http.py": 14,
    "scheduler/test_batches.py": 14,
    "scheduler/test_enrolment.py": 13,
    "core/test_load_properties.py": 12,
    "house/test_marked.py": 12,
    "node/test_agent.py": 12,
    "pool/test_bus_websocket.py": 12,
    "scheduler/test_run.py": 12,
    "scheduler/test_terms.py": 12,
    "sdk/test_explanations.py": 12,
    "core/test_counterfactuals.py": 11,
    "core/test_properties.py": 11,
    "core/test_put_off_work.py": 11,
    "hostile/test_hostile_peers.py": 11,
    "integration/test_nats_identity.py": 11,
    "pool/test_run.py": 11,
    "scheduler/test_erasures.py": 11,
    "scheduler/test_oidc.py": 11,
    "scheduler/test_store.py": 11,
    "sdk/test_i18n.py": 11,
    "hostile/test_node_control.py": 10,
    "sdk/test_closed_months.py": 10,
    "sim/test_battery.py": 10,
    "sim/test_money.py": 10,
    "hostile/test_hostile_keys.py": 9,
    "integration/test_nats_server.py": 9,
    "integration/test_request_hops.py": 9,
    "scheduler/test_batch_store.py": 9,
    "scheduler/test_messages.py": 9,
    "scheduler/test_options.py": 9,
    "scheduler/test_security_headers.py": 9,
    "benchmarks/test_fairness_parts.py": 8,
    "core/test_fairqueue_bound.py": 8,
    "core/test_told_words.py": 8,
    "hostile/test_decoders.py": 8,
    "pool/test_install.py": 8,
    "scheduler/test_metrics.py": 8,
    "scheduler/test_signin.py": 8,
    "scheduler/test_statement_pdf.py": 8,
    "sdk/test_chat_template.py": 8,
}

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
    files: set[Path] = set()
    for path in folders:
        files |= set(path.rglob("test_*.py")) if path.is_dir() else {path}
    return sorted(files)


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

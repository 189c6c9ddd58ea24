"""A sweep over a real Ray cluster of this machine, one of whose nodes is killed in the middle."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.sim.scenarios import small

from entraide_sim.runs import Case, SweepRunner
from entraide_sim.runs.sweep import CaseTask, run_task

RUNS = 200
KILLED_AFTER = 40
STARTS_MAX = 3  # Ray gives a node thirty seconds to come up, which a busy machine may exceed
NODE = {"num_cpus": 1}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head and a second node, each with one processor, on loopback."""
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # by any system: loopback only
    before = set(psutil.Process().children(recursive=True))
    started = _started()
    yield started
    started.shutdown()
    _end(set(psutil.Process().children(recursive=True)) - before)


def _started() -> Any:
    from ray.cluster_utils import Cluster

    for left in reversed(range(STARTS_MAX)):
        before = set(psutil.Process().children(recursive=True))
        try:
            return Cluster(initialize_head=True, head_node_args=NODE)
        except Exception:  # Ray says no more than that
            _end(set(psutil.Process().children(recursive=True)) - before)
            if not left:
                raise
    raise AssertionError


def _end(processes: set[psutil.Process]) -> None:
    """Ends what a start that failed has left behind."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(list(processes), timeout=10)


@pytest.mark.engines
@pytest.mark.timeout(500)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning",
                            "ignore::FutureWarning", "ignore::UserWarning",
                            "ignore::pytest.PytestUnraisableExceptionWarning")  # fmt: skip
def test_all_results_arrive_though_a_node_is_lost(cluster: Any, tmp_path: Path) -> None:
    """Two hundred runs on two nodes: one is killed, and what it had is run again elsewhere."""
    second = cluster.add_node(**NODE)
    loaded = small(("hours = 2.0", "hours = 0.1"))
    cases = [
        Case(scenario=loaded.scenario, home=str(loaded.home), seed=seed) for seed in range(RUNS)
    ]
    outcomes = {}
    with SweepRunner(keep=tmp_path, ray=cluster.address) as sweep:
        for number, outcome in sweep(cases):
            outcomes[number] = outcome.result
            if len(outcomes) == KILLED_AFTER:
                cluster.remove_node(second, allow_graceful=False)
    here = run_task(CaseTask(cases[-1])).result

    assert list(range(RUNS)) == sorted(outcomes)
    assert list(range(RUNS)) == [outcomes[number].seed for number in range(RUNS)]
    assert here.summary | {"wall_s": 0.0} == outcomes[RUNS - 1].summary | {"wall_s": 0.0}

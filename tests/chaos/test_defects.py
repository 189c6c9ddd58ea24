"""Defects of the pool's own code end a run of the chaos test red."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.chaos import schedule
from tests.chaos.defects import DEFECTS, is_left_out
from tests.chaos.run_folder import Broken, RunFolder
from tests.testbed.network import find_obstacle

ROOT = Path(__file__).parents[2]
SEED, MINUTES, STREAMS = 45, 0.2, 12  # all machines are silent once streams run
TOKEN_S = "0.1"
RUN_S = 300.0
COUNTING, REAL = ("n1", "n2"), "n7"

pytestmark = [
    pytest.mark.engines,
    pytest.mark.long,
    pytest.mark.timeout(RUN_S),
    pytest.mark.skipif(bool(find_obstacle()), reason="needs root and network namespaces"),
]


class Run:
    """A run of some seconds, of a small pool.

    Attributes:
        status: its exit status.
        broken: the broken promises.
    """

    def __init__(
        self, folder: Path, *defects: str, kinds: tuple[str, ...], nodes: tuple[str, ...] = COUNTING
    ) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.chaos",
            "--seed",
            str(SEED),
            "--folder",
            str(folder),
        ]
        command += ["--minutes", str(MINUTES), "--streams", str(STREAMS)]
        command += [word for node in nodes for word in ("--node", node)]
        command += [word for kind in kinds for word in ("--only", kind)]
        env = {**os.environ, DEFECTS: ",".join(defects), "COUNTING_TOKEN_S": TOKEN_S}
        done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, check=False)
        self.status = done.returncode
        self.broken = RunFolder(folder).read("broken", Broken)

    def subjects(self, promise: str) -> list[str]:
        """Jobs, nodes and processes of one broken promise."""
        return [line.subject for line in self.broken if line.promise == promise]


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with three defects, each of which breaks a promise of its own."""
    defects = ("settlements_left_out", "amounts_doubled", "real_text_altered")
    folder = tmp_path_factory.mktemp("books")
    return Run(folder, *defects, kinds=(schedule.ENGINE_KILLED,), nodes=(*COUNTING, REAL))


def test_a_run_without_a_defect_breaks_no_promise(tmp_path: Path) -> None:
    """The small pool of these tests keeps its promises while machines are killed and silent."""
    kinds = (schedule.ENGINE_KILLED, schedule.AGENT_KILLED, schedule.ALL_SILENT)
    run = Run(tmp_path, kinds=kinds, nodes=(*COUNTING, REAL))

    assert (0, []) == (run.status, run.broken)


def test_settlements_that_are_left_out_are_found(books: Run) -> None:
    """One in five is missing: whole answers are billed for less, those and no others."""
    jobs = books.subjects("billed")

    assert 1 == books.status
    assert jobs
    assert all(is_left_out(job) for job in jobs)


def test_amounts_that_are_doubled_are_found(books: Run) -> None:
    """The ledger sums to zero, and still has twice what was settled."""
    assert books.subjects("amounts")
    assert not books.subjects("ledger")


def test_altered_text_of_a_real_engine_is_found(books: Run) -> None:
    """One digit is another one, which no count of tokens shows."""
    assert books.subjects("text")


def test_broken_answers_and_their_bills_are_found(tmp_path: Path) -> None:
    """Nothing is resumed, with an error that the reference lists; and billed for more than came."""
    defects = ("never_resumed", "broken_answers_billed_more")
    run = Run(tmp_path, *defects, kinds=(schedule.ENGINE_KILLED,))

    assert 1 == run.status
    assert run.subjects("given_up")
    assert run.subjects("billed_broken")


def test_answers_given_up_while_all_machines_are_silent_are_found(tmp_path: Path) -> None:
    """All machines are silent for some seconds, and a pool that counts them as gone is found."""
    run = Run(tmp_path, "silent_machines_dropped", kinds=(schedule.ALL_SILENT,))

    assert 1 == run.status
    assert run.subjects("given_up")


def test_ghosts_that_outlive_a_restart_are_found(tmp_path: Path) -> None:
    """An engine stays when its agent has ended, and a run begins again after a restart."""
    defects = ("engine_outlives_agent", "last_job_run_again")
    run = Run(tmp_path, *defects, kinds=(schedule.AGENT_KILLED,))
    ghosts = {subject.isdecimal() for subject in run.subjects("ghost")}

    assert 1 == run.status
    assert {False, True} == ghosts

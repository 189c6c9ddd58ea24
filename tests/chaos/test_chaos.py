"""The chaos test's parts, and two minutes of it."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.chaos import schedule
from tests.chaos.faults import Executed, FaultMaker
from tests.chaos.report import check_closed, kill_times_s, quantiles
from tests.chaos.run_folder import RunFolder, Setting
from tests.chaos.streams import CLOSED, RESUMED, Outcome, Seam, documented_codes
from tests.testbed.network import find_obstacle

from entraide_scheduler.store.trusted_time import FAR_AHEAD_S

ROOT = Path(__file__).parents[2]
SEED = 19
RUN_S = 1_200.0


@pytest.mark.engines
@pytest.mark.timeout(RUN_S)
@pytest.mark.skipif(bool(find_obstacle()), reason="needs root and network namespaces")
def test_two_minutes_of_chaos_break_no_promise(tmp_path: Path) -> None:
    """Under 48 streams, kept jobs and batches everything is killed, cut or filled that can be; each
    answer is exact or ends in a stable error, and nothing that was kept is lost."""
    command = [sys.executable, "-m", "tests.chaos", "--seed", str(SEED), "--short"]
    with (tmp_path / "report").open("w") as out, (tmp_path / "broken").open("w") as err:
        done = subprocess.run(
            [*command, "--folder", str(tmp_path / "run")],
            cwd=ROOT, stdout=out, stderr=err, check=False, timeout=RUN_S,
        )  # fmt: skip
    assert not done.returncode, (tmp_path / "broken").read_text()
    report = json.loads((tmp_path / "report").read_text())

    assert {} == report["broken"]
    assert 59 <= report["kills"] + report["cuts"] + report["missed"]
    assert report["answers"].get("resumed", 0) > 0
    assert report["kept"]["job_accepted"] == report["kept"]["job_checked"] > 0


def until_first_fault(process: subprocess.Popen[bytes], folder: RunFolder) -> None:
    """Waits until a run has made a fault, or has ended."""
    while process.poll() is None and not folder.read("faults", Executed):
        time.sleep(0.2)


@pytest.mark.engines
@pytest.mark.long
@pytest.mark.timeout(RUN_S)
@pytest.mark.skipif(bool(find_obstacle()), reason="needs root and network namespaces")
def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    """Ctrl-C ends all processes; the same command makes the other faults, each once, and ends."""
    folder = RunFolder(tmp_path / "run")
    command = [sys.executable, "-m", "tests.chaos", "--seed", str(SEED), "--minutes", "0.5"]
    command += ["--streams", "6", "--only", schedule.AGENT_KILLED, "--folder", str(folder.path)]
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        until_first_fault(first, folder)
        first.send_signal(signal.SIGINT)
        stopped = first.wait(RUN_S)
    finally:
        first.kill()
    before = len(folder.read("faults", Executed))
    second = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    indexes = [fault.index for fault in folder.read("faults", Executed)]

    assert (130, 0) == (stopped, second.returncode)
    assert 1 <= before < len(indexes)
    assert [fault for fault, _ in enumerate(folder.document("schedule.json"))] == sorted(indexes)


def test_schedule_is_a_function_of_its_seed() -> None:
    """One seed gives one schedule; twenty minutes have 500 kills and 100 cuts."""
    faults = schedule.make_schedule(7, 20.0)
    kinds = Counter(fault.kind for fault in faults)

    assert faults == schedule.make_schedule(7, 20.0)
    assert faults != schedule.make_schedule(8, 20.0)
    assert 500 == sum(kinds[kind] for kind in schedule.KILLS)
    assert 100 == kinds[schedule.LINK_CUT]
    assert [fault.at_s for fault in faults] == sorted(fault.at_s for fault in faults)


def test_clocks_are_wrong_by_days_also_at_a_start() -> None:
    """A run has clocks that are months ahead and behind, on nodes, the scheduler and a start."""
    faults = schedule.make_schedule(7, 20.0)
    days = {
        kind: [fault.by_s / 86_400.0 for fault in faults if fault.kind == kind]
        for kind in (schedule.CLOCK_DAYS, schedule.CLOCK_AT_START)
    }

    assert {schedule.CLOCK_DAYS: 10, schedule.CLOCK_AT_START: 5} == {
        kind: len(each) for kind, each in days.items()
    }
    moved = [by for each in days.values() for by in each]
    assert min(moved) < -30.0
    assert max(moved) > 30.0


def test_a_start_is_ahead_by_more_than_a_pool_that_stood_still() -> None:
    """The scheduler believes a start up to a week ahead (ADR 0026), so no fault is in between."""
    ahead = [
        fault.by_s
        for seed in range(200)
        for fault in schedule.make_schedule(seed, 20.0, (schedule.CLOCK_AT_START,))
        if fault.by_s > 0.0
    ]

    assert ahead
    assert FAR_AHEAD_S < min(ahead)


def test_a_wrong_start_kills_first_and_sets_the_clock_right_again(tmp_path: Path) -> None:
    """The process that is started again has the wrong clock, until the fault ends."""
    done: list[tuple[str, object]] = []
    part: Any = SimpleNamespace(
        pid=1, status=None, restart_at=0.0,
        kill=lambda again_in_s: not done.append(("kill", again_in_s)),
    )  # fmt: skip
    pool: Any = SimpleNamespace(
        parts={schedule.SCHEDULER: part}, move_clock=lambda _, by_s: done.append(("clock", by_s))
    )
    folder = RunFolder(tmp_path / "run")
    folder.make()
    fault = schedule.Fault(0.0, schedule.CLOCK_AT_START, schedule.SCHEDULER, 0.0, 9e6)
    nothing: Any = SimpleNamespace()
    maker = FaultMaker([fault], 0, pool=pool, network=nothing, disk=nothing, folder=folder)
    maker.tick(0.0)
    maker.tick(0.0)

    assert [("kill", 0.0), ("clock", 9e6), ("clock", 0.0)] == done
    assert maker.is_over


def test_time_from_a_kill_is_that_of_the_machine_of_the_seam() -> None:
    """A kill counts for an answer if it is of the machine that wrote before the seam, meanwhile."""
    kills = [
        Executed(0, schedule.AGENT_KILLED, "n1", 100.0, 0.0, 1.0),
        Executed(1, schedule.ENGINE_KILLED, "n2", 101.0, 1.0, 0.0),
        Executed(2, schedule.AGENT_KILLED, "n1", 300.0, 200.0, 1.0),
    ]
    seams = (Seam("n1", "node_restarted", 99.9, 102.5), Seam("n3", "node_lost", 110.0, 112.0))
    answer = Outcome(RESUMED, "g1", "j", "compte", 90.0, 120.0, 9, "", "n3", 12, 9, seams)

    assert [2.5] == kill_times_s(kills, [answer])
    assert {"number": 1, "p50": 2.5, "p99": 2.5, "max": 2.5} == quantiles([2.5])


def test_connection_may_close_only_where_its_gateway_was_killed(tmp_path: Path) -> None:
    """Of two answers whose connection closed, one is of a gateway that nobody killed then."""
    folder = RunFolder(tmp_path / "run")
    folder.make()
    kills = [Executed(0, schedule.GATEWAY_KILLED, "g1", 100.0, 0.0, 1.0)]
    fields = {"model": "compte", "tokens": 5, "code": "", "node": ""}
    closed = [
        Outcome(CLOSED, gateway, gateway, began_at=90.0, ended_at=100.2, billed_tokens=0,
                output_tokens=0, **fields)
        for gateway in ("g1", "g2")
    ]  # fmt: skip
    check_closed(folder, kills, closed)

    assert ["g2"] == [line["subject"] for line in folder.read("broken", dict)]


def test_folder_keeps_lines_and_documents(tmp_path: Path) -> None:
    """What a run has noted is there when it goes on; a line that was cut off is left out."""
    folder = RunFolder(tmp_path / "run")
    folder.make()
    folder.write("setting.json", Setting(1, 2.0, 3))
    folder.broken("hang", "job-1", "silent")
    with (folder.path / "broken.jsonl").open("ab") as file:
        file.write(b'{"promise": "ha')

    assert Setting(1, 2.0, 3) == msgspec.convert(folder.document("setting.json"), Setting)
    assert ["job-1"] == [line["subject"] for line in folder.read("broken", dict)]


def test_stable_codes_are_read_from_the_page() -> None:
    """The clients know the codes of the reference, among them that of a lost gateway."""
    assert {"stream_broken", "gateway_lost", "storage_full"} <= documented_codes()

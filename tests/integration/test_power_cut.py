"""A power cut of the machine of the scheduler, or of a node: what was promised is still there.

After each promise (a reply, an answer, an acknowledgement) the process is killed, and its files are
cut back to their last fsync.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.core.builders import usage
from tests.integration.killed_scheduler import PlayedNode, SchedulerProcess, killable
from tests.integration.nats_support import running_pool
from tests.integration.power_cut import PowerCut
from tests.integration.test_kills import ANSWER, answers, chat, submit_job, submit_line
from tests.waiting import eventually

from entraide.types import Outcome
from entraide_node.report_outbox import ReportOutbox

pytestmark = pytest.mark.engines  # starts two schedulers each

USED = usage(output_tokens=5)
Parts = tuple[SchedulerProcess, PlayedNode, str, PowerCut]

WRITE_BOTH = """
import sys
from pathlib import Path
from entraide.files import write_atomically, write_private

folder = Path(sys.argv[1])
for write in (write_private, write_atomically):
    write(folder / write.__name__, b"new")
"""
KEEP_REPORT = """
import asyncio, sys
from pathlib import Path
from tests.core.builders import usage
from entraide.types import Outcome
from entraide.wire.messages import UsageReport
from entraide_node.report_outbox import ReportOutbox

async def keep():
    outbox = ReportOutbox(Path(sys.argv[1]))
    reports = [UsageReport(f"j{n}", 1, Outcome.COMPLETED, "", True, usage()) for n in range(4)]
    await asyncio.gather(*(outbox.keep(report) for report in reports))
    print("kept", flush=True)
    outbox.add(UsageReport("late", 1, Outcome.COMPLETED, "", True, usage()))
    print("added", flush=True)
    await asyncio.Event().wait()

asyncio.run(keep())
"""


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    """A scheduler's process whose fsyncs are recorded, a live node and a key."""
    state = tmp_path / "pool"
    state.mkdir()
    async with running_pool(state) as bus, killable(state, bus) as (scheduler, played, key):
        await scheduler.end()
        cut = PowerCut(state, _made(tmp_path / "record"))
        scheduler.environment = cut.environment
        await scheduler.start()
        await played.come()
        yield scheduler, played, key, cut


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def after_a_cut(parts: Parts) -> tuple[SchedulerProcess, PlayedNode, str]:
    """Cuts the power of the scheduler's machine, and starts it again."""
    scheduler, played, key, cut = parts
    await scheduler.end()
    cut.cut()
    scheduler.environment = {}
    await scheduler.start()
    return scheduler, played, key


def test_only_what_was_synced_is_left(tmp_path: Path) -> None:
    """The model itself: a private file is whole after a cut, one written without fsync is not."""
    folder = _made(tmp_path / "folder")
    (folder / "old").write_bytes(b"old")
    cut = PowerCut(folder, _made(tmp_path / "record"))
    subprocess.run(
        [sys.executable, "-c", WRITE_BOTH, str(folder)], env=_with(cut), check=True, timeout=60
    )
    before = (folder / "write_atomically").read_bytes()
    cut.cut()
    left = {path.name: path.read_bytes() for path in folder.iterdir()}

    assert b"new" == before
    assert {"old": b"old", "write_private": b"new"} == left


def test_reports_of_a_node_are_left(tmp_path: Path) -> None:
    """Each report that was kept is there after a cut; one only added, without an fsync, is not."""
    folder = _made(tmp_path / "node")
    cut = PowerCut(folder, _made(tmp_path / "record"))
    with subprocess.Popen(
        [sys.executable, "-c", KEEP_REPORT, str(folder)],
        env=_with(cut), stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert ["kept\n", "added\n"] == [process.stdout.readline() for _ in range(2)]
        process.kill()
    cut.cut()
    left = ReportOutbox(folder).pending()

    assert [("j0", 1), ("j1", 1), ("j2", 1), ("j3", 1)] == [(r.job, r.epoch) for r in left]
    assert {Outcome.FAILED} == {report.outcome for report in left}


def _with(cut: PowerCut) -> dict[str, str]:
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, **cut.environment, "PYTHONPATH": os.pathsep.join(paths)}


@pytest.mark.parametrize("submit", [submit_job, submit_line], ids=["job", "line"])
async def test_kept_work_that_was_accepted_is_left(parts: Parts, submit: object) -> None:
    """A kept job or a batch with the reply to its client is run after the cut."""
    scheduler, _, key, _ = parts
    await submit(scheduler, key)  # type: ignore[operator]
    scheduler, played, _ = await after_a_cut(parts)
    played.node.runs.clear()
    await played.come()
    run = await played.next_run()
    await played.node.answer(run, ANSWER, USED)
    await played.node.report(run, USED)
    await eventually(lambda: played.acknowledged(run))

    assert ([run.job], 1) == (scheduler.settled(), answers(scheduler))


async def test_kept_answer_that_was_stored_is_left(parts: Parts) -> None:
    """An answer that its owner could fetch is there after the cut, and is billed once."""
    scheduler, played, key, _ = parts
    await submit_job(scheduler, key)
    run = await played.next_run()
    await played.node.answer(run, ANSWER, USED)
    await eventually(lambda: answers(scheduler) == 1)
    scheduler, played, _ = await after_a_cut(parts)
    await played.come(restarted=True)
    await eventually(scheduler.settled)

    assert ([run.job], 1) == (scheduler.settled(), answers(scheduler))


async def test_acknowledged_report_is_settled(parts: Parts) -> None:
    """When a node may delete its report, the settlement outlives a cut."""
    scheduler, played, key, _ = parts
    asked = asyncio.ensure_future(chat(scheduler, key))
    run = await played.next_run()
    await played.node.answer(run, ANSWER, USED)
    await played.node.report(run, USED)
    await eventually(lambda: played.acknowledged(run))
    status, _ = await asked
    scheduler, _, _ = await after_a_cut(parts)
    await eventually(scheduler.settled)

    assert (200, [run.job]) == (status, scheduler.settled())


async def test_live_answer_without_its_journal_entry_is_settled_by_its_report(
    parts: Parts,
) -> None:
    """The client has the answer, and the cut leaves its placement only: the report settles it."""
    scheduler, played, key, _ = parts
    asked = asyncio.ensure_future(chat(scheduler, key))
    run = await played.next_run()
    await eventually(lambda: "accepted" in scheduler.events())
    with scheduler.held():
        await played.node.answer(run, ANSWER, USED)
        status, _ = await asked
        await scheduler.end()
    scheduler, played, _ = await after_a_cut(parts)
    await played.come(run)
    await played.node.report(run, USED)
    await eventually(lambda: played.acknowledged(run))

    assert (200, [run.job]) == (status, scheduler.settled())

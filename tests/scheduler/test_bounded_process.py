"""Commands in bounded processes: what they say, their priority, and that they end."""

import asyncio
import contextlib
import os
from pathlib import Path

import psutil
from msgspec.structs import replace
from tests.waiting import eventually

from entraide_scheduler.operations.bounded_child import LOWEST_PRIORITY, ProcessLimits
from entraide_scheduler.operations.bounded_process import run_bounded
from entraide_scheduler.operations.doctor_run import DOCTOR_LIMITS
from entraide_scheduler.operations.pin_operation import PIN_LIMITS
from entraide_scheduler.operations.replay_operation import REPLAY_LIMITS

LIMITS = ProcessLimits(wall_s=60.0, cpu_s=30, memory_bytes=2 * 1024**3, file_bytes=1024)


PROMPT = replace(LIMITS, is_idle=False, niceness=0)  # is not kept waiting by a busy machine


def sizes_of_compiled(folder: Path) -> list[int]:
    """Sizes of the compiled modules in a folder, bytes."""
    return [path.stat().st_size for path in folder.rglob("*.pyc")]


def waiting_command(folder: Path) -> tuple[str, ...]:
    """A command that waits for a journal which nobody writes."""
    pipe = folder / "pool.journal"
    os.mkfifo(pipe)
    return "sim", "replay", str(pipe), "--out", str(folder / "out")


async def test_a_command_says_its_words_in_the_callers_language(tmp_path: Path) -> None:
    """Output and status of one that works, and the sentence of one that does not."""
    known = await run_bounded(("--version",), PROMPT, lang="en")
    refused = await run_bounded(
        ("sim", "replay", str(tmp_path / "none"), "--out", str(tmp_path)), PROMPT, lang="fr"
    )

    assert (0, True) == (known.status, known.output.startswith("entraide "))
    assert (1, "said") == (refused.status, refused.fault)
    assert refused.words.startswith("Le journal est inutilisable")


async def test_a_command_leaves_no_compiled_module_that_is_cut_off(tmp_path: Path) -> None:
    """The longest file that it may write is shorter than what Python keeps of some modules."""
    variables = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    done = await run_bounded(("--version",), PROMPT, lang="en", variables=variables)
    kept = sizes_of_compiled(tmp_path)

    assert 0 == done.status, done.errors
    assert kept
    assert LIMITS.file_bytes not in kept


def test_what_an_operator_starts_leaves_the_scheduler_its_time() -> None:
    """Those that take long have only what nothing else wants; somebody waits for the doctor."""
    limits = (DOCTOR_LIMITS, PIN_LIMITS, REPLAY_LIMITS)

    assert [5, LOWEST_PRIORITY, LOWEST_PRIORITY] == [each.niceness for each in limits]
    assert [False, True, True] == [each.is_idle for each in limits]


async def test_a_command_has_the_lowest_priority_and_ends_with_its_caller(tmp_path: Path) -> None:
    """The kernel enforces its limits; a cancelled call leaves no process."""
    before = set(psutil.Process().children())
    running = asyncio.create_task(run_bounded(waiting_command(tmp_path), LIMITS, lang="en"))
    await eventually(lambda: set(psutil.Process().children()) - before)
    (child,) = set(psutil.Process().children()) - before
    await eventually(lambda: child.nice() == LOWEST_PRIORITY)
    await eventually(lambda: child.rlimit(psutil.RLIMIT_CPU)[0] == LIMITS.cpu_s)
    await eventually(lambda: os.sched_getscheduler(child.pid) == os.SCHED_IDLE)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running

    assert not child.is_running()


async def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """Its time is over while it waits; the caller is told so."""
    short = ProcessLimits(wall_s=0.5, cpu_s=30, memory_bytes=2 * 1024**3)
    late = await run_bounded(waiting_command(tmp_path), short, lang="en")

    assert "time" == late.fault

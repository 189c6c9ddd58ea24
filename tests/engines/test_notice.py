"""Machines that die, hang or are cut off in mid-answer, in a pool of real processes."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks import notice
from benchmarks.support.watched_pool import WatchedPool, watched_pool

from entraide_scheduler.core.views import JobView
from entraide_scheduler.driver import FALSE_ALARM

TOKENS = 400

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]


def state_of(pool: WatchedPool, node: str) -> str:
    return next(v.state.value for v in pool.driver.core.nodes() if v.card.node == node)


async def running_job(pool: WatchedPool) -> JobView:
    """A job whose answer has begun."""
    await notice.wait_for(lambda: pool.active_job() is not None)
    job = pool.active_job()
    assert job is not None
    return job


async def lose_run(
    pool: WatchedPool, fault: Callable[[WatchedPool, str], None]
) -> tuple[JobView, str, bool]:
    """Makes a fault during an answer, and has it end when the run is lost.

    Returns:
        The job, its node's state when the run was lost, and whether the answer came whole.
    """
    await notice.wait_for(pool.is_whole)
    client = asyncio.create_task(notice.ask(pool, tokens=TOKENS))
    job = await running_job(pool)
    fault(pool, job.node)
    core = pool.driver.core
    await notice.wait_for(lambda: not core.holds_run(job.node, job.job, job.epoch))
    state = state_of(pool, job.node)
    notice.go_on(pool, job.node)
    return job, state, await client


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (notice.kill_engine, "live"),
        (notice.stop_engine, "live"),
        (notice.kill_agent, "suspect"),
        (notice.cut_link, "suspect"),
    ],
    ids=["engine killed", "engine stopped", "agent killed", "link cut"],
)
async def test_an_answer_goes_on_long_before_its_machine_is_lost(
    tmp_path: Path, fault: Callable[[WatchedPool, str], None], state: str
) -> None:
    """The run is placed again while its machine is at most suspect, and the answer comes whole."""
    async with watched_pool(tmp_path, nodes=notice.NODES) as pool:
        job, state_then, is_whole = await lose_run(pool, fault)
        await notice.wait_for(pool.is_whole)
        log = (tmp_path / "logs" / f"{job.node}.log").read_text("utf-8")

    assert state == state_then
    assert is_whole
    assert ('"engine_hung"' in log) == (fault is notice.stop_engine)


async def test_a_machine_that_was_only_frozen_is_a_false_alarm(tmp_path: Path) -> None:
    """Its run is repeated elsewhere, it is counted once, and the machine serves again."""
    async with watched_pool(tmp_path, nodes=notice.NODES) as pool:
        job, state_then, is_whole = await lose_run(pool, notice.stop_agent)
        await notice.wait_for(pool.is_whole)
        again = pool.driver.core.job(job.job)
        alarms = pool.driver.counts[FALSE_ALARM]
        shown = {node.node: node.false_alarms for node in await pool.list_nodes()}

    assert (state_then, is_whole, alarms) == ("suspect", True, 1)
    assert (1, 1) == (shown[job.node], sum(shown.values()))
    assert again is not None
    assert again.attempts == 2

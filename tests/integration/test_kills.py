"""Kill -9 of the scheduler or of a node at each step of a job: none is lost, each is billed once.

The table of docs/reference/durability.md says of each step what a crash there leaves.
"""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.core.builders import usage
from tests.integration.killed_scheduler import PlayedNode, SchedulerProcess, killable
from tests.integration.nats_support import NatsPool
from tests.waiting import eventually

from entraide.wire import messages as m

pytestmark = pytest.mark.engines  # starts two or three schedulers each

CHAT = {"model": "petit", "messages": [{"role": "user", "content": "Bonjour"}], "max_tokens": 9}
ANSWER = b'{"choices":[{"message":{"content":"Salut"}}],"usage":{"prompt_tokens":90}}'
USED = usage(output_tokens=5)  # no more than the lease grants: what exceeds it settles at once
Parts = tuple[SchedulerProcess, PlayedNode, str]
Submit = Callable[[SchedulerProcess, str], Any]


@pytest.fixture
async def parts(tmp_path: Path, nats_pool: NatsPool) -> AsyncIterator[Parts]:
    """A scheduler's process, a live node and a key."""
    async with killable(tmp_path, nats_pool) as made:
        yield made


@pytest.fixture
async def patient(parts: Parts) -> Parts:
    """The same, with a scheduler that waits an hour for a report before it settles an answer."""
    scheduler, played, _ = parts
    await scheduler.end()
    scheduler.seconds = 3_600.0
    await scheduler.start()
    await played.come()
    return parts


async def submit_job(scheduler: SchedulerProcess, key: str) -> None:
    """Submits a kept job."""
    body = {"path": "/v1/chat/completions", "request": CHAT}
    async with scheduler.session(key) as session, session.post("/v1/jobs", json=body) as answer:
        assert 202 == answer.status, await answer.text()


async def submit_line(scheduler: SchedulerProcess, key: str) -> None:
    """Submits a batch of one line."""
    url = "/v1/chat/completions"
    line = {"custom_id": "a", "method": "POST", "url": url, "body": CHAT}
    form = aiohttp.FormData()
    form.add_field("purpose", "batch")
    form.add_field("file", io.BytesIO(json.dumps(line).encode()), filename="a.jsonl")
    async with scheduler.session(key) as session:
        async with session.post("/v1/files", data=form) as answer:
            file = (await answer.json())["id"]
        body = {"input_file_id": file, "endpoint": url, "completion_window": "24h"}
        async with session.post("/v1/batches", json=body) as answer:
            assert 200 == answer.status, await answer.text()


def answers(scheduler: SchedulerProcess) -> int:
    """Counts the answers of kept jobs and of batches' lines that the store has."""
    kept = scheduler.rows("SELECT count(*) FROM kept WHERE state = 'completed'")
    lines = scheduler.rows("SELECT count(*) FROM batch_results WHERE code = ''")
    return kept[0][0] + lines[0][0]


def pending(scheduler: SchedulerProcess) -> int:
    """Counts the kept jobs that have not ended, and the batches' answers that are not settled."""
    kept = scheduler.rows("SELECT count(*) FROM kept WHERE ended_at = 0")
    return kept[0][0] + scheduler.rows("SELECT count(*) FROM answered")[0][0]


def entries(scheduler: SchedulerProcess) -> list[Any]:
    """The ledger: lines and sum of each account and unit."""
    query = "SELECT account, unit, count(*), sum(amount) FROM entries GROUP BY account, unit"
    return sorted(scheduler.rows(query))


async def chat(scheduler: SchedulerProcess, key: str) -> tuple[int, Any]:
    """Sends a live request; returns the status and the whole answer."""
    async with (
        scheduler.session(key) as session,
        session.post("/v1/chat/completions", json=CHAT) as answer,
    ):
        return answer.status, await answer.json()


both = pytest.mark.parametrize("submit", [submit_job, submit_line], ids=["job", "line"])


async def test_scheduler_killed_between_a_live_answer_and_its_journal_entry(parts: Parts) -> None:
    """The client has the answer and nothing of its settlement is on disk: the node's report, sent
    again, settles it, once however often it comes."""
    scheduler, played, key = parts
    asked = asyncio.ensure_future(chat(scheduler, key))
    run = await played.next_run()
    await eventually(lambda: "accepted" in scheduler.events())
    with scheduler.held():
        await played.node.answer(run, ANSWER, USED)
        await played.node.report(run, USED)
        status, _ = await asked
        await scheduler.end()
    before = scheduler.settled()
    await scheduler.start()
    await played.come(run)
    await played.node.report(run, USED)
    await eventually(lambda: played.acknowledged(run))
    once = entries(scheduler)
    acks = len(played.node.received(m.UsageAck))
    await played.node.report(run, USED)
    await eventually(lambda: len(played.node.received(m.UsageAck)) > acks)

    assert (200, []) == (status, before)
    assert [run.job] == scheduler.settled()
    assert once == entries(scheduler) != []
    assert [] == played.node.runs


@both
async def test_scheduler_killed_before_the_answer_of_a_kept_job_is_stored(
    parts: Parts, submit: Submit
) -> None:
    """The answer is gone with the process: the job runs again, its first run is not billed, and
    the report of the first run changes nothing."""
    scheduler, played, key = parts
    await submit(scheduler, key)
    run = await played.next_run()
    await eventually(lambda: "accepted" in scheduler.events())
    with scheduler.held():
        await played.node.answer(run, ANSWER, USED)
        await played.node.report(run, USED)
        await scheduler.end()
    left = answers(scheduler), scheduler.settled()
    await scheduler.start()
    await played.come(run)
    again = await played.next_run()
    await played.node.report(run, USED)
    await eventually(lambda: played.acknowledged(run))
    early = scheduler.settled()
    await played.node.answer(again, ANSWER, USED)
    await played.node.report(again, USED)
    await eventually(lambda: played.acknowledged(again))

    assert ((0, []), []) == (left, early)
    assert (run.job, True) == (again.job, run.epoch < again.epoch)
    assert ([run.job], 1) == (scheduler.settled(), answers(scheduler))


@both
async def test_scheduler_and_node_killed_between_a_kept_answer_and_its_settlement(
    patient: Parts, submit: Submit
) -> None:
    """The stored answer is settled at the start by the usage that came with it, though its node
    has lost the report; the job does not run again."""
    scheduler, played, key = patient
    await submit(scheduler, key)
    run = await played.next_run()
    await played.node.answer(run, ANSWER, USED)
    await eventually(lambda: answers(scheduler) == 1)
    await scheduler.end()
    left = scheduler.settled()
    await scheduler.start()
    await played.come(restarted=True)
    await eventually(scheduler.settled)

    assert ([], [run.job]) == (left, scheduler.settled())
    assert [] == scheduler.rows("SELECT job FROM answered")
    assert 0 == pending(scheduler)
    assert [] == played.node.runs


@both
async def test_node_killed_between_a_kept_answer_and_its_report(
    patient: Parts, submit: Submit
) -> None:
    """A node that has sent the whole answer and restarts without its report is billed by it."""
    scheduler, played, key = patient
    await submit(scheduler, key)
    run = await played.next_run()
    await played.node.answer(run, ANSWER, USED)
    await eventually(lambda: answers(scheduler) == 1)
    await played.come(restarted=True)
    await eventually(scheduler.settled)

    assert [run.job] == scheduler.settled()
    assert [] == played.node.runs


async def test_node_killed_between_a_live_answer_and_its_report(patient: Parts) -> None:
    """What the client has received is billed though the node never reports, and only once though
    it does report at last."""
    scheduler, played, key = patient
    asked = asyncio.ensure_future(chat(scheduler, key))
    run = await played.next_run()
    await played.node.answer(run, ANSWER, USED)
    status, _ = await asked
    await played.come(restarted=True)
    await eventually(scheduler.settled)
    once = entries(scheduler)
    acks = len(played.node.received(m.UsageAck))
    await played.node.report(run, USED)
    await eventually(lambda: len(played.node.received(m.UsageAck)) > acks)

    assert 200 == status
    assert [run.job] == scheduler.settled()
    assert once == entries(scheduler) != []
    assert [] == played.node.runs


async def test_report_of_a_live_answer_that_never_comes_is_not_waited_for(parts: Parts) -> None:
    """A node that stays and does not report is billed by the answer it gave, as if it had."""
    scheduler, played, key = parts
    asked = asyncio.ensure_future(chat(scheduler, key))
    run = await played.next_run()
    await played.node.answer(run, ANSWER, USED)
    status, _ = await asked
    await eventually(scheduler.settled)

    assert (200, [run.job]) == (status, scheduler.settled())

"""The trial of an upgrade: new kept work is refused until it is over, live requests are not."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tests.scheduler.batch_support import BATCHES, FILES, create, jsonl, lines, send_file
from tests.scheduler.gateway_support import CHAT, KEY_A, Pool, ask, open_pool
from tests.scheduler.test_gateway_grpc import KEY, chat, open_stub, reason

from entraide.v1 import pool_pb2
from entraide_scheduler.pool.trial import begin_trial, end_trial
from entraide_scheduler.upgrade_trial import RETRY_AFTER_S, refuse_during_trial

JOBS = "/v1/jobs"


async def send_each(pool: Pool, file: str, lang: str) -> list[tuple[int, str, str, str]]:
    """Sends a kept job, a batch and a file; returns status, code, sentence and Retry-After."""
    batch = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
    replies = []
    for path, body in ((JOBS, {"request": ask()}), (BATCHES, batch)):
        async with pool.send(body, path=path, Accept_Language=lang) as answer:
            replies.append(await read_error(answer))
    form = aiohttp.FormData({"purpose": "batch"})
    form.add_field("file", jsonl(*lines(1)), filename="lot.jsonl")
    headers = {"authorization": f"Bearer {KEY_A}", "accept-language": lang}
    async with pool.session.post(FILES, data=form, headers=headers) as answer:
        replies.append(await read_error(answer))
    return replies


async def read_error(answer: Any) -> tuple[int, str, str, str]:
    """Reads status, code, sentence and Retry-After of an answer."""
    error = (await answer.json())["error"]
    return answer.status, error["code"], error["message"], answer.headers.get("Retry-After", "")


async def answer_live(pool: Pool) -> int:
    """Sends a live request and answers it; returns the status."""
    pending = asyncio.ensure_future(pool.send(ask()))
    (await pool.placed()).finish("Salut")
    async with await pending as answer:
        return int(answer.status)


async def test_kept_work_is_refused_during_a_trial(tmp_path: Path) -> None:
    """Jobs, batches and files are refused in both languages with the time of a repetition, and
    accepted after the trial; live requests are answered meanwhile."""
    (tmp_path / "upgrade").mkdir()
    async with open_pool(tmp_path) as pool:
        pool.store._check_new = partial(refuse_during_trial, tmp_path)
        file = await send_file(pool, jsonl(*lines(2)))
        begin_trial(tmp_path, tmp_path / "versions/9.9.9-0", None)
        english = await send_each(pool, file, "en")
        french = await send_each(pool, file, "fr")
        live = await answer_live(pool)
        kept = await pool.store.list_kept("alpha", 9)
        end_trial(tmp_path)
        async with pool.send({"request": ask()}, path=JOBS) as answer:
            job = answer.status
        batch = await create(pool, file)

    wait = str(round(RETRY_AFTER_S))
    assert [(503, "upgrade_trial", wait)] * 6 == [(*r[:2], r[3]) for r in english + french]
    assert all("trying out another version" in reply[2] for reply in english)
    assert all("essaie une autre version" in reply[2] for reply in french)
    assert (200, (), 202, 200) == (live, kept, job, batch[0])


async def test_kept_job_over_grpc_is_refused_during_a_trial(tmp_path: Path) -> None:
    """``Submit`` ends as UNAVAILABLE with the same code and wait; after the trial it succeeds."""
    (tmp_path / "upgrade").mkdir()
    request = pool_pb2.SubmitRequest(request=chat())
    async with open_pool(tmp_path) as pool, open_stub(pool) as stub:
        pool.store._check_new = partial(refuse_during_trial, tmp_path)
        begin_trial(tmp_path, tmp_path / "versions/9.9.9-0", None)
        with pytest.raises(grpc.RpcError) as refused:
            await stub.Submit(request, metadata=KEY)
        end_trial(tmp_path)
        job = await stub.Submit(request, metadata=KEY)

    retry = error_details_pb2.RetryInfo()
    assert any(each.Unpack(retry) for each in rpc_status.from_call(refused.value).details)
    assert (grpc.StatusCode.UNAVAILABLE, "upgrade_trial") == (
        refused.value.code(),
        reason(refused.value),
    )
    assert RETRY_AFTER_S == retry.retry_delay.ToTimedelta().total_seconds()
    assert job.job

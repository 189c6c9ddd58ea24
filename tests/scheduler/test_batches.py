"""Batches: from a file of requests to a file of answers, each line once."""

import asyncio
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import openai
import pytest
from sqlalchemy import update
from structlog.testing import capture_logs
from tests.scheduler.batch_support import (
    BATCHES,
    FILES,
    answering_nodes,
    create,
    get,
    jsonl,
    line,
    lines,
    read_lines,
    send_file,
    small_window,
    until,
)
from tests.scheduler.gateway_support import (
    KEY_A,
    KEY_B,
    WAIT_S,
    Pool,
    ask,
    everything,
    open_pool,
)
from tests.scheduler.rows import trust
from tests.waiting import eventually

from entraide_scheduler import line_window
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Quota, QuotaKind
from entraide_scheduler.gateway.batches import feeder, use_cases
from entraide_scheduler.store import batches as table
from entraide_scheduler.store import schema


async def test_each_line_is_answered_once(tmp_path: Path) -> None:
    """A batch of 40 lines has 40 answers with their names, each of its own question."""
    async with open_pool(tmp_path) as pool, answering_nodes(pool) as asked:
        status, batch = await create(pool, jsonl(*lines(40)), metadata={"mois": "novembre"})
        done = await until(pool, batch["id"], "completed")
        answers = await read_lines(pool, done["output_file_id"])
        file = (await pool.call("GET", f"{FILES}/{done['output_file_id']}"))[1]
        size = len(await content(pool, done["output_file_id"]))
        settled = await pool.store.count_settled()
        jobs = (await pool.call("GET", "/v1/jobs"))[1]["data"]

    assert (200, "validating", "batch") == (status, batch["status"], batch["object"])
    assert {"total": 40, "completed": 40, "failed": 0} == done["request_counts"]
    assert {"mois": "novembre"} == done["metadata"]
    assert done["error_file_id"] is None
    assert 40 == len(asked) == len(set(asked)) == settled
    assert {entry["custom_id"] for entry in lines(40)} == {reply["custom_id"] for reply in answers}
    assert {f"Question {reply['custom_id']}" for reply in answers} == set(asked)
    for reply in answers:
        choice = reply["response"]["body"]["choices"][0]
        assert reply["custom_id"] == choice["message"]["content"]
        assert reply["response"]["request_id"] == reply["response"]["body"]["entraide"]["job"]
        assert (200, None) == (reply["response"]["status_code"], reply["error"])
    assert ("batch_output", size) == (file["purpose"], file["bytes"])
    assert done["entraide"]["energy_wh"] > 0
    assert [] == jobs
    assert b"Question" not in everything(tmp_path)
    assert b"novembre" not in everything(tmp_path)


async def content(pool: Pool, file: str) -> bytes:
    headers = {"authorization": f"Bearer {KEY_A}"}
    async with pool.session.get(f"{FILES}/{file}/content", headers=headers) as answer:
        return await answer.read()


async def test_the_official_client_runs_a_batch(tmp_path: Path) -> None:
    """OpenAI's client uploads, creates, polls, lists, reads the answers and finds nothing odd."""
    async with (
        open_pool(tmp_path) as pool,
        answering_nodes(pool),
        openai.AsyncOpenAI(base_url=f"{pool.gateway.url}/v1", api_key=KEY_A) as client,
    ):
        file = await client.files.create(file=("l.jsonl", jsonl(*lines(3))), purpose="batch")
        batch = await client.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            output_expires_after={"anchor": "created_at", "seconds": 3_600},
            extra_body={"entraide": {"deadline": 3_600}},
        )
        await until(pool, batch.id, "completed")
        batch = await client.batches.retrieve(batch.id)
        assert batch.output_file_id is not None
        text = (await client.files.content(batch.output_file_id)).text
        listed = [entry.id async for entry in client.batches.list(limit=1)]
        purposes = [entry.purpose async for entry in client.files.list()]

    assert batch.request_counts is not None
    assert (3, 3, 0) == (
        batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed,
    )  # fmt: skip
    assert batch.usage is not None
    assert (33, 6, 9, 42) == (
        batch.usage.input_tokens, batch.usage.input_tokens_details.cached_tokens,
        batch.usage.output_tokens, batch.usage.total_tokens,
    )  # fmt: skip
    assert 3 == len(text.splitlines())
    assert [batch.id] == listed
    assert ["batch", "batch_output"] == sorted(purposes)


@pytest.mark.parametrize(
    ("entries", "faults"),
    {
        "not JSON": ([line("a"), b"{not"], [(2, "invalid_json_line", None)]),
        "not UTF-8": ([b'{"custom_id": "\xff"}'], [(1, "invalid_json", None)]),
        "no object": ([b"[1]"], [(1, "invalid_request", None)]),
        "twice": (
            [line("a"), line("b"), line("a")],
            [(3, "duplicate_custom_id", "custom_id")],
        ),
        "other endpoint": (
            [line("a"), line("b", url="/v1/completions")],
            [(2, "mismatched_endpoint", "url")],
        ),
        "other model": (
            [line("a"), line("b", ask() | {"model": "grand"})],
            [(2, "mismatched_model", "body.model")],
        ),
        "unknown model": (
            [line("a", ask() | {"model": "inconnu"})],
            [(1, "unknown_model", "body.model")],
        ),
        "no name": ([line("")], [(1, "invalid_request", "custom_id")]),
        "no body": (
            [{"custom_id": "a", "url": "/v1/chat/completions"}],
            [(1, "invalid_request", "body")],
        ),
        "method": ([line("a", method="GET")], [(1, "invalid_request", "method")]),
        "unknown field": ([line("a", note="x")], [(1, "invalid_request", "note")]),
        "the request itself": (
            [line("a", {"model": "petit", "messages": []})],
            [(1, "invalid_request", "body.messages")],
        ),
        "an option": (
            [line("a", ask(entraide={"job_class": "interactive"}))],
            [(1, "invalid_request", "entraide.job_class")],
        ),
        "several": (
            [b"", b"x", line("a"), b"y"],
            [(2, "invalid_json_line", None), (4, "invalid_json_line", None)],
        ),
        "empty": ([b"", b"  "], [(None, "empty_file", None)]),
    }.values(),
)
async def test_a_file_with_faults_fails_with_their_lines(
    tmp_path: Path, entries: list[Any], faults: list[Any]
) -> None:
    """Each fault has its line, code, field and sentence, and no line is run."""
    async with open_pool(tmp_path) as pool:
        _, batch = await create(pool, jsonl(*entries))
        failed = await until(pool, batch["id"], "failed")
        pending = await pool.store.list_pending_kept()

    assert faults == [
        (fault["line"], fault["code"], fault["param"]) for fault in failed["errors"]["data"]
    ]
    assert all(fault["message"] for fault in failed["errors"]["data"])
    assert failed["failed_at"]
    assert {"total": 0, "completed": 0, "failed": 0} == failed["request_counts"]
    assert () == pending


async def test_an_unreadable_file_fails_its_batch(tmp_path: Path) -> None:
    """A file that was altered in the store fails its batch, and the next one runs."""
    altered = update(schema.file_parts).values(sealed=bytes(40))
    async with open_pool(tmp_path) as pool, answering_nodes(pool):
        file = await send_file(pool, jsonl(*lines(2)))
        await pool.store.write(lambda connection: connection.execute(altered).rowcount)
        with capture_logs() as logs:
            _, batch = await create(pool, file)
            failed = await until(pool, batch["id"], "failed")
            _, other = await create(pool, jsonl(*lines(2)))
            await until(pool, other["id"], "completed")

    assert ["internal"] == [fault["code"] for fault in failed["errors"]["data"]]
    assert [(0, 1), (2, 0)] == [
        (entry["lines"], entry["faults"]) for entry in logs if entry["event"] == "batch.validated"
    ]


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input_file_id": "file-x"}, None, "unknown_file"),
        ({"endpoint": "/v1/images"}, "endpoint", "invalid_request"),
        ({"completion_window": "1h"}, "completion_window", "invalid_request"),
        ({"metadata": {"a": 1}}, "metadata", "invalid_request"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata", "invalid_request"),
        ({"entraide": {"deadline": -5}}, "entraide.deadline", "deadline_passed"),
        ({"entraide": {"deadline": 40 * 86_400}}, "entraide.deadline", "invalid_request"),
        ({"entraide": {"session": "s"}}, "entraide.session", "invalid_request"),
        ({"entraide": {"job_class": "interactive"}}, "entraide.job_class", "invalid_request"),
        ({"output_expires_after": {"seconds": 1}}, "output_expires_after.seconds",
         "invalid_request"),
        ({"surprise": True}, "surprise", "invalid_request"),
    ],
)  # fmt: skip
async def test_a_wrong_batch_is_refused(
    tmp_path: Path, fields: dict[str, Any], param: str | None, code: str
) -> None:
    """A field that is wrong is named, before anything is stored."""
    async with open_pool(tmp_path) as pool:
        status, reply = await create(pool, jsonl(line("a")), **fields)
        listed = (await pool.call("GET", BATCHES))[1]["data"]

    assert (code, param) == (reply["error"]["code"], reply["error"]["param"])
    assert status in (400, 404)
    assert [] == listed


async def test_another_coop_has_no_such_batch(tmp_path: Path) -> None:
    """A batch, its file and its results are its co-op's."""
    async with open_pool(tmp_path) as pool, answering_nodes(pool):
        file = await send_file(pool, jsonl(line("a")))
        _, batch = await create(pool, file)
        done = await until(pool, batch["id"], "completed")
        foreign = [
            await pool.call("GET", f"{BATCHES}/{batch['id']}", key=KEY_B),
            await pool.call("POST", f"{BATCHES}/{batch['id']}/cancel", key=KEY_B),
            await pool.call("GET", f"{FILES}/{done['output_file_id']}", key=KEY_B),
            await pool.call("DELETE", f"{FILES}/{done['output_file_id']}", key=KEY_B),
            await create(pool, file, key=KEY_B),
        ]
        listed = (await pool.call("GET", BATCHES, key=KEY_B))[1]["data"]

    assert [404] * 5 == [status for status, _ in foreign]
    assert [] == listed


async def test_few_lines_are_requested_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A co-op's batches share one window; the core knows of the rest, and of their number only."""
    small_window(monkeypatch, 8)
    async with open_pool(tmp_path) as pool:
        created = [(await create(pool, jsonl(*lines(30))))[1]["id"] for _ in range(2)]
        await asyncio.gather(*(until(pool, batch, "in_progress") for batch in created))
        for _ in range(4):  # half of the slots
            await pool.placed()
        stated = pool.driver.core._state.batches
        await eventually(lambda: sum(row.lines for row in stated.values()) == 52)
        pending = await pool.store.list_pending_kept()
        waiting = pool.driver.core.queue_lengths()

    assert 8 == len(pending)
    assert set(created) == set(stated)
    assert sum(waiting.values()) <= 8


async def test_batches_of_a_coop_share_its_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short batch that comes later does not wait for the end of a long one."""
    small_window(monkeypatch, 8)
    async with open_pool(tmp_path) as pool:
        _, long = await create(pool, jsonl(*lines(200)))
        await until(pool, long["id"], "in_progress")
        _, short = await create(pool, jsonl(*lines(4)))
        async with answering_nodes(pool):
            await until(pool, short["id"], "completed")
            view = await get(pool, long["id"])

    assert "in_progress" == view["status"]


async def until_completed(pool: Pool, batch: str, count: int) -> dict[str, Any]:
    """Waits until some lines of a batch have answers."""
    async with asyncio.timeout(WAIT_S):
        while True:
            view = await get(pool, batch)
            if view["request_counts"]["completed"] >= count:
                return view
            await asyncio.sleep(0.01)


async def test_partial_results_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a batch runs, its answers so far are a file, which cannot be deleted yet."""
    small_window(monkeypatch, 4)
    async with open_pool(tmp_path) as pool:
        _, batch = await create(pool, jsonl(*lines(10)))
        for _ in range(3):
            (await pool.placed()).finish("Oui")
        view = await until_completed(pool, batch["id"], 3)
        answers = await read_lines(pool, view["output_file_id"])
        kept = await pool.call("DELETE", f"{FILES}/{view['output_file_id']}")
        source = await pool.call("DELETE", f"{FILES}/{view['input_file_id']}")

    assert "in_progress" == view["status"]
    assert 3 == len(answers)
    assert [(409, "file_in_use")] * 2 == [
        (status, reply["error"]["code"]) for status, reply in (kept, source)
    ]


async def test_a_batch_survives_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that ran, waited or were still to come when everything stopped are answered once."""
    small_window(monkeypatch, 8)
    async with open_pool(tmp_path) as pool:
        _, batch = await create(pool, jsonl(*lines(30)))
        runs = [await pool.placed() for _ in range(4)]
        for run in runs[:2]:
            run.finish(run.body["messages"][-1]["content"].removeprefix("Question "))
        runs[2].accept()
    async with open_pool(tmp_path) as pool, answering_nodes(pool):
        done = await until(pool, batch["id"], "completed")
        answers = await read_lines(pool, done["output_file_id"])
        settled = await pool.store.count_settled()

    assert sorted(entry["custom_id"] for entry in lines(30)) == sorted(
        reply["custom_id"] for reply in answers
    )
    assert all(
        reply["custom_id"] == reply["response"]["body"]["choices"][0]["message"]["content"]
        for reply in answers
    )
    assert 30 == settled


async def test_a_cancelled_batch_ends_every_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is answered stays; each other line gets an error, and its run is stopped."""
    small_window(monkeypatch, 4)
    async with open_pool(tmp_path) as pool:
        _, batch = await create(pool, jsonl(*lines(10)))
        (await pool.placed()).finish("Oui")
        (await pool.placed()).accept()
        path = f"{BATCHES}/{batch['id']}/cancel"
        status, cancelling = await pool.call("POST", path)
        done = await until(pool, batch["id"], "cancelled")
        again = await pool.call("POST", path)
        errors = await read_lines(pool, done["error_file_id"])
        answers = await read_lines(pool, done["output_file_id"])
        file = (await pool.call("GET", f"{FILES}/{done['error_file_id']}"))[1]
        size = len(await content(pool, done["error_file_id"]))
        stated = pool.driver.core._state.batches
        left = await pool.store.list_pending_kept()

    assert 200 == status
    assert cancelling["status"] in ("cancelling", "cancelled")
    assert {"total": 10, "completed": 1, "failed": 9} == done["request_counts"]
    assert {"batch_cancelled"} == {entry["error"]["code"] for entry in errors}
    assert {entry["custom_id"] for entry in lines(10)} == {
        entry["custom_id"] for entry in errors + answers
    }
    assert size == file["bytes"]
    assert (409, "batch_ended") == (again[0], again[1]["error"]["code"])
    assert {} == stated
    assert () == left


async def test_what_has_not_ended_expires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the deadline the answers so far stay, and every other line says that it expired."""
    small_window(monkeypatch, 4)
    async with open_pool(tmp_path) as pool:
        _, batch = await create(pool, jsonl(*lines(6)), entraide={"deadline": 3_600})
        (await pool.placed()).finish("Oui")
        await pool.store.write(
            lambda c: table.change_batch(
                c, batch["id"], ("in_progress",), deadline_at=time.time() - 1.0
            )
        )
        pool.gateway._wake_feeder()
        done = await until(pool, batch["id"], "expired")
        errors = await read_lines(pool, done["error_file_id"])

    assert {"total": 6, "completed": 1, "failed": 5} == done["request_counts"]
    assert [("batch_expired", None)] * 5 == [
        (entry["error"]["code"], entry["response"]) for entry in errors
    ]


async def test_lines_wait_for_a_quota(tmp_path: Path) -> None:
    """Lines that the core refuses for now are asked for again, and each is settled once."""
    quotas = (Quota(QuotaKind.JOBS_IN_FLIGHT, 3),)
    async with open_pool(tmp_path, quotas=quotas) as pool, answering_nodes(pool) as asked:
        _, batch = await create(pool, jsonl(*lines(12)))
        done = await until(pool, batch["id"], "completed")
        settled = await pool.store.count_settled()

    assert {"total": 12, "completed": 12, "failed": 0} == done["request_counts"]
    assert 12 == len(asked) == settled


async def test_lines_wait_for_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch whose only machine has left goes on when the machine is back."""
    small_window(monkeypatch, 2)
    monkeypatch.setattr(line_window, "PAUSE_MOST_S", 0.05)
    monkeypatch.setattr(line_window, "PAUSE_LEAST_S", 0.05)
    monkeypatch.setattr(feeder, "POLL_S", 0.05)
    async with open_pool(tmp_path) as pool:
        _, batch = await create(pool, jsonl(*lines(6)))
        runs = [await pool.placed() for _ in range(2)]
        cards = [view.card for view in pool.driver.core.nodes()]
        for card in cards:
            pool.driver.feed(e.NodeLeft(*e.UNNUMBERED, node=card.node, reason="goodbye"))
        for run in runs:
            pool.driver.feed(e.JobCancelled(*e.UNNUMBERED, job=run.run.job, reason="cancelled"))
        await eventually(lambda: pool.gateway._feeder._window._postponed.get("alpha"))
        for card in cards:
            pool.driver.feed(e.NodeJoined(*e.UNNUMBERED, card=card, accepting=True, reason=""))
        async with answering_nodes(pool):
            done = await until(pool, batch["id"], "completed")

    assert {"total": 6, "completed": 4, "failed": 2} == done["request_counts"]


async def test_a_line_that_fails_has_its_error(tmp_path: Path) -> None:
    """A line that no machine can answer is in the file of errors, as its endpoint would say it."""
    long = line("long", ask("x" * 60_000))
    async with open_pool(tmp_path) as pool, answering_nodes(pool):
        _, batch = await create(pool, jsonl(line("a"), long))
        done = await until(pool, batch["id"], "completed")
        (error,) = await read_lines(pool, done["error_file_id"])
        file = (await pool.call("GET", f"{FILES}/{done['error_file_id']}"))[1]
        size = len(await content(pool, done["error_file_id"]))

    assert {"total": 2, "completed": 1, "failed": 1} == done["request_counts"]
    assert ("long", 400, None) == (
        error["custom_id"], error["response"]["status_code"], error["error"],
    )  # fmt: skip
    assert "context_length_exceeded" == error["response"]["body"]["error"]["code"]
    assert size == file["bytes"]


async def test_a_coop_has_few_batches_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the limit of unfinished batches a 429 says so; another co-op has its own."""
    monkeypatch.setattr(use_cases, "UNENDED_PER_COOP_MAX", 1)
    async with open_pool(tmp_path) as pool:
        replies = [
            await create(pool, jsonl(line("a"))),
            await create(pool, jsonl(line("a"))),
            await create(pool, jsonl(line("a")), key=KEY_B),
        ]

    assert [200, 429, 200] == [status for status, _ in replies]
    assert "batches_full" == replies[1][1]["error"]["code"]


async def test_results_are_deleted_by_their_owner_or_their_time(tmp_path: Path) -> None:
    """A deleted file of results is unknown; after its time the whole batch is."""
    async with open_pool(tmp_path) as pool, answering_nodes(pool):
        _, batch = await create(pool, jsonl(line("a")), output_expires_after={"seconds": 3_600})
        done = await until(pool, batch["id"], "completed")
        path = f"{FILES}/{done['output_file_id']}"
        deleted = await pool.call("DELETE", path)
        gone = await pool.call("GET", path)
        later = time.time() + 3_601
        await trust(pool.store, later)
        await pool.store.write(partial(table.expire_batches, now=later))
        after = await pool.call("GET", f"{BATCHES}/{batch['id']}")

    assert (200, True) == (deleted[0], deleted[1]["deleted"])
    assert (404, "unknown_file") == (gone[0], gone[1]["error"]["code"])
    assert (404, "unknown_batch") == (after[0], after[1]["error"]["code"])


async def test_an_answer_of_several_lines_is_one_line(tmp_path: Path) -> None:
    """An engine's JSON with line breaks is stored without them."""
    async with open_pool(tmp_path) as pool:
        _, batch = await create(pool, jsonl(line("a")))
        run = await pool.placed()
        run.accept()
        body = json.loads(b'{"choices": []}') | {
            "object": "chat.completion",
            "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        }
        run.end(body=json.dumps(body, indent=2).encode())
        run.report()
        done = await until(pool, batch["id"], "completed")
        answers = await read_lines(pool, done["output_file_id"])

    assert 1 == len(answers)

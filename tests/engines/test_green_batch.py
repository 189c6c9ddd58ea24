"""A batch of 500 lines in a fast day: it runs in green hours, and a killed scheduler loses nothing.

The same requests run at once beside it, for comparison. Sent by the official client, unmodified.
"""

import concurrent.futures
import json
import math
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.engines.green_day import HOUR_S, GreenPool, running_green_pool
from tests.pool.support import wait_until

pytestmark = [pytest.mark.engines, pytest.mark.long, pytest.mark.timeout(600)]

LINES = 500
ENDPOINT = "/v1/completions"
MODEL = "smollm2-135m-instruct"
DEADLINE_HOURS = 24
AT_ONCE = 16  # requests at the same time
DIRTY_LEFT_HOURS = (0.5, 2.9)  # when the batch is sent
KILLED_AFTER = 120  # lines
WITHIN_S = 300.0
GREEN_G_PER_KWH = 100.0


def body(number: int) -> dict[str, Any]:
    """A request for a very short answer to a very short prompt."""
    return {"model": MODEL, "prompt": f"{number},", "max_tokens": 2, "temperature": 0}


def jsonl() -> bytes:
    """All requests as a file."""
    lines = (
        {"custom_id": f"ligne-{number}", "method": "POST", "url": ENDPOINT, "body": body(number)}
        for number in range(LINES)
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def create_batch(pool: GreenPool) -> Any:
    """Sends the file and creates the batch, in a dirty hour; returns it once it runs or waits."""
    least, most = DIRTY_LEFT_HOURS
    wait_until(lambda: least < pool.day.hours_until_green() < most, "a dirty hour")
    file = pool.client.files.create(file=("lot.jsonl", jsonl()), purpose="batch")
    batch = pool.client.batches.create(
        input_file_id=file.id,
        endpoint=ENDPOINT,
        completion_window="24h",
        extra_body={"entraide": {"deadline": DEADLINE_HOURS * HOUR_S}},
    )
    wait_until(lambda: retrieve(pool, batch.id).status == "in_progress", "the file is checked")
    return retrieve(pool, batch.id)


def retrieve(pool: GreenPool, batch: str) -> Any:
    """The batch as it is."""
    return pool.client.batches.retrieve(batch)


def completed(pool: GreenPool, batch: str) -> int:
    """The number of its answers so far; 0 while the pool does not answer."""
    try:
        return int(retrieve(pool, batch).request_counts.completed)
    except openai.APIError:
        return 0


def run_at_once(pool: GreenPool) -> list[dict[str, Any]]:
    """Runs the same requests without waiting; returns their receipts."""

    def ask(number: int) -> dict[str, Any]:
        answer = pool.client.completions.create(
            **body(number), extra_headers={"X-Entraide-Class": "standard"}
        )
        receipt: dict[str, Any] = answer.model_extra["entraide"]  # type: ignore[index]
        return receipt

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(ask, range(LINES)))


def kill_scheduler(pool: GreenPool) -> None:
    """Kills the scheduler with -9; returns when another one is ready."""
    before = pool.pool.file.pids["scheduler"]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: pool.pool.file.pids.get("scheduler", before) != before, "a new scheduler")
    wait_until(pool.is_ready, "readiness")


def read_ledger(pool: GreenPool, batch: str) -> dict[str, int]:
    """The tokens of each settled job of a batch, as the books have them."""
    prefix = f"kept-{batch.removeprefix('batch_')}"
    with closing(sqlite3.connect(f"file:{pool.pool.state}/store.db?mode=ro", uri=True)) as store:
        rows = store.execute(
            "SELECT job, tokens FROM settled WHERE job LIKE ?", (f"{prefix}%",)
        ).fetchall()
    assert len({job for job, _ in rows}) == len(rows)
    return dict(rows)


def balances(pool: GreenPool) -> list[int]:
    """Each co-op's balance in tokens."""
    listed = json.loads(pool.operate("coops", "list", "--json"))
    coops = listed["coops"] if isinstance(listed, dict) else listed
    return [int(coop["balance_tokens"]) for coop in coops]


def counted(usage: dict[str, Any]) -> int:
    """The tokens in the books: those that were found again count a tenth, rounded up."""
    cached: int = usage["prompt_tokens_details"]["cached_tokens"]
    total: int = usage["total_tokens"]
    return total - cached + math.ceil(cached / 10)


def test_a_batch_runs_in_green_hours_and_outlives_its_scheduler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All 500 lines are answered and settled once, within the window, for fewer grams."""
    with running_green_pool(tmp_path, monkeypatch) as pool:
        batch = create_batch(pool)
        created_dirty = pool.day.hours_until_green() > 0
        at_once = run_at_once(pool)
        wait_until(
            lambda: completed(pool, batch.id) >= KILLED_AFTER, "a part of the batch", WITHIN_S
        )
        kill_scheduler(pool)
        middle = completed(pool, batch.id)
        wait_until(lambda: completed(pool, batch.id) == LINES, "all of it", WITHIN_S)
        wait_until(lambda: retrieve(pool, batch.id).status == "completed", "its end")
        done = retrieve(pool, batch.id)
        content = pool.client.files.content(done.output_file_id).text
        books, owed = read_ledger(pool, batch.id), balances(pool)
    lines = [json.loads(line) for line in content.splitlines()]
    answers = [line["response"]["body"] for line in lines]
    receipts = [answer["entraide"] for answer in answers]
    expected, own = batch.model_extra["entraide"]["expected"], done.model_extra["entraide"]
    grams = {
        name: sum(receipt["carbon_gco2e"] for receipt in group)
        for name, group in (("at_once", at_once), ("batch", receipts))
    }
    energy_wh = sum(receipt["energy_wh"] for receipt in receipts)
    print(json.dumps({"expected": expected, "grams": grams, "energy_wh": energy_wh, "own": own}))

    assert created_dirty
    assert ("later", "forecast") == (expected["reason"], expected["basis"])
    assert {True} == {hour["g_per_kwh"] < GREEN_G_PER_KWH for hour in expected["hours"]}
    assert expected["g_planned"] < expected["g_at_once"] / 10
    assert KILLED_AFTER <= middle < LINES
    assert done.error_file_id is None
    assert done.completed_at <= own["deadline_at"]
    assert sorted(f"ligne-{n}" for n in range(LINES)) == sorted(line["custom_id"] for line in lines)
    assert {True} == {receipt["intensity_g_per_kwh"] < GREEN_G_PER_KWH for receipt in receipts}
    assert {receipt["job"] for receipt in receipts} == books.keys()
    assert {answer["entraide"]["job"]: counted(answer["usage"]) for answer in answers} == books
    assert 0 == sum(owed)
    assert grams["batch"] < grams["at_once"] / 2
    assert grams["batch"] == pytest.approx(own["carbon_gco2e"], rel=0.01)
    assert own["saved_g"] > 0

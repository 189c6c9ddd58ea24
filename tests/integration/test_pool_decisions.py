"""What members see of the decisions of a real pool: the sun, quotas, turns."""

import concurrent.futures

import pytest
from tests.integration.local_pool import MODEL, RunningPool

from entraide_scheduler.up import settings

pytestmark = pytest.mark.engines  # a whole pool

FLOOD = 60  # jobs of one co-op: many times the pool's slots


@pytest.fixture
def sun(pool: RunningPool):  # type: ignore[no-untyped-def]
    """Lets a test change what the Ontario site declares; the sun is back afterwards."""
    home = settings.node_dir(pool.state, 2)

    def declare(surplus_w: float) -> None:
        settings.write_energy(home, surplus_w, "test declaration")
        pool.until(
            lambda: any(n["zone"] == "CA-ON" and n["surplus_w"] == surplus_w for n in pool.nodes()),
            f"a declared surplus of {surplus_w} W",
        )

    yield declare
    declare(400.0)


def test_a_job_follows_the_sun(pool: RunningPool, sun) -> None:  # type: ignore[no-untyped-def]
    """With sun the job goes to Ontario; without, to Québec, and the explanation says why.

    Its class promises no first word: a busy machine that may be late is not the subject here.
    """
    unhurried = {"X-Entraide-Class": "standard"}
    _, _, before = pool.chat("Bonjour", headers=unhurried)
    sun(0.0)
    _, headers, after = pool.chat("Bonjour encore", headers=unhurried)
    explanation = pool.entraide("jobs", "explain", headers["x-request-id"])

    assert before["entraide"]["province"] == "CA-ON"
    assert after["entraide"]["province"] == "CA-QC"
    assert "Québec" in explanation
    assert "Ontario" in explanation


def test_a_spent_quota_refuses_with_the_time_to_come_back(pool: RunningPool) -> None:
    """After 1,000 tokens the next request is a 429 with Retry-After and a sentence."""
    pool.entraide("coops", "add", "essai", "--quota", "tokens=1000/day")
    key = pool.entraide("keys", "create", "--coop", "essai", "--json")["secret"]
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Raconte."}]}
    spent, status, headers, answer = 0, 200, {}, {}
    for _ in range(200):
        status, headers, answer = pool.http(
            "/v1/chat/completions",
            {**body, "max_tokens": 300},
            key=key,
            headers={"Accept-Language": "fr"},
        )
        if status != 200:
            break
        spent += answer["usage"]["total_tokens"]

    assert status == 429
    assert 0 < spent <= 1000
    assert int(headers["retry-after"]) > 0
    assert answer["error"]["code"] == "quota_tokens"
    assert "jetons" in answer["error"]["message"]


def test_a_newcomer_waits_for_two_jobs_at_most(pool: RunningPool) -> None:
    """All slots are taken by a co-op that queued 60 jobs; another's job starts at once.

    "No later than after the second of those to end" is: at most one of them, in the place of the
    first that ended, was placed between the newcomer's arrival and its own placement.
    """
    ended: list[str] = []

    def ask(number: int, coop: str) -> str:
        _, headers, _ = pool.chat(f"Compte {number}", tokens=8, coop=coop)
        ended.append(coop)
        return headers["x-request-id"]

    def placed_at(job: str, coop: str) -> float:
        return float(pool.http(f"/v1/jobs/{job}/explanation", coop=coop)[2]["at"])

    with concurrent.futures.ThreadPoolExecutor(FLOOD + 1) as threads:
        flood = [threads.submit(ask, number, "boreale") for number in range(FLOOD)]
        pool.until(lambda: len(ended) >= 3, "the flood is under way")
        single = threads.submit(ask, 0, "prairie").result()
        ended_before = len(ended)
        others = [job.result() for job in flood]
    _, _, receipt = pool.http(f"/v1/jobs/{single}/receipt", coop="prairie")
    started_at = placed_at(single, "prairie")
    came_at = started_at - receipt["queue_ms"] / 1_000
    times = [placed_at(job, "boreale") for job in others]

    assert ended_before < FLOOD
    assert sum(came_at < at < started_at for at in times) <= 1
    assert any(at > started_at for at in times)

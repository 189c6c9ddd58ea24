"""Idempotency keys of live jobs, at the scheduler, which hears of those of every gateway."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from tests.core.builders import facts
from tests.scheduler.gateway_support import PLACE, Pool, card, open_pool
from tests.scheduler.rows import settle_row

from entraide.types import JobKind, JobState, RequestFacts
from entraide.wire import messages as m
from entraide_scheduler.core import events as e
from entraide_scheduler.gateways import LocalSchedulerAdapter, scheduler_adapters


class Refusals:
    """Keeps the refusals that gateways are sent."""

    def __init__(self) -> None:
        self.sent: list[m.JobRefused] = []

    def send_to_gateway(self, _gateway: str, message: m.GatewayDown) -> None:
        assert isinstance(message, m.JobRefused), message
        self.sent.append(message)

    def send_to_node(self, node: str, message: m.NodeDownCtl) -> None:
        raise AssertionError((node, message))


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    """A pool whose machine takes no work now, so that each job waits."""
    async with open_pool(tmp_path, joined=()) as opened:
        opened.driver.feed(
            e.NodeJoined(*e.UNNUMBERED, card=card("n1"), accepting=False, reason="owner")
        )
        yield opened


async def checked(adapter: LocalSchedulerAdapter) -> None:
    """Waits until the keys were looked for in the books."""
    await asyncio.gather(*adapter._checks)


def adapter_of(pool: Pool, **options: Any) -> tuple[LocalSchedulerAdapter, Refusals]:
    """An adapter that has heard of no job yet, as after a start of the scheduler."""
    refusals: Any = Refusals()
    nobody: Any = None
    parts = (pool.driver, pool.store, refusals, nobody, "main")
    return LocalSchedulerAdapter(*parts, place=PLACE, **options), refusals


def asked(job: str, gateway: str = "une", **changes: object) -> RequestFacts:
    """A live request with an idempotency key."""
    return facts(job, gateway=gateway, **{"idempotency": "00ff", **changes})


def taken(pool: Pool, *jobs: str) -> list[str]:
    """Those of the jobs that the core knows."""
    return [job for job in jobs if pool.driver.core.job(job) is not None]


async def test_a_key_in_use_is_refused_until_its_job_is_over(pool: Pool) -> None:
    """At every gateway, for the same key or person only; the job itself may be sent again."""
    adapter, refusals = adapter_of(pool)
    adapter.submit(asked("j1"))
    adapter.submit(asked("j2", "deux"))
    adapter.submit(asked("j3", "deux", key="another"))
    adapter.submit(asked("j4", "deux", idempotency="00aa"))
    adapter.submit(asked("j5", "deux", idempotency=""))
    adapter.submit(asked("j6", "deux", kind=JobKind.KEPT))
    adapter.submit(asked("j1"))
    await checked(adapter)
    pool.driver.feed(e.JobCancelled(*e.UNNUMBERED, job="j1", reason="client_gone"))
    adapter.submit(asked("j7", "deux"))
    adapter.submit(asked("j8", "trois"))
    await checked(adapter)

    assert ["j1", "j3", "j4", "j5", "j6", "j7"] == taken(pool, *(f"j{n}" for n in range(1, 9)))
    assert [("j2", "answer_not_held"), ("j8", "answer_not_held")] == [
        (refusal.job, refusal.code) for refusal in refusals.sent
    ]
    assert [{"earlier": "j1"}, {"earlier": "j7"}] == [refusal.values for refusal in refusals.sent]


async def test_a_key_is_free_once_its_gateway_is_cut_off(pool: Pool) -> None:
    """The client of a gateway that was killed need not wait until its job is lost."""
    adapter, refusals = adapter_of(pool, is_cut_off={"une"}.__contains__)
    adapter.submit(asked("j1"))
    await checked(adapter)
    adapter.submit(asked("j2", "deux"))
    await checked(adapter)
    adapter.submit(asked("j3", "trois"))

    assert ["j1", "j2"] == taken(pool, "j1", "j2", "j3")
    assert ["j3"] == [refusal.job for refusal in refusals.sent]


async def test_a_key_is_known_after_a_start_of_the_scheduler(pool: Pool) -> None:
    """The keys of jobs that are under way are read from the core."""
    first, _ = adapter_of(pool)
    first.submit(asked("j1"))
    await checked(first)
    adapter, refusals = adapter_of(pool)
    adapter.submit(asked("j2", "deux"))

    assert ["j2"] == [refusal.job for refusal in refusals.sent]


async def test_the_number_of_keys_is_bounded(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest key is forgotten first."""
    monkeypatch.setattr(scheduler_adapters, "KEYS_MAX", 2)
    adapter, refusals = adapter_of(pool)
    for number in range(4):
        adapter.submit(asked(f"j{number}", idempotency=f"0{number}"))
    await checked(adapter)
    adapter.submit(asked("j4", idempotency="01"))
    adapter.submit(asked("j5", idempotency="03"))

    assert ["j5"] == [refusal.job for refusal in refusals.sent]


async def test_a_charged_key_is_used_for_ever(pool: Pool) -> None:
    """A job in the books is named, after any time and start; one that the pool failed is not."""
    for job, state in (("j1", JobState.COMPLETED), ("j2", JobState.FAILED)):
        row = structs.replace(settle_row(job), state=state, key="key-1", idempotency=f"0{job}")
        await pool.store.write_settlement(row)
    adapter, refusals = adapter_of(pool)
    adapter.submit(asked("j3", key="key-1", idempotency="0j1"))
    adapter.submit(asked("j4", key="key-2", idempotency="0j1"))
    adapter.submit(asked("j5", key="key-1", idempotency="0j2"))
    await checked(adapter)

    assert [("j3", {"earlier": "j1"})] == [(each.job, each.values) for each in refusals.sent]
    assert ["j4", "j5"] == taken(pool, "j3", "j4", "j5")


async def test_another_request_with_the_key_is_told_so(pool: Pool) -> None:
    """While the first one waits, while the books are read, and once it is in the books."""
    key, same, other = 24 * "0", 16 * "a", 16 * "b"
    row = structs.replace(settle_row("j1"), key="key-1", idempotency=key[1:] + "1" + same)
    await pool.store.write_settlement(row)
    adapter, refusals = adapter_of(pool)
    adapter.submit(asked("j2", idempotency=key + same))
    adapter.submit(asked("j3", "deux", idempotency=key + other))
    await checked(adapter)
    adapter.submit(asked("j4", "deux", idempotency=key + other))
    adapter.submit(asked("j5", "deux", idempotency=key + same))
    adapter.submit(asked("j6", key="key-1", idempotency=key[1:] + "1" + other))
    await checked(adapter)

    assert [
        ("j3", "idempotency_mismatch", "j2"),
        ("j4", "idempotency_mismatch", "j2"),
        ("j5", "answer_not_held", "j2"),
        ("j6", "idempotency_mismatch", "j1"),
    ] == [(each.job, each.code, each.values["earlier"]) for each in refusals.sent]


async def test_a_key_is_in_use_while_the_books_are_read(pool: Pool) -> None:
    """Two requests at the same moment are one."""
    adapter, refusals = adapter_of(pool)
    adapter.submit(asked("j1"))
    adapter.submit(asked("j2", "deux"))
    await checked(adapter)

    assert (["j1"], ["j2"]) == (taken(pool, "j1", "j2"), [each.job for each in refusals.sent])

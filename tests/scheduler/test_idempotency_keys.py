"""Idempotency keys of live jobs, at the scheduler, which hears of those of every gateway."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.core.builders import facts
from tests.scheduler.gateway_support import PLACE, Pool, card, open_pool

from entraide.types import JobKind, RequestFacts
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
    pool.driver.feed(e.JobCancelled(*e.UNNUMBERED, job="j1", reason="client_gone"))
    adapter.submit(asked("j7", "deux"))
    adapter.submit(asked("j8", "trois"))

    assert ["j1", "j3", "j4", "j5", "j6", "j7"] == taken(pool, *(f"j{n}" for n in range(1, 9)))
    assert [("j2", "already_exists"), ("j8", "already_exists")] == [
        (refusal.job, refusal.code) for refusal in refusals.sent
    ]
    assert {"name": "idempotency_key"} == refusals.sent[0].values


async def test_a_key_is_free_once_its_gateway_is_cut_off(pool: Pool) -> None:
    """The client of a gateway that was killed need not wait until its job is lost."""
    adapter, refusals = adapter_of(pool, is_cut_off={"une"}.__contains__)
    adapter.submit(asked("j1"))
    adapter.submit(asked("j2", "deux"))
    adapter.submit(asked("j3", "trois"))

    assert ["j1", "j2"] == taken(pool, "j1", "j2", "j3")
    assert ["j3"] == [refusal.job for refusal in refusals.sent]


async def test_a_key_is_known_after_a_start_of_the_scheduler(pool: Pool) -> None:
    """The keys of jobs that are under way are read from the core."""
    adapter_of(pool)[0].submit(asked("j1"))
    adapter, refusals = adapter_of(pool)
    adapter.submit(asked("j2", "deux"))

    assert ["j2"] == [refusal.job for refusal in refusals.sent]


async def test_the_number_of_keys_is_bounded(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest key is forgotten first."""
    monkeypatch.setattr(scheduler_adapters, "KEYS_MAX", 2)
    adapter, refusals = adapter_of(pool)
    for number in range(4):
        adapter.submit(asked(f"j{number}", idempotency=f"0{number}"))
    adapter.submit(asked("j4", idempotency="01"))
    adapter.submit(asked("j5", idempotency="03"))

    assert ["j5"] == [refusal.job for refusal in refusals.sent]

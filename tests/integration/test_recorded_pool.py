"""A recorded pool starts with real processes, and answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.data.recorded import NAMES, golden, pending, renew_identities, unpack
from tests.integration.local_pool import RunningPool, up

from entraide.client import Client
from entraide.errors import PoolError
from entraide.types import RequestFacts

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]  # a real pool


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """A recording's name: the commit that made it."""
    return str(request.param)


@pytest.fixture
def state(name: str, tmp_path: Path) -> Path:
    """A copy of the recorded state folder, whose nodes have identities that did not expire."""
    folder = unpack(name, tmp_path)
    renew_identities(folder)
    return folder


@pytest.fixture
def waited(state: Path) -> list[RequestFacts]:
    """The kept jobs that waited when the pool stopped."""
    return pending(state)


@pytest.fixture
def old(state: Path, waited: list[RequestFacts]) -> Iterator[RunningPool]:
    """The pool that ``entraide up`` starts on the copy."""
    running = up(state)
    yield running
    running.entraide("down")


def ended(pool: RunningPool, facts: RequestFacts) -> str:
    """Waits for a kept job and returns the state in which it ended, or why nobody gets it."""
    with Client(pool.file.grpc, pool.file.keys[facts.coop]) as client:
        try:
            return client.wait(facts.job, timeout_s=120.0).state
        except PoolError as problem:
            return problem.code


def test_old_pool_answers_and_runs_the_jobs_that_waited(
    name: str, waited: list[RequestFacts], old: RunningPool
) -> None:
    """The old keys open the pool, a question is answered, and the kept jobs that waited end.

    The demonstration's server is in Québec: it hands out no answer that must not pass there.
    """
    recorded = golden(name).state
    status, _, answer = old.chat("Bonjour !", tokens=8)
    here = {facts.job for facts in waited if facts.jurisdiction in ("", "CA", "CA-QC")}
    ends = {facts.job: ended(old, facts) for facts in waited}
    timeless = {facts.job for facts in waited if facts.deadline_at is None}
    settled = recorded.settled + 1 + len(timeless)
    old.until(lambda: int(old.entraide("status", "--json")["settled"]) >= settled, "the ledger")
    shown = old.entraide("coops", "list", "--json")
    coops = shown["coops"] if isinstance(shown, dict) else shown

    assert (200, recorded.kept["queued"]) == (status, len(waited))
    assert answer["entraide"]["province"].startswith("CA-")
    assert dict.fromkeys(timeless & here, "completed").items() <= ends.items()
    assert {ends[job] for job in here - timeless} <= {"completed", "failed"}
    assert {"place_outside"} == {ends[job] for job in ends.keys() - here}
    assert {*recorded.shares} == {coop["coop"] for coop in coops}
    assert sum(int(coop["balance_tokens"]) for coop in coops) == 0

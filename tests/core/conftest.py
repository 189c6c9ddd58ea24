"""Fixtures: a pool for each test; every invariant is checked after the test."""

from collections.abc import Iterator

import pytest
from tests.core import invariants
from tests.core.builders import Pool, card


@pytest.fixture
def pool() -> Iterator[Pool]:
    """A core with a policy, three zones and no nodes yet."""
    new_pool = Pool()
    yield new_pool
    invariants.check(new_pool)


@pytest.fixture
def three(pool: Pool) -> Pool:
    """That pool with one node in Québec, one in Ontario and one in Alberta."""
    pool.join(
        card("qc-1", "alpha", "CA-QC"),
        card("on-1", "beta", "CA-ON"),
        card("ab-1", "gamma", "CA-AB"),
    )
    return pool

"""A pool for each test, with every invariant checked when the test is over."""

from collections.abc import Iterator

import pytest
from tests.core import invariants
from tests.core.builders import Pool, card


@pytest.fixture
def pool() -> Iterator[Pool]:
    """A core with a policy, three zones and no nodes yet."""
    made = Pool()
    yield made
    invariants.check(made)


@pytest.fixture
def three(pool: Pool) -> Pool:
    """That pool with one node in Québec, one in Ontario and one in Alberta."""
    pool.join(
        card("qc-1", "alpha", "CA-QC"),
        card("on-1", "beta", "CA-ON"),
        card("ab-1", "gamma", "CA-AB"),
    )
    return pool

"""Fair queue: shapes whose nodes are full are blocked, and return to their position."""

from tests.core.fair_jobs import make_job, policy, shape
from tests.core.fairslots import Slots, coops

from entraide.types import DataClass
from entraide_scheduler.core.fair_queue import FairQueue
from entraide_scheduler.core.records import Shape

SCARCE = shape("grand")


def test_a_blocked_shape_delays_nobody_and_comes_back_to_its_place() -> None:
    """While its node is full other shapes are served; when the node opens, its job is first."""
    pool = Slots(policy())
    (waits,) = pool.ask("beta", where=SCARCE)
    pool.queue.block_shape(SCARCE)
    pool.ask("alpha", 20)
    passed = pool.turns(10)
    pool.queue.unblock_shapes("petit", lambda _: True)
    still = pool.queue.blocked_shapes
    pool.queue.unblock_shapes("grand", lambda _: True)

    assert ["alpha"] * 10 == coops(passed)
    assert (SCARCE,) == still
    assert waits is pool.queue.next_job()


def test_only_shapes_that_may_fit_are_unblocked() -> None:
    """A replica that opens unblocks only those shapes of a model that may fit."""
    pool = Slots(policy())
    small, large = shape(), shape(jurisdiction="CA-QC")
    pool.ask("alpha", where=small)
    pool.ask("alpha", where=large)
    for blocked in (small, large):
        pool.queue.block_shape(blocked)
    pool.queue.unblock_shapes("petit", lambda shape: shape == large)

    assert (small,) == pool.queue.blocked_shapes
    assert large == pool.queue.next_job().shape


def test_nothing_is_next_when_all_is_blocked_or_empty() -> None:
    """An empty queue has no next job, nor a queue whose shapes are all blocked."""
    queue = FairQueue()
    queue.apply_policy(policy())
    empty = queue.next_job()
    queue.add(make_job(1))
    queue.block_shape(shape())

    assert empty is None
    assert queue.next_job() is None
    assert [shape()] == queue.shapes


def test_shapes_merge_when_what_is_served_changes() -> None:
    """Jobs move to the queues of their new shapes; counters and order stay."""
    pool = Slots(policy())
    pool.ask("alpha", 3)
    pool.ask("beta", 3, where=shape(jurisdiction="CA-QC"))
    pool.turns(2)
    pool.queue.block_shape(shape())
    merged = Shape("petit", (), "CA", DataClass.INTERNAL, "", 8_192)
    for job in pool.queue.jobs():
        pool.queue.reshape(job, merged)

    assert [merged] == pool.queue.shapes
    assert () == pool.queue.blocked_shapes
    assert ["alpha", "beta"] * 2 == coops(pool.turns(4))

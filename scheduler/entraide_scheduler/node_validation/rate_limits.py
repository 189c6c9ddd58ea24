"""Rate: how many control messages a node may send, by token buckets.

Each run that the node holds has a bucket of its own, so that a fast node, whose runs last some
milliseconds, is not held back; all other messages of a node share one bucket. A long message costs
more than a short one, so that the journal grows by a bounded number of bytes per second whatever a
node sends. The excess is dropped and counted: a heartbeat comes again in a second, and a usage
report until it is acknowledged.
"""

from collections.abc import Hashable
from typing import TypeVar

from msgspec import Struct

MESSAGES_PER_S = 50.0  # outside runs
RUN_MESSAGES_PER_S = 10.0  # of each run that the node holds
BURST = 100.0
RUN_BURST = 20.0  # a run needs an acceptance, its progress and a report
BYTES_PER_MESSAGE = 8 * 1024  # a longer message counts as several
BUCKETS_MAX = 100_000  # that are kept; the oldest one goes


class TokenBucket(Struct):
    """A token bucket: what is left of it, and when it was last looked at."""

    left: float
    at: float

    def take(self, cost: float, *, per_s: float, burst: float, at: float) -> bool:
        """Takes so many tokens; False, and nothing is taken, when there are not enough."""
        self.left = min(burst, self.left + per_s * max(0.0, at - self.at))
        self.at = max(self.at, at)
        if self.left < cost:
            return False
        self.left -= cost
        return True


class NodeRateLimits:
    """The buckets of all nodes."""

    def __init__(self) -> None:
        self._control: dict[str, TokenBucket] = {}
        self._runs: dict[tuple[str, str, int], TokenBucket] = {}

    def take_control(self, node: str, size: int, at: float) -> bool:
        """Takes a message that belongs to no run; False when the node sends too many."""
        bucket = _bucket(self._control, node, BURST, at)
        cost = 1.0 + size // BYTES_PER_MESSAGE
        return bucket.take(cost, per_s=MESSAGES_PER_S, burst=BURST, at=at)

    def take_run(self, node: str, job: str, epoch: int, at: float) -> bool:
        """Takes a message of a run that a node holds; False when the run sends too many."""
        bucket = _bucket(self._runs, (node, job, epoch), RUN_BURST, at)
        return bucket.take(1.0, per_s=RUN_MESSAGES_PER_S, burst=RUN_BURST, at=at)


Key = TypeVar("Key", bound=Hashable)


def _bucket(buckets: dict[Key, TokenBucket], key: Key, burst: float, at: float) -> TokenBucket:
    bucket = buckets.get(key)
    if bucket is None:
        if len(buckets) >= BUCKETS_MAX:
            del buckets[next(iter(buckets))]
        bucket = buckets[key] = TokenBucket(burst, at)
    return bucket

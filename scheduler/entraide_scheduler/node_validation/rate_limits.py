"""Rate limits: token buckets for the control messages of nodes.

Each run that a node holds has its own bucket, so that a node with runs of a few milliseconds is not
limited; all other messages of a node share one bucket. The cost of a message grows with its size,
which bounds the journal's growth in bytes per second. Excess messages are dropped and counted: a
heartbeat is repeated after a second, a usage report until it is acknowledged.
"""

from collections.abc import Hashable
from typing import TypeVar

from msgspec import Struct

MESSAGES_PER_S = 50.0  # of messages that belong to no run
RUN_MESSAGES_PER_S = 10.0  # of each run that the node holds
BURST = 100.0
RUN_BURST = 20.0  # a run needs an acceptance, its progress and a report
BYTES_PER_MESSAGE = 8 * 1024  # a longer message costs more than one token
BUCKETS_MAX = 100_000  # the oldest bucket is dropped first


class TokenBucket(Struct):
    """A token bucket: tokens left, and the time of the last update."""

    left: float
    at: float

    def take(self, cost: float, *, per_s: float, burst: float, at: float) -> bool:
        """Takes ``cost`` tokens; returns False, and takes none, if there are too few."""
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
        """Counts a message that belongs to no run; returns False if it exceeds the limit."""
        bucket = _bucket(self._control, node, BURST, at)
        cost = 1.0 + size // BYTES_PER_MESSAGE
        return bucket.take(cost, per_s=MESSAGES_PER_S, burst=BURST, at=at)

    def take_run(self, node: str, job: str, epoch: int, at: float) -> bool:
        """Counts a message of a run that a node holds; returns False if it exceeds the limit."""
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

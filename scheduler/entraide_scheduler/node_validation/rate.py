"""Rate: how many control messages a node may send, by token buckets.

A message of a run that the node holds has a bucket of its own, which grows with the runs; all
other messages share one. A long message costs more than a short one, so that the journal grows by
a bounded number of bytes per second whatever a node sends. The excess is dropped and counted: a
heartbeat comes again in a second, and a usage report until it is acknowledged.
"""

from msgspec import Struct

MESSAGES_PER_S = 50.0  # outside runs
RUN_MESSAGES_PER_S = 10.0  # of each run that the node holds
BURST = 100.0
BYTES_PER_MESSAGE = 8 * 1024  # a longer message counts as several
NODES_MAX = 100_000  # buckets that are kept; the oldest one goes


class Bucket(Struct):
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


class NodeRates:
    """The buckets of all nodes."""

    def __init__(self) -> None:
        self._control: dict[str, Bucket] = {}
        self._runs: dict[str, Bucket] = {}

    def take_control(self, node: str, size: int, at: float) -> bool:
        """Takes a message that belongs to no run; False when the node sends too many."""
        bucket = _bucket(self._control, node, BURST, at)
        cost = 1.0 + size // BYTES_PER_MESSAGE
        return bucket.take(cost, per_s=MESSAGES_PER_S, burst=BURST, at=at)

    def take_run(self, node: str, runs: int, at: float) -> bool:
        """Takes a message of one of the runs that a node holds; False when it sends too many."""
        burst = BURST * max(1, runs)
        bucket = _bucket(self._runs, node, burst, at)
        return bucket.take(1.0, per_s=RUN_MESSAGES_PER_S * max(1, runs), burst=burst, at=at)


def _bucket(buckets: dict[str, Bucket], node: str, burst: float, at: float) -> Bucket:
    found = buckets.get(node)
    if found is None:
        if len(buckets) >= NODES_MAX:
            del buckets[next(iter(buckets))]
        found = buckets[node] = Bucket(burst, at)
    return found

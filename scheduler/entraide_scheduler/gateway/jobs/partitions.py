"""Partitions: whose runs may use what an engine has read before, as keyed digests. Pure.

In: the pool's secret, a node and a day, and who asks. Out: the partition of a run, the half of it
that all runs of a sender share on that node and day, and the key of the digests of a prompt's
beginning. The secret is derived from the pool's sealing key, so all gateways have the same one;
each day (UTC) has a key of its own. Nodes, the journal and the store get none of them.

A digest is HMAC-SHA256 (RFC 2104). Each of its fields follows its length, so different lists of
fields never give the same bytes.
"""

import hmac
from collections.abc import Iterator

from msgspec import Struct

from entraide.types import account_of
from entraide.wire.messages import OWNER_BYTES, PARTITION_BYTES

LENGTH_BYTES = 4  # of a field's length, big-endian
DAY_S = 86_400
# Days of which a node may hold something: a state is kept for a day at most, a run may last beyond
# midnight, and the clock of another gateway may be ahead.
DAYS_BACK, DAYS_AHEAD = 2, 1


class Asker(Struct, frozen=True):
    """Who asks, as far as prompts are kept apart.

    Attributes:
        coop: identifier of the co-op.
        sender: the API key, or a person in one start; the runs of two starts share nothing.
        user: the program's user, whom the request names, as JSON; "" for none.
        cache_key: the request's ``prompt_cache_key``, as JSON; "" for none.
    """

    coop: str
    sender: str
    user: str = ""
    cache_key: str = ""


def join_fields(*fields: str) -> bytes:
    r"""Returns fields as bytes from which they can be read again.

    >>> join_fields("ab", "c")
    b'\x00\x00\x00\x02ab\x00\x00\x00\x01c'
    """
    encoded = (field.encode() for field in fields)
    return b"".join(len(field).to_bytes(LENGTH_BYTES) + field for field in encoded)


class Partitions:
    """The partitions of one pool; ``now`` is in seconds since the epoch."""

    def __init__(self, sealing_key: bytes) -> None:
        """Derives the secret from the pool's sealing key, 32 bytes."""
        self._secret = hmac.digest(sealing_key, b"entraide/prefix", "sha256")

    def make_owner(self, node_key: str, account: str, now: float) -> bytes:
        """Returns the ``OWNER_BYTES`` with which a sender's partitions on a node begin today.

        Args:
            node_key: the node's public key.
            account: the API key or the person; see ``account_of``.
            now: the time.
        """
        return self._digest(_day_of(now), "owner", node_key, account)[:OWNER_BYTES]

    def make_partition(self, node_key: str, asker: Asker, now: float) -> bytes:
        """Returns the partition of a run, ``PARTITION_BYTES``."""
        fields = (node_key, asker.coop, asker.sender, asker.user, asker.cache_key)
        own = self._digest(_day_of(now), "partition", *fields)
        rest = own[: PARTITION_BYTES - OWNER_BYTES]
        return self.make_owner(node_key, account_of(asker.sender), now) + rest

    def make_digest_key(self, asker: Asker, now: float) -> bytes:
        """Returns the key of the digests of a prompt's beginning, 32 bytes."""
        fields = (asker.coop, asker.sender, asker.user, asker.cache_key)
        return self._digest(_day_of(now), "digests", *fields)

    def list_owners(self, node_key: str, account: str, now: float) -> Iterator[bytes]:
        """Yields the owners with which a node may still hold states of a sender."""
        for days in range(-DAYS_BACK, DAYS_AHEAD + 1):
            yield self.make_owner(node_key, account, now + days * DAY_S)

    def _digest(self, day: int, *fields: str) -> bytes:
        day_key = hmac.digest(self._secret, join_fields("day", str(day)), "sha256")
        return hmac.digest(day_key, join_fields(*fields), "sha256")


def _day_of(now: float) -> int:
    return int(now // DAY_S)

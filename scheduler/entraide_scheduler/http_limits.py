"""Limits of the HTTP server: what one connection, one address and one key may take of it.

It decides the numbers and nothing else. ``HttpLimits`` are settings (``[http.limits]`` of the
config); the constants are sizes that clients never need to change. The reasons stand in
``docs/reference/security.md``.
"""

from msgspec import Struct

HEAD_MAX_BYTES = 32 * 1024
HEADERS_MAX = 100
BODY_MAX_BYTES = 4 * 1024 * 1024
SMALL_BODY_MAX_BYTES = 4 * 1024  # of requests that need no body
UNREAD_MAX_BYTES = 4 * 1024 * 1024
UNREAD_HIGH_BYTES = 64 * 1024  # beyond, no further request is read
AHEAD_MAX_BYTES = 64 * 1024
PIPELINED_MAX = 64
DISCARDED_MAX_BYTES = 64 * 1024 * 1024
LINGER_S = 2.0


class HttpLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """Deadlines and counts. Deadlines are absolute: no byte that arrives renews one.

    Attributes:
        connections: open at a time; beyond, the connection that has been idle longest is closed.
        connections_without_key: of them, those that have shown no valid key yet; beyond, the
            oldest of them is closed.
        connections_without_key_per_address: likewise from one address (an IPv6 /64 network).
        requests_per_key: under way at a time with one key.
        head_deadline_s: from the first byte of a head, or from the connection, to its end.
        body_deadline_s: from the end of the head to the end of the body.
        idle_s: without a request, on a connection that has shown a key.
        idle_without_key_s: without a request, on a connection that has not.
        unread_deadline_s: for a client to take all that waits for it, once that is over 64 KiB.
        wrong_keys: from one address in ``wrong_keys_window_s``; beyond, wrong keys are slowed.
        wrong_keys_window_s: how long wrong keys are remembered.
        wrong_key_delay_s: how long the answer to a slowed wrong key waits.
    """

    connections: int = 4_096
    connections_without_key: int = 1_024
    connections_without_key_per_address: int = 64
    requests_per_key: int = 256
    head_deadline_s: float = 10.0
    body_deadline_s: float = 60.0
    idle_s: float = 75.0
    idle_without_key_s: float = 15.0
    unread_deadline_s: float = 120.0
    wrong_keys: int = 5
    wrong_keys_window_s: float = 60.0
    wrong_key_delay_s: float = 1.0

    @property
    def fault(self) -> str:
        """What is wrong with the numbers, or ""."""
        for name in self.__struct_fields__:
            if not 0 < getattr(self, name) <= 1_000_000:
                return f"{name} is above 0 and at most 1,000,000"
        return ""

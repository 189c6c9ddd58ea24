"""Limits of the HTTP server per connection, client address, API key and co-op.

``HttpLimits`` are settings (``[http.limits]`` of the config); the constants are not configurable.
The reasons are in ``docs/reference/security.md``.
"""

from msgspec import Struct

from entraide.form_faults import FormFault

HEAD_MAX_BYTES = 32 * 1024
HEADERS_MAX = 100
BODY_MAX_BYTES = 4 * 1024 * 1024
SMALL_BODY_MAX_BYTES = 4 * 1024  # of requests without a payload
FILE_MAX_BYTES = 200 * 1024 * 1024
UPLOAD_MAX_BYTES = FILE_MAX_BYTES + 64 * 1024  # a file with its form
UPLOAD_PATH = "/v1/files"  # the path whose bodies are read while they arrive
STREAM_HIGH_BYTES = 256 * 1024  # of such a body; above, no more is read from the connection
STREAM_PART_BYTES = 1024 * 1024  # of such a body; each part has ``body_deadline_s``
UNREAD_MAX_BYTES = 4 * 1024 * 1024
UNREAD_HIGH_BYTES = 64 * 1024  # above, no further request is read
AHEAD_MAX_BYTES = 64 * 1024
PIPELINED_MAX = 64
DISCARDED_MAX_BYTES = 64 * 1024 * 1024
LINGER_S = 2.0
LIMIT_MAX = 1_000_000  # of each setting
KEY_GRACE_S = 1.0  # in which a new connection may show a key
YOUNG_FACTOR = 4  # times ``connections_without_key_per_address``, for connections younger than that


class HttpLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """Deadlines and counts. Deadlines are absolute: a byte that arrives does not extend one.

    Attributes:
        connections: open at once; above, the connection that has been idle longest is closed.
        connections_without_key: open at once without a valid key so far; above, the oldest of
            them is closed.
        connections_without_key_per_address: the same, per address (per /64 network for IPv6), for
            those that are ``KEY_GRACE_S`` old; above ``YOUNG_FACTOR`` times as many, of any age.
        connections_per_coop: open at once that have shown a key of one co-op, or of its people;
            those of trusted proxies do not count.
        requests_per_key: concurrent requests with one key.
        keys_per_coop: keys and people of one co-op that have requests under way.
        files_mb_per_coop: MB (10^6 bytes) of all files of one co-op.
        head_deadline_s: from the connection, or a head's first byte, to the end of the head.
        body_deadline_s: from the end of the head to the end of the body; for a file, to the end of
            each MiB.
        idle_s: time without a request on a connection that has shown a valid key.
        idle_without_key_s: time without a request on a connection that has not.
        unread_deadline_s: for a client to read the send buffer, once that exceeds 64 KiB.
        wrong_keys: per address in ``wrong_keys_window_s``; above, replies to wrong keys are slow.
        wrong_keys_window_s: length of the window in which wrong keys are counted.
        wrong_key_delay_s: delay of a slow reply.
    """

    connections: int = 4_096
    connections_without_key: int = 1_024
    connections_without_key_per_address: int = 64
    connections_per_coop: int = 2_048
    requests_per_key: int = 256
    keys_per_coop: int = 512
    files_mb_per_coop: int = 2_000
    head_deadline_s: float = 10.0
    body_deadline_s: float = 60.0
    idle_s: float = 75.0
    idle_without_key_s: float = 15.0
    unread_deadline_s: float = 120.0
    wrong_keys: int = 5
    wrong_keys_window_s: float = 60.0
    wrong_key_delay_s: float = 1.0

    @property
    def fault(self) -> FormFault | None:
        """The first invalid number; None without one."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not 0 < value <= LIMIT_MAX:
                shown: dict[str, str | int | float] = {"value": f"{value:g}", "high": LIMIT_MAX}
                return FormFault(("http", "limits", name), "above_0", shown)
        return None

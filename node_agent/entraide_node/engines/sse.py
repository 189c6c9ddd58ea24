"""Server-sent events in the subset that engines use: bytes in, payloads out.

Lines end with LF or CRLF; comment lines and unknown fields are skipped; an event without its final
empty line is returned when the stream ends.
"""

EVENT_BYTES_MAX = 4 * 1024 * 1024


class EventTooLong(Exception):
    """An engine sent more than ``EVENT_BYTES_MAX`` without ending the event."""


class EventReader:
    """Splits a byte stream into the payloads of its events."""

    def __init__(self) -> None:
        self._tail = b""
        self._lines: list[bytes] = []
        self._held = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Returns the payloads that these bytes complete.

        Raises:
            EventTooLong: an event exceeds the limit.
        """
        *lines, self._tail = (self._tail + data).split(b"\n")
        payloads = []
        for line in lines:
            payload = self._line(line.removesuffix(b"\r"))
            if payload is not None:
                payloads.append(payload)
        if len(self._tail) + self._held > EVENT_BYTES_MAX:
            raise EventTooLong
        return payloads

    def close(self) -> list[bytes]:
        """Returns the payload of an event that the end of the stream cut off, if any."""
        first = self._line(self._tail.removesuffix(b"\r"))
        last = self._line(b"")
        self._tail = b""
        return [payload for payload in (first, last) if payload is not None]

    def _line(self, line: bytes) -> bytes | None:
        if not line:
            if not self._lines:
                return None
            payload = b"\n".join(self._lines)
            self._lines.clear()
            self._held = 0
            return payload
        field, _, value = line.partition(b":")
        # Older versions of llama.cpp name the field of a failure `error` instead of `data`.
        if field in (b"data", b"error"):
            value = value.removeprefix(b" ")
            self._lines.append(value if field == b"data" else b'{"error":' + value + b"}")
            self._held += len(value) + 1  # empty lines use memory too
        return None

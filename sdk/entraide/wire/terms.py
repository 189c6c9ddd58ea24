"""Terms on the bus: nodes and gateways follow the scheduler with the highest term.

Each message of a scheduler to a node or gateway has its term in a header. One that has heard
a higher term drops it. A term that was not heard for ``FORGOTTEN_S`` is forgotten, so that a pool
goes on whose database was set back to an earlier state. Messages without the header pass: a
version before terms sent them.
"""

import re
import time
from collections.abc import Callable

import structlog

FORGOTTEN_S = 60.0
TO_NODES_AND_GATEWAYS = ".down.ctl"  # ends the subjects on which only a scheduler may publish

_TERM = re.compile(rb"\r\nEntraide-Term: (\d{1,18})\r\n")


def term_headers(term: int) -> bytes:
    r"""Returns the headers of a scheduler's messages.

    >>> term_headers(7)
    b'NATS/1.0\r\nEntraide-Term: 7\r\n\r\n'
    """
    return b"NATS/1.0\r\nEntraide-Term: %d\r\n\r\n" % term


class FollowedTerm:
    """The highest term that a process has heard of.

    Attributes:
        number: the term; 0 before the first.
        dropped: number of messages of lower terms.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._heard_at = 0.0
        self.number = 0
        self.dropped = 0

    def accepts(self, subject: bytes, headers: bytes) -> bool:
        """Whether a message is not of a scheduler with a lower term; follows a higher one."""
        if not subject.endswith(TO_NODES_AND_GATEWAYS.encode()):
            return True
        match = _TERM.search(headers)
        if match is None:
            return True
        term, now = int(match[1]), self._steady()
        if term < self.number and now - self._heard_at < FORGOTTEN_S:
            if not self.dropped:
                log = structlog.get_logger("entraide.bus")
                log.warning("bus.lower_term", term=term, followed=self.number)
            self.dropped += 1
            return False
        self.number, self._heard_at = term, now
        return True

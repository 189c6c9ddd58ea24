"""Recent fault: what a write or a read has met, and is believed for some seconds only.

Not for longer, since a process that refuses all work because of it may ask nothing that shows its
end.
"""

import time


class RecentFault:
    """Whether a fault was noted within the last seconds; any thread may say so.

    Args:
        lasts_s: for how long it is believed, seconds.
    """

    def __init__(self, lasts_s: float) -> None:
        self._lasts_s = lasts_s
        self._until = float("-inf")

    @property
    def is_present(self) -> bool:
        """Whether it was noted lately, and has not ended since."""
        return time.monotonic() < self._until

    def note(self) -> None:
        """Notes the fault."""
        self._until = time.monotonic() + self._lasts_s

    def end(self) -> None:
        """Notes that it has ended."""
        self._until = float("-inf")

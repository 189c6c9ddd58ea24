"""Receive watchdog: ends a connection on which nothing arrives, although its other end sends."""

import threading
import time
from collections.abc import Callable
from typing import Any

from entraide.client._constants import SILENCE_S


class ReceiveWatchdog:
    """Watches the waits of one thread for events of a stream.

    Args:
        end: ends the connection, from another thread, once a wait is longer than ``SILENCE_S``.
    """

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._waits_since: float | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts to watch, unless it does already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stops to watch."""
        self._stopped.set()

    def wait_for(self, read: Callable[[], Any]) -> Any:
        """Returns what ``read`` returns, whose time is watched."""
        self._waits_since = time.monotonic()
        try:
            return read()
        finally:
            self._waits_since = None

    def _run(self) -> None:
        while not self._stopped.wait(SILENCE_S / 4):
            since = self._waits_since
            if since is not None and time.monotonic() - since > SILENCE_S:
                self._end()
                return

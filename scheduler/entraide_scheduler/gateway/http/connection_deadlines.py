"""Deadlines of a connection: that of its present stage, and that for the client to read.

Deadlines are absolute. One timer serves both; it is set again only if the next deadline is earlier,
so that most requests set none.
"""

import asyncio
from collections.abc import Callable

NEVER = float("inf")


class ConnectionDeadlines:
    """The two deadlines of one connection."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_stage_over: Callable[[], None],
        on_unread: Callable[[], None],
    ) -> None:
        """Sets no deadline yet; the callbacks are called when one has come."""
        self._loop = loop
        self._on_stage_over = on_stage_over
        self._on_unread = on_unread
        self._timer: asyncio.Handle | None = None
        self._timer_at = NEVER
        self._stage_at = NEVER
        self._unread_at = NEVER

    @property
    def has_stage(self) -> bool:
        """Whether the present stage has a deadline."""
        return self._stage_at != NEVER

    def set_stage(self, seconds: float) -> None:
        """Sets the deadline of the present stage."""
        self._stage_at = self._loop.time() + seconds
        self._set_timer()

    def clear_stage(self) -> None:
        """Removes the deadline of the present stage."""
        self._stage_at = NEVER

    def set_unread(self, seconds: float) -> None:
        """Sets the deadline for the client to read."""
        self._unread_at = self._loop.time() + seconds
        self._set_timer()

    def clear_unread(self) -> None:
        """Removes the deadline for the client to read."""
        self._unread_at = NEVER

    def cancel(self) -> None:
        """Cancels the timer: the connection is gone."""
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self) -> None:
        at = min(self._stage_at, self._unread_at)
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        # uvloop's handle of a time that is over has no ``when``.
        self._timer, self._timer_at = self._loop.call_at(at, self._on_timer), at

    def _on_timer(self) -> None:
        self._timer = None
        now = self._loop.time()
        if now >= self._unread_at:
            self._on_unread()
        elif now >= self._stage_at:
            self._stage_at = NEVER
            self._on_stage_over()
        elif min(self._stage_at, self._unread_at) < NEVER:
            self._set_timer()

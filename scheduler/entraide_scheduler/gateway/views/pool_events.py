"""Pool events: sends the changes of the pool to those who listen, as server-sent events.

A listener first gets the whole view (event ``pool``), then, at most once in ``EVERY_S`` seconds,
what changed (event ``change``), and a comment after ``COMMENT_EVERY_S`` seconds without either. One
task serves all listeners and runs only while there are any. A stream ends (event ``end``, with the
error) when its key is revoked or its sign-in ends, which is also checked before each comment, and
at a stop.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
import structlog

from entraide.errors import EntraideError
from entraide.wire.messages import KeyRevoked, Revocation
from entraide_scheduler.gateway.http import Exchange
from entraide_scheduler.gateway.jobs import Caller
from entraide_scheduler.gateway.refusals import ErrorReply, Refused, error_body, refused
from entraide_scheduler.gateway.requests import (
    COMMENT,
    COMMENT_EVERY_S,
    EVENT_STREAM,
    STREAM_HEADERS,
)
from entraide_scheduler.gateway.signin import is_revoked
from entraide_scheduler.gateway.views.machine_reasons import OWN_ONLY
from entraide_scheduler.gateway.views.pool_states import PoolStates
from entraide_scheduler.gateway.views.pool_view import PoolView, find_change, view_pool

EVERY_S = 1.0
LISTENERS_MAX = 512
LISTENERS_PER_KEY_MAX = 16

Recheck = Callable[[], Awaitable[object]]


class Listener:
    """A client that listens.

    Attributes:
        exchange: its request.
        caller: the key, or the person, that listens.
        lang: its language.
        recheck: raises ``Refused`` once the caller may listen no longer.
        shown: what it was sent so far.
        quiet_until: when the next comment is due, on the monotonic clock.
    """

    def __init__(
        self, exchange: Exchange, *, caller: Caller, lang: str, recheck: Recheck, shown: PoolView
    ) -> None:
        self.exchange = exchange
        self.caller = caller
        self.lang = lang
        self.recheck = recheck
        self.shown = shown
        self.quiet_until = 0.0

    def send(self, name: str, document: msgspec.Struct) -> None:
        """Sends an event; a client that does not read is cut off."""
        self.write(b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(document)))

    def write(self, data: bytes) -> None:
        """Sends bytes of the stream."""
        self.quiet_until = time.monotonic() + COMMENT_EVERY_S
        if not self.exchange.write(data):
            self.exchange.abort()

    def end(self, refusal: ErrorReply) -> None:
        """Ends the stream with an error."""
        if not self.exchange.is_over:
            self.exchange.write(b"event: end\ndata: %s\n\n" % error_body(refusal, self.lang))
            self.exchange.end()


class PoolEvents:
    """The listeners of one gateway.

    Attributes:
        states: of the pool.
    """

    def __init__(self, states: PoolStates, *, pool: str) -> None:
        self.states = states
        self._pool = pool
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("entraide.gateway")

    def __len__(self) -> int:
        return len(self._listeners)

    async def listen(
        self, exchange: Exchange, *, caller: Caller, lang: str, recheck: Recheck
    ) -> None:
        """Begins a stream of events; returns once it has begun.

        Args:
            exchange: the request.
            caller: who listens, whose number of streams is limited.
            lang: ``fr`` or ``en``.
            recheck: raises ``Refused`` once the caller may listen no longer.

        Raises:
            Refused: ``too_many_requests``.
            PoolUnreachable: no scheduler answered.
        """
        view = view_pool(await self.states.get(), pool=self._pool, lang=lang, coop=caller.coop)
        own = sum(1 for listener in self._listeners if listener.caller.key == caller.key)
        if own >= LISTENERS_PER_KEY_MAX:
            raise refused("too_many_requests", limit=LISTENERS_PER_KEY_MAX)
        if len(self._listeners) >= LISTENERS_MAX:
            raise refused("too_many_requests")
        if exchange.is_over:
            return
        listener = Listener(exchange, caller=caller, lang=lang, recheck=recheck, shown=view)
        self._listeners.add(listener)
        exchange.on_client_left = partial(self._listeners.discard, listener)
        exchange.begin(200, kind=EVENT_STREAM, headers=STREAM_HEADERS)
        listener.send("pool", view)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="pool-events")

    def end_revoked(self, revoked: Revocation) -> None:
        """Ends the streams of a key that was revoked, or of a sign-in that has ended."""
        for listener in [each for each in self._listeners if is_revoked(each.caller, revoked)]:
            code = "unauthorised" if isinstance(revoked, KeyRevoked) else "not_signed_in"
            self._end(listener, ErrorReply(code))

    async def stop(self) -> None:
        """Ends all streams, and the task that serves them."""
        for listener in list(self._listeners):
            self._end(listener, ErrorReply("shutting_down"))
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _end(self, listener: Listener, refusal: ErrorReply) -> None:
        self._listeners.discard(listener)
        listener.end(refusal)

    async def _run(self) -> None:
        while self._listeners:
            await asyncio.sleep(EVERY_S)
            try:
                await self._send_changes()
                await self._send_comments()
            except Exception:  # noqa: BLE001  (an error must not end the streams of all)
                self._log.exception("gateway.pool_events_failed")

    async def _send_changes(self) -> None:
        try:
            state = await self.states.get()
        except EntraideError:  # no scheduler: what was sent last stands until one answers
            return
        # Without a machine that serves it alone, a co-op sees what all see.
        alone = {machine.coop for machine in state.machines if machine.reason == OWN_ONLY}
        views: dict[tuple[str, str], PoolView] = {}
        for listener in list(self._listeners):
            if listener.exchange.is_over:
                continue
            lang, coop = listener.lang, listener.caller.coop
            key = lang, coop if coop in alone else ""
            if key not in views:
                views[key] = view_pool(state, pool=self._pool, lang=lang, coop=key[1])
            view = views[key]
            change = find_change(listener.shown, view)
            if change is not None:
                listener.shown = view
                listener.send("change", change)

    async def _send_comments(self) -> None:
        now = time.monotonic()
        for listener in [each for each in self._listeners if each.quiet_until <= now]:
            try:
                await listener.recheck()
            except Refused as problem:
                self._end(listener, problem.refusal)
            else:
                listener.write(COMMENT)

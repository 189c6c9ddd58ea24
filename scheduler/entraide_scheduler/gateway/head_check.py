"""Head check: decides at the end of a request's head whether the body may be sent.

It checks the API key, the maximum body size of the path, and the concurrent requests of the key,
and delays replies to repeated wrong keys. Requests are counted per key, not per address, because
the members of an office share one address. Wrong keys are counted per address; valid keys are
never delayed.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from entraide.wire import enrolment
from entraide_scheduler.address_failures import FailuresPerAddress
from entraide_scheduler.gateway.auth import Authenticator
from entraide_scheduler.gateway.connection_server import HeadDecision, Permit
from entraide_scheduler.gateway.cors import CorsPolicy
from entraide_scheduler.gateway.exchange import HttpRequest
from entraide_scheduler.gateway.refusals import ErrorReply, Refused
from entraide_scheduler.http_limits import (
    BODY_MAX_BYTES,
    SMALL_BODY_MAX_BYTES,
    UPLOAD_MAX_BYTES,
    UPLOAD_PATH,
    HttpLimits,
)

KEYED_PREFIX = "/v1/"
KEYLESS_PERMIT = Permit(SMALL_BODY_MAX_BYTES)


class KeyCheck:
    """The head check of a gateway."""

    def __init__(
        self,
        keys: Authenticator,
        limits: HttpLimits,
        count: Callable[[str], None],
        cors: CorsPolicy,
    ) -> None:
        self._authenticator = keys
        self._limits = limits
        self._count = count
        self._cors = cors
        self._wrong = FailuresPerAddress(
            most=limits.wrong_keys, window_s=limits.wrong_keys_window_s
        )
        self._under_way: Counter[str] = Counter()

    def check(self, head: HttpRequest) -> HeadDecision | Awaitable[HeadDecision]:
        """Returns a permit or a refusal; awaitable if the store is asked or a delay applies."""
        if not head.path.startswith(KEYED_PREFIX) or head.path == enrolment.PATH:
            return KEYLESS_PERMIT  # a machine that joins has a token and no key
        if self._cors.is_preflight(head):
            return KEYLESS_PERMIT
        authorization = head.headers.get("authorization", "")
        if not authorization:
            self._count("no_key")
            return ErrorReply("unauthorised")
        caller = self._authenticator.cached_caller(authorization)
        if caller is None:
            return self._authenticate(head, authorization)
        return self._grant(head, caller.key)

    def release(self, admission: Permit) -> None:
        """Decrements the concurrent requests of a key."""
        if admission.key:
            self._under_way[admission.key] -= 1
            if not self._under_way[admission.key]:
                del self._under_way[admission.key]

    def _grant(self, head: HttpRequest, key: str) -> HeadDecision:
        if self._under_way[key] >= self._limits.requests_per_key:
            self._count("requests_per_key")
            limit = self._limits.requests_per_key
            return ErrorReply("too_many_requests", {"limit": limit}, retry_after_s=1.0)
        self._under_way[key] += 1
        if head.method == "POST" and head.path == UPLOAD_PATH:
            return Permit(UPLOAD_MAX_BYTES, key, streamed=True)
        return Permit(BODY_MAX_BYTES if head.method == "POST" else SMALL_BODY_MAX_BYTES, key)

    async def _authenticate(self, head: HttpRequest, authorization: str) -> HeadDecision:
        try:
            caller = await self._authenticator.authenticate(authorization)
        except Refused:
            return await self._refuse_key(head.peer)
        return self._grant(head, caller.key)

    async def _refuse_key(self, peer: str) -> ErrorReply:
        wait_s = self._wrong.count(peer, time.monotonic())
        if not wait_s:
            self._count("wrong_key")
            return ErrorReply("unauthorised")
        self._count("wrong_key_slowed")
        await asyncio.sleep(self._limits.wrong_key_delay_s)
        return ErrorReply("too_many_wrong_keys", retry_after_s=wait_s)

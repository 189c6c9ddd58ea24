"""Head check: decides at the end of a request's head whether the body may be sent.

It checks the API key or the cookie of a session, the maximum body size of the path, and the
concurrent requests of the key or person, and delays replies to repeated wrong ones. Requests are
counted per key, not per address, because the members of an office share one address; and so that
one co-op cannot take all places by many keys, the keys that have requests are counted per co-op.
Wrong keys are counted per address; valid keys are never delayed.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from entraide.wire import enrolment
from entraide_scheduler.address_failures import FailuresPerAddress
from entraide_scheduler.config import (
    BODY_MAX_BYTES,
    SMALL_BODY_MAX_BYTES,
    UPLOAD_MAX_BYTES,
    UPLOAD_PATH,
    HttpLimits,
)
from entraide_scheduler.gateway.http import CorsPolicy, HeadDecision, HttpRequest, Permit
from entraide_scheduler.gateway.refusals import ErrorReply, Refused, Values
from entraide_scheduler.gateway.signin.callers import Callers

KEYED_PREFIX = "/v1/"
SESSION = "/v1/session"
SIGNED_IN = (SESSION, "/v1/people")
MEMBERS_TOO = frozenset({"/status.json", "/metrics"})  # a key there is checked, if there is one
OPEN_PATHS = frozenset(
    {
        enrolment.PATH,
        "/v1/signin",
        "/v1/signin/email",
        "/v1/oidc/start",
        "/v1/oidc/callback",
    }
)
OPERATOR = "operator"  # in the place of a key's identifier
KEYLESS_PERMIT = Permit(SMALL_BODY_MAX_BYTES)


class KeyCheck:
    """The head check of a gateway."""

    def __init__(
        self,
        callers: Callers,
        is_operator: Callable[[HttpRequest], bool],
        limits: HttpLimits,
        count: Callable[[str], None],
        cors: CorsPolicy,
    ) -> None:
        self._callers = callers
        self._is_operator = is_operator
        self._limits = limits
        self._count = count
        self._cors = cors
        self._wrong = FailuresPerAddress(
            most=limits.wrong_keys, window_s=limits.wrong_keys_window_s
        )
        self._under_way: Counter[str] = Counter()
        self._coop_of: dict[str, str] = {}  # of the keys with requests under way
        self._keys: Counter[str] = Counter()  # their number, by co-op

    def check(self, head: HttpRequest) -> HeadDecision | Awaitable[HeadDecision]:
        """Returns a permit or a refusal; awaitable if the store is asked or a delay applies."""
        if not _is_keyed(head) or _is_open(head):
            return KEYLESS_PERMIT
        if self._cors.is_preflight(head):
            return KEYLESS_PERMIT
        if not self._callers.is_named(head):
            self._count("no_key")
            return ErrorReply(
                "not_signed_in" if head.path.startswith(SIGNED_IN) else "unauthorised"
            )
        if self._is_operator(head):
            return self._grant(head, OPERATOR, "")
        try:
            caller = self._callers.cached(head)
        except Refused as problem:
            return problem.refusal
        if caller is None:
            return self._authenticate(head)
        return self._grant(head, caller.person or caller.key, caller.coop)

    def release(self, admission: Permit) -> None:
        """Decrements the concurrent requests of a key."""
        if admission.key:
            self._under_way[admission.key] -= 1
            if not self._under_way[admission.key]:
                del self._under_way[admission.key]
                self._keys[self._coop_of.pop(admission.key)] -= 1

    def _grant(self, head: HttpRequest, key: str, coop: str) -> HeadDecision:
        if self._under_way[key] >= self._limits.requests_per_key:
            return self._refuse("requests_per_key", {"limit": self._limits.requests_per_key})
        if not self._under_way[key]:
            limit = self._limits.keys_per_coop
            if coop and self._keys[coop] >= limit:
                return self._refuse("keys_per_coop", {"limit": limit, "of": "keys"})
            self._coop_of[key] = coop
            self._keys[coop] += 1
        self._under_way[key] += 1
        if head.method == "POST" and head.path == UPLOAD_PATH:
            return Permit(UPLOAD_MAX_BYTES, key, streamed=True, coop=coop)
        has_body = head.method in ("POST", "PATCH")
        return Permit(BODY_MAX_BYTES if has_body else SMALL_BODY_MAX_BYTES, key, coop=coop)

    def _refuse(self, reason: str, values: Values) -> ErrorReply:
        self._count(reason)
        return ErrorReply("too_many_requests", values, retry_after_s=1.0)

    async def _authenticate(self, head: HttpRequest) -> HeadDecision:
        try:
            caller = await self._callers.authenticate(head)
        except Refused as problem:
            if problem.refusal.code == "csrf_refused":
                return problem.refusal
            return await self._refuse_key(head.peer, problem.refusal)
        return self._grant(head, caller.person or caller.key, caller.coop)

    async def _refuse_key(self, peer: str, refusal: ErrorReply) -> ErrorReply:
        """Returns the refusal of a wrong key, or of a cookie, which may just be old."""
        wait_s = self._wrong.count(peer, time.monotonic())
        if not wait_s:
            self._count("wrong_key")
            return refusal
        self._count("wrong_key_slowed")
        await asyncio.sleep(self._limits.wrong_key_delay_s)
        if refusal.code == "not_signed_in":
            return refusal
        return ErrorReply("too_many_wrong_keys", retry_after_s=wait_s)


def _is_keyed(head: HttpRequest) -> bool:
    is_named = head.path in MEMBERS_TOO and "authorization" in head.headers
    return is_named or head.path.startswith(KEYED_PREFIX)


def _is_open(head: HttpRequest) -> bool:
    """Whether a request needs no key: a machine that joins and a person who comes have a token."""
    return head.path in OPEN_PATHS or (head.method == "POST" and head.path == SESSION)

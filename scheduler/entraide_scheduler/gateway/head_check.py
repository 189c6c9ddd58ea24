"""Head check: who may send a body, decided at the end of a request's head.

It decides which paths need a key, how large their bodies may be, how many requests one key may
have under way, and how wrong keys are slowed. Requests are counted by key, not by address, because
the members behind one office address share it; wrong keys are counted by address, and a right key
is never slowed by them.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from entraide_scheduler.gateway.auth import Keys
from entraide_scheduler.gateway.connection import Admission, Verdict
from entraide_scheduler.gateway.exchange import Request
from entraide_scheduler.gateway.peers import WrongKeys
from entraide_scheduler.gateway.refusals import Refusal, Refused
from entraide_scheduler.http_limits import BODY_MAX_BYTES, SMALL_BODY_MAX_BYTES, HttpLimits

KEYED_PREFIX = "/v1/"
OPEN = Admission(SMALL_BODY_MAX_BYTES)


class KeyCheck:
    """The head check of a gateway."""

    def __init__(self, keys: Keys, limits: HttpLimits, count: Callable[[str], None]) -> None:
        self._keys = keys
        self._limits = limits
        self._count = count
        self._wrong = WrongKeys(most=limits.wrong_keys, window_s=limits.wrong_keys_window_s)
        self._under_way: Counter[str] = Counter()

    def check(self, head: Request) -> Verdict | Awaitable[Verdict]:
        """Returns leave, or why not; awaitable when the store must be asked or time must pass."""
        if not head.path.startswith(KEYED_PREFIX):
            return OPEN
        authorization = head.headers.get("authorization", "")
        if not authorization:
            self._count("no_key")
            return Refusal("unauthorised")
        caller = self._keys.believed(authorization)
        if caller is None:
            return self._ask(head, authorization)
        return self._admit(head, caller.key)

    def release(self, admission: Admission) -> None:
        """Counts a request of a key as over."""
        if admission.key:
            self._under_way[admission.key] -= 1
            if not self._under_way[admission.key]:
                del self._under_way[admission.key]

    def _admit(self, head: Request, key: str) -> Verdict:
        if self._under_way[key] >= self._limits.requests_per_key:
            self._count("requests_per_key")
            limit = self._limits.requests_per_key
            return Refusal("too_many_requests", {"limit": limit}, retry_after_s=1.0)
        self._under_way[key] += 1
        return Admission(BODY_MAX_BYTES if head.method == "POST" else SMALL_BODY_MAX_BYTES, key)

    async def _ask(self, head: Request, authorization: str) -> Verdict:
        try:
            caller = await self._keys.caller(authorization)
        except Refused:
            return await self._refuse_key(head.peer)
        return self._admit(head, caller.key)

    async def _refuse_key(self, peer: str) -> Refusal:
        wait_s = self._wrong.count(peer, time.monotonic())
        if not wait_s:
            self._count("wrong_key")
            return Refusal("unauthorised")
        self._count("wrong_key_slowed")
        await asyncio.sleep(self._limits.wrong_key_delay_s)
        return Refusal("too_many_wrong_keys", retry_after_s=wait_s)

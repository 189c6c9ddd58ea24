"""Sessions: a person's sign-in in a browser, from its start to its end.

A session ends ``IDLE_S`` after its last use, ``LIFETIME_S`` after its start, or when somebody ends
it. Replies of the store are cached for ``CACHE_S`` seconds, as those about keys are.
"""

import secrets
import time
from collections.abc import Callable
from functools import partial

import structlog
from msgspec import Struct, structs

from entraide.wire.messages import SigninEnded
from entraide_scheduler.gateway.jobs import Caller
from entraide_scheduler.gateway.refusals import refused
from entraide_scheduler.gateway.signin.auth import CACHE_S, CACHED_MAX
from entraide_scheduler.people import hash_secret
from entraide_scheduler.store import people as table
from entraide_scheduler.store.person_rows import LinkRefusal, PersonRow, SigninSessionRow
from entraide_scheduler.store.store import Store
from entraide_scheduler.store.writer import WhenFull

IDLE_S = 12 * 3_600.0
LIFETIME_S = 30 * 86_400.0
SEEN_EVERY_S = 60.0
TOKEN_MAX_CHARS = 200
DEVICE_MAX_CHARS = 60
# What a user agent contains, in the order in which it is looked for.
BROWSERS = (
    ("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"), ("CriOS", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
SYSTEMS = (
    ("iPhone", "iOS"), ("iPad", "iOS"), ("Android", "Android"), ("Windows", "Windows"),
    ("Mac OS", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


class SignedIn(Struct, frozen=True):
    """A person with the session in which the person asks."""

    person: PersonRow
    session: SigninSessionRow

    @property
    def caller(self) -> Caller:
        """The person as the caller of the pool's API."""
        row = self.person
        return Caller(row.person, row.coop, row.project, row.role, self.session.session)


def describe_device(user_agent: str) -> str:
    """Returns browser and system, as far as they are known.

    >>> describe_device("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
    'Firefox, Linux'
    """
    names = [
        next((name for sign, name in signs if sign in user_agent), "")
        for signs in (BROWSERS, SYSTEMS)
    ]
    return ", ".join(filter(None, names))[:DEVICE_MAX_CHARS]


class SigninSessions:
    """The sign-in sessions of a pool.

    Args:
        store: the pool's store.
        end_signin: tells every gateway that a session has ended.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        end_signin: Callable[[SigninEnded], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._end_signin = end_signin
        self._now = now
        self._cache: dict[str, tuple[float, SignedIn | None]] = {}
        self._changes = 0
        self._log = structlog.get_logger("entraide.signin")

    async def sign_in_by_link(self, token: str, user_agent: str) -> tuple[str, SignedIn]:
        """Consumes a one-time link; returns the secret of a new session, and the session.

        Raises:
            Refused: ``signin_link_unknown``, ``signin_link_used`` or ``signin_link_expired``.
        """
        if len(token) > TOKEN_MAX_CHARS:
            raise refused(LinkRefusal.UNKNOWN)
        use = partial(table.use_link, token_hash=hash_secret(token), now=self._now())
        person = await self._store.write(use)
        if isinstance(person, LinkRefusal):
            self._log.info("signin.link_refused", reason=person.value)
            raise refused(person.value)
        return await self.start(person, user_agent)

    async def start(self, person: PersonRow, user_agent: str) -> tuple[str, SignedIn]:
        """Starts a session with a secret of its own; returns the secret and the session."""
        now, secret = self._now(), secrets.token_urlsafe(32)
        row = SigninSessionRow(
            session=f"session-{secrets.token_hex(8)}",
            person=person.person,
            made_at=now,
            seen_at=now,
            expires_at=now + IDLE_S,
            device=describe_device(user_agent),
        )
        add = partial(table.add_session, secret_hash=hash_secret(secret), row=row)
        for surplus in await self._store.write(add):
            self._tell(person.person, surplus)
        self._log.info("signin.began", person=person.person, session=row.session)
        return secret, SignedIn(person, row)

    def cached(self, secret: str) -> SignedIn | None:
        """Returns the cached session of a secret, or None."""
        entry = self._cache.get(hash_secret(secret))
        return entry[1] if entry is not None and entry[0] > time.monotonic() else None

    async def find(self, secret: str) -> SignedIn:
        """Returns the session of a secret, and records its use.

        Raises:
            Refused: ``not_signed_in``: there is none, or it has ended.
        """
        hashed = hash_secret(secret)
        while (entry := self._cache.get(hashed)) is None or entry[0] <= time.monotonic():
            changes = self._changes
            signed_in = await self._read(hashed)
            if changes == self._changes:  # else it may have ended while the store was read
                if len(self._cache) >= CACHED_MAX:
                    self._cache.clear()
                self._cache[hashed] = (time.monotonic() + CACHE_S, signed_in)
        if entry[1] is None:
            raise refused("not_signed_in")
        return entry[1]

    async def list_sessions(self, person: str) -> tuple[SigninSessionRow, ...]:
        """Returns the open sessions of a person, the last used first."""
        return await self._store.read(partial(table.list_sessions, person=person, now=self._now()))

    async def end(self, person: str, session: str) -> None:
        """Ends a session of a person, with its streams.

        Raises:
            Refused: ``unknown_session``: the person has no such open session.
        """
        end = partial(table.end_sessions, person=person, now=self._now(), session=session)
        if not session or not await self._store.write(end):
            raise refused("unknown_session")
        self._tell(person, session)
        self._log.info("signin.ended", person=person, session=session)

    async def change(self, signed_in: SignedIn, **changes: str) -> SignedIn:
        """Changes the language or the project of a person, who asks for it.

        Raises:
            Refused: ``invalid_request``: the co-op has no such project.
        """
        person = signed_in.person
        if "project" in changes:
            known = await self._store.read(partial(table.list_projects, coop=person.coop))
            if changes["project"] not in known:
                choices = ", ".join(known)
                raise refused(
                    "invalid_request", param="project", fault="not_one_of", choices=choices
                )
        changed = await self._store.write(
            lambda c: table.change_person(c, person.person, **changes)
        )
        self.clear_cache()
        return signed_in if changed is None else structs.replace(signed_in, person=changed)

    async def expire(self) -> None:
        """Deletes links and sessions that are over."""
        step = partial(table.expire_signins, now=self._now())
        await self._store.write(step, WhenFull.DROP)

    def clear_cache(self) -> None:
        """Clears the cache, after a session has ended or a person has changed."""
        self._changes += 1
        self._cache.clear()

    async def _read(self, secret_hash: str) -> SignedIn | None:
        find = partial(table.find_session, secret_hash=secret_hash, now=self._now())
        stored = await self._store.read(find)
        return None if stored is None else await self._renew(SignedIn(stored[1], stored[0]))

    async def _renew(self, signed_in: SignedIn) -> SignedIn:
        row, now = signed_in.session, self._now()
        if now - row.seen_at < SEEN_EVERY_S:
            return signed_in
        expires_at = min(now + IDLE_S, row.made_at + LIFETIME_S)
        await self._store.write(
            lambda c: table.renew_session(c, row.session, seen_at=now, expires_at=expires_at)
        )
        renewed = structs.replace(row, seen_at=now, expires_at=expires_at)
        return structs.replace(signed_in, session=renewed)

    def _tell(self, person: str, session: str) -> None:
        self.clear_cache()
        self._end_signin(SigninEnded(person, session))

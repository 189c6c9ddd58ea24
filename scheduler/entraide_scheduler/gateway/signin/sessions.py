"""Sessions: a person's sign-in in a browser, from its start to its end.

A session ends ``IDLE_S`` after its last use, ``LIFETIME_S`` after its start, or when somebody ends
it. Replies of the store are cached for ``CACHE_S`` seconds, as those about keys are.
"""

import re
import secrets
import time
from collections.abc import Callable
from functools import partial

import structlog
from msgspec import Struct, structs

from entraide import i18n
from entraide.wire.messages import SigninEnded
from entraide_scheduler.gateway.jobs import Caller
from entraide_scheduler.gateway.refusals import refused
from entraide_scheduler.gateway.signin.auth import CACHE_S, CACHED_MAX
from entraide_scheduler.people import Actor, as_actor, hash_secret
from entraide_scheduler.store import people as table
from entraide_scheduler.store import signin_starts as starts_table
from entraide_scheduler.store.browser_halves import HALF_BYTES, claim_half
from entraide_scheduler.store.owners import sender_of
from entraide_scheduler.store.person_rows import (
    MACHINE_ROLES,
    LinkRefusal,
    PersonRow,
    Role,
    SigninEvidence,
    SigninSessionRow,
    SigninStartRow,
)
from entraide_scheduler.store.signin_starts import joined_senders
from entraide_scheduler.store.store import Store
from entraide_scheduler.store.writer import WhenFull

IDLE_S = 12 * 3_600.0
LIFETIME_S = 30 * 86_400.0
SEEN_EVERY_S = 60.0
NO_SESSION = "-"  # in ``SigninEnded``: nothing has ended, and caches are cleared
TOKEN_MAX_CHARS = 200
TOKEN_CHARS = 32  # of a link's token, which ``people`` makes; a shorter one lacks its end
DEVICE_MAX_CHARS = 60
BROWSER = re.compile(r"[0-9a-f]{32}")  # the identifier that a page chooses for its browser
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
    """A person with the session in which the person asks.

    Attributes:
        session: in which the person asks.
        person: who asks.
        starts: the starts of the person, oldest first; one of them is the session's.
    """

    session: SigninSessionRow
    person: PersonRow
    starts: tuple[SigninStartRow, ...]

    @property
    def start(self) -> SigninStartRow:
        """The session's start."""
        return next(row for row in self.starts if row.start == self.session.start)

    @property
    def caller(self) -> Caller:
        """The person as the caller of the pool's API."""
        row, session = self.person, self.session
        return Caller(
            sender_of(row.person, session.start),
            row.coop,
            row.project,
            row.role,
            session.session,
            joined_senders(self.starts, session.start),
        )

    @property
    def actor(self) -> Actor:
        """The person as who administers people."""
        return as_actor(self.person)


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

    async def sign_in_by_link(
        self, token: str, user_agent: str, present: SignedIn | None = None
    ) -> tuple[str, SignedIn]:
        """Consumes a one-time link; returns the secret of a new session, and the session.

        Args:
            token: of the link.
            user_agent: what the browser says of itself.
            present: the session in which the browser is signed in.

        Raises:
            Refused: ``signin_link_unknown``, ``signin_link_used`` or ``signin_link_expired``.
        """
        if len(token) > TOKEN_MAX_CHARS:
            raise refused(LinkRefusal.UNKNOWN)
        if len(token) < TOKEN_CHARS:
            raise refused(LinkRefusal.UNKNOWN, why="cut")
        use = partial(table.use_link, token_hash=hash_secret(token), now=self._now())
        used = await self._store.write(use)
        if isinstance(used, LinkRefusal):
            self._log.info("signin.link_refused", reason=used.value)
            raise refused(used.value)
        return await self.start(*used, user_agent, present)

    async def start(
        self,
        person: PersonRow,
        evidence: SigninEvidence,
        user_agent: str,
        present: SignedIn | None = None,
    ) -> tuple[str, SignedIn]:
        """Starts a session with a secret of its own; returns the secret and the session.

        Args:
            person: who signs in.
            evidence: by what; it decides what the session reads.
            user_agent: what the browser says of itself.
            present: the session in which the browser is signed in, which the new one replaces.
        """
        now, secret = self._now(), secrets.token_urlsafe(32)
        is_own = present is not None and present.person.person == person.person
        row = SigninSessionRow(
            session=f"session-{secrets.token_hex(8)}",
            person=person.person,
            made_at=now,
            seen_at=now,
            expires_at=now + IDLE_S,
            device=describe_device(user_agent),
        )
        begin = partial(
            table.begin_session,
            secret_hash=hash_secret(secret),
            row=row,
            evidence=evidence,
            present=present.session.start if present is not None and is_own else "",
            replaced=present.session.session if present is not None and is_own else "",
        )
        begun, surplus = await self._store.write(begin)
        for session in surplus:
            self._tell(person.person, session)
        if begun is None:
            raise refused("not_signed_in")  # disabled or forgotten meanwhile
        signed_in = SignedIn(*begun)
        if len(signed_in.starts) > 1:  # the person's other sessions hear of it
            self._forget(person.person)
        is_new = signed_in.start.is_new
        self._log.info("signin.began", person=person.person, session=row.session, new_start=is_new)
        return secret, signed_in

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

    async def list_sessions(self, signed_in: SignedIn) -> tuple[SigninSessionRow, ...]:
        """Returns the person's open sessions, the last used first; in a new start, its own."""
        find = partial(table.list_sessions, person=signed_in.person.person, now=self._now())
        return tuple(
            row
            for row in await self._store.read(find)
            if not signed_in.start.is_new or row.start == signed_in.session.start
        )

    async def find_other(self, signed_in: SignedIn, session: str) -> SigninSessionRow:
        """Returns an open session of the person who asks.

        Raises:
            Refused: ``unknown_session``; ``session_new_start`` if it is of another start than
                the new start that asks.
        """
        find = partial(table.list_sessions, person=signed_in.person.person, now=self._now())
        rows = {row.session: row for row in await self._store.read(find)}
        if session not in rows:
            raise refused("unknown_session")
        if signed_in.start.is_new and rows[session].start != signed_in.session.start:
            raise refused("session_new_start")
        return rows[session]

    async def ask_opening(self, signed_in: SignedIn) -> None:
        """Notes that a new start asks to be opened from an older session."""
        await self._store.write(lambda c: starts_table.ask_opening(c, signed_in.start, self._now()))
        self._forget(signed_in.person.person)

    async def open(self, signed_in: SignedIn, session: str) -> None:
        """Opens to a new start what a session reads, since the person asked for it there.

        Raises:
            Refused: ``unknown_session``: the person has no such session that asks;
                ``session_new_start``: something is closed to the opener, too.
        """
        other = await self.find_other(signed_in, session)
        if signed_in.start.is_new:
            raise refused("session_new_start")
        if not await self._store.write(
            lambda c: starts_table.open_session(c, signed_in.start, other)
        ):
            raise refused("unknown_session")
        self._forget(signed_in.person.person)
        self._log.info("signin.opened", person=signed_in.person.person, session=session)

    async def keep_only(self, signed_in: SignedIn) -> None:
        """Ends the person's other sessions and starts."""
        person = signed_in.person.person
        keep = partial(starts_table.keep_only, session=signed_in.session, now=self._now())
        for session in await self._store.write(keep):
            self._end_signin(SigninEnded(person, session))
        self._forget(person)
        self._log.warning("signin.emptied", person=person, session=signed_in.session.session)

    async def confirm_email(self, signed_in: SignedIn, email: str) -> None:
        """Binds an address to the session's start, since the person says that it is the own one.

        The start's sessions that no letter to the address began end: whoever used a link of the
        person's before may have one.

        Raises:
            Refused: ``session_new_start``; ``email_unproven``: the person has another address, or
                no letter to it was opened in this session's browser.
        """
        if signed_in.start.is_new:
            raise refused("session_new_start")
        confirm = partial(
            starts_table.confirm_email, session=signed_in.session, email=email, now=self._now()
        )
        ended = await self._store.write(confirm) if email else None
        if ended is None:
            raise refused("email_unproven")
        for session in ended:
            self._end_signin(SigninEnded(signed_in.person.person, session))
        self._forget(signed_in.person.person)

    async def claim_half(self, signed_in: SignedIn, browser: str) -> tuple[bytes, bool]:
        """Returns the pool's half of the key of a session's browser, and whether it is new.

        Raises:
            Refused: ``invalid_request``: no identifier of a browser; ``not_signed_in``: the session
                has ended meanwhile.
        """
        if not BROWSER.fullmatch(browser):
            raise refused(
                "invalid_request", param="browser", fault="wrong_form", form="0-9 a-f, 32"
            )
        claim = partial(
            claim_half, session=signed_in.session, browser=browser,
            fresh=secrets.token_bytes(HALF_BYTES), now=self._now(),
        )  # fmt: skip
        half = await self._store.write(claim)
        if half is None:
            raise refused("not_signed_in")
        return half

    async def find_name(self, person: str, lang: str) -> str:
        """Returns the name of a person, or in words that the person has left.

        "" is returned for "", the operator's key.
        """
        if not person:
            return ""
        row = await self._store.read(lambda c: table.get_person(c, person))
        return i18n.text("signin-made-by-gone", lang) if row is None else row.name

    async def get_coop_names(self) -> dict[str, str]:
        """Returns what people read in place of co-ops' identifiers."""
        return await self._store.get_coop_names()

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

    async def change(self, signed_in: SignedIn, **changes: str | bool) -> SignedIn:
        """Changes what a person chooses, who asks for it; see ``Preferences``.

        Raises:
            Refused: ``invalid_request``: the co-op has no such project; ``session_new_start``,
                ``role_refused``, ``email_unproven``: no letters for this session, role or address.
        """
        person = signed_in.person
        fields: dict[str, str | float] = {
            name: value for name, value in changes.items() if isinstance(value, str)
        }
        if "machine_mail" in changes:
            fields["machine_mail_at"] = self._choose_mail(signed_in, bool(changes["machine_mail"]))
        if "project" in changes:
            known = await self._store.read(partial(table.list_projects, coop=person.coop))
            if changes["project"] not in known:
                is_person = person.role == Role.PERSON  # who does not learn of other projects
                choices = person.project if is_person else ", ".join(known)
                raise refused(
                    "invalid_request", param="project", fault="not_one_of", choices=choices
                )
        changed = await self._store.write(lambda c: table.change_person(c, person.person, **fields))
        self.clear_cache()
        return signed_in if changed is None else structs.replace(signed_in, person=changed)

    def _choose_mail(self, signed_in: SignedIn, is_wanted: bool) -> float:
        """Returns since when a person wants letters about machines, 0 for no more."""
        person = signed_in.person
        if signed_in.start.is_new:  # who made its link could choose for the person
            raise refused("session_new_start")
        if not is_wanted:
            return 0.0
        if person.role not in MACHINE_ROLES:
            raise refused("role_refused")
        if not person.has_confirmed:
            raise refused("email_unproven")
        return person.machine_mail_at or self._now()

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
        if stored is None:
            return None
        row, _, starts = stored
        if row.start not in {each.start for each in starts}:  # above STARTS_PER_PERSON_MAX
            return None
        return await self._renew(SignedIn(*stored))

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

    def _forget(self, person: str) -> None:
        """Has every gateway read anew what the person's sessions may read."""
        self._tell(person, NO_SESSION)

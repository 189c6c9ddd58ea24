"""People: who signs in at the pool's pages, and the one-time links with which they do.

In: who asks, and what of a person changes. Out: rows of the store. The operator manages everybody.
A co-op admin manages people and co-op admins of the own co-op, and no operator or auditor, by whose
link the admin could become one. A token is hashed on arrival and never stored.
"""

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from msgspec import Struct, structs

from entraide.coop_names import typed_name
from entraide.errors import EntraideError, error_for
from entraide.printable import is_printable, shortened
from entraide.wire.messages import SigninEnded
from entraide_scheduler.store import people as table
from entraide_scheduler.store.owners import PERSON_PREFIX
from entraide_scheduler.store.person_rows import PersonRow, Role, SigninLinkRow
from entraide_scheduler.store.store import Store

LINK_DEFAULT_S, LINK_LEAST_S, LINK_MOST_S = 86_400.0, 600.0, 7 * 86_400.0
LETTERS_PER_PERSON_MAX, LETTERS_WINDOW_S = 3, 900.0
PEOPLE_PER_COOP_MAX = 5_000
NAME_MAX = 200  # characters of a name or a project
EMAIL_MAX = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
LANGUAGES = ("", "fr", "en")
PROJECT_DEFAULT = "default"
COOP_ROLES = frozenset({Role.PERSON, Role.COOP_ADMIN})
ROLES = tuple(role.value for role in Role)
READERS_OF_ALL = frozenset({Role.OPERATOR, Role.AUDITOR})

_EMAIL = re.compile(r"[^\s@<>,;:\"]{1,64}@[^\s@<>,;:\"]+\.[^\s@<>,;:\"]+")


class Actor(Struct, frozen=True):
    """Who asks: a person, or with no ``person`` the operator by key.

    Attributes:
        role: a ``Role``.
        coop: co-op of the person.
        person: identifier.
    """

    role: str = Role.OPERATOR.value
    coop: str = ""
    person: str = ""

    def may_read(self, coop: str) -> bool:
        """Whether the actor may see the people of a co-op."""
        return self.role in READERS_OF_ALL or self._administers(coop)

    def may_manage(self, coop: str, role: str) -> bool:
        """Whether the actor may change people of a co-op with a role, or give it to them."""
        return self.role == Role.OPERATOR or (self._administers(coop) and role in COOP_ROLES)

    def _administers(self, coop: str) -> bool:
        return self.role == Role.COOP_ADMIN and coop == self.coop


OPERATOR = Actor()


class MadeLink(Struct, frozen=True):
    """A sign-in link that was made: its token, whose it is, and from and until when it works."""

    token: str
    person: PersonRow
    made_at: float
    expires_at: float


def hash_secret(secret: str) -> str:
    """Returns the SHA-256 of a token or a session's secret, by which the store knows it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def write_link(pool_url: str, token: str) -> str:
    """Returns a sign-in link; the token is in the fragment, which browsers do not send.

    >>> write_link("https://pool.example.org/", "abc")
    'https://pool.example.org/#/entrer/abc'
    """
    return f"{pool_url.rstrip('/')}/#/entrer/{token}"


class People:
    """The people of all co-ops.

    Args:
        store: the pool's store.
        end_signin: tells every gateway that sessions of a person have ended.
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
        self._log = structlog.get_logger("entraide.people")

    async def list_people(self, actor: Actor, coop: str = "") -> tuple[PersonRow, ...]:
        """Returns the people of a co-op; without one, of all that the actor may see.

        Raises:
            EntraideError: ``role_refused``.
        """
        if not coop and actor.role not in READERS_OF_ALL:
            coop = actor.coop
        if not actor.may_read(coop):
            raise error_for("role_refused")
        return await self._store.read(partial(table.list_people, coop=coop))

    async def add(
        self,
        actor: Actor,
        *,
        coop: str,
        name: str,
        email: str = "",
        role: str = "",
        project: str = "",
        lang: str = "",
    ) -> PersonRow:
        """Adds a person, who is on disk on return.

        Raises:
            EntraideError: a field is invalid, the address is another person's, the co-op is
                unknown or has too many people, or the actor may not.
        """
        coop, role = coop or actor.coop, role or Role.PERSON
        fields = _checked(
            name=name, email=email, role=role, project=project or PROJECT_DEFAULT, lang=lang
        )
        if not actor.may_manage(coop, role):
            raise error_for("role_refused")
        await self._check_coop(coop)
        identifier = PERSON_PREFIX + secrets.token_hex(6)
        by = actor.person if fields["email"] else ""
        row = PersonRow(person=identifier, coop=coop, created_at=self._now(), email_by=by, **fields)
        added = await self._store.write(
            lambda c: table.add_person(c, row, coop_max=PEOPLE_PER_COOP_MAX)
        )
        if added is None:
            raise error_for("people_full", values={"limit": PEOPLE_PER_COOP_MAX})
        if not added:
            raise error_for("email_taken", values={"param": "email"})
        self._log.info("person.added", person=row.person, coop=coop, role=role, by=actor.person)
        return row

    async def change(
        self, actor: Actor, person: str, *, is_enabled: bool | None = None, **changes: str
    ) -> PersonRow:
        """Changes a person's name, email, role, project or lang, or lets the person in again.

        A person whose role changes signs in again.

        Raises:
            EntraideError: as for ``add``; ``unknown_person``.
        """
        row = await self.find(actor, person)
        fields = _checked(**changes)
        if not actor.may_manage(row.coop, fields.get("role", row.role)):
            raise error_for("role_refused")
        if is_enabled is False:
            await self.disable(actor, person)
        elif is_enabled:
            fields["disabled_at"] = 0.0
        if not fields:
            return await self.find(actor, person)
        if fields.get("email", row.email) != row.email:
            fields["email_by"] = actor.person
        changed = await self._store.write(lambda c: table.change_person(c, person, **fields))
        if changed is None:
            raise error_for("email_taken", values={"param": "email"})
        if changed.role != row.role:
            await self._end_sessions(person)
        self._log.info("person.changed", person=person, fields=sorted(fields), by=actor.person)
        return changed

    async def disable(self, actor: Actor, person: str) -> PersonRow:
        """Ends a person's access at once: sessions with their streams, and links.

        Raises:
            EntraideError: ``unknown_person``, or ``role_refused``.
        """
        await self.find(actor, person)
        row = await self._store.write(lambda c: table.disable_person(c, person, self._now()))
        if row is None:
            raise error_for("unknown_person", values={"person": shortened(person, NAME_MAX)})
        self._end_signin(SigninEnded(person))
        self._log.warning("person.disabled", person=person, coop=row.coop, by=actor.person)
        return row

    async def make_link(self, actor: Actor, person: str, valid_s: float = 0.0) -> MadeLink:
        """Makes a one-time link with which a person signs in.

        It begins a new start, also if a session of that person made it: that session may be of
        somebody who used an earlier link; see ``signin_starts``.

        Args:
            actor: who asks.
            person: who signs in.
            valid_s: how long it can be used, seconds; 0 for a day.

        Raises:
            EntraideError: ``invalid_request``, ``unknown_person``, ``person_disabled`` or
                ``role_refused``.
        """
        valid_s = valid_s or LINK_DEFAULT_S
        if not LINK_LEAST_S <= valid_s <= LINK_MOST_S:
            limits = {"low": round(LINK_LEAST_S), "high": round(LINK_MOST_S)}
            raise _invalid("valid_s", "between", **limits)
        row = await self.find(actor, person)
        if row.disabled_at:
            raise error_for("person_disabled", values={"person": row.person})
        token, link = self._draw_link(row, actor.person, valid_s)
        await self._store.write(lambda c: table.put_link(c, hash_secret(token), link))
        return self._made(token, row, link)

    async def make_letter(self, row: PersonRow, email: str) -> MadeLink | None:
        """Makes a link that a letter to an address alone has.

        It goes on with the start in which the person confirmed the address.

        Args:
            row: whose address it is, or was.
            email: the address.

        Returns:
            None if the person has had ``LETTERS_PER_PERSON_MAX`` of late, whichever gateway made
            them.
        """
        start = row.confirmed_start if email == row.confirmed_email else ""
        row = structs.replace(row, email=email)
        token, link = self._draw_link(row, row.email_by, LINK_DEFAULT_S, start=start, email=email)
        put = partial(
            table.put_letter, token_hash=hash_secret(token), row=link,
            most=LETTERS_PER_PERSON_MAX, since=link.made_at - LETTERS_WINDOW_S,
        )  # fmt: skip
        return self._made(token, row, link) if await self._store.write(put) else None

    def _draw_link(
        self, row: PersonRow, made_by: str, valid_s: float, *, start: str = "", email: str = ""
    ) -> tuple[str, SigninLinkRow]:
        """Returns a token, and the link as it is stored."""
        now = self._now()
        link = SigninLinkRow(
            row.person, now + valid_s, made_by=made_by, made_at=now, start=start, email=email
        )
        return secrets.token_urlsafe(24), link

    def _made(self, token: str, row: PersonRow, link: SigninLinkRow) -> MadeLink:
        self._log.info(
            "person.link_made", person=row.person, by=link.made_by, letter=bool(link.email)
        )
        return MadeLink(token, row, link.made_at, link.expires_at)

    async def find(self, actor: Actor, person: str) -> PersonRow:
        """Returns a person whom the actor may manage.

        Raises:
            EntraideError: ``unknown_person``, also of another co-op; ``role_refused``.
        """
        row = await self._store.read(lambda c: table.get_person(c, person))
        if row is None or not actor.may_read(row.coop):
            raise error_for("unknown_person", values={"person": shortened(person, NAME_MAX)})
        if not actor.may_manage(row.coop, row.role):
            raise error_for("role_refused")
        return row

    async def _end_sessions(self, person: str) -> None:
        await self._store.write(lambda c: table.end_sessions(c, person, self._now()))
        self._end_signin(SigninEnded(person))

    async def _check_coop(self, coop: str) -> None:
        policy = await self._store.get_policy()
        known = sorted(terms.coop for terms in policy.coops) if policy is not None else []
        if coop not in known:
            names = await self._store.get_coop_names()
            coops = ", ".join(typed_name(each, names) for each in known)
            values = {"coop": shortened(coop, NAME_MAX), "coops": coops}
            raise error_for("unknown_coop", values=values)


def as_actor(row: PersonRow) -> Actor:
    """Returns a person as who asks."""
    return Actor(row.role, row.coop, row.person)


def _checked(**fields: str) -> dict[str, Any]:
    """Returns the fields of a person in their stored form.

    Raises:
        EntraideError: ``invalid_request``, with the field.
    """
    stored = {name: text.strip() for name, text in fields.items()}
    if "email" in stored:
        stored["email"] = stored["email"].lower()
    for name in ("name", "project"):
        if name in stored and not stored[name]:
            raise _invalid(name, "empty")
    for name, text in stored.items():
        limit = EMAIL_MAX if name == "email" else NAME_MAX
        if len(text) > limit:
            raise _invalid(name, "too_long", limit=limit)
        if not is_printable(text):
            raise _invalid(name, "unreadable")
    email = stored.get("email", "")
    if email and not _EMAIL.fullmatch(email):
        form = "prenom.nom@example.coop"
        raise _invalid("email", "wrong_form", form=form, found=shortened(email, NAME_MAX))
    for name, choices in (("role", ROLES), ("lang", LANGUAGES)):
        if name in stored and stored[name] not in choices:
            allowed = ", ".join(filter(None, choices))
            shown = shortened(stored[name], NAME_MAX)
            raise _invalid(name, "not_one_of", choices=allowed, found=shown)
    return stored


def _invalid(param: str, fault: str, **values: str | int) -> EntraideError:
    return error_for("invalid_request", values={"param": param, "fault": fault, **values})

"""Rows of people, of their sign-in links and of their sign-in sessions, as frozen structs."""

from enum import StrEnum

from msgspec import Struct


class Role(StrEnum):
    """What a person may do; ``docs/guides/people.md`` has the table."""

    PERSON = "person"
    COOP_ADMIN = "coop_admin"
    OPERATOR = "operator"
    AUDITOR = "auditor"


class PersonRow(Struct, frozen=True):
    """Somebody at a co-op who signs in; times are seconds since the epoch, 0 for never.

    Attributes:
        person: identifier, ``person-…``, in the place of a key's.
        coop, project: on whom the person's use counts.
        name, email: as the inviter wrote them; the address in lower case, "" without one.
        role: a ``Role``.
        lang: language of the pages, ``fr`` or ``en``; "" for the browser's.
        created_at: when the person was added.
        disabled_at: since when the person may not sign in.
        oidc_issuer, oidc_subject: who the person is at the co-ops' identity provider; "" before
            the first sign-in with it.
    """

    person: str
    coop: str
    name: str
    email: str
    role: str
    project: str
    lang: str
    created_at: float
    disabled_at: float = 0.0
    oidc_issuer: str = ""
    oidc_subject: str = ""


class SigninLinkRow(Struct, frozen=True):
    """A one-time sign-in link, without its token.

    Attributes:
        person: who signs in with it.
        expires_at, used_at, made_at: seconds since the epoch; ``used_at`` is 0 before its use.
        made_by: who made it: a person, or "" for the operator's key.
    """

    person: str
    expires_at: float
    made_by: str
    made_at: float
    used_at: float = 0.0


class SigninSessionRow(Struct, frozen=True):
    """A person's session in a browser, without its secret; times are seconds since the epoch.

    Attributes:
        session: identifier, ``session-…``, safe to show.
        person: whose it is.
        made_at: when the person signed in.
        seen_at: last use, exact to a minute.
        expires_at: end unless it is used again.
        device: browser and system, from what the browser says of itself.
        ended_at: when it was ended; 0 while it lasts.
    """

    session: str
    person: str
    made_at: float
    seen_at: float
    expires_at: float
    device: str
    ended_at: float = 0.0


class LinkRefusal(StrEnum):
    """Why a sign-in link cannot be used."""

    UNKNOWN = "signin_link_unknown"
    USED = "signin_link_used"
    EXPIRED = "signin_link_expired"

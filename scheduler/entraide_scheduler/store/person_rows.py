"""Rows of people, of their sign-in links and of their sign-in sessions, as frozen structs."""

from enum import StrEnum

from msgspec import Struct

from entraide_scheduler.store.owners import FIRST_START


class Role(StrEnum):
    """What a person may do; ``docs/guides/people.md`` has the table."""

    PERSON = "person"
    COOP_ADMIN = "coop_admin"
    OPERATOR = "operator"
    AUDITOR = "auditor"


MACHINE_ROLES = (Role.COOP_ADMIN, Role.OPERATOR)  # whom the pool tells about the co-op's machines


class SigninWay(StrEnum):
    """How a person signs in: by a link that somebody made, by a letter, at the provider."""

    LINK = "link"
    EMAIL = "email"
    OIDC = "oidc"


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
        oidc_start: the start in which that first sign-in was.
        email_by: who wrote the address: a person, or "" for the operator's key.
        confirmed_email: the address that the person confirmed last; "" for none.
        confirmed_start: the start to which it is bound; see ``signin_starts``.
        machine_mail_at: since when the person wants letters about the co-op's machines.
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
    oidc_start: str = ""
    email_by: str = ""
    confirmed_email: str = ""
    confirmed_start: str = ""
    machine_mail_at: float = 0.0

    @property
    def has_confirmed(self) -> bool:
        """Whether the person has confirmed the present address."""
        return bool(self.email) and self.email == self.confirmed_email

    @property
    def may_have_machine_mail(self) -> bool:
        """Whether the pool may write to the person about the co-op's machines, if asked to."""
        is_enabled = not self.disabled_at
        return is_enabled and self.has_confirmed and self.role in MACHINE_ROLES


class SigninLinkRow(Struct, frozen=True):
    """A one-time sign-in link, without its token.

    Attributes:
        person: who signs in with it.
        expires_at, used_at, made_at: seconds since the epoch; ``used_at`` is 0 before its use.
        made_by: who made it: a person, or "" for the operator's key; of a letter, who wrote the
            address.
        start: the start that it goes on with; "" if it begins one.
        email: the address of the letter that alone has it; "" if it was shown to who made it.
    """

    person: str
    expires_at: float
    made_by: str
    made_at: float
    used_at: float = 0.0
    start: str = ""
    email: str = ""


class SigninStartRow(Struct, frozen=True):
    """A start: what of a person a sign-in session reads.

    Attributes:
        person: whose it is.
        start: identifier.
        joined: the start whose sessions read what was sent in this one: itself for one to which
            nothing is closed, another for one that was opened; "" for a new start.
        way: a ``SigninWay``, by which its first session began.
        made_by: who made the link of that session, or wrote the address; see ``SigninLinkRow``.
        made_at: when that session began, seconds since the epoch.
        asked_at: when its session asked to be opened from an older one; 0 if it did not.
    """

    person: str
    start: str
    joined: str
    way: str
    made_by: str
    made_at: float
    asked_at: float = 0.0

    @property
    def is_new(self) -> bool:
        """Whether what the person sent before is closed to its sessions."""
        return self.joined != self.start


class SigninEvidence(Struct, frozen=True):
    """By what a person signs in.

    Attributes:
        way: a ``SigninWay``.
        start: the start that it goes on with; "" if it begins one.
        made_by: see ``SigninLinkRow``.
        email: the address that the sign-in proves to be the person's; "" for none.
    """

    way: str
    start: str = ""
    made_by: str = ""
    email: str = ""


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
        start: in which the person sends, and which says what is read.
        proven_email: the address whose letter began it, or that the provider verified; "" for none.
        way: a ``SigninWay``, by which it began.
        made_by: who made its link, or wrote the address; see ``SigninLinkRow``.
    """

    session: str
    person: str
    made_at: float
    seen_at: float
    expires_at: float
    device: str
    ended_at: float = 0.0
    start: str = FIRST_START
    proven_email: str = ""
    way: str = SigninWay.LINK.value
    made_by: str = ""


class LinkRefusal(StrEnum):
    """Why a sign-in link cannot be used."""

    UNKNOWN = "signin_link_unknown"
    USED = "signin_link_used"
    EXPIRED = "signin_link_expired"

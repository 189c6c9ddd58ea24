"""Sign-in parts: what a gateway needs for persons who sign in, made from its store and settings."""

import asyncio
from collections.abc import Callable, Sequence

from entraide.v1 import admin_pb2_grpc
from entraide_scheduler.bus import SchedulerPort
from entraide_scheduler.control.operator_access import OperatorAccess, join_parts
from entraide_scheduler.control.people_admin import PeopleAdmin
from entraide_scheduler.gateway.admin.admin_routes import AdminRoutes
from entraide_scheduler.gateway.http import RouteGroup
from entraide_scheduler.gateway.signin import (
    Authenticator,
    Callers,
    CookiePolicy,
    EraseClosed,
    ExportRoutes,
    Mailer,
    NewStartRoutes,
    OidcProvider,
    OidcRoutes,
    PeopleRoutes,
    SessionViews,
    SigninLetters,
    SigninRoutes,
    SigninSessions,
)
from entraide_scheduler.people import People
from entraide_scheduler.person_export import MayPass, Unseal
from entraide_scheduler.store.store import Store

EXPIRE_EVERY_S = 3_600.0


class SigninParts:
    """The parts of a gateway for persons.

    Attributes:
        people: who signs in.
        sessions: their sessions.
        letters: sign-in links by e-mail.
        callers: authenticates persons, and programs with keys.
        admin: the Admin service over HTTP.
    """

    def __init__(
        self,
        store: Store,
        scheduler: SchedulerPort,
        *,
        authenticator: Authenticator,
        cookies: CookiePolicy,
        mailer: Mailer | None,
        provider: OidcProvider | None,
        erase_closed: EraseClosed,
        pool: str,
        pool_url: Callable[[], str],
        unseal: Unseal,
        may_pass: MayPass,
    ) -> None:
        self.people = People(store, scheduler.end_signin)
        self.sessions = SigninSessions(store, scheduler.end_signin)
        self.letters = SigninLetters(store, self.people, mailer, pool_url)
        self.callers = Callers(authenticator, self.sessions, cookies)
        self.admin = AdminRoutes(self.callers)
        self._pool_url = pool_url
        name = provider.name if provider is not None else ""
        views = SessionViews(
            self.callers, pool=pool, letters=self.letters, has_provider=provider is not None
        )
        self._signin = SigninRoutes(
            self.callers, pool=pool, letters=self.letters, views=views, oidc_name=name
        )
        self._new_starts = NewStartRoutes(self.callers, views, erase_closed)
        self._oidc = OidcRoutes(provider, self.callers, self._signin, store)
        self._export = ExportRoutes(self.callers, store, unseal, may_pass)
        self._people_routes = PeopleRoutes(self.callers, self.people, self.letters, pool_url)

    @property
    def groups(self) -> tuple[RouteGroup, ...]:
        """The parts' routes."""
        return (
            self.admin, self._signin, self._new_starts, self._oidc, self._people_routes,
            self._export,
        )  # fmt: skip

    def attach_admin(
        self, access: OperatorAccess, parts: Sequence[object], lang: str
    ) -> admin_pb2_grpc.AdminServicer:
        """Returns the Admin service made of parts and of the calls about people.

        It is then served over HTTP, too.
        """
        people = PeopleAdmin(
            access=access,
            people=self.people,
            pool_url=self._pool_url,
            send_letter=self.letters.send,
            lang=lang,
        )
        servicer = join_parts(*parts, people)
        self.admin.attach(servicer, access.is_operator)
        return servicer

    async def run_expiry(self) -> None:
        """Deletes what is long over, once an hour."""
        while True:
            await self.sessions.expire()
            await asyncio.sleep(EXPIRE_EVERY_S)

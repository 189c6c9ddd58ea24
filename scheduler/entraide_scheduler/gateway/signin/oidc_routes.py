"""OIDC routes: the way to the identity provider and back, for a browser.

A failure leads back to the page, which says it: ``/#/entrer?fault=CODE``.
"""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import unquote_plus

import structlog

from entraide.errors import EntraideError, error_for
from entraide_scheduler.gateway.http import RouteCall, RouteHandler, read_query
from entraide_scheduler.gateway.refusals import refused
from entraide_scheduler.gateway.signin.callers import Callers
from entraide_scheduler.gateway.signin.oidc import (
    CALLBACK,
    STATE_VALID_S,
    OidcIdentity,
    OidcProvider,
)
from entraide_scheduler.gateway.signin.session_views import NO_STORE
from entraide_scheduler.gateway.signin.signin_routes import SigninRoutes
from entraide_scheduler.store import people as table
from entraide_scheduler.store.person_rows import PersonRow, SigninEvidence, SigninWay
from entraide_scheduler.store.store import Store

OIDC_PATHS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"/v1/oidc/start": {"GET": "start_oidc"}, CALLBACK: {"GET": "finish_oidc"}}
)


class OidcRoutes:
    """Handles a browser's sign-in at the identity provider.

    Attributes:
        handlers: by the name of the route.
    """

    def __init__(
        self,
        provider: OidcProvider | None,
        callers: Callers,
        signin: SigninRoutes,
        store: Store,
    ) -> None:
        self._provider = provider
        self._callers = callers
        self._signin = signin
        self._store = store
        self._log = structlog.get_logger("entraide.signin")
        self.handlers: Mapping[str, RouteHandler] = MappingProxyType(
            {"start_oidc": self._start, "finish_oidc": self._finish}
        )

    async def _start(self, call: RouteCall) -> None:
        if self._provider is None:
            raise refused("unknown_path", path=call.exchange.request.path)
        try:
            address, kept = await self._provider.begin()
        except EntraideError as problem:
            _redirect(call, 303, _fault(problem))
            return
        _redirect(call, 302, address, self._callers.cookies.set_state(kept, keep_s=STATE_VALID_S))

    async def _finish(self, call: RouteCall) -> None:
        if self._provider is None:
            raise refused("unknown_path", path=call.exchange.request.path)
        request = call.exchange.request
        forget = self._callers.cookies.set_state("", keep_s=0.0)
        query = {name: unquote_plus(text) for name, text in read_query(request.query).items()}
        try:
            kept = self._callers.cookies.read_state(request)
            person, evidence = await self._find_person(await self._provider.finish(query, kept))
        except EntraideError as problem:
            self._log.info("signin.oidc_refused", problem=problem.code)
            _redirect(call, 303, _fault(problem), forget)
            return
        _redirect(call, 303, "/", forget, await self._signin.begin_session(call, person, evidence))

    async def _find_person(self, identity: OidcIdentity) -> tuple[PersonRow, SigninEvidence]:
        """Returns who signs in: by the provider's subject, at first by a verified address.

        The subject goes on with the start of its first sign-in, and that with the start in which
        the person confirmed the address.

        Raises:
            EntraideError: ``oidc_person_unknown``.
        """
        issuer, subject = identity.issuer, identity.subject
        row = await self._store.read(lambda c: table.find_by_subject(c, issuer, subject))
        if row is None and identity.email:
            row = await self._store.read(lambda c: table.find_by_email(c, identity.email))
            if row is not None and not row.disabled_at:
                known = row.person
                row = await self._store.write(
                    lambda c: table.link_subject(c, known, issuer, subject)
                )
        if row is None or row.disabled_at:
            raise error_for("oidc_person_unknown")
        start = row.oidc_start or (row.confirmed_start if row.has_confirmed else "")
        email = row.email if row.email == identity.email else ""
        return row, SigninEvidence(SigninWay.OIDC.value, start, row.email_by, email)


def _fault(problem: EntraideError) -> str:
    return f"/#/entrer?fault={problem.code}"


def _redirect(call: RouteCall, status: int, address: str, *cookies: tuple[str, str]) -> None:
    if not call.exchange.is_over:
        headers = [("location", address), NO_STORE, *cookies]
        call.exchange.respond(status, b"", kind="text/plain", headers=headers)

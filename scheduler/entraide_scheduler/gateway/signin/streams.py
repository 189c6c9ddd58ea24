"""Streams: the responses that go on while they are read, which end with the session they are for.

The answers of jobs are not among them: they end as jobs (``RunningJobs.end_revoked``).
"""

from entraide.wire.messages import KeyRevoked, Revocation, SigninEnded
from entraide_scheduler.gateway.http import Exchange
from entraide_scheduler.gateway.jobs import Caller


class SessionStreams:
    """The streamed responses of a gateway, by who reads them."""

    def __init__(self) -> None:
        self._readers: dict[Exchange, Caller] = {}

    def add(self, exchange: Exchange, caller: Caller) -> None:
        """Adds a response; call it before the first part is sent."""
        for other in [each for each in self._readers if each.is_over]:
            del self._readers[other]
        self._readers[exchange] = caller

    def end_revoked(self, revoked: Revocation) -> None:
        """Aborts the responses that a revoked key, or a sign-in that has ended, reads."""
        for exchange, caller in list(self._readers.items()):
            if is_revoked(caller, revoked):
                del self._readers[exchange]
                if not exchange.is_over:
                    exchange.abort()


def is_revoked(caller: Caller, revoked: Revocation) -> bool:
    """Whether a caller may go on no longer."""
    if isinstance(revoked, KeyRevoked):
        return caller.key == revoked.key
    return (
        isinstance(revoked, SigninEnded)
        and caller.person == revoked.person
        and revoked.session in ("", caller.signin_session)
    )

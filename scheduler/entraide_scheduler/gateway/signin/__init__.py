"""Sign-in: who sends a request: a program with a key, or a person with a session.

Input: heads of requests, links from letters, answers of an identity provider. Output: a
``Caller``, a session, or a refusal.

``auth`` knows keys, ``callers`` keys and sessions, ``head_check`` decides before a body is sent.
``sessions`` are those of persons, by ``cookies``; ``letters`` and ``mail`` send links, ``oidc``
speaks to a provider; ``streams`` ends what a revoked caller still reads. ``signin_routes``,
``new_start_routes``, ``oidc_routes``, ``people_routes`` and ``export_routes`` are the
HTTP of it, and ``session_views`` what it shows of sessions.
"""

from entraide_scheduler.gateway.signin.auth import Authenticator
from entraide_scheduler.gateway.signin.callers import Callers
from entraide_scheduler.gateway.signin.cookies import (
    CSRF_HEADER,
    SAFE_METHODS,
    SECURE_NAME,
    CookiePolicy,
)
from entraide_scheduler.gateway.signin.export_routes import EXPORT, ExportRoutes
from entraide_scheduler.gateway.signin.head_check import KeyCheck
from entraide_scheduler.gateway.signin.letters import Mailer, SigninLetters
from entraide_scheduler.gateway.signin.mail import SmtpMailer
from entraide_scheduler.gateway.signin.new_start_routes import EraseClosed, NewStartRoutes
from entraide_scheduler.gateway.signin.oidc import OidcProvider, read_metadata
from entraide_scheduler.gateway.signin.oidc_routes import OIDC_PATHS, OidcRoutes
from entraide_scheduler.gateway.signin.people_routes import (
    LinkRequest,
    NewPerson,
    PeopleRoutes,
    Person,
    PersonChanges,
    PersonList,
    SigninLink,
)
from entraide_scheduler.gateway.signin.session_views import (
    NO_STORE,
    BrowserHalf,
    EndedSession,
    SessionList,
    SessionView,
    SessionViews,
)
from entraide_scheduler.gateway.signin.sessions import SigninSessions
from entraide_scheduler.gateway.signin.signin_routes import (
    PEOPLE,
    SESSION,
    SESSIONS,
    SIGNIN,
    Accepted,
    BrowserRequest,
    EmailRequest,
    Preferences,
    SignInRequest,
    SigninRoutes,
    SigninWays,
)
from entraide_scheduler.gateway.signin.streams import is_revoked

__all__ = [
    "CSRF_HEADER",
    "EXPORT",
    "NO_STORE",
    "OIDC_PATHS",
    "PEOPLE",
    "SAFE_METHODS",
    "SECURE_NAME",
    "SESSION",
    "SESSIONS",
    "SIGNIN",
    "Accepted",
    "Authenticator",
    "BrowserHalf",
    "BrowserRequest",
    "Callers",
    "CookiePolicy",
    "EmailRequest",
    "EndedSession",
    "EraseClosed",
    "ExportRoutes",
    "KeyCheck",
    "LinkRequest",
    "Mailer",
    "NewPerson",
    "NewStartRoutes",
    "OidcProvider",
    "OidcRoutes",
    "PeopleRoutes",
    "Person",
    "PersonChanges",
    "PersonList",
    "Preferences",
    "SessionList",
    "SessionView",
    "SessionViews",
    "SignInRequest",
    "SigninLetters",
    "SigninLink",
    "SigninRoutes",
    "SigninSessions",
    "SigninWays",
    "SmtpMailer",
    "is_revoked",
    "read_metadata",
]

"""Admin: the Admin service over HTTP, and all that a gateway needs for persons.

Input: requests of the operator, of auditors and of co-op admins. Output: what the service answers
them.

``admin_access`` says which role may call what, ``admin_routes`` makes the calls, ``signin_parts``
makes the parts for persons.
"""

from entraide_scheduler.gateway.admin.admin_access import HANDLER_PREFIX, METHODS, handler_of
from entraide_scheduler.gateway.admin.admin_routes import ADMIN_PATHS
from entraide_scheduler.gateway.admin.signin_parts import SigninParts

__all__ = [
    "ADMIN_PATHS",
    "HANDLER_PREFIX",
    "METHODS",
    "SigninParts",
    "handler_of",
]

"""Decoders of what pages send: sign-in, people, messages of the Admin service; and erasures."""

import json
from pathlib import Path
from typing import Any

from tests.hostile.decoders.case import Case
from tests.hostile.decoders.of_pool import from_file
from tests.hostile.mutations import json_like

from entraide.errors import PoolError
from entraide_scheduler.erasure_list import read_list
from entraide_scheduler.gateway.admin import METHODS
from entraide_scheduler.gateway.admin.admin_routes import read_message, write_message
from entraide_scheduler.gateway.refusals import Refused, convert, read_object
from entraide_scheduler.gateway.signin import (
    BrowserRequest,
    EmailRequest,
    LinkRequest,
    NewPerson,
    PersonChanges,
    Preferences,
    SignInRequest,
)

PERSON = {"name": "Ada", "email": "a@b.coop", "role": "person", "project": "x", "lang": "fr"}
COOP = {
    "coop": "alpha", "shares": 1.5, "quotas": [{"kind": "tokens", "limit": "5", "period": "day"}],
    "lend": {"part": 0.5, "limited": True, "energyWhPerDay": "7"}, "author": "a", "reason": "b",
}  # fmt: skip
ROUTES = "entraide_scheduler.gateway.signin"


def _body(kind: Any, example: Any, site: str) -> Case:
    return Case(
        lambda data, _: convert(read_object(data), kind),
        json_like(json.dumps(example).encode()),
        (Refused,),
        (site,),
    )


def read_admin(data: bytes, _: Path) -> None:
    """Reads a message of the Admin service, and writes it as an answer."""
    kind = METHODS["SetCoop"].input_type
    assert write_message(read_message(kind, data))


CASES = {
    "a list of erasures": Case(
        from_file("erased.json", read_list),
        json_like(b'{"erased":[{"subject":"person-0123456789ab","at":1.5}],"format":1}'),
        (PoolError,), ("entraide_scheduler.erasure_list:read_list",),
    ),
    "POST /v1/session": _body(
        SignInRequest, {"token": "x"}, f"{ROUTES}.signin_routes:SigninRoutes._sign_in"
    ),
    "PATCH /v1/session": _body(
        Preferences, {"lang": "fr", "project": "x"},
        f"{ROUTES}.signin_routes:SigninRoutes._change_session",
    ),
    "POST /v1/signin/email": _body(
        EmailRequest, {"email": "a@b.coop"}, f"{ROUTES}.signin_routes:SigninRoutes._send_email"
    ),
    "POST /v1/session/browser": _body(
        BrowserRequest, {"browser": "0" * 32}, f"{ROUTES}.signin_routes:SigninRoutes._claim_half"
    ),
    "POST /v1/session/email": _body(
        EmailRequest, {"email": "a@b.coop"},
        f"{ROUTES}.new_start_routes:NewStartRoutes._confirm_email",
    ),
    "POST /v1/people": _body(
        NewPerson, PERSON | {"coop": "alpha"}, f"{ROUTES}.people_routes:PeopleRoutes._add"
    ),
    "PATCH /v1/people": _body(
        PersonChanges, PERSON | {"enabled": True}, f"{ROUTES}.people_routes:PeopleRoutes._change"
    ),
    "POST /v1/people/link": _body(
        LinkRequest, {"valid_s": 900, "email": True},
        f"{ROUTES}.people_routes:PeopleRoutes._make_link",
    ),
    "POST /v1/admin": Case(
        read_admin, json_like(json.dumps(COOP).encode()), (Refused,),
        ("entraide_scheduler.gateway.admin.admin_routes:write_message",),
    ),
}  # fmt: skip

"""People who sign in at a gateway: a browser with its cookie, as a page would use it."""

import json
from typing import Any

import aiohttp
from tests.scheduler.gateway_support import Pool

from entraide_scheduler.core.policy import CoopTerms, Policy
from entraide_scheduler.gateway.signin.cookies import make_csrf_token
from entraide_scheduler.people import OPERATOR, Actor, People
from entraide_scheduler.store.person_rows import PersonRow, SigninEvidence, SigninWay
from entraide_scheduler.store.rows import PolicyRow

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


class Answer:
    """A response, read."""

    def __init__(self, answer: aiohttp.ClientResponse, body: bytes) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.body = body

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of an error; "" for any other response."""
        error = self.json.get("error") if self.body.startswith(b"{") else None
        return str(error["code"]) if error else ""


class Browser:
    """A browser at a gateway: one cookie, one CSRF token."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.cookie = ""
        self.csrf = ""

    async def call(
        self, method: str, path: str, body: Any = None, *, csrf: str | None = None, **headers: str
    ) -> Answer:
        """Sends a request with the cookie, and with the CSRF token unless another is given."""
        sent = self.headers(self.csrf if csrf is None else csrf) | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        data = None if body is None else json.dumps(body).encode()
        async with self.pool.session.request(method, path, data=data, headers=sent) as answer:
            return Answer(answer, await answer.read())

    def headers(self, csrf: str) -> dict[str, str]:
        """Returns the headers of a request of the page."""
        sent = {"user-agent": AGENT}
        if self.cookie:
            sent["cookie"] = f"entraide={self.cookie}"
        return sent | ({"x-entraide-csrf": csrf} if csrf else {})

    async def sign_in(self, token: str) -> Answer:
        """Signs in by a link's token, and keeps the cookie."""
        answer = await self.call("POST", "/v1/session", {"token": token})
        if answer.status == 200:
            self.cookie = answer.headers["set-cookie"].partition(";")[0].partition("=")[2]
            self.csrf = answer.json["csrf"]
        return answer


async def open_people(pool: Pool) -> People:
    """Returns the people of a gateway, whose store gets a policy with its co-ops."""
    coops = tuple(CoopTerms(name) for name in ("alpha", "beta", "gamma"))
    await pool.store.put_policy(Policy("v1", coops), PolicyRow("v1"))
    return pool.gateway.signin.people


async def add_person(people: People, coop: str = "alpha", **fields: str) -> PersonRow:
    """Adds a person."""
    return await people.add(OPERATOR, coop=coop, **{"name": "Ada", **fields})


async def signed_in(
    pool: Pool, people: People, person: PersonRow, actor: Actor = OPERATOR
) -> Browser:
    """Signs a person in with a fresh link, which an actor makes."""
    browser = Browser(pool)
    answer = await browser.sign_in((await people.make_link(actor, person.person)).token)
    assert answer.status == 200, answer.body
    return browser


async def signed_in_too(beside: Browser) -> Browser:
    """Signs in once more who is signed in in a browser, in another browser and the same start."""
    sessions, browser = beside.pool.gateway.signin.sessions, Browser(beside.pool)
    present = await sessions.find(beside.cookie)
    evidence = SigninEvidence(SigninWay.LINK.value, present.session.start)
    browser.cookie, _ = await sessions.start(present.person, evidence, AGENT)
    browser.csrf = make_csrf_token(browser.cookie)
    return browser

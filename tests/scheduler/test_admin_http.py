"""The Admin service over HTTP: protobuf's JSON, by role, with the co-op enforced."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.integration.nats_support import NatsPool
from tests.scheduler.people_support import Answer
from tests.scheduler.pool_support import ADMIN_KEY, RunningScheduler, running_scheduler

from entraide.v1 import admin_pb2
from entraide_scheduler.gateway.admin import METHODS
from entraide_scheduler.gateway.admin.admin_access import OF_PEOPLE, READING
from entraide_scheduler.people import OPERATOR


class Page:
    """A page of somebody who has signed in at a scheduler, or has a key."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url, self.headers = url, headers

    async def ask(self, method: str, body: Any = None, *, lang: str = "en") -> Answer:
        """Calls a method of the Admin service."""
        return await self.send("POST", f"/v1/admin/{method}", {} if body is None else body, lang)

    async def send(self, method: str, path: str, body: Any = None, lang: str = "en") -> Answer:
        """Sends a request."""
        data = None if body is None else json.dumps(body).encode()
        headers = self.headers | {"accept-language": lang}
        async with (
            aiohttp.ClientSession(self.url) as session,
            session.request(method, path, data=data, headers=headers) as answer,
        ):
            return Answer(answer, await answer.read())


class Pages:
    """The pages of a person of each role, all of alpha, and of the operator's key."""

    def __init__(self, pool: RunningScheduler) -> None:
        self.pool = pool
        self.url = pool.gateway.url

    def by_key(self, key: str) -> Page:
        return Page(self.url, {"authorization": f"Bearer {key}"})

    async def of(self, role: str, coop: str = "alpha") -> Page:
        """Adds a person with a role over gRPC, and signs the person in by the link."""
        added = await self.pool.operator.ask(
            "AddPerson", admin_pb2.AddPersonRequest(coop=coop, name=role, role=role)
        )
        made = await self.pool.operator.ask(
            "MakeSigninLink", admin_pb2.MakeSigninLinkRequest(person=added.person)
        )
        entered = await Page(self.url, {}).send(
            "POST", "/v1/session", {"token": made.link.rpartition("/")[2]}
        )
        cookie = entered.headers["set-cookie"].partition(";")[0]
        return Page(self.url, {"cookie": cookie, "x-entraide-csrf": entered.json["csrf"]})


@pytest.fixture
def pages(pool: RunningScheduler) -> Pages:
    return Pages(pool)


async def test_the_operators_key_calls_each_method_as_over_grpc(pages: Pages) -> None:
    """A key is made over HTTP, and the list over gRPC has it; numbers of 64 bits are texts."""
    operator = pages.by_key(ADMIN_KEY)
    made = (await operator.ask("CreateKey", {"coop": "alpha", "label": "page"})).json
    listed = (await pages.pool.operator.ask("ListKeys", admin_pb2.ListKeysRequest())).keys
    changed = (await operator.ask("SetCoop", {"coop": "beta", "shares": 2})).json

    assert made["secret"].startswith("ent_")
    assert [made["key"]] == [key.key for key in listed]
    assert (2.0, "0") == (changed["shares"], changed["balanceTokens"])


async def test_who_is_nobody_or_has_a_mere_key_calls_no_method(
    tmp_path: Path, bus: NatsPool
) -> None:
    """Without a session, with a wrong key, and with a co-op's own key; each method is named."""
    patient = f"[http.limits]\nwrong_keys = {len(METHODS)}"
    async with running_scheduler(tmp_path, bus, patient) as pool:
        answers = await _answers_to_strangers(Pages(pool))
    unauthorised, forbidden = (401, "unauthorised"), (403, "forbidden")
    expected = {"nobody": unauthorised, "wrong key": unauthorised, "key": forbidden}

    assert sorted(METHODS) == sorted({method for method, _ in answers})
    assert {} == {
        place: (answer.status, answer.code)
        for place, answer in answers.items()
        if expected[place[1]] != (answer.status, answer.code)
    }


async def _answers_to_strangers(pages: Pages) -> dict[tuple[str, str], Answer]:
    """What each method answers to each caller who may call none."""
    callers = {
        "nobody": Page(pages.url, {}),
        "wrong key": pages.by_key("ent_wrong"),
        "key": pages.by_key(await pages.pool.operator.key()),
    }
    return {
        (method, caller): await page.ask(method)
        for method in sorted(METHODS)
        for caller, page in callers.items()
    }


async def test_each_method_is_called_by_the_roles_that_may_and_by_no_other(pages: Pages) -> None:
    """The table of roles: what a role may not call is refused before anything is read."""
    allowed = {role: set[str]() for role in ("person", "coop_admin", "auditor", "operator")}
    for role, methods in allowed.items():
        page = await pages.of(role)
        for method in sorted(set(METHODS) - OF_PEOPLE - {"SetCatalogue", "PostCorrection"}):
            if (await page.ask(method)).code != "role_refused":
                methods.add(method)
    reading = {name for name in METHODS if name.startswith(READING)} - OF_PEOPLE

    assert set() == allowed["person"]
    assert {
        "ListNodes", "ListCoops", "ListKeys", "CreateKey", "GetStatement", "GetStatementPdf",
        "RevokeKey"
    } == allowed["coop_admin"]  # fmt: skip
    assert reading == allowed["auditor"]
    assert set(METHODS) - OF_PEOPLE - {"SetCatalogue", "PostCorrection"} == allowed["operator"]


async def test_a_co_op_admin_stays_in_the_own_co_op(pages: Pages) -> None:
    """The other co-op's keys, statement, terms and machines are neither read nor changed."""
    await pages.pool.join("n1")  # of beta
    await pages.pool.operator.key("beta")
    theirs = (await pages.pool.operator.ask("ListKeys", admin_pb2.ListKeysRequest())).keys[0].key
    admin = await pages.of("coop_admin")
    made = (await admin.ask("CreateKey", {"label": "page"})).json
    refused = [
        await admin.ask("CreateKey", {"coop": "beta"}),
        await admin.ask("ListKeys", {"coop": "beta"}),
        await admin.ask("GetStatement", {"coop": "beta"}),
        await admin.ask("GetStatementPdf", {"coop": "beta"}),
        await admin.ask("ListPeople", {"coop": "beta"}),
        await admin.ask("AddPerson", {"coop": "beta", "name": "X"}),
        await admin.ask("AddPerson", {"coop": "alpha", "name": "X", "role": "operator"}),
    ]
    unknown = await admin.ask("RevokeKey", {"key": theirs})
    revoked = await admin.ask("RevokeKey", {"key": made["key"]})
    coops = (await admin.ask("ListCoops")).json["coops"]
    nodes = (await admin.ask("ListNodes")).json["nodes"]
    keys = (await admin.ask("ListKeys")).json["keys"]

    assert "alpha" == made["coop"]
    assert {(403, "role_refused")} == {(answer.status, answer.code) for answer in refused}
    assert (404, "unknown_key") == (unknown.status, unknown.code)
    assert revoked.json["revoked"] is True
    assert ["alpha"] == [each["coop"] for each in coops]
    assert [] == nodes
    assert {"alpha"} == {each["coop"] for each in keys}


async def test_a_change_names_the_person_who_made_it(pages: Pages) -> None:
    """An operator's page cannot write another author into the policy's history."""
    operator = await pages.of("operator")
    await operator.ask("SetCoop", {"coop": "beta", "shares": 3, "author": "somebody else"})
    history = (await operator.ask("ListPolicies")).json["versions"]
    people = await pages.pool.gateway.signin.people.list_people(OPERATOR)

    assert people[0].person == history[0]["author"]


async def test_what_is_no_message_is_refused_with_the_reason(pages: Pages) -> None:
    """Unknown methods and fields, a stream, a wrong kind, deep JSON, a number beyond a float."""
    operator = pages.by_key(ADMIN_KEY)
    deep: Any = "x"
    for _ in range(200):
        deep = {"a": deep}
    wrong = [
        await operator.ask("CreateKey", {"nothing": 1}),
        await operator.ask("CreateKey", {"coop": 7}),
        await operator.ask("CreateKey", {"coop": deep}),
        await operator.ask("SetCatalogue", {"document": 5}),
        await operator.ask("SetCoop", {"coop": "alpha", "shares": 10**400}),
    ]
    paths = [await operator.ask("ExportJournal"), await operator.ask("Nothing")]
    coop = await operator.ask("CreateKey", {"coop": "nobody"}, lang="fr")

    assert {400} == {answer.status for answer in wrong}
    assert {(404, "unknown_path")} == {(answer.status, answer.code) for answer in paths}
    assert (404, "unknown_coop") == (coop.status, coop.code)
    assert "nobody" in coop.json["error"]["message"]

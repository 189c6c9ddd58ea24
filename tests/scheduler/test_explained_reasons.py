"""Who reads in an explanation why a machine takes no work: a table, at every door that tells it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs
from tests.scheduler.gateway_support import CHAT, KEY_A, Pool, ask, card, open_pool
from tests.scheduler.people_support import add_person, open_people, signed_in
from tests.scheduler.test_gateway_grpc import open_stub
from tests.scheduler.test_pool_view import listen, read_event
from tests.sdk.explanation_cases import CASES
from tests.waiting import until_read

from entraide import explanations, i18n
from entraide.client import _convert
from entraide.types import DataClass, Exclusion, Lending
from entraide.v1 import pool_pb2
from entraide_scheduler.core import events as e
from entraide_scheduler.gateway.jobs import Caller
from entraide_scheduler.gateway.signin.auth import hash_key
from entraide_scheduler.gateway.views import explanation_for
from entraide_scheduler.metrics import PoolMetrics
from entraide_scheduler.store.person_rows import Role
from entraide_scheduler.store.rows import KeyRow

LENDER, OTHER = "gamma", "alpha"  # the co-op of both machines, and one that borrows them
KEY_OF_LENDER = "ent_gamma"
KEYS = {OTHER: KEY_A, LENDER: KEY_OF_LENDER}
WORDS = {
    ("owner_busy", "fr"): "utilisation par le propriétaire",
    ("owner_busy", "en"): "the owner of the machine is using it",
    ("owner_terms", "fr"): "pause prévue par les conditions de son propriétaire",
    ("owner_terms", "en"): "paused by its owner’s terms",
}
# Who asks: co-op and role ("" is an API key); and the code that is seen of ``owner_busy``.
ASKERS = [
    (OTHER, "", "owner_terms"),
    (OTHER, "person", "owner_terms"),
    (OTHER, "coop_admin", "owner_terms"),
    (OTHER, "operator", "owner_busy"),
    (OTHER, "auditor", "owner_busy"),
    (LENDER, "", "owner_busy"),
    (LENDER, "person", "owner_terms"),
    (LENDER, "coop_admin", "owner_busy"),
]


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    """Somebody sits at n2, so that n1 answers."""
    async with open_pool(tmp_path, joined=(card("n1"), card("n2"))) as opened:
        await opened.store.create_key(
            KeyRow("key-gamma", LENDER, "main", LENDER), hash_key(KEY_OF_LENDER)
        )
        opened.driver.feed(
            e.NodeChanged(
                *e.UNNUMBERED, node="n2", accepting=False, reason="owner_busy", energy=None
            )
        )
        yield opened


class Asker:
    """A key or a person who asks over HTTP."""

    def __init__(self, pool: Pool, coop: str) -> None:
        self.pool, self.coop = pool, coop

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        if method == "GET":
            return (await self.pool.call(method, path, key=KEYS[self.coop]))[1]
        async with self.pool.send(body, key=KEYS[self.coop], path=path) as answer:
            return await answer.json()


class PersonAsking(Asker):
    """The same in a browser."""

    async def enter(self, role: str) -> None:
        people = await open_people(self.pool)
        person = await add_person(people, self.coop, role=role)
        self.browser = await signed_in(self.pool, people, person)

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        return (await self.browser.call(method, path, body)).json


async def completed(call: Callable[..., Awaitable[Any]], job: str) -> Any:
    """A kept job, once its answer can be fetched."""
    return await until_read(lambda: call("GET", f"/v1/jobs/{job}"), lambda view: "result" in view)


async def explanations_of(asker: Asker) -> list[dict[str, Any]]:
    """What the asker reads in a complete answer, of that job, in a kept answer, of that job."""
    request = ask(entraide={"explain": True})
    pending = asyncio.ensure_future(asker.call("POST", CHAT, request))
    (await asker.pool.placed()).finish()
    live = (await pending)["entraide"]
    kept = (await asker.call("POST", "/v1/jobs", {"request": request}))["id"]
    (await asker.pool.placed()).finish()
    result = (await completed(asker.call, kept))["result"]["entraide"]
    return [
        live["explanation"],
        await asker.call("GET", f"/v1/jobs/{live['job']}/explanation"),
        result["explanation"],
        await asker.call("GET", f"/v1/jobs/{kept}/explanation"),
    ]


@pytest.mark.parametrize(("coop", "role", "code"), ASKERS)
async def test_http_tells_an_owners_reason_to_whom_it_concerns(
    pool: Pool, coop: str, role: str, code: str
) -> None:
    """The keys and admins of the machine's co-op, the operator and auditors read it; others, and
    the persons of that co-op, read that it is paused."""
    asker = PersonAsking(pool, coop) if role else Asker(pool, coop)
    if isinstance(asker, PersonAsking):
        await asker.enter(role)
    for explained in await explanations_of(asker):
        # On a busy machine n1's offer may expire, and n1 is then avoided.
        (excluded,) = (each for each in explained["excluded"] if each["node"] == "n2")

        assert code == excluded["values"]["reason"]
        for lang in i18n.LANGUAGES:
            assert WORDS[code, lang] in excluded["sentence"][lang]
            assert WORDS[code, lang] in explained["text"][lang]
        other = "owner_busy" if code == "owner_terms" else "owner_terms"
        assert other not in msgspec.json.encode(explained).decode()


@pytest.mark.parametrize(("coop", "code"), [(OTHER, "owner_terms"), (LENDER, "owner_busy")])
async def test_grpc_and_the_client_tell_the_same(pool: Pool, coop: str, code: str) -> None:
    """The message has the code and the sentence; so has what a client makes of it."""
    metadata = (("authorization", f"Bearer {KEYS[coop]}"), ("accept-language", "en"))
    pending = asyncio.ensure_future(Asker(pool, coop).call("POST", CHAT, ask()))
    (await pool.placed()).finish()
    job = (await pending)["entraide"]["job"]
    async with open_stub(pool) as stub:
        message = await stub.Explain(pool_pb2.JobRequest(job=job), metadata=metadata)
    (excluded,) = message.excluded
    rendered = explanations.render(_convert.explanation(message), "en")

    assert code == dict(excluded.values)["reason"]
    assert WORDS[code, "en"] in excluded.sentence
    assert WORDS[code, "en"] in rendered


async def test_the_books_keep_the_true_reason(pool: Pool) -> None:
    """The store has the decision as the core made it, with the true reason."""
    pending = asyncio.ensure_future(Asker(pool, OTHER).call("POST", CHAT, ask()))
    (await pool.placed()).finish()
    job = (await pending)["entraide"]["job"]
    await pool.store.committed()
    stored = await pool.store.get_explanation(job)

    assert stored is not None
    assert b"owner_busy" in stored.document


def lend_to_own(pool: Pool, node: str) -> None:
    """Somebody sits at a node that then serves its own co-op only."""
    pool.driver.feed(
        e.NodeChanged(
            *e.UNNUMBERED, node=node, accepting=True, reason="", energy=None,
            lending=Lending.OWN_ONLY,
        )
    )  # fmt: skip


SEEN = ("/v1/pool", "/status.json")
TELLING = ("own_only", "using", "utilis", "servait", "propre coopérative", "lend_limit")


async def test_own_only_reads_like_the_owners_terms(pool: Pool) -> None:
    """That a machine serves its own co-op only is told to no other: not in an explanation, a
    counterfactual, a reason of waiting, on the pool's page or in the status."""
    lend_to_own(pool, "n2")
    placed = await explanations_of(Asker(pool, OTHER))
    lend_to_own(pool, "n1")
    asked = {"request": ask()}
    kept = (await Asker(pool, OTHER).call("POST", "/v1/jobs", asked))["id"]
    waiting = await Asker(pool, OTHER).call("GET", f"/v1/jobs/{kept}/explanation")
    views = [await Asker(pool, OTHER).call("GET", path) for path in ("/v1/pool", "/status.json")]
    whole_text = msgspec.json.encode([*placed, waiting, views]).decode()

    assert ("waiting", "no_node_live") == (waiting["decision"], waiting["reason"])
    assert ("not_accepting", "owner_terms", 2) == tuple(
        waiting["values"][name] for name in ("rule", "reason", "nodes")
    )
    assert {"not_accepting": 2} == waiting["excluded_counts"]
    for explained in (*placed, waiting):
        for excluded in explained["excluded"]:
            assert {"reason": "owner_terms"} == excluded["values"]
    assert 2 * [("stopped", "owner_terms")] == [*states_in(views[0]).values()]
    assert {(False, "owner_terms")} == {
        (node["accepting"], node["reason"]) for node in views[1]["nodes"]
    }
    assert [] == [word for word in TELLING if word in whole_text]


async def test_own_only_is_not_told_where_ones_own_machine_lacks_a_reason(pool: Pool) -> None:
    """A machine of the asker that takes public data only is excluded without a node's reason; the
    values of the decision are then still those of the other co-op's machine."""
    own = structs.replace(card("n3"), coop=OTHER, data_classes=(DataClass.PUBLIC,))
    pool.driver.feed(e.NodeJoined(*e.UNNUMBERED, card=own, accepting=True, reason=""))
    for node in ("n1", "n2"):
        lend_to_own(pool, node)
    asked = {"request": ask()}
    kept = (await Asker(pool, OTHER).call("POST", "/v1/jobs", asked))["id"]
    waiting = await Asker(pool, OTHER).call("GET", f"/v1/jobs/{kept}/explanation")
    text = msgspec.json.encode(waiting).decode()

    assert "owner_terms" in text
    assert [] == [word for word in TELLING if word in text]


async def test_a_run_of_its_own_co_op_is_not_seen_on_a_machine_that_serves_it_alone(
    pool: Pool,
) -> None:
    """What runs there tells that the machine is not paused: no count that others read has it."""
    for node in ("n1", "n2"):
        lend_to_own(pool, node)
    pending = asyncio.ensure_future(Asker(pool, LENDER).call("POST", CHAT, ask()))
    run = await pool.placed()
    views = {path: await Asker(pool, OTHER).call("GET", path) for path in SEEN}
    own = await Asker(pool, LENDER).call("GET", "/v1/pool")
    figures = PoolMetrics(pool.driver, Path()).read()
    (accepting,) = [value for spec, value in figures if spec.name.endswith("_nodes_accepting")]
    run.finish()
    await pending

    assert [0, 0] == [view["running"] for view in views.values()]
    assert {0} == {node["running"] for node in views["/status.json"]["nodes"]}
    assert 1 == own["running"]
    assert {(): 0} == accepting


def states_in(view: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """State and reason of each machine in a view of the pool."""
    return {
        machine["node"]: (machine["state"], machine["reason"])
        for province in view["provinces"]
        for site in province["sites"]
        for machine in site["machines"]
    }


@pytest.mark.parametrize(
    ("coop", "seen"), [(OTHER, ("stopped", "owner_terms")), (LENDER, ("ready", ""))]
)
async def test_its_own_co_op_sees_as_it_is_a_machine_that_serves_it_alone(
    pool: Pool, coop: str, seen: tuple[str, str]
) -> None:
    """To its own co-op such a machine is ready, in the view and in the events, and to no other."""
    async with listen(pool, key=KEYS[coop]) as events:
        await read_event(events)
        for node in ("n1", "n2"):
            lend_to_own(pool, node)
        _, changed = await read_event(events)
    view = await Asker(pool, coop).call("GET", "/v1/pool")

    assert {"n1": seen, "n2": seen} == states_in(view) == states_in(changed)


def test_every_reason_is_seen_as_its_kind_allows() -> None:
    """Reasons of engines and of the pool stay; those of an owner, and unknown ones, are one."""
    facts = next(iter(CASES.values()))
    reasons = {
        "engine_down": "engine_down", "full": "full", "revoked": "revoked", "": "",
        "owner_busy": "owner_terms", "paused": "owner_terms", "outside_hours": "owner_terms",
        "activity_unknown": "owner_terms", "invented": "owner_terms",
    }  # fmt: skip
    borrower, operator = Caller("k", OTHER, "main"), Caller("p", OTHER, "main", Role.OPERATOR)
    for reason, expected in reasons.items():
        values: dict[str, str | int | float] = {"rule": "not_accepting", "reason": reason}
        excluded = Exclusion(
            "n9", LENDER, "CA-QC", "not_accepting", {"reason": reason}, waiting_helps=True
        )
        explained = msgspec.structs.replace(facts, values=values, excluded=(excluded,))
        shown = explanation_for(borrower, explained)

        assert (expected, expected) == (shown.excluded[0].values["reason"], shown.values["reason"])
        assert explained == explanation_for(Caller("k", LENDER, "main"), explained)
        assert explained == explanation_for(operator, explained)

"""The pool's own options: each one by header, in the body, over gRPC and by the SDK."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from msgspec import structs
from tests.core.builders import catalogue, entry
from tests.scheduler.gateway_support import (
    CHAT,
    KEY_A,
    MODEL,
    WAIT_S,
    NodeRun,
    Pool,
    ask,
    open_pool,
)
from tests.waiting import until_read

from entraide.client import AsyncClient, Client
from entraide.errors import RequestError
from entraide.models import Artefact, ArtefactFile, OpennessClass
from entraide.types import RequestFacts
from entraide.v1 import pool_pb2, pool_pb2_grpc
from entraide_scheduler.core import events as e
from entraide_scheduler.gateway.chat import PoolFields
from entraide_scheduler.gateway.jobs import OPTIONS
from entraide_scheduler.gateway.jobs.facts_builder import _printable
from entraide_scheduler.gateway.jobs.options import HTTP_NAMES

HOUR_S = 3_600.0
KEY = (("authorization", f"Bearer {KEY_A}"), ("accept-language", "en"))
DOORS = ("header", "body", "grpc", "sdk", "sync sdk")


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    """A pool whose catalogue states that the machines' weights reach a class of openness."""
    weights = Artefact("gguf", "Q4_K_M", "", files=(ArtefactFile("m.gguf", 1, "abc"),))
    listed = entry(MODEL, artefacts=(weights,), openness_class=OpennessClass.OPEN_TOOLING)
    async with open_pool(tmp_path) as opened:
        opened.driver.feed(e.CatalogueChanged(*e.UNNUMBERED, catalogue=catalogue(listed)))
        yield opened


@pytest.fixture
async def address(pool: Pool) -> AsyncIterator[str]:
    """Address of the pool's gRPC service."""
    server = grpc.aio.server()
    pool_pb2_grpc.add_PoolServicer_to_server(pool.gateway.pool_service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(0)


def in_an_hour(facts: RequestFacts) -> bool:
    return facts.deadline_at is not None and 0 < facts.deadline_at - time.time() <= HOUR_S


# Of each option: a value, and whether the facts say so.
VALUES: dict[str, tuple[Any, Any]] = {
    "job_class": ("standard", lambda facts: facts.job_class == "standard"),
    "data_class": ("public", lambda facts: facts.data_class == "public"),
    "jurisdiction": ("CA-ON", lambda facts: facts.jurisdiction == "CA-ON"),
    "controlled_by": ("other", lambda facts: facts.controlled_by == "other"),
    "deadline": (HOUR_S, in_an_hour),
    "max_gco2e": (1.5, lambda facts: facts.max_carbon_ug == 1_500_000),
    "session": ("mon-fil", lambda facts: facts.session and "fil" not in facts.session),
    "explain": (True, None),
    "resume_events": (True, None),  # tests/scheduler/test_resumed_answers.py
    "reconnect_s": (30.0, None),  # tests/scheduler/test_reconnection.py
    "waiting_events": (True, None),  # tests/scheduler/test_waiting_requests.py
    "max_wait_s": (12.5, lambda facts: facts.max_wait_s == 12.5),
    "task": ("summarise", lambda facts: facts.task == "summarise"),
    "language": ("en", lambda facts: facts.language == "en"),
    "openness": ("open-tooling", lambda facts: facts.openness == "open-tooling"),
    "prefix": ("off", lambda facts: facts.prefix_keys == ()),
    "idempotency": (
        "une-fois",
        lambda facts: facts.idempotency and "fois" not in facts.idempotency,
    ),
}
HEADERS = {option.name: option.header for option in OPTIONS}
KEYWORDS = {option.name: option.keyword for option in OPTIONS}


async def send(pool: Pool, address: str, door: str, name: str) -> tuple[RequestFacts, Any]:
    """Sends a request with one option; returns its facts, and the explanation in its answer."""
    value = VALUES[name][0]
    if door == "grpc":
        message = pool_pb2.ChatMessage(role="user", content="Bonjour")
        options = pool_pb2.JobOptions(**{KEYWORDS[name]: value})
        request = pool_pb2.InferenceRequest(model=MODEL, messages=[message], options=options)
        async with grpc.aio.insecure_channel(address) as channel:
            call = pool_pb2_grpc.PoolStub(channel).Stream(request, metadata=KEY)
            facts, events = await answered(pool, collect(call))
        done = events[-1].done
        return facts, done.explanation.reason if done.HasField("explanation") else ""
    options_given: Any = {KEYWORDS[name]: value}
    if door == "sync sdk":
        chat = asyncio.to_thread(chat_synchronously, address, options_given)
        facts, answer = await answered(pool, chat)
        return facts, answer.explanation.explanation.reason if answer.explanation else ""
    if door == "sdk":
        async with AsyncClient(address, KEY_A, lang="en") as client:
            facts, answer = await answered(
                pool, client.chat("Bonjour", model=MODEL, **options_given)
            )
        return facts, answer.explanation.explanation.reason if answer.explanation else ""
    body, headers = ask(), {}
    if door == "body":
        body["entraide"] = {name: value}
    else:
        headers[HEADERS[name]] = str(value).lower() if isinstance(value, bool) else str(value)
    facts, document = await answered(pool, read(pool, body, headers))
    return facts, document["entraide"].get("explanation", {}).get("reason", "")


def chat_synchronously(address: str, options_given: Any) -> Any:
    with Client(address, KEY_A, lang="en") as client:
        return client.chat("Bonjour", model=MODEL, **options_given)


async def collect(call: Any) -> list[Any]:
    return [event async for event in call]


async def read(pool: Pool, body: Any, headers: dict[str, str]) -> Any:
    async with pool.send(body, **headers) as answer:
        return await answer.json()


async def answered(pool: Pool, asking: Any) -> tuple[RequestFacts, Any]:
    """Answers the request that comes; returns its facts and what the client got."""
    pending = asyncio.ensure_future(asking)
    run = await pool.placed()
    running = pool.gateway._running_jobs.get(run.run.job)
    assert running is not None
    run.finish()
    return running.facts, await asyncio.wait_for(pending, WAIT_S)


@pytest.mark.parametrize("door", DOORS)
async def test_each_option_by_each_door(pool: Pool, address: str, door: str) -> None:
    """An option means the same whichever way it comes; only ``explain`` brings an explanation."""
    wrong = []
    for name, (_, is_stated) in VALUES.items():
        if (name, door) == ("idempotency", "body"):  # a header and a keyword only
            continue
        facts, explanation = await send(pool, address, door, name)
        if not (is_stated is None or is_stated(facts)) or bool(explanation) != (name == "explain"):
            wrong.append(name)

    assert [] == wrong


# What options change in the facts; of a deadline, its time within a second.
FACTS = ("job_class", "data_class", "jurisdiction", "controlled_by", "max_carbon_ug", "session",
         "idempotency", "max_wait_s", "task", "language", "openness")  # fmt: skip


OF_STREAMS = {"resume_events", "reconnect_s", "waiting_events"}


@pytest.mark.parametrize("name", sorted(VALUES.keys() - OF_STREAMS))
async def test_each_door_gives_the_same_facts(
    pool: Pool, address: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option reaches the core as the same facts by each door, and changes no other fact."""
    by_door = {}
    value, is_stated = VALUES[name]
    for door in DOORS:
        if (name, door) == ("idempotency", "body"):
            continue
        if name == "idempotency":  # the same key would give the answer of the door before
            monkeypatch.setitem(VALUES, name, (f"{value}-{door}", is_stated))
        facts, explanation = await send(pool, address, door, name)
        facts = structs.replace(facts, idempotency="a hash" if facts.idempotency else "")
        stated = [getattr(facts, field) for field in FACTS]
        by_door[door] = (*stated, bool(facts.prefix_keys), in_an_hour(facts), bool(explanation))
        await pool.store.committed()
    plain, _ = await answered(pool, read(pool, ask(), {}))
    unstated = (*[getattr(plain, field) for field in FACTS], True, False, False)

    assert {next(iter(by_door.values()))} == set(by_door.values())
    assert 1 == sum(a != b for a, b in zip(by_door["header"], unstated, strict=True))


def test_the_table_is_whole() -> None:
    """The body's object and gRPC's message have the options of the table, and no others."""
    keywords = {field.name for field in pool_pb2.JobOptions.DESCRIPTOR.fields}

    assert set(VALUES) == {option.name for option in OPTIONS}
    assert {*PoolFields.__struct_fields__, "idempotency"} == set(VALUES)
    assert keywords == set(KEYWORDS.values())


OTHERS = {
    "job_class": "batch", "data_class": "internal", "jurisdiction": "CA-QC",
    "controlled_by": "member", "deadline": 60, "max_gco2e": 3, "session": "autre", "explain": False,
}  # fmt: skip


async def test_contradiction_is_refused_by_name(pool: Pool) -> None:
    """A header and the body that do not say the same are refused, with both names."""
    refusals = {}
    for name, other in OTHERS.items():
        value = VALUES[name][0]
        headers = {HEADERS[name]: str(value).lower() if isinstance(value, bool) else str(value)}
        body = ask(entraide={name: other})
        async with pool.send(body, Accept_Language="en", **headers) as got:
            error = (await got.json())["error"]
        named = HEADERS[name] in error["message"]
        refusals[name] = (got.status, error["code"], error["param"], named)

    assert refusals == {name: (400, "invalid_request", f"entraide.{name}", True) for name in OTHERS}


async def test_the_same_deadline_twice_is_no_contradiction(pool: Pool) -> None:
    """Seconds from now in a header agree with the same seconds in the body."""
    body = ask(entraide={"deadline": HOUR_S})
    facts, _ = await answered(pool, read(pool, body, {"X-Entraide-Deadline": "3600"}))

    assert in_an_hour(facts)


BAD: dict[str, tuple[Any, str]] = {
    "a class": ({"job_class": "vip"}, "invalid_request"),
    "a place": ({"jurisdiction": "canada"}, "invalid_request"),
    "a deadline gone by": ({"deadline": -5}, "deadline_passed"),
    "a day gone by": ({"deadline": "2020-01-01"}, "deadline_passed"),
    "a deadline that is no time": ({"deadline": "demain"}, "invalid_request"),
    "a deadline in a year": ({"deadline": 365 * 86_400}, "invalid_request"),
    "less than no carbon": ({"max_gco2e": -1}, "invalid_request"),
    "a long session": ({"session": "x" * 257}, "invalid_request"),
    "maybe": ({"explain": "maybe"}, "invalid_request"),
    "an option that is none": ({"priority": 1}, "invalid_request"),
}


async def test_option_out_of_bounds_is_refused_by_its_name(pool: Pool) -> None:
    """An option in the body has the bounds of the header, and is named as it stands there."""
    refusals = {}
    for case, (own, _) in BAD.items():
        async with pool.send(ask(entraide=own)) as got:
            error = (await got.json())["error"]
        refusals[case] = (got.status, error["code"], error["param"])

    assert refusals == {
        case: (400, code, f"entraide.{next(iter(own))}") for case, (own, code) in BAD.items()
    }


async def test_header_that_is_neither_true_nor_false_is_refused(pool: Pool) -> None:
    """An option that is a yes or a no has two words."""
    async with pool.send(ask(), X_Entraide_Explain="oui") as got:
        error = (await got.json())["error"]

    assert (400, "X-Entraide-Explain") == (got.status, error["param"])


# Of headers that restrict nothing: the name that the refusal says, and the one that it suggests.
MISSPELT = {
    "X-Entraide-Dataclass": ("restricted", "X-Entraide-Dataclass", "X-Entraide-Data-Class"),
    "X_Entraide_Data_Class": ("restricted", "X_Entraide_Data_Class", "X-Entraide-Data-Class"),
    "x_entraide-data-class": ("restricted", "X_Entraide-Data-Class", "X-Entraide-Data-Class"),
    "X-Entraide-Restricted": ("true", "X-Entraide-Restricted", "/openapi.json"),
    "X-Entraide-Data-Class": ("", "X-Entraide-Data-Class", "X-Entraide-Data-Class"),
    "X-Entraide-Controlled-By": ("  ", "X-Entraide-Controlled-By", "X-Entraide-Controlled-By"),
}


@pytest.mark.parametrize("sent", MISSPELT)
async def test_misspelt_or_empty_header_sends_nothing_elsewhere(pool: Pool, sent: str) -> None:
    """A header of the pool that it does not know, or an empty one, is refused by its name."""
    value, named, suggested = MISSPELT[sent]
    for path, body in ((CHAT, ask()), ("/v1/jobs", {"request": ask()})):
        key = {"authorization": f"Bearer {KEY_A}", "accept-language": "en", sent: value}
        pending = asyncio.ensure_future(pool.session.post(path, json=body, headers=key))
        async with await asyncio.wait_for(pending, WAIT_S) as got:
            error = (await got.json())["error"]

        assert (400, "invalid_request", named) == (got.status, error["code"], error["param"])
        assert suggested in error["message"]


async def test_refusal_names_the_option_as_the_sdk_does(pool: Pool, address: str) -> None:
    """Over gRPC an option of the message is named by its field."""
    async with AsyncClient(address, KEY_A, lang="en") as client:
        with pytest.raises(RequestError) as caught:
            await client.chat("Bonjour", model=MODEL, job_class="vip")

    assert "options.job_class" in str(caught.value)


async def finish_stream(pool: Pool, body: Any) -> str:
    pending = asyncio.ensure_future(pool.send(body))
    run: NodeRun = await pool.placed()
    run.finish()
    async with await pending as answer:
        text: str = await answer.text()
    return text


async def test_streamed_answer_ends_with_its_explanation(pool: Pool) -> None:
    """The chunk with the receipt has the explanation, too, in both languages."""
    text = await finish_stream(pool, ask(stream=True, entraide={"explain": True}))

    assert '"decision":"placed"' in text
    assert '"explanation":{' in text.split("data: ")[-2]
    assert text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("door", ["header", "body"])
async def test_kept_answer_has_its_explanation(pool: Pool, door: str) -> None:
    """A kept job keeps the wish, and its answer is explained when it is fetched."""
    request = ask(entraide={"explain": True}) if door == "body" else ask()
    headers = {HTTP_NAMES["explain"]: "true"} if door == "header" else {}
    async with pool.send({"request": request}, path="/v1/jobs", **headers) as answer:
        job = (await answer.json())["id"]
    (await pool.placed()).finish()
    _, view = await until_read(
        lambda: pool.call("GET", f"/v1/jobs/{job}"), lambda answer: "result" in answer[1]
    )
    _, explanation = await pool.call("GET", f"/v1/jobs/{job}/explanation")

    assert explanation == view["result"]["entraide"]["explanation"]
    assert job == view["result"]["entraide"]["job"]


def test_a_model_with_signs_that_no_name_has_is_another_unknown_one() -> None:
    """The core takes printable names only; the client hears that the model is unknown."""
    assert ["petit", "ab", "?"] == [_printable(each) for each in ("petit", "a\ud7fcb", "\x80")]

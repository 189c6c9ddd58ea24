"""The pool as its members see it: machines, what waits, the grid's next hours, live events."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.scheduler.gateway_support import KEY_A, KEY_B, MODEL, WAIT_S, Pool, ask, card, open_pool
from tests.waiting import eventually

from entraide.types import (
    Basis,
    DataClass,
    EnergyStatus,
    JobClass,
    JobKind,
    RequestFacts,
    SurplusEvidence,
)
from entraide.wire.messages import KeyRevoked
from entraide_scheduler.core import events as e
from entraide_scheduler.gateway.views import pool_events

LATER = 4e9


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


def change(pool: Pool, node: str, **fields: Any) -> None:
    """Feeds a change of a node, which takes work and has no energy report unless said."""
    values: dict[str, Any] = {"accepting": True, "reason": "", "energy": None, **fields}
    pool.driver.feed(e.NodeChanged(*e.UNNUMBERED, node=node, **values))


async def machine(pool: Pool, node: str, lang: str = "en") -> dict[str, Any]:
    status, view = await pool.call("GET", f"/v1/pool?lang={lang}")
    assert 200 == status, view
    machines = [
        each
        for province in view["provinces"]
        for site in province["sites"]
        for each in site["machines"]
    ]
    return next(each for each in machines if each["node"] == node)


async def read_event(answer: aiohttp.ClientResponse) -> tuple[str, Any]:
    """Reads the next event of a stream, comments left out."""
    name = ""
    while True:
        line = (await asyncio.wait_for(answer.content.readline(), WAIT_S)).decode().rstrip("\n")
        assert line or name or not answer.content.at_eof(), "the stream has ended"
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            return name, json.loads(line[6:])


def listen(pool: Pool, *, key: str = KEY_A, lang: str = "en") -> Any:
    headers = {"authorization": f"Bearer {key}"}
    return pool.session.get(f"/v1/pool/events?lang={lang}", headers=headers)


async def test_pool_is_shown_by_province_and_site(pool: Pool) -> None:
    """Each machine stands at its site, with models, slots and a sentence in the language."""
    _, view = await pool.call("GET", "/v1/pool", accept_language="fr")
    provinces = {province["zone"]: province for province in view["provinces"]}
    quebec = provinces["CA-QC"]

    assert ["CA-ON", "CA-QC"] == sorted(provinces)
    assert ("Québec", 1, 1, 4) == tuple(
        quebec[name] for name in ("name", "machines", "available", "slots")
    )
    assert (1.3, "measured") == (quebec["intensity"]["g_per_kwh"], quebec["intensity"]["basis"])
    site = quebec["sites"][0]
    assert ("n1-site", "gamma") == (site["site"], site["coop"])
    shown = site["machines"][0]
    assert ("n1", "ready", "bench") == (shown["node"], shown["state"], shown["device"])
    assert "Prête\u00a0: ses 4 places sont libres." == shown["sentence"]
    assert [{"model": MODEL, "slots": 4, "running": 0}] == shown["models"]


async def test_pool_needs_a_key(pool: Pool) -> None:
    """Strangers see none of the three calls."""
    statuses = []
    for path in ("/v1/pool", "/v1/pool/events", "/v1/grid"):
        async with pool.session.get(path) as answer:
            statuses.append(answer.status)

    assert [401, 401, 401] == statuses


@pytest.mark.parametrize("reason", ["owner_busy", "activity_unknown", "outside_hours", "made_up"])
async def test_reason_of_an_owner_is_not_told(pool: Pool, reason: str) -> None:
    """Neither members nor strangers learn from a reason that somebody sits at a machine."""
    change(pool, "n1", accepting=False, reason=reason)
    shown = await machine(pool, "n1")
    _, status = await pool.call("GET", "/status.json")
    public = next(node for node in status["nodes"] if node["node"] == "n1")

    assert ("stopped", "owner_terms") == (shown["state"], shown["reason"])
    assert "Takes no work: paused by its owner’s terms." == shown["sentence"]
    assert "owner_terms" == public["reason"]
    assert reason not in json.dumps(status)


async def test_reason_of_an_engine_is_told(pool: Pool) -> None:
    """What the owner has no part in stays visible."""
    change(pool, "n1", accepting=False, reason="engine_down")

    assert "Takes no work: its engine is down." == (await machine(pool, "n1"))["sentence"]


async def test_green_says_how_it_is_known(pool: Pool) -> None:
    """A counted surplus makes a machine green, and is told with its basis and evidence; without
    evidence none of it counts."""
    now = pool.driver.now()
    metered = EnergyStatus(347.0, Basis.MEASURED, "meter", now, LATER)
    change(pool, "n1", energy=metered)
    undocumented = await machine(pool, "n1")
    pool.driver.feed(
        e.NodeVouched(
            *e.UNNUMBERED,
            node="n1",
            controlled_by=card("n1").controlled_by,
            surplus_evidence=SurplusEvidence.METER,
        )
    )
    await eventually(lambda: pool.driver.core.nodes()[0].card.surplus_evidence)
    await asyncio.sleep(0)
    documented = (await fresh(pool, "n1"))["green"]
    other = (await machine(pool, "n2"))["green"]

    assert (False, 0.0, "measured", "") == tuple(
        undocumented["green"][name] for name in ("is_green", "surplus_w", "basis", "evidence")
    )
    assert "none of it counts" in undocumented["green"]["sentence"]
    assert "meter" == documented["evidence"]
    assert "backed by: meter on site" in documented["sentence"]
    assert (False, "Runs on the grid of its province.") == (other["is_green"], other["sentence"])


async def fresh(pool: Pool, node: str) -> dict[str, Any]:
    """Returns a machine as the scheduler describes it now, past the second of the cache."""
    pool.gateway._pool_events.states._states.clear()
    return await machine(pool, node)


async def test_waiting_jobs_are_counted_by_reason(pool: Pool) -> None:
    """The jobs beyond all slots wait for a free one; the answer holds counts and no text."""
    asked = [asyncio.ensure_future(pool.send(ask("SECRET-WORD"))) for _ in range(11)]
    await eventually(lambda: pool.driver.core.queue_lengths().get("alpha") == 3)
    _, view = await pool.call("GET", "/v1/pool?lang=en", key=KEY_B)
    states = {
        machine["state"]
        for province in view["provinces"]
        for site in province["sites"]
        for machine in site["machines"]
    }
    for request in asked:
        request.cancel()
    await asyncio.gather(*asked, return_exceptions=True)

    assert (3, 8) == (view["queued"], view["running"])
    assert [("no_free_slot", 3, {"interactive": 3})] == [
        (each["reason"], each["jobs"], each["by_class"]) for each in view["waiting"]
    ]
    assert "For a free slot." == view["waiting"][0]["sentence"]
    assert {"full"} == states
    assert "SECRET-WORD" not in json.dumps(view)
    assert "alpha" not in json.dumps(view)


async def test_grid_shows_hours_and_what_waits_for_them(pool: Pool) -> None:
    """A batch waits for the greenest hour; its lines stand there, and nowhere else."""
    now = pool.driver.now()
    first = int(now) // 3_600
    values = (90.0, 90.0, 90.0, 5.0, *([90.0] * 44))
    for zone in ("CA-QC", "CA-ON"):
        pool.driver.feed(
            e.ForecastIssued(
                *e.UNNUMBERED,
                zone=zone,
                issued_at=now,
                start_at=first * 3_600.0,
                direct_g_per_kwh=values,
                lifecycle_g_per_kwh=values,
            )
        )
        pool.driver.feed(
            e.IntensityChanged(
                *e.UNNUMBERED,
                zone=zone,
                direct_g_per_kwh=90.0,
                lifecycle_g_per_kwh=90.0,
                basis="measured",
                valid_until=LATER,
            )
        )
    facts = RequestFacts(
        "batch-1", "alpha", "main", "key-alpha", "main", JobKind.KEPT, JobClass.BATCH,
        DataClass.INTERNAL, "CA", MODEL, 10, 20, deadline_at=now + 12 * 3_600.0,
    )  # fmt: skip
    pool.driver.feed(e.BatchStated(*e.UNNUMBERED, facts=facts, lines=7))
    _, view = await pool.call("GET", "/v1/grid?lang=en")
    zones = {zone["zone"]: zone for zone in view["zones"]}
    waiting = {
        (zone["zone"], place): hour["work"]["lines"]
        for zone in view["zones"]
        for place, hour in enumerate(zone["hours"])
        if hour["work"]["lines"]
    }

    assert 24 == len(zones["CA-QC"]["hours"])
    hours = zones["CA-QC"]["hours"]
    assert ["actual", "forecast", "forecast"] == [hour["signal"] for hour in hours[:3]]
    assert first * 3_600 + 3 * 3_600.0 == hours[3]["at"]
    assert 7 == sum(waiting.values())
    assert {3} == {place for _, place in waiting}
    assert "published forecast" == view["signals"]["forecast"]


async def test_events_tell_the_whole_and_then_changes(pool: Pool) -> None:
    """The first event is the whole pool; a later one has only the province that changed."""
    async with listen(pool) as answer:
        first = await read_event(answer)
        change(pool, "n2", accepting=False, reason="owner_busy")
        second = await read_event(answer)

    assert "text/event-stream" in answer.headers["content-type"]
    assert ("pool", 2) == (first[0], len(first[1]["provinces"]))
    assert "change" == second[0]
    assert ["CA-ON"] == [province["zone"] for province in second[1]["provinces"]]
    assert "owner_terms" == second[1]["provinces"][0]["sites"][0]["machines"][0]["reason"]
    await eventually(lambda: not len(pool.gateway._pool_events))


async def test_events_say_nothing_while_nothing_changes(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a change, listeners get comments only."""
    monkeypatch.setattr(pool_events, "EVERY_S", 0.01)
    monkeypatch.setattr(pool_events, "COMMENT_EVERY_S", 0.05)
    async with listen(pool) as answer:
        await read_event(answer)
        lines = [await asyncio.wait_for(answer.content.readline(), WAIT_S) for _ in range(7)]

    assert {b"\n", b": en attente | waiting\n"} == set(lines)


async def test_events_end_with_the_key(pool: Pool) -> None:
    """A revoked key's stream ends at once with the error; another key's goes on."""
    async with listen(pool) as own, listen(pool, key=KEY_B) as other:
        await read_event(own)
        await read_event(other)
        pool.gateway.on_scheduler_message(KeyRevoked("key-alpha"))
        name, last = await read_event(own)
        change(pool, "n2", accepting=False, reason="engine_down")
        goes_on, _ = await read_event(other)
        rest = await own.read()

    assert ("end", "unauthorised") == (name, last["error"]["code"])
    assert b"\n" == rest
    assert "change" == goes_on


async def test_events_end_when_the_key_is_found_revoked(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that was not told looks the key up again, and ends the stream."""
    monkeypatch.setattr(pool_events, "EVERY_S", 0.01)
    monkeypatch.setattr(pool_events, "COMMENT_EVERY_S", 0.02)
    async with listen(pool) as answer:
        await read_event(answer)
        await pool.store.revoke_key("key-alpha")
        name, last = await read_event(answer)

    assert ("end", "unauthorised") == (name, last["error"]["code"])


async def test_listeners_are_limited(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One key may hold so many streams; the next is refused with the number."""
    monkeypatch.setattr(pool_events, "LISTENERS_PER_KEY_MAX", 2)
    async with listen(pool), listen(pool), listen(pool) as third, listen(pool, key=KEY_B) as other:
        refusal = await third.json()

    assert (429, "too_many_requests") == (third.status, refusal["error"]["code"])
    assert "2" in refusal["error"]["message"]
    assert 200 == other.status

"""What a batch says of its hours and grams: when it will run, and what waiting saved."""

import asyncio
from pathlib import Path

import pytest
from tests.scheduler.batch_support import answering_nodes, create, jsonl, lines, small_window, until
from tests.scheduler.gateway_support import WAIT_S, Pool, open_pool

from entraide_scheduler.core import events as e
from entraide_scheduler.gateway.batches import feeder
from entraide_scheduler.gateway.batches.outcome import read_expected
from entraide_scheduler.store import batches as table


def forecast(pool: Pool, *g_per_kwh: float) -> None:
    """Feeds a forecast for all zones, hour by hour from the present hour on."""
    now = pool.driver.now()
    for zone in ("CA-QC", "CA-ON"):
        values = {"zone": zone, "issued_at": now, "start_at": now // 3_600 * 3_600}
        pool.driver.feed(e.ForecastIssued(*e.UNNUMBERED, direct_g_per_kwh=g_per_kwh, **values))
        pool.driver.feed(
            e.IntensityChanged(
                *e.UNNUMBERED,
                zone=zone,
                direct_g_per_kwh=g_per_kwh[0],
                lifecycle_g_per_kwh=g_per_kwh[0],
                basis="measured",
                valid_until=4e9,
            )
        )


async def test_a_batch_in_the_greenest_hours_says_that_it_runs_now(tmp_path: Path) -> None:
    """Where no later hour is greener, the sentence does not promise to wait for one."""
    async with open_pool(tmp_path) as pool:
        forecast(pool, 30.0, *[30.0, 300.0, 300.0, 300.0] * 10)
        _, batch = await create(pool, jsonl(*lines(5)), entraide={"deadline": 8 * 3_600})
        view = await until(pool, batch["id"], "in_progress")
        expected = view["entraide"]["expected"]

    assert "later" == expected["reason"]
    assert expected["sentence"]["fr"].startswith("Les heures qui viennent sont les plus vertes")
    assert expected["sentence"]["en"].startswith("The hours from now on are the greenest")


async def test_a_batch_says_when_it_will_run_and_why(tmp_path: Path) -> None:
    """In a dirty hour its lines wait for the green ones; hours and grams are said in advance."""
    async with open_pool(tmp_path) as pool:
        hour = int(pool.driver.now() // 3_600 * 3_600)
        forecast(pool, 300.0, *[300.0, 300.0, 30.0, 30.0, 300.0] * 8)
        _, batch = await create(pool, jsonl(*lines(5)), entraide={"deadline": 8 * 3_600})
        view = await until(pool, batch["id"], "in_progress")
        expected = view["entraide"]["expected"]
        placed = pool.nodes.runs.qsize()

    assert ("later", "forecast") == (expected["reason"], expected["basis"])
    assert {3, 4} >= {(used["starts_at"] - hour) // 3_600 for used in expected["hours"]}
    assert 1.0 == pytest.approx(sum(used["part"] for used in expected["hours"]))
    assert 10.0 == pytest.approx(expected["g_at_once"] / expected["g_planned"])
    assert expected["energy_wh"] > 0
    assert "heures plus vertes" in expected["sentence"]["fr"]
    assert "greener hours" in expected["sentence"]["en"]
    assert expected["starts_at"] < expected["ends_at"] <= view["entraide"]["deadline_at"]
    assert 0 == placed


async def test_a_batch_says_what_waiting_saved(tmp_path: Path) -> None:
    """At its end: its energy at the intensity expected at once, less the grams settled."""
    async with open_pool(tmp_path) as pool, answering_nodes(pool):
        _, batch = await create(pool, jsonl(*lines(3)))
        done = await until(pool, batch["id"], "completed")
    own = done["entraide"]

    assert own["expected"] is None
    assert own["energy_wh"] / 1_000 * own["at_once_g_per_kwh"] - own["carbon_gco2e"] == (
        pytest.approx(own["saved_g"])
    )
    assert "at once" in own["saved_sentence"]["en"]
    assert own["saved_sentence"]["fr"]


async def test_the_plan_is_asked_for_again_while_a_batch_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new forecast moves what is expected; what it is compared with stays that of the start."""
    small_window(monkeypatch, 2)
    monkeypatch.setattr(feeder, "EXPECT_EVERY_S", 0.0)
    async with open_pool(tmp_path) as pool:
        forecast(pool, 300.0, *[300.0, 30.0, 300.0] * 8)
        _, batch = await create(pool, jsonl(*lines(5)), entraide={"deadline": 8 * 3_600})
        await until(pool, batch["id"], "in_progress")
        forecast(pool, 100.0, *[100.0, 100.0, 10.0, 100.0] * 8)
        pool.gateway._wake_feeder()
        async with asyncio.timeout(WAIT_S):
            while True:
                row = await pool.store.read(lambda c: table.get_batch(c, batch["id"]))
                known = read_expected(row.expected)
                if known.now.hours[0].g_per_kwh < 20.0:
                    break
                await asyncio.sleep(0)

    assert 300.0 == pytest.approx(known.first.at_once_g_per_kwh)
    assert 100.0 == pytest.approx(known.now.at_once_g_per_kwh)

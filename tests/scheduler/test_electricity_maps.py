"""Electricity Maps' API on the loopback: valid and invalid responses, intervals, fallbacks."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from msgspec.structs import replace
from tests.scheduler.test_config import written
from tests.waiting import eventually

from entraide.errors import PoolError
from entraide.types import Basis
from entraide_scheduler.config import ElectricityMapsConfig, load_config
from entraide_scheduler.core import events as e
from entraide_scheduler.grid.annual import AnnualAverage
from entraide_scheduler.grid.electricitymaps import ElectricityMaps, FetchFailure
from entraide_scheduler.grid.feed import HourlyIntensity, IntensityFeed, IntensityReading
from entraide_scheduler.grid.forecasts import ForecastSeries, ZoneForecast
from entraide_scheduler.grid.poller import GridPoller
from entraide_scheduler.grid.series import IntensitySeries
from entraide_scheduler.periodic import PeriodicTasks

ZONE, TOKEN, HOUR = "CA-ON", "a-token-of-ours", 3_600.0
NOON = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC).timestamp()
YEAR = {ZONE: AnnualAverage(ZONE, 2024, 70.0, 100.0, "test")}


def stamp(moment: float) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Api:
    """The two routes that we ask, in their documented shape (version 4)."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict[str, str]] = []
        self.at = NOON
        self.intensities = {"direct": 41.0, "lifecycle": 73.5}
        self.hours = {"direct": [41.0, 39.0, 55.0], "lifecycle": [73.0, 71.0, 88.0]}
        self.estimated = False
        self.broken: dict[str, Callable[[dict[str, Any]], object]] = {}
        self.status: dict[str, int] = {}
        self.headers: dict[str, str] = {}

    async def answer(self, request: web.Request) -> web.Response:
        """Answers a question, if the token is right."""
        what, query = request.match_info["what"], dict(request.query)
        self.asked.append({"what": what, **query})
        if request.headers.get("auth-token") != TOKEN:
            return web.json_response({"error": "Invalid auth-token"}, status=401)
        if what in self.status:
            return web.json_response(
                {"error": "no"}, status=self.status[what], headers=self.headers
            )
        factor = query["emissionFactorType"]
        result: dict[str, Any] = {"zone": query["zone"], "updatedAt": stamp(self.at + 300.0)}
        if what == "latest":
            result |= {
                "carbonIntensity": self.intensities[factor],
                "datetime": stamp(self.at),
                "createdAt": stamp(self.at),
                "emissionFactorType": factor,
                "isEstimated": self.estimated,
                "estimationMethod": "TIME_SLICER_AVERAGE" if self.estimated else None,
                "temporalGranularity": "hourly",
            }
        else:
            result |= {
                "forecast": [
                    {"carbonIntensity": value, "datetime": stamp(self.at + n * HOUR)}
                    for n, value in enumerate(self.hours[factor])
                ],
                "temporalGranularity": "hourly",
            }
        changed = self.broken.get(what, lambda same: same)(result)
        if isinstance(changed, str):
            return web.Response(text=changed)
        return web.json_response(changed)


@asynccontextmanager
async def api() -> AsyncIterator[Api]:
    """The API on a free port."""
    client = Api()
    app = web.Application()
    app.router.add_get("/v4/carbon-intensity/{what}", client.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v4"
    try:
        yield client
    finally:
        await runner.cleanup()


def config(served: Api, **keys: object) -> ElectricityMapsConfig:
    return replace(ElectricityMapsConfig(zones=(ZONE,), url=served.url), **keys)


@asynccontextmanager
async def asking(served: Api, token: str = TOKEN) -> AsyncIterator[ElectricityMaps]:
    """A client of the API."""
    client = ElectricityMaps(config(served), token)
    try:
        yield client
    finally:
        await client.close()


@pytest.mark.parametrize("estimated", [False, True])
async def test_the_newest_hour(estimated: bool) -> None:
    """Direct and life-cycle intensity of one hour, and whether they are estimates of theirs."""
    async with api() as served, asking(served) as client:
        served.estimated = estimated
        result = await client.fetch_latest(ZONE)

    basis = Basis.ESTIMATED if estimated else Basis.MEASURED
    assert HourlyIntensity(ZONE, NOON, 41.0, 73.5, basis) == result
    assert [
        {"what": "latest", "zone": ZONE, "emissionFactorType": factor,
         "temporalGranularity": "hourly", "disableCallerLookup": "true"}
        for factor in ("direct", "lifecycle")
    ] == served.asked  # fmt: skip


async def test_a_forecast() -> None:
    """A forecast has both intensities hour by hour, and when it was made."""
    async with api() as served, asking(served) as client:
        result = await client.fetch_forecast(ZONE, NOON + 600.0)

    expected = ZoneForecast(ZONE, NOON + 300.0, NOON, (41.0, 39.0, 55.0), (73.0, 71.0, 88.0))
    assert expected == result
    assert ["24", "24"] == [queries["horizonHours"] for queries in served.asked]


async def test_a_forecast_is_as_long_as_both_have_it() -> None:
    """An hour that one of the two lacks ends the forecast."""
    async with api() as served, asking(served) as client:
        served.hours["lifecycle"] = [73.0, 71.0]
        result = await client.fetch_forecast(ZONE, NOON + 600.0)

    assert isinstance(result, ZoneForecast)
    assert ((41.0, 39.0), (73.0, 71.0)) == (result.direct_g_per_kwh, result.lifecycle_g_per_kwh)


async def test_a_forecast_from_the_future_was_made_now() -> None:
    """A clock of theirs that runs ahead makes no forecast that is not known yet."""
    async with api() as served, asking(served) as client:
        result = await client.fetch_forecast(ZONE, NOON)

    assert isinstance(result, ZoneForecast)
    assert NOON == result.issued_at


BROKEN = {
    "another zone": lambda said: said | {"zone": "CA-QC"},
    "another kind of factor": lambda said: said | {"emissionFactorType": "market"},
    "no number": lambda said: said | {"carbonIntensity": "low"},
    "nothing": lambda said: said | {"carbonIntensity": None},
    "less than nothing": lambda said: said | {"carbonIntensity": -1.0},
    "more than coal ever was": lambda said: said | {"carbonIntensity": 1e6},
    "no hour": lambda said: said | {"datetime": "lunch time"},
    "not JSON": lambda _: "<html>",
    "too long": lambda _: "[" + " " * 2_000_000 + "]",
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_not_believed(name: str) -> None:
    """An answer that is not the one to our question is none."""
    async with api() as served, asking(served) as client:
        served.broken["latest"] = BROKEN[name]
        result = await client.fetch_latest(ZONE)

    assert FetchFailure("unreadable") == result


BROKEN_FORECASTS = {
    "another zone": lambda said: said | {"zone": "CA-QC"},
    "empty": lambda said: said | {"forecast": []},
    "a hole": lambda said: said | {"forecast": [{"datetime": stamp(NOON)}]},
    "less than nothing": lambda said: (
        said | {"forecast": [{"datetime": stamp(NOON), "carbonIntensity": -4}]}
    ),
}


@pytest.mark.parametrize("name", BROKEN_FORECASTS)
async def test_what_is_no_forecast(name: str) -> None:
    """A forecast of another zone, of nothing, or with a value that is none, is none."""
    async with api() as served, asking(served) as client:
        served.broken["forecast"] = BROKEN_FORECASTS[name]
        result = await client.fetch_forecast(ZONE, NOON)

    assert FetchFailure("unreadable") == result


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (403, {}, FetchFailure("refused", 403)),
        (404, {}, FetchFailure("failed", 404)),
        (429, {"Retry-After": "120"}, FetchFailure("too_many", 429, 120.0)),
        (429, {"Retry-After": "soon"}, FetchFailure("too_many", 429)),
        (302, {"Location": "http://127.0.0.1:1/"}, FetchFailure("failed", 302)),
        (503, {}, FetchFailure("failed", 503)),
    ],
)
async def test_troubles(status: int, headers: dict[str, str], expected: FetchFailure) -> None:
    """What the API refuses is told by a code; a redirect is not followed with our token."""
    async with api() as served, asking(served) as client:
        served.status["latest"], served.headers = status, headers
        result = await client.fetch_latest(ZONE)

    assert expected == result


async def test_a_wrong_token_and_nobody_there() -> None:
    """A wrong token is refused, and an address that nobody answers is unreachable."""
    async with api() as served:
        async with asking(served, "another") as client:
            refused = await client.fetch_latest(ZONE)
        gone = replace(config(served), url="http://127.0.0.1:1/v4")
    client = ElectricityMaps(gone, TOKEN)
    unreachable = await client.fetch_latest(ZONE)
    await client.close()

    assert (FetchFailure("refused", 401), FetchFailure("unreachable")) == (refused, unreachable)


# The feed.

FILED = IntensitySeries(ZONE, {int(NOON + 2 * HOUR): (50.0, 80.0)})


def test_what_is_told_goes_first_and_falls_back() -> None:
    """An hour that was told holds to its end, for one more as an estimate, then series, average."""
    feed = IntensityFeed([FILED], YEAR)
    feed.put_hour(HourlyIntensity(ZONE, NOON, 41.0, 73.5, Basis.MEASURED))
    readings = [feed.readings_at(NOON + n * HOUR)[0] for n in range(-1, 4)]

    assert [
        IntensityReading(ZONE, 70.0, 100.0, Basis.DEFAULT, NOON),
        IntensityReading(ZONE, 41.0, 73.5, Basis.MEASURED, NOON + HOUR),
        IntensityReading(ZONE, 41.0, 73.5, Basis.ESTIMATED, NOON + 2 * HOUR),
        IntensityReading(ZONE, 50.0, 80.0, Basis.MEASURED, NOON + 3 * HOUR),
        IntensityReading(ZONE, 70.0, 100.0, Basis.DEFAULT, NOON + 4 * HOUR),
    ] == readings


def test_the_newest_forecast_counts_wherever_it_is_from() -> None:
    """Of a file's forecast and one that was told, the newer one that is known counts."""
    filed = ZoneForecast(ZONE, NOON, NOON, (1.0,))
    forecast = ZoneForecast(ZONE, NOON + HOUR, NOON + HOUR, (2.0,))
    feed = IntensityFeed([], YEAR, [ForecastSeries(ZONE, (filed,))])
    feed.put_forecast(forecast)

    assert [(), (filed,), (forecast,)] == [feed.forecasts_at(NOON + n * HOUR) for n in (-1, 0, 1)]


# The watch.


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = NOON + 400.0

    def __call__(self) -> float:
        return self.now_s


def ignore_new_hour() -> None:
    """Does nothing: the test reads the feed."""


async def test_it_asks_as_often_as_it_should() -> None:
    """The intensity each ten minutes, the forecast each hour; an hour is announced once."""
    clock, feed, announced_at = Clock(), IntensityFeed([], YEAR), []
    async with api() as served, asking(served) as client:
        watch = GridPoller(
            config(served),
            feed,
            now=clock,
            on_new_hour=lambda: announced_at.append(clock.now_s),
        )
        counts = []
        for wait_s in (0.0, 599.0, 1.0, 3_000.0):
            clock.now_s += wait_s
            await watch.poll_due(client)
            counts.append([queries["what"] for queries in served.asked].count("latest"))
            counts.append([queries["what"] for queries in served.asked].count("forecast"))

    assert [2, 2, 2, 2, 4, 2, 6, 4] == counts
    assert [NOON + 400.0] == announced_at
    assert Basis.MEASURED is feed.readings_at(NOON + 400.0)[0].basis
    assert 1 == len(feed.forecasts_at(clock.now_s))


async def test_trouble_makes_it_patient() -> None:
    """After trouble it waits twice as long each time, up to an hour, or as long as it is told."""
    clock, waits = Clock(), []
    async with api() as served, asking(served) as client:
        watch = GridPoller(
            config(served, forecasts=False),
            IntensityFeed([], YEAR),
            now=clock,
            on_new_hour=ignore_new_hour,
        )
        served.status["latest"] = 503
        for n in range(6):
            if n == 5:
                served.status["latest"], served.headers = 429, {"Retry-After": "7200"}
            await watch.poll_due(client)
            waits.append(watch._due[(ZONE, "latest")] - clock.now_s)
            clock.now_s += waits[-1]

    assert [600.0, 1_200.0, 2_400.0, 3_600.0, 3_600.0, 7_200.0] == waits


async def test_a_contract_without_forecasts() -> None:
    """A forecast that the contract lacks is asked for once a day, and the intensity goes on."""
    clock, feed = Clock(), IntensityFeed([], YEAR)
    async with api() as served, asking(served) as client:
        served.status["forecast"] = 403
        watch = GridPoller(config(served), feed, now=clock, on_new_hour=ignore_new_hour)
        for _ in range(24):
            await watch.poll_due(client)
            clock.now_s += HOUR

    whats = [queries["what"] for queries in served.asked]
    assert (48, 1) == (whats.count("latest"), whats.count("forecast"))


async def test_the_token_is_in_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the API answers, our token is in its header and nowhere else."""
    monkeypatch.setenv("MAPS_TOKEN", TOKEN)
    async with api() as served:
        feed, new_hour = IntensityFeed([], YEAR), asyncio.Event()
        served.status["forecast"] = 500
        with structlog.testing.capture_logs() as logged:
            watch = GridPoller(
                config(served, token_env="MAPS_TOKEN"), feed, now=Clock(), on_new_hour=new_hour.set
            )
            watch.start()
            await new_hour.wait()
            await eventually(lambda: logged)
            await watch.stop()

    assert ["grid.lost"] == [line["event"] for line in logged]
    assert TOKEN not in repr(logged)
    assert not any(TOKEN in value for queries in served.asked for value in queries.values())


async def test_without_a_token_the_feed_falls_back(tmp_path: Path) -> None:
    """No token is told once, asks nothing, and leaves the average in force."""
    async with api() as served:
        feed = IntensityFeed([], YEAR)
        keys = {"token_file": str(tmp_path / "none")}
        with structlog.testing.capture_logs() as logged:
            watch = GridPoller(
                config(served, **keys), feed, now=Clock(), on_new_hour=ignore_new_hour
            )
            watch.start()
            await watch.stop()

    assert ["grid.no_token"] == [line["event"] for line in logged]
    assert [] == served.asked
    assert Basis.DEFAULT is feed.readings_at(NOON)[0].basis


class RecordingDriver:
    """Records the events that periodic tasks feed."""

    def __init__(self, now: float) -> None:
        self.now_s = now
        self.fed: list[e.Event] = []

    def now(self) -> float:
        """The test's moment."""
        return self.now_s

    def feed(self, event: e.Event) -> bool:
        """Keeps an event."""
        self.fed.append(event)
        return True


def test_the_core_hears_of_a_change_at_once_and_once() -> None:
    """A new hour reaches the core in the middle of an hour, and only what changed is told."""
    other = "CA-QC"
    feed = IntensityFeed([], YEAR | {other: AnnualAverage(other, 2024, 1.0, 30.0, "test")})
    driver: Any = RecordingDriver(NOON + 400.0)
    nothing: Any = None
    periodic = PeriodicTasks(
        driver, store=nothing, nodes=nothing, gateways=nothing, feed=feed, timezone="UTC",
        check_clock=nothing,
    )  # fmt: skip
    periodic.feed_intensity()
    feed.put_hour(HourlyIntensity(ZONE, NOON, 41.0, 73.5, Basis.MEASURED))
    periodic.feed_intensity()
    periodic.feed_intensity()

    assert [(ZONE, "default"), (other, "default"), (ZONE, "measured")] == [
        (event.zone, event.basis) for event in driver.fed if isinstance(event, e.IntensityChanged)
    ]


# The config.

WRONG = {
    "no zone": "zones = []",
    "a zone that is none": 'zones = ["Ontario, Canada"]',
    "too often": 'zones = ["CA-ON"]\nevery_s = 1.0',
    "too far": 'zones = ["CA-ON"]\nhorizon_h = 1000',
    "a token in the clear": 'zones = ["CA-ON"]\nurl = "http://api.example.org/v4"',
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name: str, tmp_path: Path) -> None:
    """A config that cannot be meant is refused; the token never travels in the clear."""
    with pytest.raises(PoolError) as refused:
        load_config(written(tmp_path, f'dir = "."\n[grid.electricity_maps]\n{WRONG[name]}\n'))

    assert "config_refused" == refused.value.code
    assert "electricity_maps" in refused.value.message


def test_a_token_file_is_beside_the_config(tmp_path: Path) -> None:
    """The file that holds the token is looked for beside the config."""
    text = 'dir = "."\n[grid.electricity_maps]\nzones = ["CA-ON"]\ntoken_file = "maps.token"\n'
    maps = load_config(written(tmp_path, text)).grid.electricity_maps

    assert maps is not None
    assert str(tmp_path / "maps.token") == maps.token_file

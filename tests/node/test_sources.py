"""Each kind of source against a real peer: its value, its time, and its faults."""

import asyncio
import contextlib
import datetime as dt
import json
import time
from pathlib import Path

import aiomqtt
import msgspec
import pytest
from aiohttp import web
from tests.cases import all_cases
from tests.node.energy_peers import Home, broker, float_at, home, inverter
from tests.node.support import DEADLINE_S
from tests.ports import free_port

from entraide_node.energy.mqtt_source import MqttSource
from entraide_node.energy.source_config import CsvFile, HomeAssistant, Http, Mqtt, Sunspec
from entraide_node.energy.source_factory import make_source
from entraide_node.energy.source_values import (
    NO_SECRET,
    REFUSED,
    UNAVAILABLE,
    UNREACHABLE,
    UNREADABLE,
    MissingValue,
    SourceValue,
    ValueSource,
)

LOCAL = "127.0.0.1"


async def heard(source: ValueSource) -> float:
    """Asks until there is a value."""
    async with asyncio.timeout(DEADLINE_S):
        while not isinstance(said := await source.read(), SourceValue):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return said.number


async def told(
    source: ValueSource, client: aiomqtt.Client, topic: str, payload: str
) -> SourceValue:
    """Publishes until the source has heard it."""
    async with asyncio.timeout(DEADLINE_S):
        while not isinstance(said := await source.read(), SourceValue):
            await client.publish(topic, payload)
            await asyncio.sleep(0.02)
    return said


async def missed(source: ValueSource, fault: str) -> MissingValue:
    """Asks until it fails in one way."""
    async with asyncio.timeout(DEADLINE_S):
        while fault_in(said := await source.read()) != fault:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert isinstance(said, MissingValue)
    return said


def fault_in(said: SourceValue | MissingValue) -> str:
    return said.fault if isinstance(said, MissingValue) else ""


def fault_of(said: SourceValue | MissingValue) -> str:
    assert isinstance(said, MissingValue)
    return said.fault


# SunSpec.

DEVICES = {
    "an inverter with a scale": ("generation", {1: {}, 103: {14: 123, 15: 1}}, 1_230.0),
    "an inverter with a fraction": ("generation", {1: {}, 103: {14: 12_345, 15: -1}}, 1_234.5),
    "an inverter that takes power": ("generation", {1: {}, 103: {14: -12, 15: 0}}, -12.0),
    "an inverter with floats": ("generation", {1: {}, 113: float_at(22, 512.5)}, 512.5),
    "an inverter of the newer kind": ("generation", {1: {}, 701: {10: 77, 116: 1}}, 770.0),
    "a meter behind an inverter": (
        "grid", {1: {}, 103: {14: 9, 15: 2}, 203: {18: -432, 22: 0}}, -432.0,
    ),
    "a meter with floats": ("use", {1: {}, 213: float_at(28, 321.25)}, 321.25),
    "a battery's charge": ("charge", {1: {}, 124: {8: 875, 22: -1}}, 87.5),
    "a battery's charge, newer": ("charge", {1: {}, 713: {4: 64, 8: 0}}, 64.0),
    "a battery bank": ("battery", {1: {}, 802: {47: -150, 63: 1}}, -1_500.0),
}  # fmt: skip


@pytest.mark.parametrize("name", DEVICES)
async def test_sunspec(name: str) -> None:
    """A device's number is found in its list of models, after any other models."""
    role, models, expected = DEVICES[name]
    async with inverter(models) as device:
        config = Sunspec(host=LOCAL, port=device.port)
        source = make_source(config, role=role, folder=Path())
        said = [await source.read(), await source.read()]
        await source.close()

    assert [expected, expected] == [v.number for v in said if isinstance(v, SourceValue)]


@all_cases("model", [101, 102, 103, 111, 112, 113, 701, 201, 202, 203, 204,
                                   211, 212, 213, 214, 124, 713, 802])  # fmt: skip
def test_places_are_the_alliances_own(model: int) -> None:
    """Each offset is the one in the SunSpec Alliance's own definition of the model."""
    from sunspec2.device import get_model_def

    from entraide_node.energy.sunspec_source import BATTERIES, CHARGES, INVERTERS, METERS

    offset, places = 0, {}
    for point in get_model_def(model)["group"]["points"]:
        places[point["name"]] = (offset, point.get("sf"), point["type"])
        offset += point.get("size", 1)
    checked = {}
    for table in (INVERTERS, METERS, BATTERIES, CHARGES):
        if model in table:
            place = table[model]
            names = ("SoC", "ChaState") if table is CHARGES else ("W",)
            name = next(n for n in names if n in places)
            at, scale, kind = places[name]
            checked[name] = place
            expected = (at, places[scale][0] if scale else 0, kind in ("int16", "float32"))

            assert expected == (place.at, place.scale_at, place.signed)
    assert checked


async def test_sunspec_as_the_alliance_reads_it() -> None:
    """The Alliance's own reader finds the same number on the same device."""
    from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

    def theirs(port: int) -> float:
        device = SunSpecModbusClientDeviceTCP(1, LOCAL, port, timeout=DEADLINE_S)
        device.scan()
        return float(device.models[103][0].W.cvalue)

    async with inverter({1: {}, 103: {14: 4_321, 15: -1}}) as device:
        source = make_source(
            Sunspec(host=LOCAL, port=device.port), role="generation", folder=Path()
        )
        ours = await heard(source)
        other = await asyncio.to_thread(theirs, device.port)
        await source.close()

    assert other == ours


async def test_sunspec_without_the_number() -> None:
    """A point that the device leaves out, and a model that it does not have, are no zeros."""
    async with inverter({1: {}, 103: {14: 0x8000, 15: 0}}) as device:
        config = Sunspec(host=LOCAL, port=device.port)
        absent, other = (make_source(config, role=r, folder=Path()) for r in ("generation", "grid"))
        said = [fault_of(await absent.read()), fault_of(await other.read())]
        await absent.close()
        await other.close()

    assert [UNAVAILABLE, UNAVAILABLE] == said


async def test_sunspec_comes_back() -> None:
    """A device that went away and came back with other models is read again."""
    port = free_port()
    source = make_source(Sunspec(host=LOCAL, port=port), role="generation", folder=Path())
    away = fault_of(await source.read())
    async with inverter({1: {}, 103: {14: 5, 15: 1}}, port):
        first = await heard(source)
    gone = fault_of(await source.read())
    async with inverter({1: {}, 113: float_at(22, 60.0)}, port):
        second = await heard(source)
    await source.close()

    assert (UNREACHABLE, UNREACHABLE) == (away, gone)
    assert (50.0, 60.0) == (first, second)


# MQTT.

PAYLOADS = {
    "a Shelly plug of the second generation": (
        "shelly", {"id": 0, "output": True, "apower": 61.2, "voltage": 121.9},
        61.2,
    ),
    "a Shelly three-phase meter": (
        "shelly", {"id": 0, "a_act_power": 1.0, "total_act_power": -250.5}, -250.5,
    ),
    "a Tasmota plug": (
        "tasmota", {"Time": "2026-11-25T10:00:00", "ENERGY": {"Total": 3.2, "Power": 45}}, 45.0,
    ),
    "a Tasmota strip": ("tasmota", {"ENERGY": {"Power": [10, 20.5]}}, 30.5),
    "a Zigbee plug": ("zigbee2mqtt", {"power": 0, "state": "ON", "linkquality": 80}, 0.0),
    "a bare number": ("number", 17.5, 17.5),
}  # fmt: skip


@pytest.mark.parametrize("name", PAYLOADS)
async def test_mqtt(name: str, tmp_path: Path) -> None:
    """Each maker's payload is read as it comes from a real broker."""
    shape, payload, expected = PAYLOADS[name]
    async with broker(tmp_path, port=free_port()) as port:
        config = Mqtt(host=LOCAL, port=port, topic="plug/status", shape=shape)
        source = make_source(config, role="meter", folder=tmp_path)
        async with aiomqtt.Client(LOCAL, port) as client:
            said = await told(source, client, "plug/status", json.dumps(payload))
        await source.close()

    assert expected == said.number


async def test_mqtt_path_and_sign(tmp_path: Path) -> None:
    """A payload of unknown shape is read by a path, and its sign may be reversed."""
    async with broker(tmp_path, port=free_port()) as port:
        config = Mqtt(
            host=LOCAL, port=port, topic="home/p1", path="tariff[?name=='back'].kw", scale=-1_000.0
        )
        source = make_source(config, role="grid", folder=tmp_path)
        payload = json.dumps({"tariff": [{"name": "in", "kw": 0}, {"name": "back", "kw": "1.25"}]})
        async with aiomqtt.Client(LOCAL, port) as client:
            said = await told(source, client, "home/p1", payload)
        await source.close()

    assert -1_250.0 == said.number


async def test_mqtt_ends_though_a_cancellation_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Python 3.11 its library may ignore a cancellation; the source is closed all the same."""
    listening = asyncio.Event()

    async def ignore_one(_: MqttSource) -> None:
        listening.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    monkeypatch.setattr(MqttSource, "_listen", ignore_one)
    source = MqttSource(Mqtt(host=LOCAL, port=1, topic="plug/power"), tmp_path)
    await source.read()
    await listening.wait()
    task = source._listening
    async with asyncio.timeout(30.0):
        await source.close()

    assert task is not None
    assert task.done()


async def test_mqtt_retained_tells_nothing(tmp_path: Path) -> None:
    """A message that the broker kept may be days old, so it is not a value."""
    async with broker(tmp_path, port=free_port()) as port:
        async with aiomqtt.Client(LOCAL, port) as client:
            await client.publish("plug/power", "900", qos=1, retain=True)
        config = Mqtt(host=LOCAL, port=port, topic="plug/power", shape="number")
        source = make_source(config, role="meter", folder=tmp_path)
        async with aiomqtt.Client(LOCAL, port) as client:
            said = await told(source, client, "plug/power", "12")
        await source.close()

    assert 12.0 == said.number


async def test_mqtt_comes_back(tmp_path: Path) -> None:
    """A broker that is not there yet is called again until it is."""
    port = free_port()
    config = Mqtt(host=LOCAL, port=port, topic="plug/power", shape="number")
    source = make_source(config, role="meter", folder=tmp_path)
    await missed(source, UNREACHABLE)
    async with (
        broker(tmp_path, port=port),
        aiomqtt.Client(LOCAL, port) as client,
    ):
        said = await told(source, client, "plug/power", "33")
    await source.close()

    assert 33.0 == said.number


async def test_mqtt_password(tmp_path: Path) -> None:
    """The password is read from its file; a wrong one and a missing one have different codes."""
    (tmp_path / "right").write_text("beau temps\n")
    (tmp_path / "wrong").write_text("pluie\n")
    async with broker(tmp_path, port=free_port(), password="beau temps") as port:

        def with_password(name: str) -> ValueSource:
            config = Mqtt(host=LOCAL, port=port, topic="t", username="node", password_file=name)
            return make_source(config, role="meter", folder=tmp_path)

        right, wrong, none = (with_password(name) for name in ("right", "wrong", "missing"))
        await missed(wrong, REFUSED)
        await missed(none, NO_SECRET)
        async with aiomqtt.Client(LOCAL, port, username="node", password="beau temps") as client:
            said = await told(right, client, "t", "8")
        for source in (right, wrong, none):
            await source.close()

    assert 8.0 == said.number


# Home Assistant.


def reported(age_s: float = 0.0) -> str:
    return dt.datetime.fromtimestamp(time.time() - age_s, dt.UTC).isoformat()


async def of_home(
    page: Home, folder: Path, entity: str = "sensor.solar"
) -> SourceValue | MissingValue:
    """Reads a sensor with the right token in a file."""
    (folder / "token").write_text(Home.TOKEN)
    config = HomeAssistant(url=page.url, entity=entity, token_file="token")
    source = make_source(config, role="generation", folder=folder)
    said = await source.read()
    await source.close()
    return said


@pytest.mark.parametrize(
    ("state", "unit", "expected"), [("640.5", "W", 640.5), ("1.2", "kW", 1200)]
)
async def test_home_assistant(state: str, unit: str, expected: float, tmp_path: Path) -> None:
    """A sensor's state counts in its unit, and held when the sensor last reported."""
    async with home() as page:
        page.states["sensor.solar"] = {
            "state": state,
            "attributes": {"unit_of_measurement": unit, "device_class": "power"},
            "last_changed": reported(900.0),
            "last_updated": reported(900.0),
            "last_reported": reported(30.0),
        }
        said = await of_home(page, tmp_path)

    assert isinstance(said, SourceValue)
    assert expected == said.number
    assert 30.0 <= time.time() - said.at < 30.0 + DEADLINE_S


STATES = {
    "a sensor that is away": ({"state": "unavailable", "attributes": {}}, UNAVAILABLE),
    "a sensor that has not spoken": ({"state": "unknown", "attributes": {}}, UNAVAILABLE),
    "energy, not power": (
        {"state": "3", "attributes": {"unit_of_measurement": "kWh"}},
        UNREADABLE,
    ),
    "a word": ({"state": "sunny", "attributes": {"unit_of_measurement": "W"}}, UNREADABLE),
    "a moment that is none": (
        {"state": "3", "attributes": {"unit_of_measurement": "W"}, "last_updated": "soon"},
        UNREADABLE,
    ),
}


@pytest.mark.parametrize("name", STATES)
async def test_home_assistant_without_a_number(name: str, tmp_path: Path) -> None:
    """A state that is no power is no value."""
    state, fault = STATES[name]
    async with home() as page:
        page.states["sensor.solar"] = state
        said = await of_home(page, tmp_path)

    assert fault == fault_of(said)


async def test_home_assistant_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong token, a missing token and an unknown sensor have different codes."""
    monkeypatch.setenv("HOME_TOKEN", "not the one")
    async with home() as page:
        wrong = make_source(
            HomeAssistant(url=page.url, entity="sensor.solar", token_env="HOME_TOKEN"),
            role="generation",
            folder=tmp_path,
        )
        none = make_source(
            HomeAssistant(url=page.url, entity="sensor.solar", token_env="NO_SUCH_VARIABLE"),
            role="generation",
            folder=tmp_path,
        )
        said = [await wrong.read(), await none.read(), await of_home(page, tmp_path, "sensor.none")]
        await wrong.close()
        await none.close()

    assert [REFUSED, NO_SECRET, UNAVAILABLE] == [fault_of(reply) for reply in said]


# Pages with JSON.

PAGES = {
    "a Shelly plug": (
        "/rpc/Switch.GetStatus?id=0", {"id": 0, "apower": 8.9, "aenergy": {"total": 2.5}},
        {"shape": "shelly"}, 8.9,
    ),
    "an older Shelly plug": (
        "/status", {"meters": [{"power": 7.25, "is_valid": True}]}, {"shape": "shelly"}, 7.25,
    ),
    "a Tasmota plug": (
        "/cm?cmnd=Status%208", {"StatusSNS": {"ENERGY": {"Power": 33}}}, {"shape": "tasmota"}, 33.0,
    ),
    "anything with a path": (
        "/solar.json", {"site": {"pv": [{"kw": 1.5}, {"kw": 0.5}]}},
        {"path": "site.pv[].kw", "scale": 1_000.0}, 2_000.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
async def test_http(name: str, tmp_path: Path) -> None:
    """A page's number is found by the maker's shape or by a path."""
    path, content, keys, expected = PAGES[name]
    async with home() as page:
        page.pages[path.replace("%20", "%20")] = content
        config = msgspec.convert({"kind": "http", "url": page.url + path, **keys}, Http)
        source = make_source(config, role="meter", folder=tmp_path)
        said = await source.read()
        await source.close()

    assert isinstance(said, SourceValue), said
    assert expected == said.number


BAD_PAGES = {
    "not JSON": ("<html>", UNREADABLE),
    "no number there": ({"power": "much"}, UNREADABLE),
    "not a finite number": ('{"power": "nan"}', UNREADABLE),
    "true is no number": ({"power": True}, UNREADABLE),
    "longer than any device says": ("[" + "1," * 600_000 + "1]", UNREADABLE),
    "elsewhere": (None, UNAVAILABLE),
}


@pytest.mark.parametrize("name", BAD_PAGES)
async def test_http_without_a_number(name: str, tmp_path: Path) -> None:
    """A document without a number gives no value."""
    content, fault = BAD_PAGES[name]
    async with home() as page:
        page.pages["/p"] = content
        source = make_source(Http(url=f"{page.url}/p", path="power"), role="use", folder=tmp_path)
        said = await source.read()
        await source.close()

    assert fault == fault_of(said)


async def test_http_follows_nobody_elsewhere(tmp_path: Path) -> None:
    """A redirect is refused: the owner named one device."""
    async with home() as page:
        page.pages["/p"] = web.Response(status=302, headers={"Location": f"{page.url}/q"})
        page.pages["/q"] = {"power": 3}
        source = make_source(Http(url=f"{page.url}/p", path="power"), role="use", folder=tmp_path)
        said = await source.read()
        await source.close()

    assert UNAVAILABLE == fault_of(said)
    assert ["/p"] == page.asked


# CSV.


def rows(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in ("utc,pv_w,use_w", *lines)))
    return path


async def test_csv(tmp_path: Path) -> None:
    """The last complete row counts, with its own time, in a file of any length."""
    old = (f"2026-11-24T00:{n // 60 % 60:02}:{n % 60:02}Z,1,2" for n in range(9_000))
    path = rows(tmp_path / "sun.csv", *old, "2026-11-25T12:00:00Z,640.5,200")
    with path.open("a") as file:
        file.write("2026-11-25T12:01:00Z,9")
    source = make_source(CsvFile(file="sun.csv", column="pv_w"), role="use", folder=tmp_path)

    noon = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC).timestamp()
    assert SourceValue(640.5, noon) == await source.read()


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (["2026-11-25T12:00:00Z,,200"], UNREADABLE),
        (["noon,640,200"], UNREADABLE),
        ([], UNREADABLE),
        (None, UNAVAILABLE),
    ],
)
async def test_csv_without_a_number(lines: list[str] | None, fault: str, tmp_path: Path) -> None:
    """A file without a number, a moment or a row is no value, and neither is none."""
    if lines is not None:
        rows(tmp_path / "sun.csv", *lines)
    source = make_source(CsvFile(file="sun.csv", column="pv_w"), role="use", folder=tmp_path)

    assert fault == fault_of(await source.read())

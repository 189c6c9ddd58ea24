"""The machine's meters: what they count, which one is asked, and what comes when one fails."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pynvml
import pytest
from msgspec.structs import replace
from tests.node.energy_peers import Powercap, home
from tests.waiting import eventually

from entraide.types import Basis, Power
from entraide_node.energy.counters import (
    GONE,
    NOT_ALLOWED,
    CounterReading,
    NvmlCounter,
    RaplCounter,
    energy_between_j,
)
from entraide_node.energy.mac_power import battery_power_w
from entraide_node.energy.meters import (
    CounterMeter,
    PlugMeter,
    PowerMeter,
    PowerReading,
    find_meters,
)
from entraide_node.energy.power_sampler import PowerSampler, PowerStatus
from entraide_node.energy.source_config import Http
from entraide_node.energy.source_factory import make_source
from entraide_node.energy.source_values import (
    NOT_YET,
    UNAVAILABLE,
    UNREACHABLE,
    MissingValue,
    SourceValue,
)


def meter_of(sampler: PowerSampler) -> PowerStatus:
    """A sampler's status, without the machine's idle and full power."""
    return replace(sampler.status(), idle_w=0.0, active_w=0.0)


POWER = Power("test", idle_w=10.0, active_w=46.0, basis=Basis.ESTIMATED)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Scripted:
    """A meter that says what the test wrote, one reading after the other; then it fails."""

    def __init__(self, kind: str, *said: float | str | None) -> None:
        self.kind = kind
        self.said = list(said)
        self.closed = False

    async def read(self) -> PowerReading:
        """Returns the next reading."""
        word = self.said.pop(0) if self.said else UNREACHABLE
        return PowerReading(None, word) if isinstance(word, str) else PowerReading(word)

    async def close(self) -> None:
        """Remembers it."""
        self.closed = True


# Counters.


def test_rapl_counts_packages_and_their_memory(tmp_path: Path) -> None:
    """Each package and its memory count once; cores are inside their package."""
    files = Powercap(tmp_path)
    files.domain("intel-rapl:0", "package-0", energy_j=100.0)
    files.domain("intel-rapl:0:0", "core", energy_j=60.0)
    files.domain("intel-rapl:0:1", "dram", energy_j=7.0)
    files.domain("intel-rapl:1", "package-1", energy_j=50.0, wrap_j=65_532.0)
    rapl = RaplCounter(tmp_path)

    assert CounterReading((100.0, 7.0, 50.0), (262_143.0, 262_143.0, 65_532.0)) == rapl.count()


def test_rapl_takes_the_platform_where_it_is_told(tmp_path: Path) -> None:
    """The whole platform's counter holds the packages', so it counts alone."""
    files = Powercap(tmp_path)
    files.domain("intel-rapl:0", "package-0", energy_j=100.0)
    files.domain("intel-rapl:1", "psys", energy_j=180.0)
    rapl = RaplCounter(tmp_path)

    assert CounterReading((180.0,), (262_143.0,)) == rapl.count()


def test_rapl_that_is_not_there(tmp_path: Path) -> None:
    """A machine without the counters has none, and one whose counter vanished says so."""
    absent = RaplCounter(tmp_path / "none")
    files = Powercap(tmp_path)
    files.domain("intel-rapl:0", "package-0", energy_j=1.0)
    rapl = RaplCounter(tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()

    assert not absent
    assert GONE == rapl.count()


def test_rapl_for_root_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters that only root may read are named, not guessed."""
    files = Powercap(tmp_path)
    files.domain("intel-rapl:0", "package-0", energy_j=1.0)
    rapl = RaplCounter(tmp_path)

    def refused(*_: object, **__: object) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refused)

    assert NOT_ALLOWED == rapl.count()


@pytest.mark.parametrize(
    ("before", "now", "wrap", "expected"),
    [(10.0, 25.0, 100.0, 15.0), (95.0, 5.0, 100.0, 10.0), (95.0, 5.0, 0.0, -90.0)],
)
def test_counters_wrap(before: float, now: float, wrap: float, expected: float) -> None:
    """A counter goes on from 0 after its wrap; one without a wrap that fell began anew."""
    assert expected == energy_between_j(
        CounterReading((before,), (wrap,)), CounterReading((now,), (wrap,))
    )


async def test_a_counter_tells_the_mean_between_two_looks(tmp_path: Path) -> None:
    """The first look tells nothing yet, each later one the mean power since the one before."""
    clock, files = Clock(), Powercap(tmp_path)
    files.domain("intel-rapl:0", "package-0", energy_j=100.0)
    meter = CounterMeter((RaplCounter(tmp_path),), clock)
    first = await meter.read()
    files.domain("intel-rapl:0", "package-0", energy_j=190.0)
    clock.now_s = 3.0
    second = await meter.read()
    again = await meter.read()

    assert [PowerReading(None), PowerReading(30.0), PowerReading(None)] == [first, second, again]


def test_no_card_without_its_driver() -> None:
    """A machine without NVIDIA's driver has no cards, and asking for them does no harm."""
    nvml = NvmlCounter()
    nvml.close()

    assert bool(nvml) is _has_driver()


def _has_driver() -> bool:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return False
    return bool(pynvml.nvmlDeviceGetCount())


def test_cards_with_and_without_a_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new card is asked for its counter (mJ), an old one for its power (mW), summed by time."""
    clock = Clock()

    def energy(card: str) -> int:
        if card == "old":
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return 5_000

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 2)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda n: ("new", "old")[n])
    monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", energy)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetPowerUsage", lambda card: 80_000)
    nvml = NvmlCounter(clock)
    first = nvml.count()
    clock.now_s = 2.0
    second = nvml.count()

    assert [CounterReading((5.0, 0.0), (0.0, 0.0)), CounterReading((5.0, 160.0), (0.0, 0.0))] == [
        first,
        second,
    ]


def tag(name: str, number: int) -> str:
    return f"<key>{name}</key><integer>{number}</integer>"


AT_WALL, ON_BATTERY = "<key>ExternalConnected</key><true/>", "<key>ExternalConnected</key><false/>"
MACS = {
    "at the wall": (
        f"<key>PowerTelemetryData</key><dict>{tag('SystemLoad', 18_250)}</dict>", 18.25,
    ),
    "on battery, without telemetry": (
        ON_BATTERY + tag("Voltage", 12_000) + tag("InstantAmperage", 2**64 - 1_500), 18.0,
    ),
    "at the wall, without telemetry": (
        AT_WALL + tag("Voltage", 12_000) + tag("InstantAmperage", 0), None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MACS)
def test_a_macs_battery_controller(name: str) -> None:
    """The registry's properties tell the whole machine's load, where they tell it at all."""
    entry, expected = MACS[name]
    plist = f'<plist version="1.0"><array><dict>{entry}</dict></array></plist>'

    assert expected == battery_power_w(plist.encode())


@pytest.mark.parametrize("said", [b"", b"<plist><array/></plist>", b"nonsense", b"<plist"])
def test_a_mac_without_a_battery(said: bytes) -> None:
    """What has no controller's properties tells nothing."""
    assert battery_power_w(said) is None


class Word:
    """A source that says what the test wrote."""

    kind = "tasmota"

    def __init__(self, said: SourceValue | MissingValue) -> None:
        self.said = said

    async def read(self) -> SourceValue | MissingValue:
        """Says it."""
        return self.said

    async def close(self) -> None:
        """Holds nothing."""


async def test_a_plugs_word_counts_once_and_grows_old() -> None:
    """The same word again is nothing new, and after a minute there is none."""
    clock, word = Clock(), Word(SourceValue(61.0, 10.0))
    clock.now_s = 12.0
    meter = PlugMeter(word, clock)
    said = [await meter.read(), await meter.read()]
    word.said, clock.now_s = SourceValue(58.0, 22.0), 23.0
    said.append(await meter.read())
    clock.now_s = 83.0
    said.append(await meter.read())

    assert [
        PowerReading(61.0),
        PowerReading(None),
        PowerReading(58.0),
        PowerReading(None, UNAVAILABLE),
    ] == said


async def test_a_plug_that_speaks_by_itself_is_waited_for() -> None:
    """A plug that has not spoken yet is no liar for a minute."""
    clock = Clock()
    meter = PlugMeter(Word(MissingValue(NOT_YET)), clock)
    said = []
    for now_s in (0.0, 59.0, 60.0):
        clock.now_s = now_s
        said.append(await meter.read())

    assert [PowerReading(None), PowerReading(None), PowerReading(None, NOT_YET)] == said


async def test_a_slow_plug_measures_a_long_job() -> None:
    """A plug that speaks each four seconds is believed, and its windows are as long as that."""
    clock = Clock()
    words = [20.0, None, None, None, 20.0, None, None, None, 56.0, None, None, None, 56.0]
    sampler = PowerSampler(POWER, (Scripted("plug_tasmota", *words),), clock=clock)
    await looked(sampler, clock, 6)
    sampler.begin_job("a", clock())
    await looked(sampler, clock, 7)
    energy = sampler.end_job("a", clock())

    # Seven seconds at 36 W; the first three, in a window with rest, at the next one's power.
    assert (70_000, Basis.MEASURED) == (energy.prefill_uwh, energy.basis)


async def test_the_owners_plug_goes_first(tmp_path: Path) -> None:
    """A plug that the owner names comes before the machine's own counters, which may be off."""
    plug = Http(url="http://127.0.0.1:1/", shape="tasmota")
    meters = await find_meters(plug, counters=False, gpu=False, folder=tmp_path)

    assert ["plug_tasmota"] == [meter.kind for meter in meters]


# The sampler.


async def looked(sampler: PowerSampler, clock: Clock, times: int) -> None:
    """Looks so many times, a second apart."""
    for _ in range(times):
        clock.now_s += 1.0
        await sampler.sample()


async def test_a_job_is_measured() -> None:
    """A job is charged what its meter said while it ran, above what it said at rest."""
    clock = Clock()
    sampler = PowerSampler(POWER, (Scripted("plug_shelly", 20.0, 20.0, 56.0, 56.0),), clock=clock)
    await looked(sampler, clock, 2)
    sampler.begin_job("a", clock())
    await looked(sampler, clock, 1)
    sampler.note_first_token("a", clock())
    await looked(sampler, clock, 1)
    energy = sampler.end_job("a", clock())

    assert (10_000, 10_000, Basis.MEASURED) == (
        energy.prefill_uwh, energy.decode_uwh, energy.basis,
    )  # fmt: skip
    assert PowerStatus("plug_shelly", 56.0, Basis.MEASURED) == meter_of(sampler)
    assert Power("test", 20.0, 56.0, Basis.MEASURED) == sampler.power()


FALLS: dict[str, tuple[float | str, str]] = {
    "it stalls": (UNREACHABLE, UNREACHABLE),
    "it says less than nothing": (-5.0, "negative"),
    "it says what is no number": (float("nan"), "not_a_number"),
    "it jumps": (90_000.0, "too_high"),
}


@pytest.mark.parametrize("name", FALLS)
async def test_the_next_meter_stands_in(name: str) -> None:
    """A meter that stalls or lies three times gives way to the next one, and the status says so."""
    word, fault = FALLS[name]
    clock = Clock()
    first = Scripted("plug_shelly", 20.0, *[word] * 3)
    sampler = PowerSampler(POWER, (first, Scripted("rapl", 8.0, 8.0, 30.0)), clock=clock)
    await looked(sampler, clock, 4)

    assert PowerStatus("rapl", 8.0, Basis.MEASURED, "plug_shelly", fault) == meter_of(sampler)


async def test_the_catalogue_stands_in_at_last() -> None:
    """Without any meter that is believed, energy is what the catalogue says, and is called so."""
    clock = Clock()
    sampler = PowerSampler(POWER, (Scripted("plug_shelly", 20.0, 20.0),), clock=clock)
    await looked(sampler, clock, 2)
    sampler.begin_job("a", clock())
    await looked(sampler, clock, 10)
    energy = sampler.end_job("a", clock())

    assert (100_000, Basis.ESTIMATED) == (energy.prefill_uwh, energy.basis)
    assert PowerStatus("catalogue", None, Basis.ESTIMATED, "plug_shelly", UNREACHABLE) == (
        meter_of(sampler)
    )
    assert POWER == sampler.power()


async def test_one_bad_reading_changes_nothing() -> None:
    """A reading that is dropped makes the window longer, and the meter stays in use."""
    clock = Clock()
    sampler = PowerSampler(POWER, (Scripted("plug_shelly", 20.0, 20.0, -1.0, 56.0),), clock=clock)
    await looked(sampler, clock, 2)
    sampler.begin_job("a", clock())
    await looked(sampler, clock, 2)
    energy = sampler.end_job("a", clock())

    assert (20_000, Basis.MEASURED) == (energy.prefill_uwh, energy.basis)
    assert PowerStatus("plug_shelly", 56.0, Basis.MEASURED) == meter_of(sampler)


async def test_a_meter_that_breaks_does_not_take_the_node_away() -> None:
    """An error that nobody foresaw in a driver counts as no reading."""

    class Broken(Scripted):
        async def read(self) -> PowerReading:
            raise RuntimeError("a driver's bug")

    clock = Clock()
    sampler = PowerSampler(POWER, (Broken("rapl"),), clock=clock)
    await looked(sampler, clock, 4)

    assert PowerStatus("catalogue", None, Basis.ESTIMATED, "rapl", "unreadable") == meter_of(
        sampler
    )


async def test_small_changes_are_not_told() -> None:
    """The card says anew what the machine draws when that has changed by more than a seventh."""
    clock = Clock()
    said = (20.0, 20.0, 56.0, 58.0, 80.0)
    sampler = PowerSampler(POWER, (Scripted("plug_shelly", *said),), clock=clock)
    await looked(sampler, clock, 2)
    sampler.begin_job("a", clock())
    cards = []
    for _ in range(3):
        await looked(sampler, clock, 1)
        cards.append(sampler.power().active_w)

    assert [56.0, 56.0, 80.0] == cards


async def test_it_looks_as_a_run_begins_and_closes_its_meters() -> None:
    """The agent's sampler looks at once when the machine's work begins, and lets go at the end."""
    meter = Scripted("plug_shelly", *[20.0 + n / 100 for n in range(50)])
    sampler = PowerSampler(POWER, (meter,))
    task = asyncio.create_task(sampler.run())
    await eventually(lambda: len(meter.said) == 48)
    sampler.begin_job("a", time.monotonic())
    await eventually(lambda: len(meter.said) == 47)
    task.cancel()
    await asyncio.wait([task])

    assert meter.closed


async def test_two_methods_agree(tmp_path: Path) -> None:
    """The processor's counters and a plug behind one machine charge a job alike, within 15 %."""
    clock, files, drawn_j = Clock(), Powercap(tmp_path), [0.0]
    curve = [40.0, 55.0, 63.0, 61.0, 58.0, 62.0, 57.0, 60.0]

    async with home() as page:
        plug = PlugMeter(
            make_source(Http(url=f"{page.url}/p", shape="shelly"), role="meter", folder=tmp_path)
        )

        def draw(power_w: float) -> None:
            """The machine draws this for a second; the plug tells it now, with its own losses."""
            clock.now_s += 1.0
            drawn_j[0] += power_w
            files.domain("intel-rapl:0", "package-0", energy_j=drawn_j[0])
            page.pages["/p"] = {"apower": 1.08 * power_w + 9.0}

        draw(20.0)
        rapl = CounterMeter((RaplCounter(tmp_path),), clock)
        charged = await _charged(plug, rapl, draw=draw, curve=curve, clock=clock)

    assert charged[0] == pytest.approx(charged[1], rel=0.15)
    assert sum(power_w - 20.0 for power_w in curve) / 3.6e3 * 1e6 == pytest.approx(
        charged[1], rel=0.001
    )


async def _charged(
    *meters: PowerMeter, draw: Callable[[float], None], curve: list[float], clock: Clock
) -> list[int]:
    """What each meter alone charges the same job."""
    samplers = [PowerSampler(POWER, (meter,), clock=clock) for meter in meters]
    for _ in range(3):
        for sampler in samplers:
            await sampler.sample()
        draw(20.0)
    for sampler in samplers:
        await sampler.sample()
        sampler.begin_job("a", clock())
    for power_w in curve:
        draw(power_w)
        for sampler in samplers:
            await sampler.sample()
    energies = [sampler.end_job("a", clock()) for sampler in samplers]
    for meter in meters:
        await meter.close()
    assert all(energy.basis is Basis.MEASURED for energy in energies)
    return [energy.prefill_uwh + energy.decode_uwh for energy in energies]

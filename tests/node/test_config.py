"""Configuration, the owner's files, and the reports on disk."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.cases import all_cases

from entraide import i18n
from entraide.errors import RequestError
from entraide.types import Basis, Outcome, Usage
from entraide.wire.messages import UsageReport
from entraide_node import report_outbox
from entraide_node.config import (
    Attach,
    EnergyConfig,
    LlamaCpp,
    MlxLm,
    ModelsConfig,
    NodeConfig,
    NoEngine,
    PowerConfig,
    Vllm,
    dump_config,
    load_config,
)
from entraide_node.energy.source_config import HomeAssistant, Mqtt, Sunspec
from entraide_node.owner import files as owner_files
from entraide_node.report_outbox import ReportOutbox

CONFIG = NodeConfig(node="mini", coop="boreale", zone="CA-QC", nats_urls=("nats://127.0.0.1:4222",))
USAGE = Usage(1, 0, 2, Basis.MEASURED, 3, 4, Basis.DEFAULT, 0.1, 0.2)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        replace(
            CONFIG, engine=Attach(url="http://127.0.0.1:1", model='a "b"', features=("tools",))
        ),
        replace(
            CONFIG,
            engine=NoEngine(),
            models=ModelsConfig(memory_gb=8.0, allow=("a", "b"), mirror="/srv/poids"),
        ),
        replace(
            CONFIG,
            engine=MlxLm(model="qwen", args=("--log-level", "INFO")),
            engines=(Vllm(model="/m", tensor_parallel=2, ray=True), LlamaCpp(alias="petit")),
            power=PowerConfig(idle_w=1.0, active_w=2.0),
        ),
        replace(CONFIG, energy=EnergyConfig(surplus_w=1.5, evidence="panneaux « du toit »")),
        replace(
            CONFIG,
            energy=EnergyConfig(
                generation=Sunspec(host="10.0.0.9", unit=3),
                use=HomeAssistant(url="http://h:8123", entity="sensor.use", token_file="ha.token"),
            ),
            power=PowerConfig(meter=Mqtt(host="10.0.0.2", topic="plug", shape="tasmota")),
        ),
    ],
)
def test_there_and_back(config: NodeConfig, tmp_path: Path) -> None:
    """A written configuration is read again, with the folder made absolute."""
    path = tmp_path / "node.toml"
    path.write_text(dump_config(config), "utf-8")

    assert replace(config, dir=str(tmp_path.resolve())) == load_config(path)


PV, USE, GRID, SURPLUS, CHARGE = (
    f"[energy.{role}]\nkind = 'sunspec'\nhost = 'h'\n"
    for role in ("generation", "use", "grid", "surplus", "charge")
)
MQTT = "[power.meter]\nkind = 'mqtt'\nhost = 'h'\n"
HTTP = "[power.meter]\nkind = 'http'\nurl = 'http://a'\n"
WRONG = {
    "an unknown key": ("surprise = 1", "surprise"),
    "an unknown key in a table": ("[engine]\nkind = 'llama.cpp'\nlayers = 3", "layers"),
    "an engine that we do not have": ("[engine]\nkind = 'abacus'", "abacus"),
    "no slots": ("[engine]\nkind = 'llama.cpp'\nslots = 0", "engine.slots"),
    "no slots of a further engine": (
        "[[engines]]\nkind = 'attach'\nurl = 'http://a'\nmodel = 'm'\nslots = 0", "engines.slots",
    ),
    "an engine at no address": (
        "[engine]\nkind = 'attach'\nurl = '127.0.0.1:8080'\nmodel = 'm'", "engine.url",
    ),
    "an engine at no port": (
        "[engine]\nkind = 'attach'\nurl = 'http://a:99999'\nmodel = 'm'", "engine.url",
    ),
    "a key of two lines": (
        "[engine]\nkind = 'attach'\nurl = 'http://a'\nmodel = 'm'\nkey = \"a\\nb\"", "engine.key",
    ),
    "an engine without a card": (
        "[engine]\nkind = 'vllm'\nmodel = 'm'\ntensor_parallel = 0", "engine.tensor_parallel",
    ),
    "less than no memory": ("[models]\nmemory_gb = -1.0", "models.memory_gb"),
    "less than no time": ("[models]\nunload_idle_s = -1.0", "models.unload_idle_s"),
    "half a power": ("[power]\nidle_w = 3.0", "power.idle_w, power.active_w: together"),
    "a negative surplus": ("[energy]\nsurplus_w = -1.0", "energy.surplus_w"),
    "a meter of a kind that we do not have": ("[energy.use]\nkind = 'candle'", "candle"),
    "an unknown key of a meter": (
        "[power.meter]\nkind = 'http'\nurl = 'http://a'\nwatts = 'b'",
        "watts",
    ),
    "an address without a scheme": (
        "[power.meter]\nkind = 'http'\nurl = '10.0.0.9/p'", "power.meter.url: no_url",
    ),
    "a shape of nobody's": (
        f"{MQTT}topic = 't'\nshape = 'plug'", "power.meter.shape: no_shape",
    ),
    "a wildcard": (f"{MQTT}topic = 'plugs/#'", "power.meter.topic: no_topic"),
    "a path that is none": (f"{HTTP}path = 'a..b'", "power.meter.path: no_path"),
    "two ways to find the number": (
        f"{HTTP}path = 'a'\nshape = 'shelly'", "power.meter.path: shape_and_path",
    ),
    "no token": (
        "[energy.grid]\nkind = 'home_assistant'\nurl = 'http://h'\nentity = 'sensor.x'",
        "energy.grid.token_file: one_token",
    ),
    "a name that is no entity": (
        "[energy.grid]\nkind = 'home_assistant'\nurl = 'http://h'\nentity = 'Solar power'",
        "energy.grid.entity: no_entity",
    ),
    "a port that is none": (f"{GRID}port = 70000", "energy.grid.port: port_range"),
    "a unit that is none": (f"{GRID}unit = 300", "energy.grid.unit: unit_range"),
    "generation without use": (PV, "energy.generation: needs_use"),
    "use without generation": (USE, "energy.use: needs_generation"),
    "use twice": (f"[energy]\nown_use_w = 9.0\n{PV}{USE}", "energy.own_use_w: use_twice"),
    "a surplus and its parts": (SURPLUS + GRID, "energy.surplus: surplus_alone"),
    "a battery that gives, however empty": (
        f"[energy]\nbattery_gives_w = 500.0\n{GRID}", "energy.battery_gives_w: needs_charge",
    ),
    "a charge without a battery": (GRID + CHARGE, "energy.charge: needs_battery"),
    "a price below nothing": (
        "[energy]\ntariff_cad_per_kwh = -0.1", "energy.tariff_cad_per_kwh: between",
    ),
    "a price without end": (
        "[energy]\ntariff_cad_per_kwh = inf", "energy.tariff_cad_per_kwh: between",
    ),
    "a price that is no number": (
        "[energy]\ntariff_cad_per_kwh = nan", "energy.tariff_cad_per_kwh: between",
    ),
    "a value that is never too old": ("[energy]\nstale_s = 1e9", "energy.stale_s: between"),
    "not TOML": ("[", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name: str, tmp_path: Path) -> None:
    """A file with an unknown key or value is refused, with file and key in the message."""
    lines, key = WRONG[name]
    path = tmp_path / "node.toml"
    head, _, _ = dump_config(CONFIG).partition("\n\n[")
    path.write_text(f"{head}\n{lines}\n", "utf-8")
    with pytest.raises(RequestError) as refused:
        load_config(path)

    assert "config_refused" == refused.value.code
    assert str(path) in refused.value.message
    assert key in refused.value.message


FAULTS = sorted({key.partition(": ")[2] for _, key in WRONG.values() if ": " in key})


@all_cases("lang", i18n.LANGUAGES)
@all_cases("fault", [*FAULTS, "no_host", "no_column"])
def test_what_is_wrong_is_said_in_both_languages(fault: str, lang: str) -> None:
    """Each fault of a meter has its sentence, with the key in it."""
    said = i18n.text(
        "error-config_refused", lang, path="node.toml", key="energy.use", fault=fault, value="x"
    )

    assert "energy.use" in said
    assert fault not in said


def test_what_the_owner_put_there() -> None:
    """The engine and those beside it are the owner's, in their order; no engine is none."""
    beside = replace(CONFIG, engines=(Vllm(model="m"),))

    assert (LlamaCpp(), Vllm(model="m")) == beside.owner_engines
    assert () == replace(CONFIG, engine=NoEngine()).owner_engines


def report(n: int) -> UsageReport:
    return UsageReport(f"job-{n}", 1, Outcome.COMPLETED, "", delivered=True, usage=USAGE)


def test_reports_survive(tmp_path: Path) -> None:
    """Reports without an acknowledgement are there again after a restart, in their order; of a
    completed run they then say that the node was lost, since its answer may not have left."""
    before = ReportOutbox(tmp_path)
    for n in range(4):
        before.add(report(n))
    before.acknowledge(("job-1", 1))
    before.acknowledge(("job-9", 1))
    with (tmp_path / report_outbox.REPORTS_NAME).open("ab") as file:
        file.write(b'["usage","job-5",1')

    after = tuple(replace(report(n), outcome=Outcome.FAILED, code="node_lost") for n in (0, 2, 3))

    assert (report(0), report(2), report(3)) == before.pending()
    assert after == ReportOutbox(tmp_path).pending()


def test_reports_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest report is dropped when there are too many, and the file is rewritten."""
    monkeypatch.setattr(report_outbox, "REPORTS_MAX", 3)
    monkeypatch.setattr(report_outbox, "LINES_MAX", 6)
    kept = ReportOutbox(tmp_path)
    for n in range(20):
        kept.add(report(n))
        kept.acknowledge((f"job-{n - 2}", 1)) if n % 2 else None
    lines = (tmp_path / report_outbox.REPORTS_NAME).read_bytes().splitlines()

    assert len(kept) <= 3
    assert len(lines) <= 7
    assert [r.job for r in kept.pending()] == [r.job for r in ReportOutbox(tmp_path).pending()]
    assert report(19) == kept.pending()[-1]


def test_a_declaration_is_renewed(tmp_path: Path) -> None:
    """A standing declaration stays the same until half its time, then is renewed; it may end."""
    standing = EnergyConfig(surplus_w=4.0, ttl_s=100.0, until=1_120.0)
    declaration = owner_files.DeclaredSurplus(tmp_path, standing)
    first, same = declaration.current_status(1_000.0), declaration.current_status(1_049.0)
    renewed, over = declaration.current_status(1_051.0), declaration.current_status(1_120.0)

    assert first is not None
    assert (1_000.0, 1_100.0) == (first.measured_at, first.expires_at)
    assert first == same
    assert renewed is not None
    assert (1_051.0, 1_120.0) == (renewed.measured_at, renewed.expires_at)
    assert over is None

"""Configuration of a node agent: one TOML file, decoded once into frozen structs.

Input: ``node.toml``. Output: ``NodeConfig`` with defaults; an unknown key or an invalid value is an
error that names the file and the key. A separate file holds the node's identity (``keys``).
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import platformdirs
import tomli_w
from msgspec import Struct

from entraide.decoding import decode_toml
from entraide.errors import RequestError
from entraide.form_faults import find_form_fault
from entraide.types import Basis, DataClass
from entraide.wire.subjects import checked
from entraide_node.core.model_fit import ANY_MODEL
from entraide_node.core.model_manager import UNLOAD_IDLE_S
from entraide_node.energy.source_config import ConfigFault, SourceConfig, find_fault
from entraide_node.engine_config import (
    Attach,
    LlamaCpp,
    MlxLm,
    NoEngine,
    OwnerEngine,
    Vllm,
    is_address,
)

__all__ = [
    "Attach",
    "EnergyConfig",
    "LlamaCpp",
    "MlxLm",
    "ModelsConfig",
    "NoEngine",
    "NodeConfig",
    "PowerConfig",
    "SurplusDeclaration",
    "Vllm",
    "default_dir",
    "dump_config",
    "find_declaration_fault",
    "load_config",
]

SLOTS_MAX = 256
ENGINES_MAX = 16
TARIFF_MAX_CAD_PER_KWH = 10_000.0  # far above any price; a typing error or infinity is beyond it
ROLES = ("generation", "use", "grid", "surplus", "battery", "charge")
CONFIG_NAME = "node.toml"


class PowerConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The machine's power as its owner knows it; the hardware catalogue supplies missing values.

    Attributes:
        device: identifier in the hardware catalogue; "" to detect it.
        idle_w, active_w: power of the whole machine without and with jobs; set both, or neither.
        counters: whether the machine's own counters (RAPL, NVML, a Mac's telemetry) are read.
        meter: a smart plug that measures the machine; preferred to the counters.
    """

    device: str = ""
    idle_w: float | None = None
    active_w: float | None = None
    counters: bool = True
    meter: SourceConfig | None = None


class SurplusDeclaration(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The owner's declaration of the site's surplus.

    Attributes:
        surplus_w: generation beyond the site's own consumption, watts.
        evidence: source of the number, in a few words.
        basis: ``declared``, or ``measured`` if a meter writes the file.
        ttl_s: how long the declaration is valid unless the agent renews it.
        until: time after which the agent does not renew it, seconds since the epoch; 0 for no end.
    """

    surplus_w: float = 0.0
    evidence: str = "declaration"
    basis: Basis = Basis.DECLARED
    ttl_s: float = 300.0
    until: float = 0.0


class EnergyConfig(SurplusDeclaration, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The site's declared surplus and its meters; a meter is preferred to a declaration.

    Attributes:
        generation, use, grid, surplus, battery, charge: sources of own generation, the site's total
            consumption, power drawn from the grid (negative when the site feeds it), the surplus,
            battery power (negative when the battery discharges), and battery charge in percent.
        own_use_w: the site's consumption if it is not measured, watts.
        charge_enough_percent: charge from which jobs may use the power that charges the battery.
        battery_gives_w: power that the battery may supply to the pool's jobs, watts; 0 for none.
        charge_floor_percent: charge below which the battery supplies no power to jobs.
        every_s: period between two readings.
        stale_s: age from which a reading is not used.
        tariff_cad_per_kwh: price of the site's electricity, CAD/kWh, 0 to
            ``TARIFF_MAX_CAD_PER_KWH``; 0 if unknown. It is shown to the owner only.
    """

    generation: SourceConfig | None = None
    use: SourceConfig | None = None
    grid: SourceConfig | None = None
    surplus: SourceConfig | None = None
    battery: SourceConfig | None = None
    charge: SourceConfig | None = None
    own_use_w: float | None = None
    charge_enough_percent: float = 90.0
    battery_gives_w: float = 0.0
    charge_floor_percent: float = 20.0
    every_s: float = 5.0
    stale_s: float = 120.0
    tariff_cad_per_kwh: float = 0.0

    @property
    def sources(self) -> Mapping[str, SourceConfig]:
        """The configured meters, by the names of their tables."""
        source_by_role = {role: getattr(self, role) for role in ROLES}
        return {role: source for role, source in source_by_role.items() if source is not None}


class ModelsConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Models that the pool may load on this machine, and the sources of their weights.

    Attributes:
        dir: folder of the weights; "" for ``models`` in the agent's folder.
        memory_gb: memory for all loaded models; None for as much as the machine allows, 0 to
            load no model.
        unload_idle_s: idle time after which a model is unloaded; 0 for never.
        allow: names of the models that may be loaded; ``*`` for all.
        threads: processor threads per model; 0 for all threads but one.
        share_on_lan: whether this machine and other machines of the site share weights.
        mirror: folder or address that the agent tries before the hub.
        hub: whether the agent may download from the hub.
        sandbox: whether the engines of these models run in a sandbox, where the machine has one.
    """

    dir: str = ""
    memory_gb: float | None = None
    unload_idle_s: float = UNLOAD_IDLE_S
    allow: tuple[str, ...] = (ANY_MODEL,)
    threads: int = 0
    share_on_lan: bool = False
    mirror: str = ""
    hub: bool = True
    sandbox: bool = True


class MetricsConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Metrics for Prometheus on this machine.

    Attributes:
        port: port on 127.0.0.1 that serves ``/metrics``; 0 for none.
    """

    port: int = 0


class NodeConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The configuration of one node agent.

    Attributes:
        node: durable identifier, issued by the pool.
        coop: the co-op that owns the machine.
        site, zone: the machine's site, and its zone as Electricity Maps names it.
        nats_urls: addresses of the bus.
        dir: the agent's folder; relative to the file's folder.
        engine: the first engine.
        engines: further engines.
        models: models that the pool may load.
        power: power of the machine.
        energy: surplus and meters of the site; the declaration in ``dir/energy.toml`` is preferred.
        data_classes: data classes that the machine may process.
        drain_s: how long running jobs may continue after the agent received a stop signal.
        lang: language of messages to people.
        pool: name of the pool.
        metrics: whether the agent serves metrics.
    """

    node: str
    coop: str
    zone: str
    nats_urls: tuple[str, ...]
    site: str = ""
    dir: str = "."
    engine: LlamaCpp | Attach | MlxLm | Vllm | NoEngine = LlamaCpp()
    engines: tuple[LlamaCpp | Attach | MlxLm | Vllm, ...] = ()
    models: ModelsConfig = ModelsConfig()
    power: PowerConfig = PowerConfig()
    energy: EnergyConfig | None = None
    data_classes: tuple[DataClass, ...] = tuple(DataClass)
    drain_s: float = 30.0
    lang: str = "fr"
    pool: str = ""
    metrics: MetricsConfig = MetricsConfig()

    @property
    def owner_engines(self) -> tuple[OwnerEngine, ...]:
        """The engines that the owner configured, in the file's order."""
        first = () if isinstance(self.engine, NoEngine) else (self.engine,)
        return (*first, *self.engines)


def default_dir() -> Path:
    """Returns the default folder of a node."""
    return Path(platformdirs.user_data_dir("entraide")) / "node"


def load_config(path: Path) -> NodeConfig:
    """Reads a configuration; ``dir`` is absolute in the result.

    Raises:
        RequestError: ``config_refused``: the file is missing, is not TOML, or contains an unknown
            key or an invalid value; the message names the file and the key.
    """
    document: object = None
    try:
        document = decode_toml(path.read_text("utf-8"))
        config = msgspec.convert(document, NodeConfig)
        checked(config.node)
    except (OSError, ValueError, msgspec.ValidationError) as problem:
        named = find_form_fault(problem, document, NodeConfig).sentence_values
        values = {"path": str(path), "detail": str(problem), **named}
        raise RequestError("config_refused", f"{path}: {problem}", values=values) from problem
    fault = _find_fault(config) or _find_energy_fault(config)
    if fault is not None:
        values = {"path": str(path), "key": fault.key, "fault": fault.fault, "value": fault.value}
        raise RequestError("config_refused", f"{path}: {fault.key}: {fault.fault}", values=values)
    folder = (path.parent / config.dir).resolve()
    return msgspec.structs.replace(config, dir=str(folder))


def _find_fault(config: NodeConfig) -> ConfigFault | None:
    """The first fault that the types do not exclude; None if there is none."""
    if len(config.engines) > ENGINES_MAX:
        return ConfigFault("engines", "entries", str(ENGINES_MAX))
    for engine in config.owner_engines:
        table = "engine" if engine is config.engine else "engines"
        fault = _find_engine_fault(engine)
        if fault is not None:
            return ConfigFault(f"{table}.{fault.key}", fault.fault, fault.value)
    if (config.power.idle_w is None) != (config.power.active_w is None):
        return ConfigFault("power.idle_w, power.active_w", "together")
    for key, value in (
        ("models.memory_gb", config.models.memory_gb or 0.0),
        ("models.unload_idle_s", config.models.unload_idle_s),
        ("models.threads", config.models.threads),
        ("drain_s", config.drain_s),
    ):
        if value < 0:
            return ConfigFault(key, "negative", f"{value:g}")
    if not 0 <= config.metrics.port < 2**16:
        return ConfigFault("metrics.port", "between", "0–65535")
    return find_declaration_fault(config.energy) if config.energy else None


def _find_engine_fault(engine: OwnerEngine) -> ConfigFault | None:
    """The first fault of an engine; None if there is none."""
    if not 1 <= engine.slots <= SLOTS_MAX:
        return ConfigFault("slots", "between", f"1–{SLOTS_MAX}")
    if engine.context_tokens < 1:
        return ConfigFault("context_tokens", "below_1", str(engine.context_tokens))
    if isinstance(engine, Attach) and not is_address(engine.url):
        return ConfigFault("url", "no_url", engine.url)
    if isinstance(engine, Attach) and not (engine.key.isprintable() and engine.key.isascii()):
        return ConfigFault("key", "key_form")
    if isinstance(engine, Vllm):
        for key in ("tensor_parallel", "pipeline_parallel"):
            if getattr(engine, key) < 1:
                return ConfigFault(key, "below_1", str(getattr(engine, key)))
    return None


def _find_energy_fault(config: NodeConfig) -> ConfigFault | None:
    """The first fault of a meter or of the combination of meters; None if all are valid."""
    tables = {"power.meter": config.power.meter} if config.power.meter is not None else {}
    if config.energy is not None:
        tables |= {f"energy.{role}": source for role, source in config.energy.sources.items()}
    for table, source in tables.items():
        fault = find_fault(source)
        if fault is not None:
            return ConfigFault(f"{table}.{fault.key}", fault.fault, fault.value)
    return _find_meter_conflict(config.energy) if config.energy is not None else None


def _find_meter_conflict(energy: EnergyConfig) -> ConfigFault | None:
    if energy.surplus is not None and len(energy.sources) > 1:
        return ConfigFault("energy.surplus", "surplus_alone")
    if energy.use is not None and energy.own_use_w is not None:
        return ConfigFault("energy.own_use_w", "use_twice")
    has_use = energy.use is not None or energy.own_use_w is not None
    if energy.generation is not None and not has_use and energy.grid is None:
        return ConfigFault("energy.generation", "needs_use")
    if has_use and energy.generation is None:
        return ConfigFault("energy.use" if energy.use else "energy.own_use_w", "needs_generation")
    if energy.battery is not None and energy.generation is None and energy.grid is None:
        return ConfigFault("energy.battery", "needs_generation")
    if energy.battery_gives_w and energy.charge is None:
        return ConfigFault("energy.battery_gives_w", "needs_charge")
    if energy.charge is not None and energy.battery is None:
        return ConfigFault("energy.charge", "needs_battery")
    for key, value, low, high in (
        ("own_use_w", energy.own_use_w or 0.0, 0.0, 1e9),
        ("charge_enough_percent", energy.charge_enough_percent, 0.0, 100.0),
        ("battery_gives_w", energy.battery_gives_w, 0.0, 1e9),
        ("charge_floor_percent", energy.charge_floor_percent, 0.0, 100.0),
        ("every_s", energy.every_s, 1.0, 3_600.0),
        ("stale_s", energy.stale_s, 2.0, 86_400.0),
        ("tariff_cad_per_kwh", energy.tariff_cad_per_kwh, 0.0, TARIFF_MAX_CAD_PER_KWH),
    ):
        if not low <= value <= high:
            return ConfigFault(f"energy.{key}", "between", f"{low:g}–{high:g}")
    return None


def find_declaration_fault(energy: SurplusDeclaration) -> ConfigFault | None:
    """Returns the fault of a declaration; None if there is none."""
    if not 0 <= energy.surplus_w < 1e9:
        return ConfigFault("energy.surplus_w", "between", "0–1e9 W")
    if not 2 <= energy.ttl_s <= 86_400:
        return ConfigFault("energy.ttl_s", "between", "2–86400 s")
    return None


def dump_config(config: NodeConfig) -> str:
    """Returns a configuration as TOML that ``load_config`` reads."""
    table = msgspec.to_builtins(config)
    if not config.engines:
        del table["engines"]  # TOML forbids an [[engines]] table after an empty array
    return tomli_w.dumps(_without_none(table))


def _without_none(table: Mapping[str, object]) -> dict[str, object]:
    """A table without its None values, which TOML cannot express."""
    return {
        key: _without_none(value) if isinstance(value, dict) else _toml_value(value)
        for key, value in table.items()
        if value is not None
    }


def _toml_value(value: object) -> object:
    if isinstance(value, tuple):
        return [_without_none(item) if isinstance(item, dict) else item for item in value]
    return value

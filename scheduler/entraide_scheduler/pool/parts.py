"""Parts: the scheduler and the further gateways of a pool, and how each is started.

In: ``pool.toml``. Out: the configuration of each part, written into the pool's directory, and its
command. The process of a pool asks the environment of another version for its parts with

    python -P -m entraide_scheduler.pool.parts STATE BUS_URL

which prints the commands as one JSON object. Every version keeps this interface, and those of
``supervision.parent_link``: by them a pool goes over from one version to another while it runs.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import tomli_w
from msgspec import Struct

from entraide.files import write_private
from entraide_scheduler.pool.config import (
    PoolConfig,
    gateway_config,
    load_pool_config,
    scheduler_config,
)
from entraide_scheduler.supervision.processes import SCHEDULER

Commands = Mapping[str, tuple[str, ...]]  # by name of the part, the scheduler first


def write_parts(config: PoolConfig, state: Path, *, bus_url: str) -> Commands:
    """Writes the configuration of each part; returns their commands.

    Args:
        config: the pool's.
        state: the pool's directory.
        bus_url: address of the bus for processes of this machine.
    """
    scheduler = scheduler_config(config, state, bus_url=bus_url)
    commands = {SCHEDULER: write_part(state, SCHEDULER, "run", scheduler)}
    for number in range(2, config.gateways + 1):
        gateway = gateway_config(config, state, number=number, bus_url=bus_url)
        commands[gateway.gateway] = write_part(state, gateway.gateway, "gateway", gateway)
    return commands


def write_part(state: Path, name: str, command: str, config: Struct) -> tuple[str, ...]:
    """Writes the configuration of a part; returns its command."""
    path = state / f"{name}.toml"
    write_private(path, tomli_w.dumps(_without_none(msgspec.to_builtins(config))).encode())
    return (sys.executable, "-m", "entraide_scheduler", command, "--config", str(path))


def _without_none(value: Any) -> Any:
    """Returns a document without its missing values, which TOML cannot express."""
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items() if each is not None}
    return value


def main() -> None:
    """Prints the commands of this version's parts."""
    state, bus_url = Path(sys.argv[1]), sys.argv[2]
    commands = write_parts(load_pool_config(state), state, bus_url=bus_url)
    sys.stdout.buffer.write(msgspec.json.encode(commands) + b"\n")


if __name__ == "__main__":
    main()

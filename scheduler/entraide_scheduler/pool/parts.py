"""Parts: the scheduler and the further gateways of a pool, and how each is started.

In: ``pool.toml``. Out: the configuration of each part, written into the pool's directory, and its
command. A pool's process may have run since a version before the present one, so it asks the
environments for what a handover needs:

    python -P -m entraide_scheduler.pool.parts parts STATE BUS_URL
    python -P -m entraide_scheduler.pool.parts interim STATE BUS_URL
    python -P -m entraide_scheduler.pool.parts save STATE
    python -P -m entraide_scheduler.pool.parts back STATE

The first two print the commands of the parts, and of an interim gateway for each of them, as one
JSON object; the third writes the way back, and prints what it is (``trial.Undo``); the last one
undoes the trial. Every version keeps this interface, and that of ``supervision.parent_link``: by
them a pool goes over from one version to another while it runs.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import tomli_w
from msgspec import Struct

from entraide.errors import EntraideError
from entraide.files import PRIVATE_UMASK, write_private
from entraide_scheduler.nats.keyfiles import load_admin_key
from entraide_scheduler.pool.backup import write_backup
from entraide_scheduler.pool.config import (
    PoolConfig,
    gateway_config,
    gateway_name,
    interim_config,
    load_pool_config,
    scheduler_config,
)
from entraide_scheduler.pool.trial import Undo, go_back, read_trial
from entraide_scheduler.pool.undo_copy import make_copy
from entraide_scheduler.store.dump import wait_for_writes
from entraide_scheduler.supervision.processes import SCHEDULER
from entraide_scheduler.upgrade_trial import BACKUP, FOLDER

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


def write_interim(config: PoolConfig, state: Path, *, bus_url: str) -> Commands:
    """Writes the configuration of an interim gateway for each part; returns their commands.

    Args:
        config: the pool's.
        state: the pool's directory.
        bus_url: as for ``write_parts``.
    """
    commands = {}
    for number in range(1, config.gateways + 1):
        interim = interim_config(config, state, number=number, bus_url=bus_url)
        part = SCHEDULER if number == 1 else gateway_name(number)
        commands[part] = write_part(state, interim.gateway, "gateway", interim)
    return commands


def write_way_back(config: PoolConfig, state: Path) -> Undo:
    """Writes that by which a trial is undone; no scheduler may run. Blocks."""
    url = scheduler_config(config, state, bus_url="").effective_store_url
    wait_for_writes(url)  # those that were accepted before the trial's record was there
    if not config.database:
        make_copy(state)
        return Undo.COPY
    write_backup(state, state / FOLDER / BACKUP, load_admin_key(state))
    return Undo.BACKUP


def answer(verb: str, state: str, *rest: str) -> Any:
    """Does what a pool's process asks of this version; see the module.

    Raises:
        EntraideError: it cannot be done.
    """
    folder = Path(state)
    config = load_pool_config(folder)
    match verb:
        case "parts":
            return write_parts(config, folder, bus_url=rest[0])
        case "interim":
            return write_interim(config, folder, bus_url=rest[0])
        case "save":
            return write_way_back(config, folder)
        case _:
            trial = read_trial(folder)
            if trial is not None:
                go_back(folder, trial)
            return None


def main() -> None:
    """Prints the answer as JSON, or the problem in one line; the exit status says which."""
    os.umask(PRIVATE_UMASK)
    try:
        reply = answer(*sys.argv[1:])
    except EntraideError as problem:
        sys.exit(problem.message)
    sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")


if __name__ == "__main__":
    main()

"""Service commands: what ``entraide node join``, ``leave`` and ``service`` do on this machine.

They install and remove the agent as a service, and leave the pool: stop the agent, notify the pool,
remove the identity. ``entraide.system_service`` controls systemd or launchd; ``join`` does the
enrolment.
"""

import asyncio
import contextlib
import os
import shlex
import signal
import sys
import time
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

from entraide import i18n
from entraide.errors import EntraideError
from entraide.system_service.manager import ServiceManager, find_manager
from entraide.system_service.units import ServiceState, ServiceUnit
from entraide_node import keys
from entraide_node.config import CONFIG_NAME, NodeConfig, default_dir, load_config
from entraide_node.logs import LOG_NAME
from entraide_node.owner import files as owner_files
from entraide_node.pool_address import POOL_NAME
from entraide_node.service import STOP_MARGIN_S, make_service

GOODBYE_TIMEOUT_S = 5.0  # for connecting, and again until the bus refuses the identity


class ServiceReport(Struct, frozen=True, kw_only=True):
    """A node's service, for programs.

    Attributes:
        manager: ``systemd``, ``launchd``, or "" without a service manager.
        state: ``absent``, ``stopped``, ``running`` or ``failed``.
        name: of its unit.
        command: that it runs.
        log: how to read its log.
    """

    manager: str
    state: ServiceState
    name: str
    command: str
    log: str


def service_of_config(config: NodeConfig, manager: ServiceManager | None) -> ServiceUnit:
    """Returns the service of a configured node."""
    return make_service(
        Path(config.dir), node=config.node, drain_s=config.drain_s, default=default_dir(),
        logs=manager is not None and manager.kind == "launchd",
    )  # fmt: skip


def report_service(config: NodeConfig, manager: ServiceManager | None) -> ServiceReport:
    """Returns the state of a node's service. Blocks."""
    service = service_of_config(config, manager)
    journal = f"journalctl --user -u {service.name}"
    return ServiceReport(
        manager=manager.kind if manager is not None else "",
        state=manager.state(service) if manager is not None else ServiceState.ABSENT,
        name=service.name,
        command=run_command(config),
        log=str(service.folder / LOG_NAME) if "--log" in service.command else journal,
    )


def run_command(config: NodeConfig) -> str:
    """Returns the command that starts the agent by hand."""
    default = Path(config.dir) == default_dir().resolve()
    return "entraide node run" if default else f"entraide node run --dir {config.dir}"


def restart_values(config: NodeConfig) -> dict[str, str]:
    """Returns how the agent is restarted, as values of a message. Blocks.

    Returns:
        ``command``, and ``service``: ``some`` if it restarts the service, ``none`` if it starts an
        agent that was stopped by hand.
    """
    command = run_command(config)
    if report_service(config, find_manager()).state is ServiceState.ABSENT:
        return {"command": command, "service": "none"}
    restart = command.replace("node run", "node service restart", 1)
    return {"command": restart, "service": "some"}


def install_service(config: NodeConfig, lang: str, *, as_json: bool = False) -> int:
    """Installs and starts a node's service, and reports it; returns the exit status. Blocks."""
    manager = find_manager()
    if manager is None:
        _print_sentence("node-service-none", lang, as_json=as_json, command=run_command(config))
        return 0 if as_json else 1
    service = service_of_config(config, manager)
    running = owner_files.read_status(Path(config.dir), now=time.time())
    if running is not None and manager.state(service) is not ServiceState.RUNNING:
        sys.stderr.write(f"{i18n.text('node-service-taken', lang, pid=str(running.pid))}\n")
        return 1
    problem = manager.install(service)
    if problem:
        values = {"problem": problem, "command": run_command(config)}
        sys.stderr.write(f"{i18n.text('node-service-failed', lang, **values)}\n")
        return 1
    log = report_service(config, manager).log
    _print_sentence("node-service-installed", lang, as_json=as_json, kind=manager.kind, log=log)
    if manager.needs_linger():
        _print_sentence("node-service-linger", lang, as_json=as_json)
    return 0


def remove_service(config: NodeConfig, lang: str) -> int:
    """Stops and removes a node's service, and reports it; returns the exit status. Blocks."""
    manager = find_manager()
    if manager is None or manager.state(service_of_config(config, manager)) is ServiceState.ABSENT:
        sys.stdout.write(f"{i18n.text('node-service-absent', lang)}\n")
        return 0
    return _print_outcome(
        manager.remove(service_of_config(config, manager)), "node-service-removed", lang
    )


def restart_service(config: NodeConfig, lang: str) -> int:
    """Restarts a node's service, and reports it; returns the exit status. Blocks."""
    manager = find_manager()
    if manager is None or manager.state(service_of_config(config, manager)) is ServiceState.ABSENT:
        sys.stderr.write(f"{i18n.text('node-service-absent', lang)}\n")
        return 1
    return _print_outcome(
        manager.restart(service_of_config(config, manager)), "node-service-restarted", lang
    )


def print_service_status(config: NodeConfig, lang: str, *, as_json: bool) -> int:
    """Prints the state of a node's service; returns the exit status. Blocks."""
    report = report_service(config, find_manager())
    if as_json:
        sys.stdout.write(f"{msgspec.json.encode(report).decode('utf-8')}\n")
        return 0
    code = f"node-service-is-{report.state}" if report.manager else "node-service-none"
    values = {"kind": report.manager, "log": report.log, "command": report.command}
    sys.stdout.write(f"{i18n.text(code, lang, **values)}\n")
    return 0


def leave_pool(folder: Path, lang: str, *, weights: bool | None, purge: bool = False) -> int:
    """Leaves the pool: stops the agent, notifies the pool, removes the identity. Blocks.

    Args:
        folder: of the node.
        lang: language of the output.
        weights: whether the fetched models are removed too; None to ask at the terminal.
        purge: whether all files of Entraide in the folder are removed, the fetched models too.

    Returns:
        The exit status.
    """
    # These import the whole agent.
    from entraide.event_loop import run_event_loop  # noqa: PLC0415
    from entraide_node.model_manager.catalogue_source import CATALOGUE_NAME, SIGNATURE_NAME  # noqa: PLC0415
    from entraide_node.owner.lent_time import LENT_NAME  # noqa: PLC0415
    from entraide_node.report_outbox import REPORTS_NAME  # noqa: PLC0415

    config = load_config(folder / CONFIG_NAME)
    manager = find_manager()
    if manager is not None:
        manager.remove(service_of_config(config, manager))
    if not _stop_agent(folder, within_s=config.drain_s + STOP_MARGIN_S):
        sys.stderr.write(f"{i18n.text('node-leave-stuck', lang)}\n")
        return 1
    if not (folder / keys.IDENTITY_NAME).exists():  # the node has left already
        return _remove_files(folder, config, lang, purge=purge, weights=weights)
    pool_knows = run_event_loop(_say_goodbye(config))
    for name in (
        keys.IDENTITY_NAME, *keys.OWN_KEY_NAMES, keys.CA_NAME, keys.POOL_KEY_NAME, POOL_NAME,
        CATALOGUE_NAME, SIGNATURE_NAME, REPORTS_NAME, owner_files.STOPPED_NAME,
        owner_files.PAUSE_NAME, LENT_NAME,
    ):  # fmt: skip
        (folder / name).unlink(missing_ok=True)
    code = "node-left" if pool_knows else "node-left-untold"
    sys.stdout.write(f"{i18n.text(code, lang, node=config.node)}\n")
    return _remove_files(folder, config, lang, purge=purge, weights=weights)


def _remove_files(
    folder: Path, config: NodeConfig, lang: str, *, purge: bool, weights: bool | None
) -> int:
    """Removes the requested files, and reports the remaining ones; returns the exit status."""
    from entraide_node import folder_purge  # noqa: PLC0415  (brings every engine along)

    _remove_weights(config, lang, remove=True if purge else weights)
    if purge:
        folder_purge.purge_folder(folder)
    remaining = folder_purge.list_remaining(folder)
    values = {"folder": str(folder), "files": ", ".join(remaining)}
    some = "node-left-foreign" if purge else "node-left-stays"
    code = some if remaining else "node-left-purged"
    sys.stdout.write(f"{i18n.text(code, lang, **values)}\n")
    program = default_dir().parent
    if Path(sys.prefix) == program / "environment":  # the pool's line installed it
        command = Path.home() / ".local/bin/entraide"
        where = {"folder": shlex.quote(str(program)), "command": shlex.quote(str(command))}
        sys.stdout.write(f"{i18n.text('node-left-program', lang, **where)}\n")
    return 0


def _stop_agent(folder: Path, *, within_s: float) -> bool:
    """Asks a running agent to stop, and waits for its end."""
    running = owner_files.read_status(folder, now=time.time())
    if running is None:
        return True
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(running.pid)
        os.kill(running.pid, signal.SIGTERM)
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(within_s)
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


async def _say_goodbye(config: NodeConfig) -> bool:
    """Sends the final goodbye; returns whether the bus then refused this identity."""
    from entraide.wire import codec, subjects  # noqa: PLC0415  (only needed to leave)
    from entraide.wire.messages import LEFT, Goodbye  # noqa: PLC0415
    from entraide.wire.nats import client_context, connect  # noqa: PLC0415
    from entraide.wire.reachability import Reach, probe  # noqa: PLC0415

    refused = asyncio.Event()

    async def on_refused() -> None:
        refused.set()

    folder = Path(config.dir)
    try:
        authority, keyring = keys.read_ca_pem(folder), keys.Keyring(folder)
        reached = await probe(config.nats_urls)
        open_urls = [url for url, reach in reached.items() if reach is Reach.OPEN]
        if not open_urls:
            return False
        connection = await connect(
            open_urls,
            identity=keyring.identity(),
            name=f"farewell-{config.node}",
            tls=client_context(authority) if authority else None,
            deadline_s=GOODBYE_TIMEOUT_S,
            on_refused=on_refused,
        )
    except EntraideError as problem:
        return problem.code == "bus_refused"
    try:
        async with asyncio.timeout(GOODBYE_TIMEOUT_S):
            subject = subjects.node_ctl_up(keyring.public_key)
            await connection.publish(subject, codec.encode(Goodbye(LEFT)))
            await refused.wait()
    except TimeoutError:
        return False
    finally:
        await connection.close()
    return True


def _remove_weights(config: NodeConfig, lang: str, *, remove: bool | None) -> None:
    from entraide.catalogue.model_store import ModelStore  # noqa: PLC0415  (only needed to leave)

    store = ModelStore(weights_folder(config))
    stored = store.list_stored()
    if not stored:
        return
    values = {
        "folder": str(weights_folder(config)),
        "size": i18n.decimal(sum(weights.size_bytes for weights in stored) / 1e9, lang),
    }
    if remove is None and sys.stdin.isatty():
        answer = input(f"{i18n.text('node-leave-weights-ask', lang, **values)} ")
        remove = answer.strip().lower()[:1] in ("o", "y")
    if remove:
        for weights in stored:
            store.delete(weights.place)
    code = "node-left-weights-gone" if remove else "node-left-weights-kept"
    sys.stdout.write(f"{i18n.text(code, lang, **values)}\n")


def weights_folder(config: NodeConfig) -> Path:
    """Returns the folder of a node's weights."""
    from entraide_node.model_manager.catalogue_source import MODELS_FOLDER  # noqa: PLC0415  (brings every engine along)

    return Path(config.dir) / (config.models.dir or MODELS_FOLDER)


def _print_sentence(code: str, lang: str, *, as_json: bool, **values: str) -> None:
    """Prints a sentence; on standard error if standard output carries JSON."""
    stream = sys.stderr if as_json else sys.stdout
    stream.write(f"{i18n.text(code, lang, **values)}\n")


def _print_outcome(problem: str, code: str, lang: str) -> int:
    if problem:
        sys.stderr.write(f"{i18n.text('node-service-trouble', lang, problem=problem)}\n")
        return 1
    sys.stdout.write(f"{i18n.text(code, lang)}\n")
    return 0

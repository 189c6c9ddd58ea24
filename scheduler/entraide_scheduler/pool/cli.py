"""``entraide pool``: founds and runs a pool that co-ops join with their own machines."""

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entraide import i18n
from entraide.cli import options
from entraide.cli.pool_command import PoolCommand
from entraide.errors import EntraideError
from entraide.types import UNKNOWN
from entraide_scheduler.pool.backup_cli import register_backup
from entraide_scheduler.pool.clock_cli import register_clock
from entraide_scheduler.pool.mirror_cli import register_mirror
from entraide_scheduler.pool.notify_cli import register_notify
from entraide_scheduler.pool.output import print_problem
from entraide_scheduler.pool.receipt_key_cli import register_renewal
from entraide_scheduler.pool.service_cli import register_service
from entraide_scheduler.pool.status_cli import register_status

if TYPE_CHECKING:
    from entraide_scheduler.pool.config import PoolConfig
    from entraide_scheduler.supervision.poolfile import PoolFile


def register(app: typer.Typer, lang: str = i18n.DEFAULT_LANG) -> None:
    """Adds the commands to the ``entraide`` command, in one language."""
    pool = typer.Typer(help=i18n.text("help-pool", lang), no_args_is_help=True)
    _register_create(pool, lang)
    _register_run(pool, lang)
    register_backup(pool, lang)
    register_renewal(pool, lang)
    register_service(pool, lang)
    register_status(pool, lang)
    register_mirror(pool, lang)
    register_clock(pool, lang)
    register_notify(pool, lang)
    app.add_typer(pool, name="pool")


def _port(name: str, lang: str) -> Any:
    text = i18n.text(f"opt-pool-{name}-port", lang)
    return typer.Option(f"--{name}-port", metavar="PORT", min=1, max=65_535, help=text)


def _register_create(pool: typer.Typer, lang: str) -> None:
    def option(name: str, metavar: str) -> Any:
        text = i18n.text(f"opt-pool-{name}", lang)
        return typer.Option(f"--{name}", metavar=metavar, help=text)

    @pool.command("create", cls=PoolCommand, help=i18n.text("help-pool-create", lang))
    def create(
        directory: Annotated[Path, options.pool_directory(lang)],
        *,
        name: Annotated[str, option("name", "NAME")],
        address: Annotated[str, option("address", "HOST")],
        cert: Annotated[Path | None, option("cert", "FILE")] = None,
        key: Annotated[Path | None, option("key", "FILE")] = None,
        proxy: Annotated[
            bool, typer.Option("--proxy", help=i18n.text("opt-pool-proxy", lang))
        ] = False,
        database: Annotated[str, option("database", "URL")] = "",
        timezone: Annotated[str, option("timezone", "ZONE")] = "America/Toronto",
        gateways: Annotated[int, option("gateways", "N")] = 1,
        zone: Annotated[str, option("zone", "ZONE")] = UNKNOWN,
        controlled_by: Annotated[str, option("controlled-by", "WHO")] = UNKNOWN,
        http_port: Annotated[int, _port("http", lang)] = 8443,
        grpc_port: Annotated[int, _port("grpc", lang)] = 8444,
        bus_port: Annotated[int, _port("bus", lang)] = 4222,
    ) -> None:
        from entraide_scheduler.config import PlaceConfig
        from entraide_scheduler.pool import config as c
        from entraide_scheduler.pool.backup_config import NEW_DAILY, PoolBackup

        http = c.PoolHttp(port=http_port)
        config = c.PoolConfig(
            name=name,
            address=address,
            lang=lang,
            timezone=timezone,
            database=database,
            gateways=gateways,
            http=c.PoolHttp(host="127.0.0.1", port=http_port) if proxy else http,
            grpc=c.PoolGrpc(port=grpc_port),
            bus=c.PoolBus(port=bus_port, websocket=_next_free(bus_port, (http_port, grpc_port))),
            tls=c.PoolTls(
                cert_file=str(cert.resolve()) if cert else "",
                key_file=str(key.resolve()) if key else "",
                proxy=proxy,
            ),
            place=PlaceConfig(zone=zone, controlled_by=controlled_by),
            backup=PoolBackup(daily=NEW_DAILY),
        )
        raise typer.Exit(_create(directory.resolve(), config, lang))


def _next_free(port: int, taken: tuple[int, ...]) -> int:
    """Returns the next port that no other part of the pool has."""
    following = range(port + 1, 2**16)
    return next((each for each in following if each not in taken), 0)


def _register_run(pool: typer.Typer, lang: str) -> None:
    @pool.command("run", cls=PoolCommand, help=i18n.text("help-pool-run", lang))
    def run(directory: Annotated[Path, options.pool_directory(lang)]) -> None:
        raise typer.Exit(_run(directory.resolve(), lang))


def _create(state: Path, config: "PoolConfig", lang: str) -> int:
    from entraide.files import PRIVATE_UMASK
    from entraide_scheduler.pool.create import create_pool

    os.umask(PRIVATE_UMASK)
    try:
        made = create_pool(state, config)
    except EntraideError as problem:
        return print_problem(problem, lang)
    if not made.is_new:
        typer.echo(i18n.text("pool-unchanged", lang, path=str(state), name=made.config.name))
        return 0
    typer.echo(format_next_steps(made.config, state, lang))
    return 0


def format_next_steps(config: "PoolConfig", state: Path, lang: str) -> str:
    """Returns what an operator does after the creation."""
    served = "proxy" if config.tls.proxy else "file" if config.tls.cert_file else "own"
    return i18n.text(
        "pool-created",
        lang,
        name=config.name,
        path=str(state),
        url=config.public_url,
        served=served,
        http=str(config.http.port),
        grpc=str(config.grpc.port),
        bus=str(config.bus.port),
        place=i18n.place_name(config.place.place, lang),
        unknown=i18n.ABSENT if config.place.is_known else "yes",
    )


def _run(state: Path, lang: str) -> int:
    from entraide.files import PRIVATE_UMASK
    from entraide_scheduler.nats.keyfiles import make_private_home
    from entraide_scheduler.pool.config import load_pool_config
    from entraide_scheduler.pool.trial import end_interrupted_trial
    from entraide_scheduler.pool.versions import enter_current, run_again_after_upgrade
    from entraide_scheduler.supervision.logs import log_to_file

    def report(code: str, **values: str) -> None:
        typer.echo(i18n.text(code, lang, **values))

    os.umask(PRIVATE_UMASK)
    try:
        end_interrupted_trial(state, report)
        enter_current(state)
        load_pool_config(state)
        log_to_file(make_private_home(state) / "logs" / "pool.log")
        if asyncio.run(_serve(state, lang)):
            run_again_after_upgrade(state)
    except EntraideError as problem:
        return print_problem(problem, lang)
    return 0


async def _serve(state: Path, lang: str) -> bool:
    """Runs the pool until a signal; returns whether an upgrade sent it."""
    from entraide_scheduler.pool.run import FoundedPool
    from entraide_scheduler.pool.upgrade import STOP_SIGNAL
    from entraide_scheduler.supervision.foreground import run_until_signal

    def report(code: str, **values: str) -> None:
        typer.echo(i18n.text(code, lang, **values))

    pool = FoundedPool(state, report)
    is_upgrade = asyncio.Event()

    def stop_for_upgrade() -> None:
        is_upgrade.set()
        os.kill(os.getpid(), signal.SIGTERM)

    def begin_upgrade() -> None:
        if not pool.begin_handover(stop_for_upgrade):
            stop_for_upgrade()

    asyncio.get_running_loop().add_signal_handler(STOP_SIGNAL, begin_upgrade)

    async def stop() -> None:
        report("pool-stopping")
        await pool.stop()

    running: PoolFile | None
    async with run_until_signal(pool.start, stop) as running:
        if running is not None:
            report("pool-ready", url=running.http, path=str(state))
    return is_upgrade.is_set()

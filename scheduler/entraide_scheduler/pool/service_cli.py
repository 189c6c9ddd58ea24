"""``entraide pool service``: installs, removes and shows a pool's service."""

from pathlib import Path
from typing import Annotated

import typer

from entraide import i18n
from entraide.cli import options
from entraide.cli.pool_command import PoolCommand
from entraide.errors import EntraideError
from entraide_scheduler.pool.output import print_problem


def register_service(pool: typer.Typer, lang: str) -> None:
    """Adds the group ``service``."""
    service = typer.Typer(help=i18n.text("help-pool-service", lang), no_args_is_help=True)
    directory = options.pool_directory(lang)

    @service.command("install", cls=PoolCommand, help=i18n.text("help-pool-service-install", lang))
    def install(state: Annotated[Path, directory]) -> None:
        raise typer.Exit(_install(state.resolve(), lang))

    @service.command("remove", cls=PoolCommand, help=i18n.text("help-pool-service-remove", lang))
    def remove(state: Annotated[Path, directory]) -> None:
        raise typer.Exit(_remove(state.resolve(), lang))

    @service.command("status", cls=PoolCommand, help=i18n.text("help-pool-service-status", lang))
    def status(
        state: Annotated[Path, directory], *, json: Annotated[bool, options.json(lang)] = False
    ) -> None:
        raise typer.Exit(_status(state.resolve(), lang, as_json=json))

    pool.add_typer(service, name="service")


def _install(state: Path, lang: str) -> int:
    from entraide_scheduler.pool.config import load_pool_config
    from entraide_scheduler.pool.service import install_service, make_service, report_service

    try:
        service = make_service(state, load_pool_config(state))
        manager = install_service(service)
    except EntraideError as problem:
        return print_problem(problem, lang)
    report = report_service(service, manager)
    typer.echo(
        i18n.text(
            "pool-service-installed", lang, kind=report.manager, name=report.name, log=report.log
        )
    )
    if manager.needs_linger():
        typer.echo(i18n.text("pool-service-linger", lang))
    return 0


def _remove(state: Path, lang: str) -> int:
    from entraide_scheduler.pool.config import load_pool_config
    from entraide_scheduler.pool.service import make_service, remove_service

    try:
        was_there = remove_service(make_service(state, load_pool_config(state)))
    except EntraideError as problem:
        return print_problem(problem, lang)
    typer.echo(i18n.text("pool-service-removed" if was_there else "pool-service-absent", lang))
    return 0


def _status(state: Path, lang: str, *, as_json: bool) -> int:
    import msgspec

    from entraide.system_service.manager import find_manager
    from entraide_scheduler.pool.config import load_pool_config
    from entraide_scheduler.pool.service import is_of_system, make_service, report_service

    try:
        service = make_service(state, load_pool_config(state))
    except EntraideError as problem:
        return print_problem(problem, lang)
    report = report_service(service, find_manager(system=is_of_system()))
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
        return 0
    code = f"pool-service-is-{report.state}" if report.manager else "pool-service-none"
    typer.echo(i18n.text(code, lang, kind=report.manager, log=report.log, path=str(state)))
    return 0

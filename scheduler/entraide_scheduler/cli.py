"""``entraide scheduler run`` and ``entraide gateway run``, and the commands of ``entraide up``."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from entraide import i18n
from entraide.errors import EntraideError

Config = Annotated[Path, typer.Option("--config", metavar="FILE.toml", exists=True)]


def register(app: typer.Typer, lang: str = i18n.DEFAULT_LANG) -> None:
    """Adds the scheduler's commands to the ``entraide`` command, in one language."""
    from entraide_scheduler.up.cli import register as register_up

    scheduler = typer.Typer(help=i18n.text("help-scheduler", lang), no_args_is_help=True)
    gateway = typer.Typer(help=i18n.text("help-gateway", lang), no_args_is_help=True)

    @scheduler.callback()
    @gateway.callback()
    def group() -> None:
        """Keeps ``run`` a command of its group."""

    @scheduler.command("run", help=i18n.text("help-scheduler-run", lang))
    def scheduler_run(config: Config) -> None:
        raise typer.Exit(told(lambda: run_scheduler(config), lang))

    @gateway.command("run", help=i18n.text("help-gateway-run", lang))
    def gateway_run(config: Config) -> None:
        raise typer.Exit(told(lambda: run_gateway(config), lang))

    app.add_typer(scheduler, name="scheduler")
    app.add_typer(gateway, name="gateway")
    register_up(app, lang)


def run_scheduler(path: Path) -> int:
    """Runs a scheduler with the config in a file; returns the exit status."""
    from entraide_scheduler.config import load_config
    from entraide_scheduler.run import run_scheduler as run

    return run(load_config(path))


def run_gateway(path: Path) -> int:
    """Runs a gateway as a process of its own; returns the exit status."""
    from entraide_scheduler.gateway.run import load_gateway_config
    from entraide_scheduler.gateway.run import run_gateway as run
    from entraide_scheduler.run import log_to_stderr, run_loop

    log_to_stderr()
    run_loop(run(load_gateway_config(path)))
    return 0


def told(work: Callable[[], int], lang: str) -> int:
    """Does some work; an error of ours becomes one sentence on standard error, and status 1."""
    try:
        return work()
    except EntraideError as problem:
        known = i18n.known(f"error-{problem.code}")
        sentence = i18n.error(problem.code, lang, problem.values) if known else problem.message
        sys.stderr.write(f"{sentence}\n")
        return 1

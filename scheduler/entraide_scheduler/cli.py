"""``entraide scheduler …`` and ``entraide gateway run``."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from entraide import i18n
from entraide.errors import EntraideError

Config = Annotated[Path, typer.Option("--config", metavar="FILE.toml", exists=True)]


def register(app: typer.Typer, lang: str = i18n.DEFAULT_LANG) -> None:
    """Adds the scheduler's commands to the ``entraide`` command, in one language."""
    scheduler = typer.Typer(help=i18n.text("help-scheduler", lang), no_args_is_help=True)
    journal = typer.Typer(help=i18n.text("help-scheduler-journal", lang), no_args_is_help=True)
    gateway = typer.Typer(help=i18n.text("help-gateway", lang), no_args_is_help=True)

    @scheduler.callback()
    @journal.callback()
    @gateway.callback()
    def group() -> None:
        """Keeps ``run`` a command of its group."""

    @scheduler.command("run", help=i18n.text("help-scheduler-run", lang))
    def scheduler_run(config: Config) -> None:
        raise typer.Exit(run_command(lambda: run_scheduler(config), lang))

    @scheduler.command("export-month", hidden=True)
    def export_month() -> None:
        raise typer.Exit(run_command(run_export, lang))

    @gateway.command("run", help=i18n.text("help-gateway-run", lang))
    def gateway_run(config: Config) -> None:
        raise typer.Exit(run_command(lambda: run_gateway(config), lang))

    @journal.command("export", help=i18n.text("help-scheduler-journal-export", lang))
    def journal_export(
        out: Annotated[Path, typer.Option("--out", metavar="FILE")],
        state: Annotated[Path | None, typer.Option("--state", metavar="DIR")] = None,
        config: Annotated[Path | None, typer.Option("--config", metavar="FILE.toml")] = None,
        hours: Annotated[float, typer.Option("--hours", min=0.0)] = 0.0,
        json: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        raise typer.Exit(
            run_command(
                lambda: export_journal(
                    find_config(state, config), out, hours=hours, lang=lang, as_json=json
                ),
                lang,
            )
        )

    scheduler.add_typer(journal, name="journal")
    app.add_typer(scheduler, name="scheduler")
    app.add_typer(gateway, name="gateway")


def run_scheduler(path: Path) -> int:
    """Runs a scheduler with the config in a file; returns the exit status."""
    from entraide_scheduler.config import load_config
    from entraide_scheduler.run import run_scheduler as run

    return run(load_config(path))


def run_export() -> int:
    """Writes the file of the month that the environment names; returns the exit status."""
    from entraide_scheduler.books import export_from_environment

    export_from_environment()
    return 0


def run_gateway(path: Path) -> int:
    """Runs a gateway as a process of its own; returns the exit status."""
    from entraide.event_loop import run_event_loop
    from entraide.files import PRIVATE_UMASK
    from entraide_scheduler.gateway_run import load_gateway_config
    from entraide_scheduler.gateway_run import run_gateway as run
    from entraide_scheduler.run import log_to_stderr

    os.umask(PRIVATE_UMASK)
    log_to_stderr()
    run_event_loop(run(load_gateway_config(path)))
    return 0


def find_config(state: Path | None, config: Path | None) -> Path:
    """Returns the path of the scheduler's config: ``config``, else that of ``entraide up``."""
    from entraide.cli.pool_access import default_state
    from entraide_scheduler.up.settings import SCHEDULER_CONFIG_NAME

    return config or (state or default_state()).resolve() / SCHEDULER_CONFIG_NAME


def export_journal(config: Path, out: Path, *, hours: float, lang: str, as_json: bool) -> int:
    """Writes the journal of the pool with that config into a file; returns the exit status."""
    import msgspec

    from entraide import relative_time
    from entraide_scheduler.config import load_config
    from entraide_scheduler.driver import write_recording

    now = time.time()
    since = now - hours * 3_600.0 if hours else 0.0
    summary = write_recording(load_config(config).effective_store_url, out, since=since)
    if as_json:
        typer.echo(msgspec.json.encode(summary).decode())
        return 0
    start_text = relative_time.format_time(summary.start_at, lang, at=now)
    size_kb = summary.bytes / 1e3
    file_values = {"file": summary.file, "begun": start_text}
    typer.echo(
        i18n.text("journal-exported", lang, events=summary.events, size_kb=size_kb, **file_values)
    )
    return 0


def run_command(work: Callable[[], int], lang: str) -> int:
    """Runs a command; an ``EntraideError`` becomes one sentence on stderr and exit status 1."""
    try:
        return work()
    except EntraideError as problem:
        known = i18n.has_message(f"error-{problem.code}")
        sentence = i18n.error(problem.code, lang, problem.values) if known else problem.message
        sys.stderr.write(f"{sentence}\n")
        return 1

"""``entraide pool notify``: a test message to everybody whom ``notify.toml`` names."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli import options
from entraide.cli.pool_command import PoolCommand
from entraide.errors import EntraideError
from entraide_scheduler.pool.output import print_problem

if TYPE_CHECKING:
    from entraide_scheduler.notifications import DeliveryTrial


def register_notify(pool: typer.Typer, lang: str) -> None:
    """Adds the command ``notify``."""
    directory = options.pool_directory(lang)

    @pool.command("notify", cls=PoolCommand, help=i18n.text("help-pool-notify", lang))
    def notify(
        state: Annotated[Path, directory], *, json: Annotated[bool, options.json(lang)] = False
    ) -> None:
        raise typer.Exit(_notify(state.resolve(), lang, as_json=json))


def _notify(state: Path, lang: str, *, as_json: bool) -> int:
    try:
        trials = _try_all(state)
    except EntraideError as problem:
        return print_problem(problem, lang)
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode({"recipients": trials}).decode())
    elif not trials:
        typer.echo(i18n.text("notify-nobody", lang, path=str(state)), err=True)
    for trial in () if as_json else trials:
        code = "notify-trial-failed" if trial.problem else "notify-trial-sent"
        values = {"recipient": trial.recipient, "problem": trial.problem}
        typer.echo(i18n.text(code, lang, **values))
    return 1 if not trials or any(trial.problem for trial in trials) else 0


def _try_all(state: Path) -> "list[DeliveryTrial]":
    from entraide_scheduler.config import load_notify_config
    from entraide_scheduler.notifications import Pool, list_senders, send_trial
    from entraide_scheduler.pool.config import load_pool_config

    config = load_pool_config(state)
    notify = load_notify_config(state, config.smtp)
    if notify is None:
        return []
    pool = Pool(config.name, config.public_url, config.lang, config.timezone)
    return asyncio.run(send_trial(list_senders(notify, config.smtp, state, pool)))

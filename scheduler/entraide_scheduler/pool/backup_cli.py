"""``entraide pool backup`` and ``entraide pool restore``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entraide import i18n
from entraide.cli import options
from entraide.errors import EntraideError

if TYPE_CHECKING:
    from entraide_scheduler.pool.backup import BackupSummary
    from entraide_scheduler.pool.restore import RestoreSummary


def register_backup(pool: typer.Typer, lang: str) -> None:
    """Adds the commands ``backup`` and ``restore``."""

    def argument(name: str, metavar: str) -> Any:
        return typer.Argument(metavar=metavar, help=i18n.text(name, lang))

    def option(name: str, metavar: str) -> Any:
        text = i18n.text(f"opt-pool-{name}", lang)
        return typer.Option(f"--{name}", metavar=metavar, help=text)

    @pool.command("backup", help=i18n.text("help-pool-backup", lang))
    def backup(
        file: Annotated[Path, argument("arg-backup-new", "FILE")],
        *,
        state: Annotated[Path | None, options.state(lang)] = None,
        passphrase_file: Annotated[str, option("passphrase-file", "FILE")] = "",
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.cli.pool_access import default_state

        folder = (state or default_state()).resolve()
        raise typer.Exit(_backup(file.resolve(), folder, passphrase_file, lang, as_json=json))

    @pool.command("restore", help=i18n.text("help-pool-restore", lang))
    def restore(
        file: Annotated[Path, argument("arg-backup", "FILE")],
        directory: Annotated[Path, argument("arg-restore-dir", "DIR")],
        *,
        database: Annotated[str | None, option("restore-database", "URL")] = None,
        passphrase_file: Annotated[str, option("passphrase-file", "FILE")] = "",
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        code = _restore(
            file.resolve(), directory.resolve(), database, passphrase_file, lang, as_json=json
        )
        raise typer.Exit(code)


def _backup(file: Path, state: Path, source: str, lang: str, *, as_json: bool) -> int:
    from entraide.files import PRIVATE_UMASK
    from entraide_scheduler.pool.backup import write_backup
    from entraide_scheduler.pool.config import load_pool_config
    from entraide_scheduler.pool.passphrase import read_passphrase

    os.umask(PRIVATE_UMASK)
    try:
        load_pool_config(state)  # before the person types anything
        summary = write_backup(state, file, read_passphrase(source, lang, is_new=True))
    except EntraideError as problem:
        return _print_problem(problem, lang)
    _print(summary, format_backup(summary, lang), as_json=as_json)
    return 0


def format_backup(summary: "BackupSummary", lang: str) -> str:
    """Returns what an operator reads after a backup."""
    lines = [
        i18n.text(
            "pool-backup-done",
            lang,
            path=summary.file,
            size=i18n.decimal(summary.bytes / 1e6, lang),
            files=summary.files,
            rows=summary.rows,
        )
    ]
    if summary.left_out:
        names = ", ".join(summary.left_out)
        lines.append(i18n.text("pool-backup-left-out", lang, names=names))
    return "\n".join(lines)


def _restore(
    file: Path, state: Path, database: str | None, source: str, lang: str, *, as_json: bool
) -> int:
    from entraide.files import PRIVATE_UMASK
    from entraide_scheduler.pool.passphrase import read_passphrase
    from entraide_scheduler.pool.restore import check_target, open_backup, restore_pool

    os.umask(PRIVATE_UMASK)
    try:
        check_target(state)
        with open_backup(file):
            pass  # before the person types anything
        passphrase = read_passphrase(source, lang, is_new=False)
        summary = restore_pool(file, state, passphrase, database=database)
    except EntraideError as problem:
        return _print_problem(problem, lang)
    _print(summary, format_restore(summary, lang), as_json=as_json)
    return 0


def format_restore(summary: "RestoreSummary", lang: str) -> str:
    """Returns what an operator reads after a restore."""
    return i18n.text(
        "pool-restore-done",
        lang,
        path=summary.path,
        name=summary.name,
        files=summary.files,
        rows=summary.rows,
    )


def _print(summary: "BackupSummary | RestoreSummary", text: str, *, as_json: bool) -> None:
    import msgspec

    typer.echo(msgspec.json.encode(summary).decode() if as_json else text)


def _print_problem(problem: EntraideError, lang: str) -> int:
    typer.echo(i18n.error(problem.code, lang, problem.values), err=True)
    return 1

"""``entraide pool backup``, ``entraide pool restore`` and ``entraide pool upgrade``."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entraide import i18n
from entraide.cli import options
from entraide.errors import EntraideError
from entraide_scheduler.pool.output import print_problem

if TYPE_CHECKING:
    from entraide_scheduler.pool.backup import BackupSummary
    from entraide_scheduler.pool.restore import RestoreSummary


def register_backup(pool: typer.Typer, lang: str) -> None:
    """Adds the commands ``backup``, ``restore`` and ``upgrade``."""

    def argument(name: str, metavar: str) -> Any:
        return typer.Argument(metavar=metavar, help=i18n.text(name, lang))

    def option(name: str, metavar: str, *more_names: str) -> Any:
        text = i18n.text(f"opt-pool-{name}", lang)
        return typer.Option(*more_names, f"--{name}", metavar=metavar, help=text)

    @pool.command("backup", help=i18n.text("help-pool-backup", lang))
    def backup(
        file: Annotated[Path | None, argument("arg-backup-new", "[FILE]")] = None,
        *,
        state: Annotated[Path | None, options.state(lang)] = None,
        passphrase_file: Annotated[str, option("passphrase-file", "FILE")] = "",
        if_due: Annotated[
            bool, typer.Option("--if-due", help=i18n.text("opt-pool-if-due", lang))
        ] = False,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.cli.pool_access import default_state

        folder = (state or default_state()).resolve()
        if file is None:
            raise typer.Exit(_backup_daily(folder, lang, if_due=if_due, as_json=json))
        raise typer.Exit(_backup(file.resolve(), folder, passphrase_file, lang, as_json=json))

    @pool.command("restore", help=i18n.text("help-pool-restore", lang))
    def restore(
        file: Annotated[Path, argument("arg-backup", "FILE")],
        directory: Annotated[Path, argument("arg-restore-dir", "DIR")],
        *,
        database: Annotated[str | None, option("restore-database", "URL", "--database")] = None,
        erased: Annotated[Path | None, option("restore-erased", "FILE", "--erased")] = None,
        passphrase_file: Annotated[str, option("passphrase-file", "FILE")] = "",
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        choices = {"database": database, "erased": erased and erased.resolve()}
        code = _restore(
            file.resolve(), directory.resolve(), choices, passphrase_file, lang, as_json=json
        )
        raise typer.Exit(code)

    @pool.command("upgrade", help=i18n.text("help-pool-upgrade", lang))
    def upgrade(
        wheel: Annotated[Path, argument("arg-upgrade-wheel", "WHEEL")],
        *,
        state: Annotated[Path | None, options.state(lang)] = None,
        wheels: Annotated[Path | None, option("wheels", "DIR")] = None,
        root: Annotated[str, options.root(lang)] = "",
    ) -> None:
        from entraide.cli.pool_access import default_state

        folder = (state or default_state()).resolve()
        raise typer.Exit(_upgrade(folder, wheel.resolve(), wheels, root, lang))


def _backup(file: Path, state: Path, source: str, lang: str, *, as_json: bool) -> int:
    from entraide.files import PRIVATE_UMASK
    from entraide_scheduler.pool.backup import record_backup, write_backup
    from entraide_scheduler.pool.config import load_pool_config
    from entraide_scheduler.pool.passphrase import read_passphrase
    from entraide_scheduler.pool.versions import enter_current

    os.umask(PRIVATE_UMASK)
    try:
        enter_current(state)
        load_pool_config(state)  # before the person types anything
        passphrase = read_passphrase(source, lang, is_new=True)
        summary = write_backup(state, file, passphrase, is_verified=True)
        record_backup(state, summary)
    except EntraideError as problem:
        return print_problem(problem, lang)
    _print(summary, format_backup(summary, lang), as_json=as_json)
    return 0


def _backup_daily(state: Path, lang: str, *, if_due: bool, as_json: bool) -> int:
    from entraide.files import PRIVATE_UMASK
    from entraide_scheduler.pool.daily_backup import make_daily_backup
    from entraide_scheduler.pool.versions import enter_current

    os.umask(PRIVATE_UMASK)
    try:
        enter_current(state)
        summary = make_daily_backup(state, if_due=if_due)
    except EntraideError as problem:
        return print_problem(problem, lang)
    if summary is not None:
        _print(summary, format_backup(summary, lang), as_json=as_json)
    elif not as_json:
        typer.echo(i18n.text("pool-backup-not-due", lang))
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
            place=i18n.place_name(summary.place, lang),
        )
    ]
    if summary.left_out:
        names = ", ".join(summary.left_out)
        lines.append(i18n.text("pool-backup-left-out", lang, names=names))
    if summary.deleted:
        names = ", ".join(summary.deleted)
        lines.append(i18n.text("pool-backup-deleted", lang, names=names))
    return "\n".join(lines)


def _restore(
    file: Path, state: Path, choices: dict[str, Any], source: str, lang: str, *, as_json: bool
) -> int:
    from entraide.files import PRIVATE_UMASK
    from entraide_scheduler.pool.machine_files_check import note_lacking
    from entraide_scheduler.pool.passphrase import read_passphrase
    from entraide_scheduler.pool.restore import check_target, open_backup, restore_pool

    os.umask(PRIVATE_UMASK)
    try:
        check_target(state)
        with open_backup(file):
            pass  # before the person types anything
        passphrase = read_passphrase(source, lang, is_new=False)
        summary = note_lacking(restore_pool(file, state, passphrase, **choices), state)
    except EntraideError as problem:
        return print_problem(problem, lang)
    _print(summary, format_restore(summary, lang), as_json=as_json)
    return 0


def format_restore(summary: "RestoreSummary", lang: str) -> str:
    """Returns what an operator reads after a restore."""
    lacking = i18n.text(
        "pool-restore-lacking",
        lang,
        mirror="lacks" if summary.lacks_mirror else i18n.ABSENT,
        models=", ".join(summary.missing_weights) or i18n.ABSENT,
        source=summary.mirror_source,
    )
    done = i18n.text(
        "pool-restore-done",
        lang,
        path=summary.path,
        name=summary.name,
        files=summary.files,
        rows=summary.rows,
        lacking=lacking,
        source=summary.mirror_source,
    )
    lists = {"lists": ", ".join(summary.lists)} if summary.lists else {}
    counts = {"erased": summary.erased, "revoked": summary.revoked}
    repeated = i18n.text("pool-restore-erased", lang, **counts, **lists)
    return f"{done}\n{repeated}"


def _upgrade(state: Path, wheel: Path, wheels: Path | None, root: str, lang: str) -> int:
    from entraide.files import PRIVATE_UMASK
    from entraide_scheduler.pool.config import load_pool_config
    from entraide_scheduler.pool.release_files import COPIED, require_folder, take_upgrade
    from entraide_scheduler.pool.trial import end_interrupted_trial
    from entraide_scheduler.pool.upgrade import upgrade_pool
    from entraide_scheduler.pool.versions import enter_current
    from entraide_scheduler.upgrade_trial import FOLDER

    def report(code: str, **values: str) -> None:
        typer.echo(i18n.text(code, lang, **values))

    os.umask(PRIVATE_UMASK)
    try:
        end_interrupted_trial(state, report)
        enter_current(state)
        folder = wheels.resolve() if wheels is not None else None
        require_folder(wheel, root)
        is_release = wheel.is_dir()
        if is_release:
            load_pool_config(state)
            taken = take_upgrade(state, wheel, root)
            report("release-taken", version=taken.release.version, root=taken.release.root)
            wheel, folder = taken.wheel, taken.wheels
        summary = upgrade_pool(state, wheel, wheels=folder, lang=lang, report=report)
    except EntraideError as problem:
        return print_problem(problem, lang)
    finally:
        shutil.rmtree(state / FOLDER / COPIED, ignore_errors=True)
    report(
        "pool-upgrade-done" if summary.environment else "pool-upgrade-unchanged",
        version=summary.version,
        previous=summary.previous,
        running="yes" if summary.is_running else "no",
        path=str(state),
    )
    if is_release:
        report("pool-upgrade-repeat", path=str(state))
    return 0


def _print(summary: "BackupSummary | RestoreSummary", text: str, *, as_json: bool) -> None:
    import msgspec

    typer.echo(msgspec.json.encode(summary).decode() if as_json else text)

"""``entraide pool clock``: a clock far from the pool's time, and the operator's decision."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entraide import i18n
from entraide.cli import options
from entraide.cli.pool_command import PoolCommand
from entraide.errors import EntraideError, PoolError
from entraide.relative_time import format_moment
from entraide_scheduler.pool.output import print_problem

if TYPE_CHECKING:
    from entraide_scheduler.clock_check import ClockFile, ClockReading

STORE_FILE = "store.db"
SIDES = {"accept": "ahead", "set": "back"}  # where the clock is when a command makes sense


def register_clock(pool: typer.Typer, lang: str) -> None:
    """Adds the commands ``clock show``, ``clock accept`` and ``clock set``."""
    clock = typer.Typer(help=i18n.text("help-pool-clock", lang), no_args_is_help=True)
    directory = options.pool_directory(lang)

    @clock.command("show", cls=PoolCommand, help=i18n.text("help-pool-clock-show", lang))
    def show(
        state: Annotated[Path, directory], *, json: Annotated[bool, options.json(lang)] = False
    ) -> None:
        raise typer.Exit(_show(state.resolve(), lang, as_json=json))

    @clock.command("accept", cls=PoolCommand, help=i18n.text("help-pool-clock-accept", lang))
    def accept(state: Annotated[Path, directory]) -> None:
        raise typer.Exit(_decide(state.resolve(), lang, command="accept"))

    @clock.command("set", cls=PoolCommand, help=i18n.text("help-pool-clock-set", lang))
    def set_clock(state: Annotated[Path, directory]) -> None:
        raise typer.Exit(_decide(state.resolve(), lang, command="set"))

    pool.add_typer(clock, name="clock")


def _read(state: Path) -> "tuple[ClockReading, ClockFile]":
    from entraide_scheduler.clock_check import read_clock, read_clock_file
    from entraide_scheduler.pool.config import FILE, load_pool_config

    if not any((state / name).exists() for name in (FILE, STORE_FILE)):
        raise PoolError("pool_absent", f"no pool in {state}", values={"path": str(state)})
    database = load_pool_config(state).database if (state / FILE).is_file() else ""
    reading = read_clock(state, database or f"sqlite:///{state / STORE_FILE}")
    return reading, read_clock_file(state)


def _show(state: Path, lang: str, *, as_json: bool) -> int:
    try:
        reading, file = _read(state)
    except EntraideError as problem:
        return print_problem(problem, lang)
    if as_json:
        import msgspec

        document = {
            "state": reading.state,
            "system_at": reading.now,
            "last_event_at": reading.last_at or None,
            "offset_s": reading.offset_s,
            "is_decided": file.allows(reading.state, reading.now),
            "settings": file.settings,
        }
        typer.echo(msgspec.json.encode(document).decode())
        return 0
    last = format_moment(reading.last_at, lang) if reading.last_at else i18n.ABSENT
    lines = [i18n.text("clock-show", lang, now=format_moment(reading.now, lang), last=last)]
    values = _describe(state, reading)
    lines.append(i18n.text(f"clock-show-{reading.state}", lang, **values))
    for setting in file.settings:
        at, was_at = (format_moment(each, lang) for each in (setting.at, setting.was_at))
        number = len(setting.records)
        lines.append(i18n.text("clock-show-setting", lang, number=number, at=at, was_at=was_at))
        lines += [
            "  "
            + i18n.text(
                "clock-show-records", lang, column=f"{each.table}.{each.column}",
                number=each.records, first=format_moment(each.first_at, lang),
                last=format_moment(each.last_at, lang), names=", ".join(each.names) or i18n.ABSENT,
            )
            for each in setting.records
        ]  # fmt: skip
    typer.echo("\n".join(lines))
    return 0


def _decide(state: Path, lang: str, *, command: str) -> int:
    from entraide.files import PRIVATE_UMASK
    from entraide_scheduler.clock_check import decide

    os.umask(PRIVATE_UMASK)
    try:
        reading, _ = _read(state)
        if reading.state != SIDES[command]:
            typer.echo(i18n.text(f"clock-{command}-refused", lang, path=str(state)), err=True)
            return 1
        decide(state, reading.state, time.time())
    except EntraideError as problem:
        return print_problem(problem, lang)
    typer.echo(
        i18n.text(
            f"clock-{command}-done", lang, now=format_moment(reading.now, lang), path=str(state)
        )
    )
    return 0


def _describe(state: Path, reading: "ClockReading") -> dict[str, Any]:
    from entraide_scheduler.clock_check import describe

    return describe(state, reading)

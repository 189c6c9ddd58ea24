"""``entraide grid``: imports, shows and chooses the carbon intensity of each zone."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli import options, output
from entraide.errors import PoolError, error_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from entraide.v1 import admin_pb2

TOKEN_CHARS_MAX = 4_096
STDIN = "-"


def register(app: typer.Typer, lang: str) -> None:
    """Adds the commands, in one language."""
    grid = typer.Typer(help=i18n.text("help-grid", lang), no_args_is_help=True)
    _register_import(grid, lang)
    _register_show(grid, lang)
    _register_source(grid, lang)
    app.add_typer(grid, name="grid")


def _register_import(app: typer.Typer, lang: str) -> None:
    @app.command("import", help=i18n.text("help-grid-import", lang))
    def import_(
        file: Annotated[
            Path, typer.Argument(metavar="FILE", help=i18n.text("arg-grid-file", lang))
        ],
        *,
        zone: Annotated[
            str, typer.Option("--zone", metavar="Z", help=i18n.text("opt-grid-zone", lang))
        ],
        column: Annotated[
            str, typer.Option("--column", metavar="C", help=i18n.text("opt-grid-column", lang))
        ] = "",
        year_shift: Annotated[
            int,
            typer.Option(
                "--year-shift", min=-100, max=100, help=i18n.text("opt-grid-year-shift", lang)
            ),
        ] = 0,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.cli.pool_access import find_pool
        from entraide.types import Basis
        from entraide.v1 import admin_pb2
        from entraide_scheduler.grid.import_file import read_import

        try:
            series = read_import(file, zone=zone, column=column, year_shift=year_shift)
        except PoolError as problem:
            sentence = i18n.error(problem.code, lang, problem.values)
            raise error_for(problem.code, sentence, values=problem.values) from problem
        hours = sorted(series.hours)
        request = admin_pb2.GridSeries(
            zone=zone,
            hours=hours,
            direct_g_per_kwh=[series.hours[hour][0] for hour in hours],
            lifecycle_g_per_kwh=[series.hours[hour][1] for hour in hours],
            estimated=series.basis is Basis.ESTIMATED,
            file=file.name,
        )
        with find_pool(state, lang).admin() as admin:
            changed = admin.call("ImportGrid", request)
        if json:
            output.print_json(changed)
            return
        first, last = (output.format_time(at, lang) for at in (hours[0], hours[-1]))
        values: dict[str, i18n.Value] = {"hours": len(hours), "first": first, "last": last}
        typer.echo(i18n.text("grid-imported", lang, name=zone, **values))
        _print([changed], lang)


def _register_show(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-grid-show", lang))
    def show(
        zone: Annotated[
            str, typer.Argument(metavar="[ZONE]", help=i18n.text("arg-grid-zone", lang))
        ] = "",
        *,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        _show(zone, state, lang, as_json=json)


def _register_source(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-grid-source", lang))
    def source(
        zone: Annotated[
            str, typer.Argument(metavar="[ZONE]", help=i18n.text("arg-grid-zone", lang))
        ] = "",
        name: Annotated[
            str,
            typer.Argument(
                metavar="[electricity_maps|series|annual|configured]",
                help=i18n.text("arg-grid-source", lang),
            ),
        ] = "",
        *,
        token_file: Annotated[
            str,
            typer.Option("--token-file", metavar="FILE|-", help=i18n.text("opt-grid-token", lang)),
        ] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.cli.pool_access import find_pool
        from entraide.v1 import admin_pb2

        if not name:
            _show(zone, state, lang, as_json=json)
            return
        token = _read_token(token_file, lang) if token_file else ""
        request = admin_pb2.SetGridSourceRequest(zone=zone, source=name, token=token)
        with find_pool(state, lang).admin() as admin:
            changed = admin.call("SetGridSource", request)
        if json:
            output.print_json(changed)
        else:
            _print([changed], lang)


def _show(zone: str, state: Path | None, lang: str, *, as_json: bool) -> None:
    from entraide.cli.pool_access import find_pool
    from entraide.v1 import admin_pb2

    with find_pool(state, lang).admin() as admin:
        zones = admin.call("ListGrid", admin_pb2.ListGridRequest()).zones
    chosen = [row for row in zones if zone in ("", row.zone)]
    if not chosen:
        known = ", ".join(row.zone for row in zones)
        sentence = i18n.text("grid-unknown-zone", lang, name=zone, zones=known)
        raise error_for("unknown_path", sentence)
    if as_json:
        output.print_json(chosen)
    else:
        _print(chosen, lang)


def _read_token(name: str, lang: str) -> str:
    """Reads a token from a file, or from the standard input for ``-``.

    Raises:
        RequestError: ``invalid_request``: the file cannot be read.
    """
    try:
        if name == STDIN:
            return sys.stdin.read(TOKEN_CHARS_MAX).strip()
        with Path(name).open(encoding="ascii") as file:
            return file.read(TOKEN_CHARS_MAX).strip()
    except (OSError, UnicodeDecodeError) as problem:
        sentence = i18n.text("grid-no-token-file", lang, path=name)
        raise error_for("invalid_request", sentence) from problem


def _print(zones: "Sequence[admin_pb2.GridZone]", lang: str) -> None:
    columns = ("zone", "direct", "lifecycle", "source", "basis", "age", "forecast")
    rows = [
        [
            row.zone,
            f"{i18n.decimal(row.direct_g_per_kwh, lang)} g/kWh",
            f"{i18n.decimal(row.lifecycle_g_per_kwh, lang)} g/kWh",
            _source(row, lang),
            i18n.word("basis", row.basis, lang),
            _age(row, lang),
            f"{row.forecast_hours} h" if row.forecast_hours else output.format_time(0.0, lang),
        ]
        for row in zones
    ]
    output.print_table([i18n.text(f"col-{name}", lang) for name in columns], rows)


def _source(row: "admin_pb2.GridZone", lang: str) -> str:
    """Returns a zone's source, and the chosen one where it has no data now."""
    source = i18n.word("grid-source", row.source, lang)
    if row.chosen in ("", row.source):
        return source
    return i18n.text("grid-instead", lang, now=source, chosen=_chosen(row, lang))


def _chosen(row: "admin_pb2.GridZone", lang: str) -> str:
    return i18n.word("grid-source", row.chosen, lang)


def _age(row: "admin_pb2.GridZone", lang: str) -> str:
    """Returns the age of a zone's data in hours, or in years for an average."""
    hours = max(0.0, (row.at - row.data_at) / 3_600.0)
    if hours < 8_766.0:
        return f"{i18n.decimal(round(hours, 1), lang)} h"
    return i18n.text("grid-years", lang, count=round(hours / 8_766.0))

"""``entraide report``: a co-op's statement of a month, from the pool's books."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli import options, output
from entraide.cli.pool_access import find_pool

if TYPE_CHECKING:
    from entraide.v1 import admin_pb2


def register(app: typer.Typer, lang: str) -> None:
    """Adds the command."""

    @app.command(help=i18n.text("help-report", lang))
    def report(
        coop: Annotated[str, typer.Option("--coop", help=i18n.text("opt-report-coop", lang))],
        month: Annotated[
            str, typer.Option("--month", metavar="2027-01", help=i18n.text("opt-month", lang))
        ] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        wanted = admin_pb2.GetStatementRequest(coop=coop, month=month)
        with find_pool(state, lang).admin() as admin:
            found = admin.call("GetStatement", wanted)
        if json:
            output.print_json(found)
        else:
            _print(found, lang)


def _print(found: "admin_pb2.Statement", lang: str) -> None:
    typer.echo(i18n.text("report-title", lang, coop=found.coop, month=found.month))
    heads = ("what", "coop", "jobs", "tokens", "energy", "direct", "lifecycle")
    lines = [
        _line("report-given", "", found.given, lang),
        *(_line("report-given-to", one.coop, one.given, lang) for one in found.others),
        _line("report-received", "", found.received, lang),
        *(_line("report-received-from", one.coop, one.received, lang) for one in found.others),
        _line("report-own", "", found.own, lang),
    ]
    output.print_table(
        [i18n.text(f"col-{name}", lang) for name in heads],
        [line for line, jobs in lines if jobs or not line[1]],
    )
    if found.corrections:
        typer.echo("")
        heads = ("correction", "coop", "when", "tokens", "energy", "direct", "reason")
        output.print_table(
            [i18n.text(f"col-{name}", lang) for name in heads],
            [
                [
                    one.correction,
                    one.borrower,
                    output.format_time(one.posted_at, lang),
                    i18n.decimal(one.tokens, lang),
                    f"{i18n.decimal(one.energy_wh, lang)} Wh",
                    f"{i18n.decimal(one.direct_gco2e, lang)} g",
                    one.reason,
                ]
                for one in found.corrections
            ],
        )


def _line(code: str, coop: str, amounts: "admin_pb2.Amounts", lang: str) -> tuple[list[str], int]:
    """Returns a line, and how many jobs are in it."""
    line = [
        i18n.text(code, lang),
        coop,
        i18n.decimal(amounts.jobs, lang),
        i18n.decimal(amounts.tokens, lang),
        f"{i18n.decimal(amounts.energy_wh, lang)} Wh",
        f"{i18n.decimal(amounts.direct_gco2e, lang)} g",
        f"{i18n.decimal(amounts.lifecycle_gco2e, lang)} g",
    ]
    return line, amounts.jobs

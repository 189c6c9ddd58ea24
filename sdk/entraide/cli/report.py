"""``entraide report``: prints a co-op's statement: what it gave and received in a month."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli import options, output
from entraide.cli.pool_access import find_pool

if TYPE_CHECKING:
    from entraide.v1 import admin_pb2


def register(app: typer.Typer, lang: str) -> None:
    """Adds the ``report`` command."""

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

        request = admin_pb2.GetStatementRequest(coop=coop, month=month)
        with find_pool(state, lang).admin() as admin:
            statement = admin.call("GetStatement", request)
        if json:
            output.print_json(statement)
        else:
            _print_statement(statement, lang)


def _print_statement(statement: "admin_pb2.Statement", lang: str) -> None:
    typer.echo(i18n.text("report-title", lang, coop=statement.coop, month=statement.month))
    columns = ("what", "coop", "jobs", "tokens", "energy", "direct", "lifecycle")
    rows = [
        _amounts_row("report-given", "", statement.given, lang),
        *(
            _amounts_row("report-given-to", partner.coop, partner.given, lang)
            for partner in statement.others
        ),
        _amounts_row("report-received", "", statement.received, lang),
        *(
            _amounts_row("report-received-from", partner.coop, partner.received, lang)
            for partner in statement.others
        ),
        _amounts_row("report-own", "", statement.own, lang),
    ]
    output.print_table(
        [i18n.text(f"col-{name}", lang) for name in columns],
        [row for row, jobs in rows if jobs or not row[1]],  # all totals; partners with jobs
    )
    if statement.corrections:
        typer.echo("")
        columns = ("correction", "coop", "when", "tokens", "energy", "direct", "reason")
        output.print_table(
            [i18n.text(f"col-{name}", lang) for name in columns],
            [
                [
                    correction.correction,
                    correction.borrower,
                    output.format_time(correction.posted_at, lang),
                    i18n.decimal(correction.tokens, lang),
                    f"{i18n.decimal(correction.energy_wh, lang)} Wh",
                    f"{i18n.decimal(correction.direct_gco2e, lang)} g",
                    correction.reason,
                ]
                for correction in statement.corrections
            ],
        )


def _amounts_row(
    code: str, coop: str, amounts: "admin_pb2.Amounts", lang: str
) -> tuple[list[str], int]:
    """Returns a row of the table, and its number of jobs."""
    row = [
        i18n.text(code, lang),
        coop,
        i18n.decimal(amounts.jobs, lang),
        i18n.decimal(amounts.tokens, lang),
        f"{i18n.decimal(amounts.energy_wh, lang)} Wh",
        f"{i18n.decimal(amounts.direct_gco2e, lang)} g",
        f"{i18n.decimal(amounts.lifecycle_gco2e, lang)} g",
    ]
    return row, amounts.jobs

"""``entraide report``: a co-op's statement of a month, for the operator and for the co-op itself.

With the operator's key the statement of any co-op is shown or rendered, over gRPC; with a member's
key that of its own co-op, from ``GET /v1/statement``.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli import options, output
from entraide.cli.pool_access import PoolAccess, find_pool
from entraide.errors import EntraideError, error_for
from entraide.printable import printable

if TYPE_CHECKING:
    from entraide.statements import Amounts, Statement, UsageLine
    from entraide.v1 import admin_pb2

PATH = "/v1/statement"
PDF_KIND = "application/pdf"


def register(app: typer.Typer, lang: str) -> None:
    """Adds the ``report`` command."""

    @app.command(help=i18n.text("help-report", lang))
    def report(
        *,
        coop: Annotated[str, typer.Option("--coop", help=i18n.text("opt-report-coop", lang))] = "",
        month: Annotated[
            str, typer.Option("--month", metavar="2027-01", help=i18n.text("opt-month", lang))
        ] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
        pdf: Annotated[
            Path | None,
            typer.Option("--pdf", metavar="FILE", help=i18n.text("opt-report-pdf", lang)),
        ] = None,
        csv: Annotated[bool, typer.Option("--csv", help=i18n.text("opt-report-csv", lang))] = False,
    ) -> None:
        from entraide.statements import to_csv

        pool = find_pool(state, lang)
        if pool.is_operators and not coop:
            raise error_for("invalid_request", i18n.text("cli-report-coop", lang))
        if pdf is not None:
            _write_file(pdf, _render(pool, coop, month), lang)
            return
        if pool.admin_key and coop:
            statement = _ask_as_operator(pool, coop, month)
        else:
            statement = _ask_as_member(pool, coop, month)
        if csv:
            typer.echo(to_csv(statement), nl=False)
        elif json:
            output.print_json(statement)
        else:
            _print_statement(statement, lang)


def _render(pool: PoolAccess, coop: str, month: str) -> bytes:
    """Returns the statement as PDF: made for the operator, or for a member by the key."""
    if not (pool.admin_key and coop):
        return _fetch(pool, coop, month, kind=PDF_KIND)
    from entraide.v1 import admin_pb2

    with pool.admin() as admin:
        request = admin_pb2.GetStatementRequest(coop=coop, month=month)
        document: bytes = admin.call("GetStatementPdf", request).document
    return document


def _ask_as_operator(pool: PoolAccess, coop: str, month: str) -> "Statement":
    from entraide.v1 import admin_pb2

    with pool.admin() as admin:
        message = admin.call("GetStatement", admin_pb2.GetStatementRequest(coop=coop, month=month))
    return _read_message(message)


def _ask_as_member(pool: PoolAccess, coop: str, month: str) -> "Statement":
    import msgspec

    from entraide.decoding import decode_json
    from entraide.statements import Statement

    body = _fetch(pool, coop, month, kind="application/json")
    try:
        return decode_json(body, type=Statement)
    except msgspec.MsgspecError as problem:
        raise _unreachable(pool) from problem


def _fetch(pool: PoolAccess, coop: str, month: str, *, kind: str) -> bytes:
    """Returns the statement of the key's own co-op in a media type."""
    from urllib.parse import urlencode

    from entraide.client.http import get_document

    if not pool.web:
        raise _unreachable(pool)
    url = f"{pool.web.rstrip('/')}{PATH}?{urlencode({'month': month, 'coop': coop})}"
    return get_document(url, key=pool.key(coop), ca_pem=pool.ca_pem, lang=pool.lang, kind=kind)


def _unreachable(pool: PoolAccess) -> EntraideError:
    values = {"address": pool.web or pool.url}
    sentence = i18n.error("pool_unreachable", pool.lang, values)
    return error_for("pool_unreachable", sentence, values=values)


def _write_file(path: Path, content: bytes, lang: str) -> None:
    from entraide.files import write_atomically

    try:
        write_atomically(path, content)
    except OSError as problem:
        values = {"path": str(path), "problem": str(problem)}
        sentence = i18n.error("file_unwritable", lang, values)
        raise error_for("file_unwritable", sentence, values=values) from problem
    typer.echo(i18n.text("report-pdf-written", lang, path=str(path)))


def _read_message(message: "admin_pb2.Statement") -> "Statement":
    from entraide.client import _convert as convert
    from entraide.statements import PartnerAmounts, PostedCorrection, Statement

    return Statement(
        coop=message.coop,
        month=message.month,
        timezone=message.timezone,
        start_at=message.start_at,
        end_at=message.end_at,
        given=_read_amounts(message.given),
        received=_read_amounts(message.received),
        own=_read_amounts(message.own),
        others=tuple(
            PartnerAmounts(other.coop, _read_amounts(other.given), _read_amounts(other.received))
            for other in message.others
        ),
        corrections=tuple(
            PostedCorrection(
                correction=each.correction,
                reason=each.reason,
                coop=each.borrower,
                tokens=each.tokens,
                energy_wh=each.energy_wh,
                direct_gco2e=each.direct_gco2e,
                posted_at=each.posted_at,
            )
            for each in message.corrections
        ),
        usage=tuple(_read_line(line) for line in message.usage),
        lent=tuple(_read_line(line) for line in message.lent),
        complete=message.complete,
        place=convert.place(message.place) if message.HasField("place") else None,
        coop_names=dict(message.coop_names),
        closed_at=message.closed_at,
        root=message.root,
    )


def _read_line(message: "admin_pb2.UsageLine") -> "UsageLine":
    from entraide.statements import UsageLine

    names = (message.day, message.key, message.project, message.model, message.node, message.coop)
    return UsageLine(*names, _read_amounts(message.amounts))


def _read_amounts(message: "admin_pb2.Amounts") -> "Amounts":
    from entraide.statements import Amounts

    return Amounts(
        jobs=message.jobs,
        tokens=message.tokens,
        energy_wh=message.energy_wh,
        direct_gco2e=message.direct_gco2e,
        lifecycle_gco2e=message.lifecycle_gco2e,
    )


def _print_statement(statement: "Statement", lang: str) -> None:
    name_of = statement.name_of
    typer.echo(i18n.text("report-title", lang, coop=name_of(statement.coop), month=statement.month))
    if statement.place is not None:
        place = i18n.place_name(statement.place, lang)
        typer.echo(i18n.text("report-place", lang, place=place))
    if statement.closed_at:
        closed = output.format_time(statement.closed_at, lang)
        typer.echo(i18n.text("report-closed", lang, closed=closed, root=printable(statement.root)))
    columns = ("what", "coop", "jobs", "tokens", "energy", "direct", "lifecycle")
    rows = [
        _amounts_row("report-given", "", statement.given, lang),
        *(
            _amounts_row("report-given-to", name_of(partner.coop), partner.given, lang)
            for partner in statement.others
        ),
        _amounts_row("report-received", "", statement.received, lang),
        *(
            _amounts_row("report-received-from", name_of(partner.coop), partner.received, lang)
            for partner in statement.others
        ),
        _amounts_row("report-own", "", statement.own, lang),
    ]
    output.print_table(
        [i18n.text(f"col-{name}", lang) for name in columns],
        [row for row, jobs in rows if jobs or not row[1]],  # all totals; partners with jobs
    )
    _print_usage(statement, lang)
    _print_corrections(statement, lang)


def _print_usage(statement: "Statement", lang: str) -> None:
    """Prints the month's sums by project, model and node; the days are in JSON and CSV."""
    from entraide.statements import Amounts

    sums: dict[tuple[str, ...], Amounts] = {}
    for line in statement.usage:
        names = (line.project, line.key, line.model, line.node)
        sums[names] = sums.get(names, Amounts()).plus(line.amounts)
    if not sums:
        return
    typer.echo("")
    columns = ("project", "key", "model", "node", "jobs", "tokens", "energy", "direct")
    output.print_table(
        [i18n.text(f"col-{name}", lang) for name in columns],
        [[*names, *_amounts_cells(amounts, lang)[:4]] for names, amounts in sorted(sums.items())],
    )


def _print_corrections(statement: "Statement", lang: str) -> None:
    if not statement.corrections:
        return
    typer.echo("")
    columns = ("correction", "coop", "when", "tokens", "energy", "direct", "reason")
    output.print_table(
        [i18n.text(f"col-{name}", lang) for name in columns],
        [
            [
                correction.correction,
                statement.name_of(correction.coop),
                output.format_time(correction.posted_at, lang),
                i18n.decimal(correction.tokens, lang),
                f"{i18n.decimal(correction.energy_wh, lang)} Wh",
                f"{i18n.decimal(correction.direct_gco2e, lang)} g",
                correction.reason,
            ]
            for correction in statement.corrections
        ],
    )


def _amounts_row(code: str, coop: str, amounts: "Amounts", lang: str) -> tuple[list[str], int]:
    """Returns a row of the table, and its number of jobs."""
    return [i18n.text(code, lang), coop, *_amounts_cells(amounts, lang)], amounts.jobs


def _amounts_cells(amounts: "Amounts", lang: str) -> list[str]:
    return [
        i18n.decimal(amounts.jobs, lang),
        i18n.decimal(amounts.tokens, lang),
        f"{i18n.decimal(amounts.energy_wh, lang)} Wh",
        f"{i18n.decimal(amounts.direct_gco2e, lang)} g",
        f"{i18n.decimal(amounts.lifecycle_gco2e, lang)} g",
    ]

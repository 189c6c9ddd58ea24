"""``entraide incidents``: the pool's register of confidentiality incidents."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entraide import i18n
from entraide.cli import options, output
from entraide.cli.pool_access import find_pool
from entraide.printable import printable

if TYPE_CHECKING:
    from entraide.v1 import admin_pb2

SHOWN = (
    "happened", "noticed", "circumstances", "information", "persons", "risk", "told", "measures",
)  # fmt: skip


def register(app: typer.Typer, lang: str) -> None:
    """Adds the ``incidents`` commands."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="incidents", help=i18n.text("help-incidents", lang))

    def option(name: str, metavar: str = "TEXT") -> Any:
        text = i18n.text(f"opt-incident-{name}", lang)
        return typer.Option(f"--{name}", metavar=metavar, help=text)

    @group.command(help=i18n.text("help-incidents-add", lang))
    def add(
        *,
        happened: Annotated[str, option("happened")],
        noticed: Annotated[str, option("noticed")],
        circumstances: Annotated[str, option("circumstances")],
        risk: Annotated[str, option("risk", "serious|not_serious")],
        reasons: Annotated[str, option("reasons")] = "",
        information: Annotated[str, option("information")] = "",
        persons: Annotated[int, option("persons", "N")] = -1,
        told: Annotated[str, option("told")] = "",
        measures: Annotated[str, option("measures")] = "",
        amends: Annotated[int, option("amends", "N")] = 0,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        entry = admin_pb2.ConfidentialityIncident(
            happened=happened, noticed=noticed, circumstances=circumstances, risk=risk,
            risk_reasons=reasons, information=information, persons=persons, told=told,
            measures=measures, amends=amends,
        )  # fmt: skip
        with find_pool(state, lang).admin() as admin:
            entered = admin.call("AddIncident", entry)
        output.print_json(entered) if json else _print_entry(entered, lang)

    @group.command("list", help=i18n.text("help-incidents-list", lang))
    def list_(
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        with find_pool(state, lang).admin() as admin:
            entries = admin.call("ListIncidents", admin_pb2.ListIncidentsRequest()).incidents
        if json:
            output.print_json(list(entries))
        elif not entries:
            typer.echo(i18n.text("cli-no-incidents", lang))
        for entry in () if json else entries:
            _print_entry(entry, lang)


def _print_entry(entry: "admin_pb2.ConfidentialityIncident", lang: str) -> None:
    when = output.format_time(entry.entered_at, lang)
    values: dict[str, Any] = {"number": entry.number, "when": when}
    if entry.amends:
        values["amends"] = entry.amends
    typer.echo(i18n.text("cli-incident", lang, **values))
    for name in SHOWN:
        said = printable(_say(entry, name, lang))
        if said:
            typer.echo(f"  {i18n.text(f'incident-{name}', lang)} {said}")


def _say(entry: "admin_pb2.ConfidentialityIncident", name: str, lang: str) -> str:
    if name == "persons":
        return str(entry.persons) if entry.persons >= 0 else i18n.text("incident-unknown", lang)
    if name == "risk":
        risk = i18n.text(f"incident-risk-{entry.risk}", lang)
        return f"{risk} {entry.risk_reasons}".strip()
    return str(getattr(entry, name))

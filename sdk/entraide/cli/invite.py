"""``entraide invite``: one link with which one machine of a co-op joins the pool."""

import shlex
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from entraide import i18n
from entraide.cli import options, output
from entraide.cli.nodes import evidence_text
from entraide.cli.pool_access import coop_names, find_pool
from entraide.coop_names import shown_name

SECONDS_PER_HOUR = 3_600.0
HTTPS_PORT = 443


def register(app: typer.Typer, lang: str) -> None:
    """Adds the command."""

    @app.command(help=i18n.text("help-invite", lang))
    def invite(
        coop: Annotated[str, typer.Argument(metavar="COOP", help=i18n.text("arg-coop", lang))],
        *,
        site: Annotated[str, typer.Option("--site", help=i18n.text("opt-invite-site", lang))] = "",
        zone: Annotated[str, typer.Option("--zone", help=i18n.text("opt-invite-zone", lang))] = "",
        controlled_by: Annotated[
            str, typer.Option("--controlled-by", help=i18n.text("opt-invite-control", lang))
        ] = "",
        data_class: Annotated[
            list[str] | None,
            typer.Option("--data-class", metavar="D", help=i18n.text("opt-invite-class", lang)),
        ] = None,
        evidence: Annotated[
            str, typer.Option("--evidence", help=i18n.text("opt-invite-evidence", lang))
        ] = "",
        document: Annotated[str, options.document(lang)] = "",
        hours: Annotated[
            float, typer.Option("--hours", min=0.01, help=i18n.text("opt-hours", lang))
        ] = 24.0,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2
        from entraide.wire.enrolment import install_command

        request = admin_pb2.CreateJoinTokenRequest(
            coop=coop,
            valid_s=hours * SECONDS_PER_HOUR,
            site=site,
            zone=zone,
            data_classes=data_class or [],
            controlled_by=controlled_by,
            evidence=evidence,
            document=document,
        )
        with find_pool(state, lang).admin() as admin:
            created = admin.call("CreateJoinToken", request)
            names = {} if json else coop_names(admin)
        join = f"entraide node join {shlex.quote(created.link)}"
        # The script speaks to a pool over HTTPS only; a demonstration on loopback has none.
        install = install_command(created.link) if created.link.startswith("https://") else ""
        if json:
            commands = {"command": join, "install": install}
            output.print_json(output.to_plain(created) | commands)
            return
        typer.echo(created.link)
        typer.echo(install or join)
        backing = evidence_text(evidence, document, lang)
        control = i18n.word("control", controlled_by, lang)
        named = [site, zone, control, i18n.words("data", data_class or [], lang), backing]
        vouched = " · ".join(filter(None, named)) or i18n.text("cli-invited-nothing", lang)
        until = output.format_time(created.expires_at, lang)
        values = {"coop": shown_name(coop, names), "until": until, "vouched": vouched}
        typer.echo(i18n.text("cli-invited", lang, **values), err=True)
        _print_needs(created.link, lang, has_zone=bool(zone))


def _print_needs(link: str, lang: str, *, has_zone: bool) -> None:
    """Prints which port of the pool the machine's network must let through, and a missing zone."""
    address = urlsplit(link)
    if address.scheme == "https":
        port = str(address.port or HTTPS_PORT)
        values = {"host": address.hostname or "", "port": port}
        typer.echo(i18n.text("cli-invited-ports", lang, **values), err=True)
    if not has_zone:
        typer.echo(i18n.text("cli-invited-no-zone", lang), err=True)

"""``entraide keys``: manages the co-ops' API keys; a key's secret is shown once, at creation."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli import options, output
from entraide.cli.pool_access import find_pool

if TYPE_CHECKING:
    from entraide.v1 import admin_pb2


def register(app: typer.Typer, lang: str) -> None:
    """Adds the ``keys`` commands."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="keys", help=i18n.text("help-keys", lang))
    coop_option = typer.Option("--coop", metavar="COOP", help=i18n.text("opt-key-coop", lang))

    @group.command("list", help=i18n.text("help-keys-list", lang))
    def list_(
        coop: Annotated[str, coop_option] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        with find_pool(state, lang).admin() as admin:
            keys = list(admin.call("ListKeys", admin_pb2.ListKeysRequest(coop=coop)).keys)
        _print_keys(keys, lang, json=json)

    @group.command(help=i18n.text("help-keys-create", lang))
    def create(
        coop: Annotated[str, coop_option],
        project: Annotated[
            str, typer.Option("--project", help=i18n.text("opt-project", lang))
        ] = "",
        label: Annotated[str, typer.Option("--label", help=i18n.text("opt-label", lang))] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        request = admin_pb2.CreateKeyRequest(coop=coop, project=project, label=label)
        with find_pool(state, lang).admin() as admin:
            created = admin.call("CreateKey", request)
        if json:
            output.print_json(created)
            return
        typer.echo(created.secret)
        typer.echo(i18n.text("cli-secret-once", lang, key=created.key), err=True)

    _register_revoke_and_clear(group, lang)


def _register_revoke_and_clear(group: typer.Typer, lang: str) -> None:
    @group.command(help=i18n.text("help-keys-revoke", lang))
    def revoke(
        key: Annotated[str, typer.Argument(metavar="KEY", help=i18n.text("arg-key", lang))],
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        with find_pool(state, lang).admin() as admin:
            revoked = admin.call("RevokeKey", admin_pb2.RevokeKeyRequest(key=key))
        _print_keys([revoked], lang, json=json)

    @group.command(help=i18n.text("help-keys-clear", lang))
    def clear(
        key: Annotated[str, typer.Argument(metavar="KEY", help=i18n.text("arg-key", lang))],
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        with find_pool(state, lang).admin() as admin:
            cleared = admin.call("ClearKey", admin_pb2.ClearKeyRequest(key=key))
        _print_keys([cleared], lang, json=json)


def _print_keys(keys: "Sequence[admin_pb2.Key]", lang: str, *, json: bool) -> None:
    if json:
        output.print_json(list(keys))
        return
    columns = ("key", "coop", "project", "label", "off", "quarantine")
    headings = [i18n.text(f"col-{name}", lang) for name in columns]
    output.print_table(headings, [_row(key, lang) for key in keys])


def _row(key: "admin_pb2.Key", lang: str) -> list[str]:
    revoked = output.yes_or_no(key.revoked, lang)
    quarantine = output.quarantine_text(key.quarantine, lang)
    return [key.key, key.coop, key.project, key.label, revoked, quarantine]

"""``entraide people``: who signs in at the pool's pages; a sign-in link is shown once."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli import options, output
from entraide.cli.confirmation import confirm
from entraide.cli.pool_access import find_pool

if TYPE_CHECKING:
    from entraide.client.admin import AdminClient
    from entraide.v1 import admin_pb2

SECONDS_PER_HOUR = 3_600.0
HOURS_DEFAULT = 24.0


def register(app: typer.Typer, lang: str) -> None:
    """Adds the ``people`` commands."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="people", help=i18n.text("help-people", lang))
    _register_add(group, lang)
    _register_list(group, lang)
    _register_link(group, lang)
    _register_access(group, lang)
    _register_records(group, lang)


def _register_add(group: typer.Typer, lang: str) -> None:
    @group.command(help=i18n.text("help-people-add", lang))
    def add(
        coop: Annotated[str, typer.Argument(metavar="COOP", help=i18n.text("arg-coop", lang))],
        name: Annotated[
            str, typer.Argument(metavar="NAME", help=i18n.text("arg-person-name", lang))
        ],
        *,
        email: Annotated[
            str, typer.Option("--email", help=i18n.text("opt-people-email", lang))
        ] = "",
        role: Annotated[str, typer.Option("--role", help=i18n.text("opt-people-role", lang))] = "",
        project: Annotated[
            str, typer.Option("--project", help=i18n.text("opt-people-project", lang))
        ] = "",
        send: Annotated[bool, _send_option(lang)] = False,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        request = admin_pb2.AddPersonRequest(
            coop=coop, name=name, email=email, role=role, project=project
        )
        with find_pool(state, lang).admin() as admin:
            added = admin.call("AddPerson", request)
            _print_link(admin, added.person, lang, hours=HOURS_DEFAULT, send=send, json=json)


def _register_list(group: typer.Typer, lang: str) -> None:
    coop_option = typer.Option("--coop", metavar="COOP", help=i18n.text("opt-people-coop", lang))

    @group.command("list", help=i18n.text("help-people-list", lang))
    def list_(
        coop: Annotated[str, coop_option] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        request = admin_pb2.ListPeopleRequest(coop=coop)
        with find_pool(state, lang).admin() as admin:
            _print_people(list(admin.call("ListPeople", request).people), lang, json=json)


def _register_link(group: typer.Typer, lang: str) -> None:
    @group.command(help=i18n.text("help-people-link", lang))
    def link(
        person: Annotated[str, _person_argument(lang)],
        hours: Annotated[
            float, typer.Option("--hours", min=0.01, help=i18n.text("opt-people-hours", lang))
        ] = HOURS_DEFAULT,
        send: Annotated[bool, _send_option(lang)] = False,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        with find_pool(state, lang).admin() as admin:
            _print_link(admin, person, lang, hours=hours, send=send, json=json)


def _register_access(group: typer.Typer, lang: str) -> None:
    @group.command(help=i18n.text("help-people-disable", lang))
    def disable(
        person: Annotated[str, _person_argument(lang)],
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        with find_pool(state, lang).admin() as admin:
            disabled = admin.call("DisablePerson", admin_pb2.PersonRequest(person=person))
        _print_people([disabled], lang, json=json)

    @group.command(help=i18n.text("help-people-enable", lang))
    def enable(
        person: Annotated[str, _person_argument(lang)],
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        request = admin_pb2.ChangePersonRequest(person=person, enabled=True)
        with find_pool(state, lang).admin() as admin:
            enabled = admin.call("ChangePerson", request)
        _print_people([enabled], lang, json=json)


def _register_records(group: typer.Typer, lang: str) -> None:
    file_option = typer.Option(
        "--file", metavar="FILE", help=i18n.text("opt-people-export-file", lang)
    )
    key_option = typer.Option("--key", metavar="KEY", help=i18n.text("opt-people-forget-key", lang))

    @group.command(help=i18n.text("help-people-export", lang))
    def export(
        person: Annotated[str, _person_argument(lang)],
        file: Annotated[Path | None, file_option] = None,
        state: Annotated[Path | None, options.state(lang)] = None,
    ) -> None:
        from entraide.files import write_private
        from entraide.v1 import admin_pb2

        request = admin_pb2.PersonRequest(person=person)
        with find_pool(state, lang).admin() as admin:
            document = b"".join(part.data for part in admin.read("ExportPerson", request))
        if file is None:
            typer.echo(document.decode(), nl=False)
        else:
            write_private(file, document)

    @group.command(help=i18n.text("help-people-forget", lang))
    def forget(
        person: Annotated[str, _person_argument(lang)],
        key: Annotated[list[str] | None, key_option] = None,
        yes: Annotated[bool, options.yes(lang)] = False,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        confirm(i18n.text("cli-person-forget-question", lang, person=person), lang, yes=yes)
        request = admin_pb2.ForgetPersonRequest(person=person, keys=key or [])
        with find_pool(state, lang).admin() as admin:
            forgotten = admin.call("ForgetPerson", request)
        output.print_json(forgotten) if json else _print_forgotten(forgotten, lang)


def _print_forgotten(forgotten: "admin_pb2.ForgottenPerson", lang: str) -> None:
    typer.echo(i18n.text("cli-person-forgotten", lang, person=forgotten.person))
    for path in forgotten.lists:
        typer.echo(i18n.text("cli-person-forgotten-list", lang, path=path))
    for path in forgotten.missed_lists:
        typer.echo(
            i18n.text("cli-person-forgotten-no-list", lang, path=path, person=forgotten.person),
            err=True,
        )
    if forgotten.backup_at:
        when = output.format_time(forgotten.backup_at, lang)
        typer.echo(i18n.text("cli-person-forgotten-backup", lang, when=when))
    if forgotten.traces_remain:
        typer.echo(
            i18n.text("cli-person-forgotten-traces", lang, person=forgotten.person), err=True
        )


def _person_argument(lang: str) -> typer.models.ArgumentInfo:
    argument: typer.models.ArgumentInfo = typer.Argument(
        metavar="PERSON", help=i18n.text("arg-person", lang)
    )
    return argument


def _send_option(lang: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        "--send", help=i18n.text("opt-people-send", lang)
    )
    return option


def _print_link(
    admin: "AdminClient", person: str, lang: str, *, hours: float, send: bool, json: bool
) -> None:
    """Makes a link and prints it; the sentence about it goes to standard error."""
    from entraide.v1 import admin_pb2

    request = admin_pb2.MakeSigninLinkRequest(
        person=person, valid_s=hours * SECONDS_PER_HOUR, email=send
    )
    made = admin.call("MakeSigninLink", request)
    if json:
        output.print_json(output.to_plain(made) | {"person": person})
        return
    typer.echo(made.link)
    until = output.format_time(made.expires_at, lang)
    code = "cli-signin-link-sent" if made.emailed else "cli-signin-link"
    typer.echo(i18n.text(code, lang, person=person, until=until), err=True)


def _print_people(people: "Sequence[admin_pb2.Person]", lang: str, *, json: bool) -> None:
    if json:
        output.print_json(list(people))
        return
    columns = ("person", "coop", "name", "email", "role", "project", "disabled")
    headings = [i18n.text(f"col-{name}", lang) for name in columns]
    output.print_table(headings, [_row(person, lang) for person in people])


def _row(person: "admin_pb2.Person", lang: str) -> list[str]:
    disabled = output.format_time(person.disabled_at, lang)
    role = i18n.text(f"role-{person.role}", lang)
    fields = [person.person, person.coop, person.name, person.email]
    return [*fields, role, person.project, disabled]

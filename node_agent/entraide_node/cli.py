"""``entraide node``: the commands of the member, from joining to leaving.

It parses the command line and prints results. It communicates with a running agent only through
files in the node's folder.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.errors import EntraideError

if TYPE_CHECKING:
    from entraide_node.config import NodeConfig
    from entraide_node.join import Joined

FROM_STDIN = "-"
TOKEN_CHARS_MAX = 4_096

DirOption = Annotated[Path | None, typer.Option("--dir", metavar="DIR")]
JsonOption = Annotated[bool, typer.Option("--json")]


def register(app: typer.Typer, lang: str = i18n.DEFAULT_LANG) -> None:
    """Adds ``node`` and its commands to the ``entraide`` command, in one language."""
    node = typer.Typer(help=i18n.text("help-node", lang), no_args_is_help=True)
    add_commands(node, lang)
    app.add_typer(node, name="node")


def add_commands(app: typer.Typer, lang: str) -> None:
    """Adds the commands of ``entraide node``."""
    _add_life_commands(app, lang)
    _add_service_commands(app, lang)
    _add_engine_commands(app, lang)
    _add_owner_commands(app, lang)
    _add_report_commands(app, lang)


def _add_life_commands(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-node-join", lang))
    def join(
        url: Annotated[
            str, typer.Argument(metavar="LINK|URL", help=i18n.text("arg-node-link", lang))
        ],
        *,
        token: Annotated[
            str, typer.Option("--token", metavar="T", help=i18n.text("opt-node-token", lang))
        ] = "",
        dir: DirOption = None,  # noqa: A002  (the option's name)
        site: Annotated[str, typer.Option("--site", help=i18n.text("opt-node-site", lang))] = "",
        zone: Annotated[str, typer.Option("--zone", help=i18n.text("opt-node-zone", lang))] = "",
        name: Annotated[str, typer.Option("--name")] = "",
        ca: Annotated[Path | None, typer.Option("--ca", metavar="FILE.pem")] = None,
        no_service: Annotated[
            bool, typer.Option("--no-service", help=i18n.text("opt-node-no-service", lang))
        ] = False,
        any_time: Annotated[
            bool, typer.Option("--any-time", help=i18n.text("opt-node-any-time", lang))
        ] = False,
        json: JsonOption = False,
    ) -> None:
        raise typer.Exit(
            _join(
                url,
                token,
                folder=_node_folder(dir),
                options={"site": site, "zone": zone, "name": name, "lang": lang},
                ca=ca,
                serves=not no_service,
                careful=not any_time,
                as_json=json,
            )
        )

    @app.command(help=i18n.text("help-node-run", lang))
    def run(
        config: Annotated[Path | None, typer.Option("--config", metavar="F")] = None,
        dir: DirOption = None,  # noqa: A002
        log: Annotated[bool, typer.Option("--log", help=i18n.text("opt-node-log", lang))] = False,
    ) -> None:
        if config is None:
            _require_config(dir, lang)
        from entraide_node.main import run_node

        raise typer.Exit(run_node(config or _config_path(dir), log=log))

    _add_upgrade_command(app, lang)
    _add_leave_command(app, lang)


def _add_upgrade_command(app: typer.Typer, lang: str) -> None:
    from entraide.cli import options

    @app.command(help=i18n.text("help-node-upgrade", lang))
    def upgrade(
        source: Annotated[
            str, typer.Argument(metavar="[FOLDER|LINK]", help=i18n.text("arg-node-source", lang))
        ] = "",
        *,
        root: Annotated[str, options.root(lang)] = "",
        ca: Annotated[Path | None, typer.Option("--ca", metavar="FILE.pem")] = None,
        dir: DirOption = None,  # noqa: A002
        no_restart: Annotated[
            bool, typer.Option("--no-restart", help=i18n.text("opt-node-no-restart", lang))
        ] = False,
    ) -> None:
        raise typer.Exit(
            _upgrade(
                _node_folder(dir), source, ca=ca, root=root, restarts=not no_restart, lang=lang
            )
        )


def _add_leave_command(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-node-leave", lang))
    def leave(
        dir: DirOption = None,  # noqa: A002
        weights: Annotated[
            bool | None,
            typer.Option("--weights/--keep-weights", help=i18n.text("opt-node-weights", lang)),
        ] = None,
        purge: Annotated[
            bool, typer.Option("--purge", help=i18n.text("opt-node-purge", lang))
        ] = False,
    ) -> None:
        _require_node(dir, lang)
        from entraide_node import service_commands
        from entraide_node.logs import log_nothing

        log_nothing()
        raise typer.Exit(
            service_commands.leave_pool(_node_folder(dir), lang, weights=weights, purge=purge)
        )


def _add_service_commands(app: typer.Typer, lang: str) -> None:
    service = typer.Typer(help=i18n.text("help-node-service", lang), no_args_is_help=True)
    app.add_typer(service, name="service")

    @service.command(help=i18n.text("help-node-service-install", lang))
    def install(dir: DirOption = None) -> None:  # noqa: A002
        from entraide_node import service_commands

        raise typer.Exit(service_commands.install_service(_require_config(dir, lang), lang))

    @service.command(help=i18n.text("help-node-service-remove", lang))
    def remove(dir: DirOption = None) -> None:  # noqa: A002
        from entraide_node import service_commands

        raise typer.Exit(service_commands.remove_service(_require_config(dir, lang), lang))

    @service.command(help=i18n.text("help-node-service-restart", lang))
    def restart(dir: DirOption = None) -> None:  # noqa: A002
        from entraide_node import service_commands

        raise typer.Exit(service_commands.restart_service(_require_config(dir, lang), lang))

    @service.command(help=i18n.text("help-node-service-status", lang))
    def status(dir: DirOption = None, json: JsonOption = False) -> None:  # noqa: A002
        from entraide_node import service_commands

        raise typer.Exit(
            service_commands.print_service_status(_require_config(dir, lang), lang, as_json=json)
        )


def _add_engine_commands(app: typer.Typer, lang: str) -> None:
    engine = typer.Typer(help=i18n.text("help-node-engine", lang), no_args_is_help=True)
    app.add_typer(engine, name="engine")

    @engine.command(help=i18n.text("help-node-engine-install", lang))
    def install(
        name: Annotated[str, typer.Argument(metavar="NAME")],
        *,
        json: JsonOption = False,
    ) -> None:
        from entraide_node.engines.commands import install_command

        raise typer.Exit(install_command(name, lang=lang, as_json=json))

    @engine.command("list", help=i18n.text("help-node-engine-list", lang))
    def listed(json: JsonOption = False) -> None:
        from entraide_node.engines.commands import list_command

        raise typer.Exit(list_command(lang=lang, as_json=json))

    @engine.command(help=i18n.text("help-node-engine-find", lang))
    def find(
        urls: Annotated[list[str] | None, typer.Argument(metavar="[URL]...")] = None,
        *,
        key: Annotated[str, typer.Option("--key", metavar="K")] = "",
        json: JsonOption = False,
    ) -> None:
        from entraide_node.engines.commands import find_command

        raise typer.Exit(find_command(lang=lang, urls=tuple(urls or ()), key=key, as_json=json))

    _add_attach_command(engine, lang)


def _add_attach_command(engine: typer.Typer, lang: str) -> None:
    @engine.command(help=i18n.text("help-node-engine-attach", lang))
    def attach(
        url: Annotated[str, typer.Argument(metavar="URL")],
        *,
        model: Annotated[
            str, typer.Option("--model", metavar="M", help=i18n.text("opt-node-model", lang))
        ] = "",
        alias: Annotated[
            str, typer.Option("--alias", metavar="NAME", help=i18n.text("opt-node-alias", lang))
        ] = "",
        key: Annotated[
            str,
            typer.Option(
                "--key",
                metavar="K",
                envvar="ENTRAIDE_ENGINE_KEY",
                show_envvar=False,
                help=i18n.text("opt-node-key", lang),
            ),
        ] = "",
        dir: Annotated[  # noqa: A002
            Path | None,
            typer.Option("--dir", metavar="DIR", help=i18n.text("opt-node-dir", lang)),
        ] = None,
        json: JsonOption = False,
    ) -> None:
        _require_node(dir, lang)
        from entraide_node.engines.attachment import AttachRequest, attach_command

        request = AttachRequest(url=url, model=model, alias=alias, key=key)
        path = _config_path(dir)
        raise typer.Exit(attach_command(path, request, lang=lang, as_json=json))


def _add_owner_commands(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-node-pause", lang))
    def pause(dir: DirOption = None) -> None:  # noqa: A002
        from entraide_node.owner import files as owner_files

        _require_node(dir, lang)
        owner_files.pause(_node_folder(dir))
        typer.echo(i18n.text("node-paused-now", lang))

    @app.command(help=i18n.text("help-node-resume", lang))
    def resume(dir: DirOption = None) -> None:  # noqa: A002
        from entraide_node.owner import files as owner_files

        _require_node(dir, lang)
        owner_files.resume(_node_folder(dir))
        typer.echo(i18n.text("node-resumed-now", lang))

    @app.command(help=i18n.text("help-node-page", lang))
    def page(
        dir: DirOption = None,  # noqa: A002
        port: Annotated[int, typer.Option("--port", metavar="PORT")] = 0,
        no_open: Annotated[bool, typer.Option("--no-open")] = False,
    ) -> None:
        from entraide_node.page.server import show_page

        raise typer.Exit(
            show_page(_require_config(dir, lang), port=port, lang=lang, opens_browser=not no_open)
        )


def _add_report_commands(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-node-status", lang))
    def status(dir: DirOption = None, json: JsonOption = False) -> None:  # noqa: A002
        node = _require_node(dir, lang)
        from entraide_node.status_output import print_status

        raise typer.Exit(print_status(_node_folder(dir), node, lang, as_json=json))

    @app.command(help=i18n.text("help-node-bench", lang))
    def bench(
        config: Annotated[Path | None, typer.Option("--config", metavar="F")] = None,
        dir: DirOption = None,  # noqa: A002
        json: JsonOption = False,
    ) -> None:
        from entraide_node.status_output import print_bench

        raise typer.Exit(print_bench(config or _config_path(dir), lang, as_json=json))

    @app.command(help=i18n.text("help-node-doctor", lang))
    def doctor(dir: DirOption = None, json: JsonOption = False) -> None:  # noqa: A002
        from entraide_node.doctor.cli_output import print_doctor

        raise typer.Exit(print_doctor(_node_folder(dir), lang, as_json=json))

    @app.command(help=i18n.text("help-node-hardware", lang))
    def hardware(json: JsonOption = False) -> None:
        from entraide_node.hardware_output import print_hardware

        raise typer.Exit(print_hardware(lang, as_json=json))

    @app.command(help=i18n.text("help-node-selftest", lang))
    def selftest(
        out: Annotated[
            Path | None,
            typer.Option("--out", metavar="FILE", help=i18n.text("opt-node-selftest-out", lang)),
        ] = None,
        read: Annotated[
            Path | None,
            typer.Option("--read", metavar="FILE", help=i18n.text("opt-node-selftest-read", lang)),
        ] = None,
        json: JsonOption = False,
    ) -> None:
        from entraide_node.selftest.cli_output import print_report, print_selftest

        if read is not None:
            raise typer.Exit(print_report(read, lang, as_json=json))
        raise typer.Exit(print_selftest(lang, out=out, as_json=json))


def _node_folder(folder: Path | None) -> Path:
    """The given folder, else the default folder of this machine."""
    from entraide_node.config import default_dir

    return folder or default_dir()


def _upgrade(
    folder: Path, source: str, *, ca: Path | None, root: str, restarts: bool, lang: str
) -> int:
    """Installs a signed release, then restarts the agent's service; returns the exit status.

    Whatever the former version needs is imported before pip replaces it.
    """
    import subprocess

    from entraide.cli.release import day_of
    from entraide_node.config import CONFIG_NAME, load_config
    from entraide_node.release_install import find_source, upgrade_installation
    from entraide_node.service_commands import restart_values

    try:
        has_joined = (folder / CONFIG_NAME).exists()
        how = restart_values(load_config(folder / CONFIG_NAME)) if has_joined else {}
        ca_pem = ca.read_text("ascii") if ca is not None else ""
        fetcher, name = find_source(folder, source, ca_pem)
        release = upgrade_installation(folder, fetcher, name=name, root=root)
    except EntraideError as problem:
        _print_error(problem, lang)
        return 1
    except (OSError, UnicodeDecodeError) as problem:
        typer.echo(str(problem), err=True)
        return 1
    text = i18n.text(
        "node-upgraded", lang, version=release.version, root=release.root,
        date=day_of(release.date), expired="yes" if release.is_expired else "no",
    )  # fmt: skip
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    if not restarts or not how:
        return 0
    if how["service"] == "none":
        sys.stdout.write(f"{i18n.text('node-upgraded-restart', lang, **how)}\n")
        return 0
    command = [sys.executable, "-P", "-m", "entraide.cli", "--lang", lang]
    command += ["node", "service", "restart", "--dir", str(folder)]
    return subprocess.run(command, check=False).returncode


def _config_path(folder: Path | None) -> Path:
    from entraide_node.config import CONFIG_NAME

    return _node_folder(folder) / CONFIG_NAME


def _require_node(folder: Path | None, lang: str) -> str:
    """The node of a folder; ends the command if there is none."""
    return _require_config(folder, lang).node


def _require_config(folder: Path | None, lang: str) -> "NodeConfig":
    """The configuration in a folder; ends the command if there is none."""
    from entraide_node.config import load_config

    path = _config_path(folder)
    if not path.exists():
        typer.echo(i18n.text("node-not-joined", lang, path=str(path)), err=True)
        raise typer.Exit(1)
    try:
        return load_config(path)
    except EntraideError as problem:
        _print_error(problem, lang)
        raise typer.Exit(1) from problem


def _read_token(option: str, lang: str) -> str:
    """Returns the join token; ``-`` reads it from the terminal, where no process list shows it."""
    if option != FROM_STDIN:
        return option
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass(f"{i18n.text('ask-node-token', lang)} ").strip()
    return sys.stdin.readline(TOKEN_CHARS_MAX).strip()


def _print_error(problem: EntraideError, lang: str) -> None:
    from entraide_node.error_output import print_error

    print_error(problem, lang)


def _join(
    url: str,
    token: str,
    *,
    folder: Path,
    options: dict[str, str],
    ca: Path | None,
    serves: bool,
    careful: bool,
    as_json: bool,
) -> int:
    from entraide.wire.enrolment import is_without_secret
    from entraide_node import service_commands
    from entraide_node.join import JoinOptions, join_pool
    from entraide_node.owner import terms_file as owner_terms
    from entraide_node.pool_http import PoolRefusal

    lang = options["lang"]
    try:
        ca_pem = ca.read_text("ascii") if ca is not None else ""
        is_link = "#" in url or is_without_secret(url)
        secret = token if is_link and not token else _read_token(token or FROM_STDIN, lang)
        joined = join_pool(
            url, secret, folder=folder, options=JoinOptions(**options), ca_pem=ca_pem
        )
        wrote_terms = careful and owner_terms.write_default_terms(folder)
    except PoolRefusal as refusal:  # its sentence is the pool's, with the remedy
        typer.echo(refusal.message, err=True)
        return 1
    except EntraideError as problem:
        _print_error(problem, lang)
        return 1
    except (OSError, UnicodeDecodeError) as problem:
        typer.echo(str(problem), err=True)
        return 1
    _print_joined(joined, lang, as_json=as_json)
    if wrote_terms and not as_json:
        typer.echo(i18n.text("owner-terms-begun", lang))
    if serves:
        service_commands.install_service(joined.config, lang, as_json=as_json)
    elif not as_json:
        command = service_commands.run_command(joined.config)
        typer.echo(i18n.text("node-joined-next", lang, command=command))
    return 0


def _print_joined(joined: "Joined", lang: str, *, as_json: bool) -> None:
    import msgspec

    config, response = joined.config, joined.response
    if as_json:
        document = {
            "node": config.node, "coop": config.coop, "pool": config.pool, "dir": config.dir,
            "site": config.site, "zone": config.zone, "approval": response.approval,
            "controlled_by": response.controlled_by, "data_classes": response.data_classes,
        }  # fmt: skip
        typer.echo(msgspec.json.encode(document).decode("utf-8"))
        return
    from entraide_node.hardware_detection import detect_hardware
    from entraide_node.hardware_output import models_sentence

    zone = i18n.zone_name(config.zone, lang)
    coop = response.coop_name or config.coop
    typer.echo(i18n.text("node-joined", lang, node=config.node, coop=coop, place=zone))
    typer.echo(models_sentence(detect_hardware(), lang))
    for field, (said, counts) in joined.contradicted.items():
        typer.echo(i18n.text("node-contradicted", lang, field=field, said=said, counts=counts))
    if response.data_classes:
        classes = i18n.words("data", response.data_classes, lang)
        typer.echo(i18n.text("node-joined-classes", lang, classes=classes))
    if not config.zone:
        typer.echo(i18n.text("node-status-zone", lang, node=config.node))
    if joined.waits:
        typer.echo(i18n.text("node-joined-waits", lang, node=config.node))

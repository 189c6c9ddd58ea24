"""``entraide node``: the member's side, from joining to leaving.

It decides how a person speaks to a node and reads from it. It speaks to a running agent through
the node's folder only: nothing listens.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.errors import EntraideError

if TYPE_CHECKING:
    from entraide_node.config import NodeConfig

FROM_STDIN = "-"
TOKEN_CHARS_MAX = 4_096

Dir = Annotated[Path | None, typer.Option("--dir", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json")]


def register(app: typer.Typer, lang: str = i18n.DEFAULT_LANG) -> None:
    """Adds ``node`` and its commands to the ``entraide`` command, in one language."""
    node = typer.Typer(help=i18n.text("help-node", lang), no_args_is_help=True)
    commands(node, lang)
    app.add_typer(node, name="node")


def commands(app: typer.Typer, lang: str) -> None:
    """Adds the commands themselves."""
    _life(app, lang)
    _service(app, lang)
    _engine(app, lang)
    _owner(app, lang)
    _reading(app, lang)


def _life(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-node-join", lang))
    def join(
        url: Annotated[str, typer.Argument(metavar="URL")],
        *,
        token: Annotated[
            str, typer.Option("--token", metavar="T", help=i18n.text("opt-node-token", lang))
        ] = FROM_STDIN,
        dir: Dir = None,  # noqa: A002  (the option's name)
        site: Annotated[str, typer.Option("--site")] = "",
        zone: Annotated[str, typer.Option("--zone")] = "CA-QC",
        name: Annotated[str, typer.Option("--name")] = "",
        ca: Annotated[Path | None, typer.Option("--ca", metavar="FILE.pem")] = None,
        no_service: Annotated[
            bool, typer.Option("--no-service", help=i18n.text("opt-node-no-service", lang))
        ] = False,
        any_time: Annotated[
            bool, typer.Option("--any-time", help=i18n.text("opt-node-any-time", lang))
        ] = False,
        json: Json = False,
    ) -> None:
        raise typer.Exit(
            _join(
                url,
                token,
                folder=_folder(dir),
                wish={"site": site, "zone": zone, "name": name, "lang": lang},
                ca=ca,
                serves=not no_service,
                careful=not any_time,
                as_json=json,
            )
        )

    @app.command(help=i18n.text("help-node-run", lang))
    def run(
        config: Annotated[Path | None, typer.Option("--config", metavar="F")] = None,
        dir: Dir = None,  # noqa: A002
        log: Annotated[bool, typer.Option("--log", help=i18n.text("opt-node-log", lang))] = False,
    ) -> None:
        if config is None:
            _config_of(dir, lang)
        from entraide_node.main import run_node

        raise typer.Exit(run_node(config or _config_path(dir), log=log))

    _leaving(app, lang)


def _leaving(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-node-leave", lang))
    def leave(
        dir: Dir = None,  # noqa: A002
        weights: Annotated[
            bool | None,
            typer.Option("--weights/--keep-weights", help=i18n.text("opt-node-weights", lang)),
        ] = None,
        purge: Annotated[
            bool, typer.Option("--purge", help=i18n.text("opt-node-purge", lang))
        ] = False,
    ) -> None:
        _node_of(dir, lang)
        from entraide_node import living
        from entraide_node.logs import log_nothing

        log_nothing()
        raise typer.Exit(living.leave(_folder(dir), lang, weights=weights, purge=purge))


def _service(app: typer.Typer, lang: str) -> None:
    service = typer.Typer(help=i18n.text("help-node-service", lang), no_args_is_help=True)
    app.add_typer(service, name="service")

    @service.command(help=i18n.text("help-node-service-install", lang))
    def install(dir: Dir = None) -> None:  # noqa: A002
        from entraide_node import living

        raise typer.Exit(living.install(_config_of(dir, lang), lang))

    @service.command(help=i18n.text("help-node-service-remove", lang))
    def remove(dir: Dir = None) -> None:  # noqa: A002
        from entraide_node import living

        raise typer.Exit(living.remove(_config_of(dir, lang), lang))

    @service.command(help=i18n.text("help-node-service-restart", lang))
    def restart(dir: Dir = None) -> None:  # noqa: A002
        from entraide_node import living

        raise typer.Exit(living.restart(_config_of(dir, lang), lang))

    @service.command(help=i18n.text("help-node-service-status", lang))
    def status(dir: Dir = None, json: Json = False) -> None:  # noqa: A002
        from entraide_node import living

        raise typer.Exit(living.status(_config_of(dir, lang), lang, as_json=json))


def _engine(app: typer.Typer, lang: str) -> None:
    engine = typer.Typer(help=i18n.text("help-node-engine", lang), no_args_is_help=True)
    app.add_typer(engine, name="engine")

    @engine.command(help=i18n.text("help-node-engine-install", lang))
    def install(
        name: Annotated[str, typer.Argument(metavar="NAME")],
        *,
        json: Json = False,
    ) -> None:
        from entraide_node.engines.commands import install_command

        raise typer.Exit(install_command(name, lang=lang, as_json=json))

    @engine.command("list", help=i18n.text("help-node-engine-list", lang))
    def listed(json: Json = False) -> None:
        from entraide_node.engines.commands import list_command

        raise typer.Exit(list_command(lang=lang, as_json=json))

    @engine.command(help=i18n.text("help-node-engine-find", lang))
    def find(
        urls: Annotated[list[str] | None, typer.Argument(metavar="[URL]...")] = None,
        *,
        key: Annotated[str, typer.Option("--key", metavar="K")] = "",
        json: Json = False,
    ) -> None:
        from entraide_node.engines.commands import find_command

        raise typer.Exit(find_command(lang=lang, urls=tuple(urls or ()), key=key, as_json=json))

    _attaching(engine, lang)


def _attaching(engine: typer.Typer, lang: str) -> None:
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
        json: Json = False,
    ) -> None:
        _node_of(dir, lang)
        from entraide_node.engines.attaching import Wanted, attach_command

        wanted = Wanted(url=url, model=model, alias=alias, key=key)
        path = _config_path(dir)
        raise typer.Exit(attach_command(path, wanted, lang=lang, as_json=json))


def _owner(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-node-pause", lang))
    def pause(dir: Dir = None) -> None:  # noqa: A002
        from entraide_node.owner import files as owner_files

        _node_of(dir, lang)
        owner_files.pause(_folder(dir))
        typer.echo(i18n.text("node-paused-now", lang))

    @app.command(help=i18n.text("help-node-resume", lang))
    def resume(dir: Dir = None) -> None:  # noqa: A002
        from entraide_node.owner import files as owner_files

        _node_of(dir, lang)
        owner_files.resume(_folder(dir))
        typer.echo(i18n.text("node-resumed-now", lang))

    @app.command(help=i18n.text("help-node-page", lang))
    def page(
        dir: Dir = None,  # noqa: A002
        port: Annotated[int, typer.Option("--port", metavar="PORT")] = 0,
        no_open: Annotated[bool, typer.Option("--no-open")] = False,
    ) -> None:
        from entraide_node.page.server import show

        raise typer.Exit(show(_config_of(dir, lang), port=port, lang=lang, opens=not no_open))


def _reading(app: typer.Typer, lang: str) -> None:
    @app.command(help=i18n.text("help-node-status", lang))
    def status(dir: Dir = None, json: Json = False) -> None:  # noqa: A002
        node = _node_of(dir, lang)
        from entraide_node.status_words import say_status

        raise typer.Exit(say_status(_folder(dir), node, lang, as_json=json))

    @app.command(help=i18n.text("help-node-bench", lang))
    def bench(
        config: Annotated[Path | None, typer.Option("--config", metavar="F")] = None,
        dir: Dir = None,  # noqa: A002
        json: Json = False,
    ) -> None:
        from entraide_node.status_words import say_bench

        raise typer.Exit(say_bench(config or _config_path(dir), lang, as_json=json))

    @app.command(help=i18n.text("help-node-doctor", lang))
    def doctor(dir: Dir = None, json: Json = False) -> None:  # noqa: A002
        from entraide_node.doctor.words import say_doctor

        raise typer.Exit(say_doctor(_folder(dir), lang, as_json=json))

    @app.command(help=i18n.text("help-node-hardware", lang))
    def hardware(json: Json = False) -> None:
        from entraide_node.hardware_words import say_hardware

        raise typer.Exit(say_hardware(lang, as_json=json))


def _folder(folder: Path | None) -> Path:
    """The node's folder: the one that is named, else this machine's own."""
    from entraide_node.config import default_dir

    return folder or default_dir()


def _config_path(folder: Path | None) -> Path:
    from entraide_node.config import CONFIG_NAME

    return _folder(folder) / CONFIG_NAME


def _node_of(folder: Path | None, lang: str) -> str:
    """The node of a folder; ends the command when there is none."""
    return _config_of(folder, lang).node


def _config_of(folder: Path | None, lang: str) -> "NodeConfig":
    """The configuration in a folder; ends the command when there is none."""
    from entraide_node.config import load

    path = _config_path(folder)
    if not path.exists():
        typer.echo(i18n.text("node-not-joined", lang, path=str(path)), err=True)
        raise typer.Exit(1)
    try:
        return load(path)
    except EntraideError as problem:
        _say(problem, lang)
        raise typer.Exit(1) from problem


def _token(given: str, lang: str) -> str:
    """Returns the join token; ``-`` reads it where no other account sees it in a process list."""
    if given != FROM_STDIN:
        return given
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass(f"{i18n.text('ask-node-token', lang)} ").strip()
    return sys.stdin.readline(TOKEN_CHARS_MAX).strip()


def _say(problem: EntraideError, lang: str) -> None:
    from entraide_node.sentences import say

    say(problem, lang)


def _join(
    url: str,
    token: str,
    *,
    folder: Path,
    wish: dict[str, str],
    ca: Path | None,
    serves: bool,
    careful: bool,
    as_json: bool,
) -> int:
    import msgspec

    from entraide_node import living
    from entraide_node.join import Wish, join
    from entraide_node.owner import terms as owner_terms

    lang = wish["lang"]
    try:
        ca_pem = ca.read_text("ascii") if ca is not None else ""
        config = join(url, _token(token, lang), folder=folder, wish=Wish(**wish), ca_pem=ca_pem)
        living.note_pool(folder, url)
        begun = careful and owner_terms.begin(folder)
    except EntraideError as problem:
        _say(problem, lang)
        return 1
    except (OSError, UnicodeDecodeError) as problem:
        typer.echo(str(problem), err=True)
        return 1
    if as_json:
        joined = {"node": config.node, "coop": config.coop, "pool": config.pool, "dir": config.dir}
        typer.echo(msgspec.json.encode(joined).decode("utf-8"))
    else:
        place = i18n.zone_name(config.zone, lang)
        typer.echo(i18n.text("node-joined", lang, node=config.node, coop=config.coop, place=place))
        if begun:
            typer.echo(i18n.text("owner-terms-begun", lang))
    if serves:
        living.install(config, lang, as_json=as_json)
    elif not as_json:
        command = living.run_command(config)
        typer.echo(i18n.text("node-joined-next", lang, command=command))
    return 0

"""``entraide up``, ``down`` and ``status``: a local pool on this machine."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli.pool_access import POOL_FILE, default_state
from entraide.errors import EntraideError

if TYPE_CHECKING:
    from entraide_scheduler.supervision.poolfile import PoolFile
    from entraide_scheduler.up.pool import PoolOptions

STOP_TIMEOUT_S = 60.0
POLL_S = 0.1
ASKING = "boreale"
DETACHED = "ENTRAIDE_UP_DETACHED"  # set for the process that `up --detach` starts


def register(app: typer.Typer, lang: str = i18n.DEFAULT_LANG) -> None:
    """Adds the three commands to the ``entraide`` command, in one language."""
    in_folder = typer.Option("--state", metavar="DIR", help=i18n.text("opt-state", lang))
    for_programs = typer.Option("--json", help=i18n.text("opt-json", lang))

    @app.command(help=i18n.text("help-up", lang))
    def up(
        state: Annotated[Path | None, in_folder] = None,
        http: Annotated[
            int,
            typer.Option(
                "--http", metavar="PORT", min=0, max=65_535, help=i18n.text("opt-up-http", lang)
            ),
        ] = 0,
        nodes: Annotated[
            int,
            typer.Option(
                "--nodes", metavar="N", min=1, max=64, help=i18n.text("opt-up-nodes", lang)
            ),
        ] = 3,
        model: Annotated[
            Path | None,
            typer.Option("--model", metavar="FILE.gguf", help=i18n.text("opt-up-model", lang)),
        ] = None,
        detach: Annotated[
            bool, typer.Option("--detach", help=i18n.text("opt-up-detach", lang))
        ] = False,
    ) -> None:
        from entraide_scheduler.up.pool import PoolOptions

        options = PoolOptions(
            state=_home(state),
            http_port=http,
            nodes=nodes,
            model=str(model.resolve()) if model else "",
            lang=lang,
        )
        raise typer.Exit(_detach(options) if detach else _foreground(options))

    @app.command(help=i18n.text("help-down", lang))
    def down(state: Annotated[Path | None, in_folder] = None) -> None:
        raise typer.Exit(_down(_home(state), lang))

    @app.command(help=i18n.text("help-status", lang))
    def status(
        state: Annotated[Path | None, in_folder] = None,
        json: Annotated[bool, for_programs] = False,
    ) -> None:
        raise typer.Exit(_status(_home(state), lang, as_json=json))


def _home(state: Path | None) -> Path:
    return (state or default_state()).resolve()


def _foreground(options: "PoolOptions") -> int:
    from entraide.files import PRIVATE_UMASK
    from entraide_scheduler.nats.keyfiles import make_private_home
    from entraide_scheduler.supervision.logs import log_to_file

    os.umask(PRIVATE_UMASK)
    log_to_file(make_private_home(options.state) / "logs" / "up.log")
    try:
        asyncio.run(_serve(options))
    except EntraideError as problem:
        typer.echo(i18n.error(problem.code, options.lang, problem.values), err=True)
        return 1
    return 0


async def _serve(options: "PoolOptions") -> None:
    from entraide.models import AUTO
    from entraide_scheduler.supervision.foreground import run_until_signal
    from entraide_scheduler.up.pool import LocalPool

    reported: list[str] = []  # empty until the pool begins to start

    def report(code: str, **values: str) -> None:
        reported.append(code)
        typer.echo(typer.style(i18n.text(code, options.lang, **values), dim=True))

    pool = LocalPool(options, report)

    async def stop() -> None:
        if reported:
            report("up-stopping")
        await pool.stop()

    async with run_until_signal(pool.start, stop) as running:
        # Nothing secret goes to the log of a pool in the background: the command that started it
        # prints how to sign in, and where the keys are.
        if running is not None and DETACHED not in os.environ:
            served = [model for node in await pool.list_nodes() for model in node.models]
            typer.echo(
                format_instructions(running, [*served, AUTO][0], options.state, options.lang)
            )
            typer.echo(await asyncio.to_thread(format_signin, running, options.lang))


def format_instructions(pool: "PoolFile", model: str, state: Path, lang: str) -> str:
    """Returns instructions: a curl command, a program for the ``openai`` client, the page."""
    key = pool.keys[ASKING]
    curl = (
        f"curl {pool.http}/v1/chat/completions -H 'Authorization: Bearer {key}' "
        "-H 'Content-Type: application/json' -d '"
        f'{{"model": "{model}", "max_tokens": 64, '
        '"messages": [{"role": "user", "content": "Bonjour !"}]}\''
    )
    chat = f'client.chat.completions.create(model="{model}", messages=question)'
    program = "\n".join(
        (
            "from openai import OpenAI",
            f'client = OpenAI(base_url="{pool.http}/v1", api_key="{key}")',
            'question = [{"role": "user", "content": "Bonjour !"}]',
            f"print({chat}.choices[0].message.content)",
        )
    )
    export = f"export ENTRAIDE_URL={pool.http} ENTRAIDE_KEY={key}"
    values = {"export": export, "curl": curl, "program": program, "page": pool.http}
    return i18n.text("up-ready", lang, **values, keys=str(state / POOL_FILE))


def format_signin(pool: "PoolFile", lang: str) -> str:
    """Returns how to sign in at the page: a link for each demo person."""
    from entraide_scheduler.up.people import list_signin_links

    return "\n".join([i18n.text("up-signin", lang), *list_signin_links(pool, lang)])


def _detach(options: "PoolOptions") -> int:
    from entraide.files import PRIVATE_UMASK
    from entraide_scheduler.nats.keyfiles import make_private_home
    from entraide_scheduler.supervision import poolfile
    from entraide_scheduler.supervision.processes import READY_TIMEOUT_S

    argv = [sys.executable, "-m", "entraide.cli", "--lang", options.lang, "up"]
    argv += ["--state", str(options.state), "--http", str(options.http_port)]
    argv += ["--nodes", str(options.nodes)]
    argv += ["--model", options.model] if options.model else []
    if poolfile.read_running(options.state):
        path = str(options.state)
        typer.echo(i18n.error("already_running", options.lang, {"path": path}), err=True)
        return 1
    poolfile.remove(options.state)
    os.umask(PRIVATE_UMASK)
    output = make_private_home(options.state) / "logs" / "up.out"
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("wb") as file:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            env={**os.environ, DETACHED: "1"},
        )
    # The pool ends by itself if a part is late; this deadline covers a process that hangs.
    deadline = time.monotonic() + 2 * READY_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if pool := poolfile.read_running(options.state):
            keys = str(options.state / POOL_FILE)
            typer.echo(i18n.text("up-detached", options.lang, page=pool.http, keys=keys))
            typer.echo(format_signin(pool, options.lang))
            return 0
        time.sleep(POLL_S)
    if process.poll() is None:
        os.kill(process.pid, signal.SIGTERM)
    typer.echo(output.read_text("utf-8", errors="replace"), err=True)
    return 1


def _down(state: Path, lang: str) -> int:
    import psutil

    from entraide_scheduler.supervision import poolfile

    pool = poolfile.read_running(state)
    if pool is None:
        typer.echo(i18n.text("down-none", lang, path=str(state)))
        return 0
    process = psutil.Process(pool.pids[poolfile.SUPERVISOR])
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except psutil.TimeoutExpired:
        process.kill()
    typer.echo(i18n.text("down-done", lang))
    return 0


def _status(state: Path, lang: str, *, as_json: bool) -> int:
    import msgspec

    from entraide_scheduler.supervision import poolfile

    pool = poolfile.read_running(state)
    if pool is None:
        stopped = msgspec.json.encode({"running": False, "state": str(state)}).decode()
        typer.echo(stopped if as_json else i18n.text("down-none", lang, path=str(state)))
        return 3
    from entraide.cli import output
    from entraide.client.admin import AdminClient
    from entraide.v1 import admin_pb2

    with AdminClient(pool.grpc, pool.admin_key, ca_pem=pool.ca, lang=lang) as admin:
        status = admin.call("GetStatus", admin_pb2.GetStatusRequest())
    live = sum(node.state == "live" for node in status.nodes)
    alarms = sum(node.false_alarms for node in status.nodes)
    if as_json:
        document = {
            "running": True,
            "state": str(state),
            "http": pool.http,
            "grpc": pool.grpc,
            "nats": pool.nats,
            "pids": pool.pids,
            "policy_version": status.policy_version,
            "nodes_live": live,
            "jobs_queued": status.queued,
            "jobs_running": status.running,
            "settled": status.settled,
            "false_alarms": alarms,
            "journal": output.to_plain(status.journal),
        }
        typer.echo(msgspec.json.encode(document).decode())
    else:
        page = pool.http
        typer.echo(
            i18n.text(
                "status-up",
                lang,
                page=page,
                live=live,
                running=status.running,
                queued=status.queued,
            )
        )
        typer.echo(i18n.text("status-false-alarms", lang, number=alarms))
        typer.echo(output.journal_text(status.journal, lang))
    return 0

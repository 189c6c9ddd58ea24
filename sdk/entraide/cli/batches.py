"""``entraide batches``: sends many requests as one batch, follows it, and fetches its results."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli import batch_output, batch_results, options, output
from entraide.cli.moments import read_moment
from entraide.cli.pool_access import PoolAccess, find_pool

if TYPE_CHECKING:
    from entraide.client import Batch, BatchOptions, Client

FAILED, INTERRUPTED = 1, 130
STANDARD_INPUT = "-"


def register(app: typer.Typer, lang: str) -> None:
    """Adds the ``batches`` commands."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="batches", help=i18n.text("help-batches", lang))
    _register_submit(group, lang)
    _register_wait(group, lang)
    _register_fetch(group, lang)
    batch_argument = typer.Argument(metavar="ID", help=i18n.text("arg-batch", lang))

    @group.command(help=i18n.text("help-batches-show", lang))
    def show(
        batch_id: Annotated[
            str, typer.Argument(metavar="[ID]", help=i18n.text("arg-batch-shown", lang))
        ] = "",
        limit: Annotated[
            int, typer.Option("--limit", min=1, max=1_000, help=i18n.text("opt-batch-limit", lang))
        ] = 20,
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        pool = find_pool(state, lang)
        if batch_id:
            batch = pool.call_for_job(coop, lambda client: client.batches.get(batch_id))
            output.print_json(batch) if json else batch_output.print_batch(batch, lang)
            return
        with pool.client(coop) as client:
            batches = client.batches.list(limit)
        output.print_json(batches) if json else batch_output.print_batches(batches, lang)

    @group.command(help=i18n.text("help-batches-cancel", lang))
    def cancel(
        batch_id: Annotated[str, batch_argument],
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        pool = find_pool(state, lang)
        batch = pool.call_for_job(coop, lambda client: client.batches.cancel(batch_id))
        output.print_json(batch) if json else batch_output.print_batch(batch, lang)


def _register_submit(group: typer.Typer, lang: str) -> None:
    @group.command(help=i18n.text("help-batches-submit", lang))
    def submit(
        file: Annotated[str, typer.Argument(metavar="FILE", help=i18n.text("arg-requests", lang))],
        *,
        endpoint: Annotated[
            str, typer.Option("--endpoint", metavar="E", help=i18n.text("opt-endpoint", lang))
        ] = "",
        model: Annotated[str, options.model(lang)] = "",
        max_tokens: Annotated[int, options.max_tokens(lang)] = 0,
        until: Annotated[
            str,
            typer.Option("--until", "--deadline", metavar="T", help=i18n.text("opt-until", lang)),
        ] = "",
        wait: Annotated[
            bool, typer.Option("--wait", help=i18n.text("opt-batch-wait", lang))
        ] = False,
        out: Annotated[Path | None, _out(lang)] = None,
        force: Annotated[bool, _force(lang)] = False,
        data_class: Annotated[str | None, options.data_class(lang)] = None,
        jurisdiction: Annotated[str | None, options.jurisdiction(lang)] = None,
        controlled_by: Annotated[str | None, options.controlled_by(lang)] = None,
        max_gco2e: Annotated[float | None, options.max_gco2e(lang)] = None,
        task: Annotated[str, options.task(lang)] = "",
        language: Annotated[str, options.language(lang)] = "",
        openness: Annotated[str | None, options.openness(lang)] = None,
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        own: BatchOptions = {
            "data_class": data_class,
            "jurisdiction": jurisdiction,
            "controlled_by": controlled_by,
            "openness": openness,
        }
        if max_gco2e is not None:
            own["max_gco2e"] = max_gco2e
        own |= {"task": task} if task else {}
        own |= {"language": language} if language else {}
        now = dt.datetime.now().astimezone()
        deadline = read_moment(until, lang, now=now) if until else None
        batch_results.check_new(out, lang, force=force)
        pool = find_pool(state, lang)
        with pool.client(coop) as client:
            batch = client.batches.create(
                Path("/dev/stdin") if file == STANDARD_INPUT else Path(file), endpoint=endpoint,
                model=model, max_output_tokens=max_tokens, until=deadline, **own,
            )  # fmt: skip
            if wait or out is not None:
                typer.echo(i18n.text("cli-batch-sent", lang, batch=batch.batch), err=True)
                _wait(client, batch.batch, pool, out=out, force=force, json=json)
                return
        if json:
            output.print_json(batch)
            return
        typer.echo(i18n.text("cli-batch-sent", lang, batch=batch.batch))
        until_text = output.format_time(batch.deadline_at, lang)
        typer.echo(i18n.text("cli-batch-until", lang, until=until_text))
        typer.echo(_next_text("cli-batch-next", batch.batch, pool))


def _register_wait(group: typer.Typer, lang: str) -> None:
    @group.command(help=i18n.text("help-batches-wait", lang))
    def wait(
        batch_id: Annotated[str, typer.Argument(metavar="ID", help=i18n.text("arg-batch", lang))],
        *,
        out: Annotated[Path | None, _out(lang)] = None,
        force: Annotated[bool, _force(lang)] = False,
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        batch_results.check_new(out, lang, force=force)
        pool = find_pool(state, lang)

        def wait_with(client: "Client") -> None:
            client.batches.get(batch_id)  # whose key it is
            _wait(client, batch_id, pool, out=out, force=force, json=json)

        pool.call_for_job(coop, wait_with)


def _register_fetch(group: typer.Typer, lang: str) -> None:
    @group.command(help=i18n.text("help-batches-fetch", lang))
    def fetch(
        batch_id: Annotated[str, typer.Argument(metavar="ID", help=i18n.text("arg-batch", lang))],
        *,
        out: Annotated[Path | None, _out(lang)] = None,
        force: Annotated[bool, _force(lang)] = False,
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        batch_results.check_new(out, lang, force=force)
        pool = find_pool(state, lang)

        def fetch_with(client: "Client") -> None:
            batch = client.batches.get(batch_id)
            _fetch(client, batch, pool, out=out, force=force, json=json)

        pool.call_for_job(coop, fetch_with)


def _out(lang: str) -> object:
    return typer.Option("--out", metavar="FILE", help=i18n.text("opt-batch-out", lang))


def _force(lang: str) -> object:
    return typer.Option("--force", help=i18n.text("opt-batch-force", lang))


def _wait(
    client: "Client", batch_id: str, pool: PoolAccess, *, out: Path | None, force: bool, json: bool
) -> None:
    """Waits for the end of a batch, prints it, and writes its results into a file."""
    progress = batch_output.ProgressLine(pool.lang)
    try:
        batch = client.batches.wait(batch_id, on_progress=progress.show)
    except KeyboardInterrupt:
        progress.close()
        typer.echo(_next_text("cli-batch-goes-on", batch_id, pool), err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        progress.close()
    output.print_json(batch) if json else batch_output.print_batch(batch, pool.lang)
    if out is not None and batch.counts.ended:
        _fetch(client, batch, pool, out=out, force=force, json=json)
    elif batch.counts.ended and not json:
        typer.echo(_next_text("cli-batch-ended", batch_id, pool))
    if batch.state != "completed":
        raise typer.Exit(FAILED)


def _fetch(
    client: "Client", batch: "Batch", pool: PoolAccess, *, out: Path | None, force: bool, json: bool
) -> None:
    """Prints the results of a batch or writes them into a file, and says what is missing."""
    results = client.batches.results(batch)
    if out is None:
        written = batch_results.print_results(results, pool.lang, json=json)
    else:
        written = batch_results.write_results(results, out, pool.lang, force=force)
        text = i18n.text(
            "cli-batch-written", pool.lang, lines=written.lines, failed=written.failed,
            path=str(out),
        )  # fmt: skip
        typer.echo(text, err=True)
    if not batch.ended:
        text = i18n.text(
            "cli-batch-partial", pool.lang, lines=written.lines, of=batch.counts.lines,
            file="file" if out is not None else "none",
        )  # fmt: skip
        typer.echo(text, err=True)


def _next_text(code: str, batch_id: str, pool: PoolAccess) -> str:
    """Returns what to type next, with the folder of the pool if it is not the usual one."""
    where = f" --state {pool.folder}" if pool.is_other_folder else ""
    return i18n.text(code, pool.lang, batch=batch_id, where=where)

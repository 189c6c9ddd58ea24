"""``entraide jobs``: lists, shows, explains and cancels jobs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import explanations, i18n
from entraide.cli import explanation_output, options, output
from entraide.cli.pool_access import PoolAccess, find_pool

if TYPE_CHECKING:
    from collections.abc import Iterable

    from entraide.client import Job
    from entraide.v1 import admin_pb2


def register(app: typer.Typer, lang: str) -> None:
    """Adds the ``jobs`` commands."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="jobs", help=i18n.text("help-jobs", lang))
    _register_list(group, lang)
    job_argument = typer.Argument(metavar="ID", help=i18n.text("arg-job", lang))

    @group.command("show", help=i18n.text("help-jobs-show", lang))
    def show_(
        job_id: Annotated[str, job_argument],
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        pool = find_pool(state, lang)
        job = pool.call_for_job(coop, lambda client: client.get(job_id))
        output.print_json(job) if json else _print_job(job, lang)

    @group.command(help=i18n.text("help-jobs-explain", lang))
    def explain(
        job_id: Annotated[str, job_argument],
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        pool = find_pool(state, lang)
        reply = pool.call_for_job(coop, lambda client: client.explain(job_id))
        if json:
            output.print_json(explanations.document(reply.explanation))
        else:
            explanation_output.print_explanation(reply.explanation, lang)

    @group.command(help=i18n.text("help-jobs-cancel", lang))
    def cancel(
        job_id: Annotated[str, job_argument],
        erase: Annotated[
            bool, typer.Option("--erase", help=i18n.text("opt-jobs-erase", lang))
        ] = False,
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        pool = find_pool(state, lang)
        cancelled = pool.call_for_job(coop, lambda client: client.cancel(job_id, erase=erase))
        output.print_json(cancelled) if json else _print_job(cancelled, lang)


def _register_list(group: typer.Typer, lang: str) -> None:
    @group.command("list", help=i18n.text("help-jobs-list", lang))
    def list_(
        limit: Annotated[
            int, typer.Option("--limit", min=1, max=1_000, help=i18n.text("opt-limit", lang))
        ] = 20,
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        pool = find_pool(state, lang)
        if pool.is_operators:
            _print_pool_jobs(pool, coop, limit, json=json)
            return
        with pool.client(coop) as client:
            jobs = client.jobs(limit)
        if json:
            output.print_json(jobs)
            return
        _print_table(jobs, lang)


def _print_pool_jobs(pool: PoolAccess, coop: str, limit: int, *, json: bool) -> None:
    """Prints the jobs of all co-ops as the operator sees them: no text, and not who sent them."""
    from entraide.v1 import admin_pb2

    with pool.admin() as admin:
        request = admin_pb2.ListPoolJobsRequest(limit=limit, coop=coop)
        jobs = admin.call("ListPoolJobs", request).jobs
    if json:
        output.print_json(list(jobs))
    else:
        _print_table(jobs, pool.lang, "coop")


def _print_table(jobs: "Iterable[Job | admin_pb2.PoolJob]", lang: str, *more: str) -> None:
    columns = ("job", *more, "state", "class", "model", "submitted")
    rows = [
        [
            job.job,
            *(getattr(job, name) for name in more),
            i18n.word("state", job.state, lang),
            i18n.word("class", job.job_class, lang),
            job.model,
            output.format_time(job.submitted_at, lang),
        ]
        for job in jobs
    ]
    output.print_table([i18n.text(f"col-{name}", lang) for name in columns], rows)


def _print_job(job: "Job", lang: str) -> None:
    state = i18n.word("state", job.state, lang)
    typer.echo(f"{job.job} · {state}" + (f" · {job.message}" if job.message else ""))
    if job.text:
        typer.echo(job.text)
    if job.receipt is not None:
        typer.echo(typer.style(i18n.receipt_line(job.receipt, lang), dim=True))
        for line in (i18n.thought_line, i18n.earlier_runs_line, i18n.place_line):
            if sentence := line(job.receipt, lang):
                typer.echo(typer.style(sentence, dim=True))

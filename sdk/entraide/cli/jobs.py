"""``entraide jobs``: lists, shows, explains and cancels jobs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import explanations, i18n
from entraide.cli import explanation_output, options, output
from entraide.cli.pool_access import find_pool

if TYPE_CHECKING:
    from entraide.client import Job


def register(app: typer.Typer, lang: str) -> None:
    """Adds the commands."""
    jobs = typer.Typer(no_args_is_help=True)
    app.add_typer(jobs, name="jobs", help=i18n.text("help-jobs", lang))
    _register_list(jobs, lang)
    job_argument = typer.Argument(metavar="ID", help=i18n.text("arg-job", lang))

    @jobs.command("show", help=i18n.text("help-jobs-show", lang))
    def show_(
        job: Annotated[str, job_argument],
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        pool = find_pool(state, lang)
        current = pool.ask_about_job(coop, lambda client: client.get(job))
        output.print_json(current) if json else _print(current, lang)

    @jobs.command(help=i18n.text("help-jobs-explain", lang))
    def explain(
        job: Annotated[str, job_argument],
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        pool = find_pool(state, lang)
        reply = pool.ask_about_job(coop, lambda client: client.explain(job))
        if json:
            output.print_json(explanations.document(reply.explanation))
        else:
            explanation_output.print_explanation(reply.explanation, lang)

    @jobs.command(help=i18n.text("help-jobs-cancel", lang))
    def cancel(
        job: Annotated[str, job_argument],
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        pool = find_pool(state, lang)
        cancelled = pool.ask_about_job(coop, lambda client: client.cancel(job))
        output.print_json(cancelled) if json else _print(cancelled, lang)


def _register_list(jobs: typer.Typer, lang: str) -> None:
    @jobs.command("list", help=i18n.text("help-jobs-list", lang))
    def list_(
        limit: Annotated[
            int, typer.Option("--limit", min=1, max=1_000, help=i18n.text("opt-limit", lang))
        ] = 20,
        coop: Annotated[str, options.coop(lang)] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        with find_pool(state, lang).client(coop) as client:
            listed = client.jobs(limit)
        if json:
            output.print_json(listed)
            return
        names = ("job", "state", "class", "model", "submitted")
        rows = [
            [
                job.job,
                i18n.word("state", job.state, lang),
                i18n.word("class", job.job_class, lang),
                job.model,
                output.format_time(job.submitted_at, lang),
            ]
            for job in listed
        ]
        output.print_table([i18n.text(f"col-{name}", lang) for name in names], rows)


def _print(job: "Job", lang: str) -> None:
    state = i18n.word("state", job.state, lang)
    typer.echo(f"{job.job} · {state}" + (f" · {job.message}" if job.message else ""))
    if job.text:
        typer.echo(job.text)
    if job.receipt is not None:
        typer.echo(typer.style(i18n.receipt_line(job.receipt, lang), dim=True))

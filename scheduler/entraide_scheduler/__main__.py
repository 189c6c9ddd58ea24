"""``python -m entraide_scheduler``: the commands ``run`` and ``gateway``, for supervisors."""

import os

import typer

from entraide import i18n
from entraide_scheduler.cli import Config, run_command, run_gateway, run_scheduler


def main() -> None:
    """Runs one command in the language of the environment."""
    lang = i18n.lang_of_environment(os.environ)
    app = typer.Typer(add_completion=False, no_args_is_help=True)

    @app.command(help=i18n.text("help-scheduler-run", lang))
    def run(config: Config) -> None:
        raise typer.Exit(run_command(lambda: run_scheduler(config), lang))

    @app.command(help=i18n.text("help-gateway-run", lang))
    def gateway(config: Config) -> None:
        raise typer.Exit(run_command(lambda: run_gateway(config), lang))

    app()


if __name__ == "__main__":
    main()

"""``python -m entraide_node``: the commands of ``entraide node`` without the other commands."""

import os

import typer

from entraide import i18n
from entraide_node.cli import add_commands


def main() -> None:
    """Runs one command in the language of the environment."""
    lang = i18n.lang_of_environment(os.environ)
    app = typer.Typer(add_completion=False, no_args_is_help=True)
    add_commands(app, lang)
    app()


if __name__ == "__main__":
    main()

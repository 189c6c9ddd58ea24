"""Pool command: an operator's command with the pool's folder as its argument or as ``--state``.

Most commands of an operator name the pool by ``--state DIR``; those of ``entraide pool`` by an
argument. They understand the option, too.
"""

from typing import Any

from typer.core import TyperCommand

OPTION = "--state"


class PoolCommand(TyperCommand):
    """A command whose first argument is the pool's folder."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the words; ``--state DIR`` and ``--state=DIR`` stand for the argument."""
        return super().parse_args(ctx, with_folder_first(args))


def with_folder_first(args: list[str]) -> list[str]:
    """Returns the words of a command with the folder of ``--state`` as the first of them.

    Without its value the option is left where it is, so that it is refused.
    """
    for number, word in enumerate(args):
        name, has_value, value = word.partition("=")
        if word == "--":
            break
        if name == OPTION and has_value:
            return [value, *args[:number], *args[number + 1 :]]
        if name == OPTION and number + 1 < len(args):
            return [args[number + 1], *args[:number], *args[number + 2 :]]
    return args

"""The ``entraide`` command: its own subcommands, and those that the shells bring.

The language is chosen first, since even ``--help`` is read by a person. Commands, those of the
shells among them (``up``, ``scheduler``, ``node``, …), are found by entry points in the group
``entraide.cli``: each is a function ``register(app, lang)``. This package imports no shell.

Exit status: 0 done, 1 refused or failed (one sentence on the error output), 2 misused,
130 interrupted.
"""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line, and ends the process with its exit status."""
    from entraide.cli.app import run_command
    from entraide.cli.language import choose_language
    from entraide.cli.terminal import clean_output

    clean_output()
    lang, rest = choose_language(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run_command(rest, lang))

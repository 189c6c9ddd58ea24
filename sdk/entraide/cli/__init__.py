"""The ``entraide`` command: the SDK's subcommands, and those of the shells.

The language is chosen first, since ``--help`` needs it. Commands are entry points in the group
``entraide.cli``, also those of the shells (``up``, ``scheduler``, ``node``, …): each is a function
``register(app, lang)``, so that this package imports no shell.

Exit status: 0 success, 1 refused or failed (one sentence on the error output), 2 wrong usage,
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

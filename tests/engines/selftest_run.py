"""Run by a test as a process of its own: the self-test's command, with a short idle time."""

import functools

from entraide.cli import main
from entraide_node.selftest import cli_output

IDLE_S = 0.5

if __name__ == "__main__":
    short = functools.partial(cli_output.print_selftest, idle_s=IDLE_S)
    cli_output.print_selftest = short
    main()

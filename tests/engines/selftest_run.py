"""Run by a test as a process of its own: the self-test's command, with a short idle time."""

import functools
import signal

from entraide.cli import main
from entraide_node.selftest import cli_output

IDLE_S = 0.5

if __name__ == "__main__":
    # As in a terminal; what is started in the background of a script ignores SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    short = functools.partial(cli_output.print_selftest, idle_s=IDLE_S)
    cli_output.print_selftest = short
    main()

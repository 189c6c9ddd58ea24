"""Terminal: what a member reads where ``entraide node run`` was typed.

In: the status that the agent writes into its folder. Out: a sentence on standard error each time
the reason changes why the node works or not, with the time of day and its zone. The log is in the
folder meanwhile: a terminal is for sentences, and a program reads the log.
"""

import asyncio
import contextlib
import sys
import time
from pathlib import Path

from entraide import i18n
from entraide.relative_time import format_moment
from entraide_node.config import NodeConfig
from entraide_node.logs import LOG_NAME
from entraide_node.owner import files as owner_files
from entraide_node.status_output import state_sentences

LOOK_S = 0.5
ABLE = ("working", "ready")  # with each request it changes between the two


def is_terminal() -> bool:
    """Whether a person reads standard error, and not a file or a service manager."""
    return sys.stderr.isatty()


async def show_states(config: NodeConfig) -> None:
    """Prints why the node works or not, and each change of it, until it is cancelled."""
    folder = Path(config.dir)
    print_line("node-run-begins", config, log=str(folder / LOG_NAME))
    last: tuple[str, str, bool] | None = None
    while True:
        status = owner_files.read_status(folder, now=time.time())
        if status is not None:
            state = ABLE[-1] if status.state in ABLE else status.state
            reason = (state, status.owner.code, status.zone_missing)
            if reason != last:
                last = reason
                for sentence in state_sentences(folder, status, config.lang):
                    _print_sentence(sentence, config.lang)
        await asyncio.sleep(LOOK_S)


def print_line(code: str, config: NodeConfig, **values: str) -> None:
    """Prints the sentence of a code about the node."""
    _print_sentence(i18n.text(code, config.lang, node=config.node, **values), config.lang)


def _print_sentence(sentence: str, lang: str) -> None:
    _, _, time_of_day = format_moment(time.time(), lang).partition(" ")
    with contextlib.suppress(OSError):  # the terminal was closed; the agent goes on
        sys.stderr.write(f"{time_of_day}  {sentence}\n")
        sys.stderr.flush()

"""What foreign text may do to a terminal, a log or a header: nothing."""

import io
import json
from typing import Any

import pytest
import structlog

from entraide.cli.terminal import CleanStream
from entraide.log_format import json_processors, terminal_processors
from entraide.printable import is_printable, printable

PROMPT = "Le NAS de Mme Tremblay est 046 454 286"
KEY = "ent_abcdefghijklmnop"


def fails_with_secrets() -> None:
    """Raises with a prompt and a key among the local variables."""
    prompt, key = PROMPT, KEY
    raise ValueError(len(prompt + key))


@pytest.mark.parametrize("processors", [json_processors, terminal_processors])
def test_traceback_shows_no_local_variable(processors: Any) -> None:
    """The log names file, line and error; a prompt or key among the locals is not in it."""
    log, output = logger(processors())
    try:
        fails_with_secrets()
    except ValueError:
        log.exception("job.failed", job="job-1")

    assert "ValueError" in output.getvalue()
    assert "fails_with_secrets" in output.getvalue()
    assert PROMPT not in output.getvalue()
    assert KEY not in output.getvalue()


def test_secrets_of_a_configuration_are_hidden() -> None:
    """Passwords in URLs, named secrets and our own keys are replaced; the rest is shown."""
    log, output = logger(json_processors())
    config = {"admin_key": "geheim", "store_url": "postgresql://ent:geheim@db/pool", "lang": "fr"}
    log.info("gateway.starting", config=config, said=f"key {KEY} refused")
    line = json.loads(output.getvalue())

    assert "geheim" not in output.getvalue()
    assert KEY not in output.getvalue()
    assert ("fr", "postgresql://ent:***@db/pool") == (
        line["config"]["lang"],
        line["config"]["store_url"],
    )


@pytest.mark.parametrize("processors", [json_processors, terminal_processors])
def test_control_characters_do_not_reach_a_log(processors: Any) -> None:
    """A node's name cannot clear the operator's screen or forge a line."""
    log, output = logger(processors())
    log.warning("node.ignored", node="n1\x1b[2J\x07\u202e", values={"why": "a\x9b31m"})
    text = output.getvalue()

    assert "\x1b[2J" not in text
    assert not {"\x07", "\u202e", "\x9b"} & set(text)


def test_terminal_gets_colours_and_no_other_sequence() -> None:
    """Our own bold stays; a title, a cleared screen or a hidden text of a model do not."""
    inner = io.StringIO()
    stream = CleanStream(inner)
    stream.write("\x1b[1mgras\x1b[0m \x1b]0;titre\x07\x1b[2J\u202eeh\n")

    assert "\x1b[1mgras\x1b[0m ]0;titre[2Jeh\n" == inner.getvalue()


def test_printable_text_is_left_as_it_is() -> None:
    """Accents, no-break spaces and other scripts are no control characters."""
    text = "Énergie : 12 Wh, « œuvre », ᐃᓄᒃᑎᑐᑦ, 東京 🍁"

    assert text == printable(text)
    assert is_printable(text)


def logger(processors: Any) -> tuple[Any, io.StringIO]:
    """Returns a logger and what it writes."""
    output = io.StringIO()
    logger = structlog.wrap_logger(
        structlog.PrintLogger(output), processors=processors, cache_logger_on_first_use=False
    )
    return logger, output

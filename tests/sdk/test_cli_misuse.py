"""Misused commands: one sentence in the caller's language, and nothing is asked."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.conftest import Cli, ServedPool

from entraide import i18n
from entraide.cli.app import load_command, registered_commands, root_command
from entraide.cli.pool_command import PoolCommand, with_folder_first
from entraide.cli.usage_errors import with_option_names


@pytest.mark.parametrize(
    ("arguments", "french", "english"),
    [
        (["chat"], "Il manque QUESTION.", "QUESTION is missing."),
        (["chat", "?", "--bogus"], "L’option --bogus n’existe pas.", "There is no option --bogus."),
        (["bogus"], "La commande «\u00a0bogus\u00a0» n’existe", 'There is no command "bogus".'),
        (
            ["jobs", "list", "--limit", "x"],
            "Valeur invalide pour --limit.",
            "Invalid value for --limit.",
        ),
        (
            ["models", "recommend", "--memory", "0"],
            "Valeur invalide pour --memory. Il faut un nombre de 1 à 4096. ",
            "Invalid value for --memory. It takes a number from 1 to 4096. ",
        ),
        (
            ["chat", "?", "--max-wait", "-1"],
            "Valeur invalide pour --max-wait. Il faut un nombre d’au moins 0. ",
            "Invalid value for --max-wait. It takes a number of at least 0. ",
        ),
        (
            ["chat", "?", "--max-tokens", "99999999999"],
            "Valeur invalide pour --max-tokens. Il faut un nombre de 0 à 16777216. ",
            "Invalid value for --max-tokens. It takes a number from 0 to 16777216. ",
        ),
        (
            ["chat", "?", "--think", "much"],
            "Valeur invalide pour --think. Écrivez l’une de ces valeurs\u00a0: none, low, medium, ",
            "Invalid value for --think. Write one of these: none, low, medium, ",
        ),
        (
            ["models", "recommend", "--language", ""],
            "«\u00a0\u00a0» n’est pas un code de langue.",
            '"" is no code of a language.',
        ),
        (["chat", " "], "La question est vide.", "The question is empty."),
    ],
)
def test_misuse_is_told_in_both_languages(
    cli: Cli, arguments: list[str], french: str, english: str
) -> None:
    """A misused command ends with status 2 and one sentence in the caller's language."""
    for lang, sentence in (("fr", french), ("en", english)):
        result = cli([*arguments, "--lang", lang])

        assert (2, "") == (result.status, result.out)
        assert result.err.startswith(sentence)
        assert "--help" in result.err


def test_a_question_that_is_no_unicode_is_named(
    served: ServedPool, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are not UTF-8 arrive as lone surrogates; the refusal names the message."""
    monkeypatch.setattr("sys.stdin", io.StringIO("caf\udce9"))
    result = cli(["chat", "-", "--state", str(served.state), "--lang", "en"])

    assert "messages[0].content" in result.err
    assert [] == served.pool.asked


def test_a_refusal_names_the_option_that_was_typed() -> None:
    """The pool names the field of the request; who typed a command reads its option."""
    values = {"param": "options.job_class", "fault": "not_one_of", "choices": "batch"}
    refused = {lang: i18n.error("invalid_request", lang, values) for lang in ("fr", "en")}

    assert "options.job_class" in refused["fr"]
    assert with_option_names(refused["fr"]).startswith("L’option «\u00a0--class\u00a0» doit être")
    assert with_option_names(refused["en"]).startswith('The option "--class" must be')


def test_a_thought_that_was_not_thought_is_said(served: ServedPool, cli: Cli) -> None:
    """``--think`` at a model that does not think is no silent nothing."""
    state = ["--state", str(served.state), "--lang", "en"]
    asked = cli(["chat", "?", "--think", "low", *state])
    unasked = cli(["chat", "?", *state])

    assert "--think low had no effect" in asked.err
    assert "" == unasked.err


def test_every_parameter_has_its_help_and_no_type_as_its_value() -> None:
    """No help page shows ``<int range>``, nor a parameter without a sentence."""
    root = root_command("fr")
    faults = []
    for name in registered_commands():
        for words, command in _walk([name], load_command(name, "fr")):
            params = [each for each in command.params if not getattr(each, "hidden", False)]
            faults += [f"{words} {each.name}" for each in params if not each.help]
            page = command.get_help(root.make_context("entraide", [], resilient_parsing=True))
            faults += [f"{words} {shown}" for shown in re.findall(r"<[a-z ]+>", page)]

    assert [] == faults


def test_each_command_of_an_operator_understands_state() -> None:
    """As an option, or in the place of the argument; a restore makes a new folder."""
    without = {
        words
        for name in ("pool", "coops", "grid", "incidents", "keys", "models", "nodes", "people",
                     "policy", "report", "status", "up", "down", "invite", "jobs")
        for words, command in _walk([name], load_command(name, "fr"))
        if not isinstance(command, PoolCommand)
        and all("--state" not in each.opts for each in command.params)
    }  # fmt: skip

    assert {"pool restore"} == without


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (["--json", "--state", "d"], ["d", "--json"]),
        (["--state=d", "--json"], ["d", "--json"]),
        (["d", "--json"], ["d", "--json"]),
        (["--", "--state", "d"], ["--", "--state", "d"]),
        (["d", "--state"], ["d", "--state"]),
    ],
)
def test_state_stands_for_the_folder(words: list[str], read: list[str]) -> None:
    """Wherever it is among the words."""
    assert read == with_folder_first(words)


def test_a_folder_by_state_is_the_same_folder(tmp_path: Path, cli: Cli) -> None:
    """The doctor says of both that no pool is there."""
    folder = str(tmp_path / "none")
    by_argument = cli(["pool", "doctor", folder, "--lang", "en"])
    by_option = cli(["pool", "doctor", "--state", folder, "--lang", "en"])

    assert 1 == by_option.status
    assert folder in by_option.out + by_option.err
    assert by_argument == by_option


def _walk(words: list[str], command: Any) -> Iterator[tuple[str, Any]]:
    """Yields a command and those below it, with what is typed."""
    subcommands = getattr(command, "commands", {})
    if not subcommands:
        yield " ".join(words), command
    for name, subcommand in subcommands.items():
        yield from _walk([*words, name], subcommand)

"""Misused commands: one sentence in the caller's language, and nothing is asked."""

import io

import pytest
from tests.sdk.conftest import Cli, ServedPool


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

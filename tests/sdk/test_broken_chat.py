"""``entraide chat`` whose answer breaks off: what came is kept, and it goes on from there."""

import json

import pytest
from tests.sdk.conftest import Cli, ServedPool

from entraide import i18n

GO_ON = "Continue ta réponse là où elle s’est arrêtée."


def test_chat_keeps_what_came_of_a_broken_answer(served: ServedPool, cli: Cli) -> None:
    """What came ends with its line; then what happened, in the pool's words."""
    result = cli(["chat", "Bonjour", "--model", "broken", "--state", str(served.state)])
    stops, why = result.err.splitlines()

    assert (1, "Bon\n") == (result.status, result.out)
    assert why == i18n.error("stream_broken", "fr")
    assert stops == (
        "La réponse s’arrête ici. Ce qui est arrivé est affiché ci-dessus. "
        "Avec --go-on, la commande poursuit d’elle-même à partir de là."
    )


def test_chat_goes_on_from_what_came(served: ServedPool, cli: Cli) -> None:
    """With --go-on the command asks for the rest three times, then says what happened."""
    state = ["--state", str(served.state)]
    result = cli(["chat", "Bonjour", "--model", "broken", "--go-on", *state])
    asked = [[message.content for message in request.messages] for request in served.pool.asked]

    assert (1, "Bon\n" * 4) == (result.status, result.out)
    assert [["Bonjour"], *(["Bonjour", "Bon" * n, GO_ON] for n in (1, 2, 3))] == asked
    assert 4 == result.err.count(i18n.error("stream_broken", "fr"))
    assert 3 == result.err.count("La réponse se poursuit")
    assert "--go-on" not in result.err


@pytest.mark.parametrize(("reply", "asked"), [("", 2), ("non", 1)])
def test_chat_asks_a_person_whether_to_go_on(
    served: ServedPool, cli: Cli, monkeypatch: pytest.MonkeyPatch, reply: str, asked: int
) -> None:
    """At a terminal the person decides: Enter goes on, « n » ends."""
    replies = iter([reply, "n"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda: next(replies))
    result = cli(["chat", "Bonjour", "--model", "broken", "--state", str(served.state)])

    assert (1, asked) == (result.status, len(served.pool.asked))
    assert asked == result.err.count("Poursuivre à partir de là\u00a0? [O/n]")


def test_what_came_of_a_broken_answer_for_programs(served: ServedPool, cli: Cli) -> None:
    """With --json the error comes with the text that came."""
    result = cli(["chat", "a", "--model", "broken", "--json", "--state", str(served.state)])
    end = json.loads(result.out)

    assert ("stream_broken", "job-1", "Bon") == (end["error"]["code"], end["job"], end["text"])


def test_chat_asks_for_a_shorter_wait(served: ServedPool, cli: Cli) -> None:
    """``--max-wait`` is the request's own limit; without it the pool's holds."""
    for more in (["--max-wait", "5"], []):
        assert 0 == cli(["chat", "Bonjour", *more, "--state", str(served.state)]).status

    assert [5.0, 0.0] == [request.options.max_wait_s for request in served.pool.asked]


def test_chat_asks_for_a_thought(served: ServedPool, cli: Cli) -> None:
    """``--think`` goes with the question; without it the pool's policy decides."""
    for more in (["--think", "low"], []):
        assert 0 == cli(["chat", "Bonjour", *more, "--state", str(served.state)]).status

    assert [{"think": "low"}, {}] == [dict(request.extra) for request in served.pool.asked]

"""Language of a question: found at the gateway, for an alias; only its code goes to the core."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from tests.cases import all_cases
from tests.core.builders import facts
from tests.scheduler.gateway_support import open_pool

from entraide.types import UNKNOWN_PLACE, Basis, JobKind, RequestFacts
from entraide_scheduler.gateway.jobs import (
    Caller,
    FactsBuilder,
    LanguageDetector,
    Options,
    Partitions,
    Submission,
    TokenEstimator,
    kept_jobs,
)
from entraide_scheduler.gateway.requests import CHAT, EMBEDDINGS, MESSAGES, openai

FRENCH = "Comment renouveler notre contrat d’assurance avant la fin du mois ?"
ENGLISH = "How do we renew our insurance policy before the end of the month?"
ALPHABET = " ".join(f"x{number}" for number in range(40))
FOUND, DEFAULT, DECLARED = Basis.ESTIMATED, Basis.DEFAULT, Basis.DECLARED
COMPLETION, RESPONSES = "/v1/completions", "/v1/responses"


@pytest.fixture(scope="module")
def detector() -> LanguageDetector:
    """A detector with its table."""
    made = LanguageDetector()
    made.load()
    return made


class UnusedDetector(LanguageDetector):
    """A detector that must not be asked."""

    def find(self, questions: Iterable[str]) -> str:
        raise AssertionError(list(questions))


def facts_of(
    detector: LanguageDetector, path: str, body: dict[str, Any], *, language: str = "fr"
) -> RequestFacts:
    """The facts of a request to ``auto``, in a pool of a language."""
    builder = FactsBuilder(
        gateway="main", kept_gateway="main", place=UNKNOWN_PLACE, secret=bytes(32),
        token_estimator=TokenEstimator(), partitions=Partitions(bytes(32)), language=language,
        language_detector=detector,
    )  # fmt: skip
    parsed = openai.parse_request(path, json.dumps({"model": "auto", **body}).encode())
    return builder.build_facts(parsed, Caller("key-1", "alpha", "main"), Options(), JobKind.LIVE)


def said(*texts: Any, between: str = "assistant") -> dict[str, Any]:
    """A chat of these texts, every second one by another role."""
    roles = ("user", between)
    return {
        "messages": [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)],
    }


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
CASES: dict[str, tuple[str, dict[str, Any], str, Basis]] = {
    "French": (CHAT, said(FRENCH), "fr", FOUND),
    "English": (CHAT, said(ENGLISH), "en", FOUND),
    "too short": (CHAT, said("ok"), "fr", DEFAULT),
    "no words": (CHAT, said("2 + 2 = ?"), "fr", DEFAULT),
    "nothing": (CHAT, said(""), "fr", DEFAULT),
    "an instruction in one language, a text in the other": (
        CHAT, said("Résume ce texte en trois phrases simples : " + ENGLISH * 3), "fr", DEFAULT,
    ),
    "the instruction after the text": (
        CHAT, said(FRENCH * 3 + "\nPlease summarise this letter for our members"), "fr", DEFAULT,
    ),
    "the newest message": (CHAT, said(FRENCH, "Bien sûr.", ENGLISH), "en", FOUND),
    "a message before one that does not show it": (CHAT, said(ENGLISH, "Sure.", "ok"), "en", FOUND),
    "not the answers": (CHAT, said("ok", ENGLISH, "ok", ENGLISH), "fr", DEFAULT),
    "not the fourth message": (
        CHAT, said(ENGLISH, "1", "ok", "2", "ok", "3", "ok"), "fr", DEFAULT,
    ),
    "a text with a picture": (
        CHAT, said([PICTURE, {"type": "text", "text": ENGLISH}]), "en", FOUND,
    ),
    "not the middle of a long text": (
        CHAT, said(ALPHABET * 4 + ENGLISH + ALPHABET * 4), "fr", DEFAULT,
    ),
    "a completion": (COMPLETION, {"prompt": ENGLISH}, "en", FOUND),
    "a completion of several": (COMPLETION, {"prompt": [ENGLISH, FRENCH]}, "en", FOUND),
    "a completion of tokens": (COMPLETION, {"prompt": [1, 2]}, "fr", DEFAULT),
    "a message": (MESSAGES, {**said(ENGLISH), "max_tokens": 5}, "en", FOUND),
    "a response": (RESPONSES, {"input": ENGLISH}, "en", FOUND),
}  # fmt: skip


@all_cases("case", CASES.values(), CASES)
def test_the_text_of_a_question_shows_its_language(
    case: tuple[str, dict[str, Any], str, Basis], detector: LanguageDetector
) -> None:
    """The newest text of the person that shows a language decides, else the pool's counts."""
    path, body, language, basis = case
    made = facts_of(detector, path, body)

    assert (language, basis) == (made.language, made.language_basis)


def test_nothing_is_read_where_no_choice_depends_on_it() -> None:
    """A stated language costs no detection, nor does a model by name, nor an embedding."""
    unused = UnusedDetector()
    stated = facts_of(unused, CHAT, {**said(FRENCH), "entraide": {"language": "en"}})
    named = facts_of(unused, CHAT, {**said(FRENCH), "model": "toy"})
    embedded = facts_of(unused, EMBEDDINGS, {"input": FRENCH})

    assert [("en", DECLARED), ("", DECLARED), ("", DECLARED)] == [
        (each.language, each.language_basis) for each in (stated, named, embedded)
    ]


def test_the_core_hears_the_code_of_the_language_only(detector: LanguageDetector) -> None:
    """No word of the text is in the facts."""
    encoded = msgspec.json.encode(facts_of(detector, CHAT, said(ENGLISH))).decode()

    assert not [word for word in ENGLISH.split() if len(word) > 3 and word in encoded]


def test_a_repeated_request_is_the_same_whatever_language_was_found() -> None:
    """A kept request that comes again after the table was loaded is no other one."""
    estimated = facts("j1", language="fr", language_basis=FOUND)
    default = facts("j1", language="en", language_basis=DEFAULT)
    stated = facts("j1", language="fr")

    assert kept_jobs._demands(estimated) == kept_jobs._demands(default)
    assert kept_jobs._demands(estimated) != kept_jobs._demands(stated)


async def test_the_first_question_after_a_start_waits_for_the_table(tmp_path: Path) -> None:
    """A gateway loads the table as it starts, and no question is judged without it."""
    body = json.dumps({"model": "auto", **said(ENGLISH)}).encode()
    async with open_pool(tmp_path) as pool:
        api = pool.gateway._api
        await api.wait_for_tables()
        first = api.prepare(Caller("key-alpha", "alpha", "main"), Submission(CHAT, body, Options()))

    assert ("en", FOUND) == (first.facts.language, first.facts.language_basis)


async def test_a_table_that_cannot_be_loaded_leaves_the_pools_language(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Questions are then answered as those that show no language."""
    detector = LanguageDetector()

    def fail() -> None:
        raise MemoryError("full")

    monkeypatch.setattr(detector, "load", fail)
    detector.begin_loading()
    await detector.wait_until_loaded()
    made = facts_of(detector, CHAT, said(FRENCH), language="en")

    assert ("en", DEFAULT) == (made.language, made.language_basis)


@pytest.mark.parametrize("iterations", [0, 1])
async def test_a_cancellation_that_comes_with_the_table_is_heard(iterations: int) -> None:
    """A task that waits for the table ends as cancelled, also in the moment that it is there."""
    detector, table = LanguageDetector(), asyncio.get_running_loop().create_future()
    detector._loading = cast("asyncio.Task[None]", table)
    waiting = asyncio.ensure_future(detector.wait_until_loaded())
    await asyncio.sleep(0)
    table.set_result(None)
    for _ in range(iterations):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})

    assert waiting.cancelled()

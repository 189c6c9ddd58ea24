"""Explanations over gRPC have every field that they have over HTTP."""

import msgspec
from tests.cases import all_cases
from tests.sdk.explanation_cases import CASES

from entraide import explanations, i18n
from entraide.client import _convert
from entraide.types import Candidate, Candidates
from entraide_scheduler.gateway.answers import answer_json
from entraide_scheduler.gateway.rpc import pool_messages


@all_cases("lang", i18n.LANGUAGES)
@all_cases("name", CASES)
def test_a_client_tells_what_the_gateway_knows(name: str, lang: str) -> None:
    """What a client renders from the message is what the gateway would render from the facts."""
    facts = CASES[name]
    message = pool_messages.explanation_message(facts, lang)
    explanation = explanations.render(_convert.explanation(message), lang)

    assert explanations.render(facts, lang) == explanation
    assert explanations.sentence(facts, lang) == message.sentence


@all_cases("name", CASES)
def test_http_tells_it_in_both_languages(name: str) -> None:
    """The document has the facts, the sentence and the whole text, in French and in English."""
    facts = CASES[name]
    document = msgspec.json.decode(answer_json.explanation_json(facts))

    assert document["text"] == {lang: explanations.render(facts, lang) for lang in i18n.LANGUAGES}
    explanation = [msgspec.convert(item, Candidate) for item in document["candidates"]]
    document["candidates"] = msgspec.to_builtins(Candidates.of(explanation))
    assert msgspec.convert(document, type(facts)) == facts
    assert all(set(item["sentence"]) == set(i18n.LANGUAGES) for item in document["excluded"])

"""Answer JSON: the JSON that the pool adds to an answer: usage, receipt and explanation. Pure."""

from typing import Any

import msgspec
from msgspec import Raw

from entraide import explanations, i18n
from entraide.decoding import decode_json
from entraide.types import Explanation, Usage
from entraide_scheduler.gateway.answer_events import CompleteAnswer


def usage_json(usage: Usage) -> dict[str, object]:
    """Returns a usage in OpenAI's format."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def add_pool_object(document: bytes, answer: CompleteAnswer) -> bytes:
    """Returns a JSON object with the field ``entraide`` added, if there is something to say.

    The field contains the receipt, and the explanation if the client asked for it.
    """
    content = pool_object(answer)
    if not content:
        return document
    start = document.rstrip()[:-1].rstrip()
    comma = b"" if start.endswith(b"{") else b","
    return b'%s%s"entraide":%s}' % (start, comma, content)


def pool_object(answer: CompleteAnswer) -> bytes:
    """Returns the field ``entraide`` of an answer as JSON, or nothing."""
    receipt = b"" if answer.receipt is None else msgspec.json.encode(answer.receipt)
    if answer.explanation is None:
        return receipt
    start = receipt[:-1] + b"," if receipt else b"{"
    return b'%s"explanation":%s}' % (start, explanation_json(answer.explanation))


def add_explanation(document: bytes, explanation: Explanation) -> bytes:
    """Returns an answer with an explanation added to its field ``entraide``."""
    fields: dict[str, Any] = decode_json(document, type=dict[str, Any])
    own = fields.get("entraide")
    receipt = own if isinstance(own, dict) else {}
    explained = {**receipt, "explanation": Raw(explanation_json(explanation))}
    return msgspec.json.encode({**fields, "entraide": explained})


def explanation_json(explanation: Explanation) -> bytes:
    """Returns an explanation as JSON, with its sentences in French and in English."""
    document = explanations.document(explanation)
    document["sentence"] = {
        lang: explanations.sentence(explanation, lang) for lang in i18n.LANGUAGES
    }
    document["text"] = {lang: explanations.render(explanation, lang) for lang in i18n.LANGUAGES}
    for shown, exclusion in zip(document["excluded"], explanation.excluded, strict=True):
        shown["sentence"] = {
            lang: explanations.rule_sentence(exclusion, lang, explanation.at)
            for lang in i18n.LANGUAGES
        }
    return msgspec.json.encode(document)

"""Answer JSON: the JSON that the pool adds to an answer: usage, receipt and explanation. Pure."""

from functools import partial
from typing import Any

import msgspec
from msgspec import Raw, Struct, structs

from entraide import explanations
from entraide.decoding import decode_json
from entraide.types import Candidate, Exclusion, Explanation, Usage
from entraide_scheduler.gateway.answers.answer_parts import CompleteAnswer
from entraide_scheduler.gateway.answers.sentences import Sentences, in_both


class ExclusionView(Exclusion, frozen=True, kw_only=True):
    """A machine that a rule excluded, with its sentence."""

    sentence: Sentences


class ExplanationView(Struct, frozen=True, kw_only=True):
    """Why a job was placed where it was, waits, was deferred or was refused, with its sentences.

    ``sentence`` is short; ``text`` is the whole explanation, with a line for each machine.
    """

    job: str
    at: float
    policy_version: str
    decision: str
    reason: str
    values: dict[str, str | int | float]
    epoch: int
    node: str
    candidates: list[Candidate]
    excluded: list[ExclusionView]
    excluded_counts: dict[str, int]
    waiting_helps: bool
    objective_ttft_s: float | None
    coop_names: dict[str, str]
    sentence: Sentences
    text: Sentences


def usage_json(usage: Usage) -> dict[str, object]:
    """Returns a usage in OpenAI's format."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
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
    return msgspec.json.encode(explain_in_words(explanation))


def explain_in_words(explanation: Explanation) -> ExplanationView:
    """Returns an explanation with its sentences in French and in English."""
    fields = structs.asdict(explanation)
    fields["candidates"] = list(explanation.candidates)
    fields["excluded"] = [
        ExclusionView(
            **structs.asdict(exclusion),
            sentence=Sentences(french, english),
        )
        for exclusion, french, english in zip(
            explanation.excluded,
            *(explanations.rule_sentences(explanation, lang) for lang in ("fr", "en")),
            strict=True,
        )
    ]
    return ExplanationView(
        **fields,
        sentence=in_both(partial(explanations.sentence, explanation)),
        text=in_both(partial(explanations.render, explanation)),
    )

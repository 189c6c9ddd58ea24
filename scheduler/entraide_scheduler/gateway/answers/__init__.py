"""Answers: what every format of an answer is made from.

Input: what a node sent of an answer, its receipt and explanation. Output: structs and JSON.

``answer_parts`` are a part of a stream and a complete answer; ``answer_json`` is what the pool
adds to an answer; ``sentences`` is a text in each language.
"""

from entraide_scheduler.gateway.answers.answer_json import (
    ExplanationView,
    add_explanation,
    add_pool_object,
    explanation_json,
    pool_object,
    usage_json,
)
from entraide_scheduler.gateway.answers.answer_parts import EVENT_PREFIX, AnswerPart, CompleteAnswer
from entraide_scheduler.gateway.answers.sentences import Sentences, in_both

__all__ = [
    "EVENT_PREFIX",
    "AnswerPart",
    "CompleteAnswer",
    "ExplanationView",
    "Sentences",
    "add_explanation",
    "add_pool_object",
    "explanation_json",
    "in_both",
    "pool_object",
    "usage_json",
]

"""Embeddings: requests for vectors, and the check of what a node answers.

Input: the inputs of a request; the end of a run. Output: their sizes; whether the answer is whole.

``embeddings`` measures inputs and reads vectors, ``answer_validation`` checks the end of a run.
"""

from entraide_scheduler.gateway.embeddings import embeddings
from entraide_scheduler.gateway.embeddings.answer_validation import is_valid_answer, replace_usage
from entraide_scheduler.gateway.embeddings.embeddings import INPUT_ANSWER_BYTES, read_embeddings

__all__ = [
    "INPUT_ANSWER_BYTES",
    "embeddings",
    "is_valid_answer",
    "read_embeddings",
    "replace_usage",
]

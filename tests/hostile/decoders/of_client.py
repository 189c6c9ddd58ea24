"""Decoders of the SDK's client: what a pool answers about batches, and the files that it reads."""

import json
from pathlib import Path

from tests.hostile.decoders.case import Case
from tests.hostile.mutations import binary_like, json_like

from entraide.client.batches import calls
from entraide.client.batches.input import InputOptions, prepare
from entraide.errors import PoolError, RequestError

BATCH = {
    "id": "batch_0123", "object": "batch", "endpoint": "/v1/embeddings", "status": "in_progress",
    "errors": {"data": [{"code": "x", "message": "m", "param": None, "line": 2}]},
    "output_file_id": "file-1", "created_at": 1, "expires_at": 2, "in_progress_at": 1,
    "request_counts": {"total": 2, "completed": 1, "failed": 0}, "metadata": {"a": "b"},
    "usage": {"input_tokens": 1, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 0}},
    "entraide": {
        "deadline_at": 2.5, "energy_wh": 0.1, "saved_g": None, "saved_sentence": {"fr": "x"},
        "expected": {
            "reason": "later", "starts_at": 1, "ends_at": 2, "sentence": {"en": "x"},
            "hours": [{"zone": "CA", "starts_at": 1, "part": 1.0, "g_per_kwh": 2.0}],
        },
    },
}  # fmt: skip
ANSWER = {"choices": [{"message": {"content": "x"}}], "data": [{"embedding": [0.5]}]}
RESULT = {
    "custom_id": "a",
    "error": None,
    "response": {"status_code": 200, "request_id": "kept-1", "body": ANSWER},
}
LINES = b'{"custom_id": "a", "url": "/v1/embeddings", "body": {"input": "x", "model": "m"}}\n\n{}\n'


def read_result(data: bytes, _: Path) -> None:
    """Reads a line of results, its text and its numbers."""
    result = calls.read_result(data, "fr")
    assert isinstance(result.text, str)
    assert isinstance(result.vectors, tuple)


def read_input(data: bytes, folder: Path) -> None:
    """Reads a file of requests, as JSON lines and as a text."""
    for name in ("lot.jsonl", "lot.txt"):
        path = folder / name
        path.write_bytes(data)
        with prepare(path, InputOptions(), choose_model=lambda _: "m", lang="fr") as content:
            assert content.lines


CASES = {
    "a batch, for the client": Case(
        lambda data, _: calls.read_batch(data, "fr"), json_like(json.dumps(BATCH).encode()),
        (PoolError,), ("entraide.client.batches.calls:read_batch",),
    ),
    "a list of batches, for the client": Case(
        lambda data, _: calls.read_page(data, "fr"),
        json_like(json.dumps({"data": [BATCH]}).encode()), (PoolError,),
        ("entraide.client.batches.calls:read_page",),
    ),
    "a file's identifier, for the client": Case(
        lambda data, _: calls.read_file(data, "fr"), json_like(b'{"id": "file-1"}'), (PoolError,),
        ("entraide.client.batches.calls:read_file",),
    ),
    "a line of results, for the client": Case(
        read_result, json_like(json.dumps(RESULT).encode()), (PoolError,),
        ("entraide.client.batches.calls:", "entraide.client.batches.calls:read_result",
         "entraide.client.batches.answers:_read_body"),
    ),
    "a file of requests, for the client": Case(
        read_input, binary_like(LINES), (RequestError,),
        ("entraide.client.batches.input:_decode", "entraide.client.batches.input:_is_object"),
    ),
}  # fmt: skip

"""Decoders of the SDK's client: what a pool answers about batches, and the files that it reads."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import msgspec
from tests.hostile.decoders.case import Case
from tests.hostile.mutations import binary_like, json_like
from tests.sdk.month_support import KEYS, month_file, records

from entraide.cli import evaluation_run
from entraide.client.batches import calls
from entraide.client.batches.input import InputOptions, prepare
from entraide.closed_months import MonthFault, decode_record, open_month, verify_month
from entraide.decoding import decode_json
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
CHECKED = {
    "entraide": {
        "node": "n", "engine": "vllm", "model_revision": "sha256:" + "a" * 64, "energy_wh": 0.5,
        "energy_basis": "measured", "output_tokens": 3, "queue_ms": 1.5,
    }
}  # fmt: skip
MONTH = month_file(records(3))
RECORD = msgspec.msgpack.encode(records(1)[1])
LINES = b'{"custom_id": "a", "url": "/v1/embeddings", "body": {"input": "x", "model": "m"}}\n\n{}\n'


def read_result(data: bytes, _: Path) -> None:
    """Reads a line of results, its text and its numbers."""
    result = calls.read_result(data, "fr")
    assert isinstance(result.text, str)
    assert isinstance(result.vectors, tuple)


def read_receipt(data: bytes, _: Path) -> None:
    """Reads what an evaluation needs of an answer's receipt; one of another form says nothing."""
    receipt = evaluation_run._read_receipt(decode_json(data, type=dict[str, Any]))
    assert 0.0 <= receipt.energy_wh <= evaluation_run.ENERGY_MAX_WH
    assert receipt.model_revision == receipt.model_revision.strip()


def read_month(data: bytes, _: Path) -> None:
    """Verifies a closed month, and reads it if it is one."""
    verify_month(io.BytesIO(data), KEYS)
    with contextlib.suppress(MonthFault):
        month = open_month(io.BytesIO(data))
        list(month.read_leaves())
        month.find("job-00000001")


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
    "a receipt in an answer to be checked": Case(
        read_receipt, json_like(json.dumps(CHECKED).encode()), (msgspec.DecodeError,),
        ("entraide.cli.evaluation_run:_read_receipt",),
    ),
    "a closed month": Case(
        read_month, binary_like(MONTH), (),
        ("entraide.closed_months.file_format:", "entraide.closed_months.file_format:open_month"),
    ),
    "a record of a closed month": Case(
        lambda data, _: decode_record(data), binary_like(RECORD), (msgspec.DecodeError,),
        ("entraide.closed_months.records:",),
    ),
    "a file of requests, for the client": Case(
        read_input, binary_like(LINES), (RequestError,),
        ("entraide.client.batches.input:_decode", "entraide.client.batches.input:_is_object"),
    ),
}  # fmt: skip

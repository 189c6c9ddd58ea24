"""Decoders of what clients send for batches: forms, lines and requests."""

import json
from pathlib import Path

from tests.hostile.decoders.case import Case
from tests.hostile.mutations import binary_like, json_like

from entraide_scheduler.gateway.batches import BatchRequest
from entraide_scheduler.gateway.batches.input_lines import check_line, read_custom_id
from entraide_scheduler.gateway.chat import CHAT
from entraide_scheduler.gateway.http import UploadForm
from entraide_scheduler.gateway.refusals import Refused, convert, read_object

LINE = json.dumps({
    "custom_id": "a", "method": "POST", "url": CHAT,
    "body": {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5},
}).encode()  # fmt: skip
BATCH = json.dumps({
    "input_file_id": "file-0123456789abcdef012345", "endpoint": CHAT, "completion_window": "24h",
    "metadata": {"a": "b"}, "output_expires_after": {"anchor": "created_at", "seconds": 3600},
    "entraide": {"deadline": "2030-01-01T00:00Z", "data_class": "internal"},
}).encode()  # fmt: skip
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="f.jsonl"\r\n'
    b"Content-Type: application/jsonl\r\n\r\n{}\n\r\n--b--\r\n"
)


def read_line(data: bytes, _: Path) -> None:
    """Reads a line of a batch as a validation does, and as the end of a batch does."""
    read_custom_id(data)
    line = check_line(1, data, CHAT)
    assert line.custom_id


def read_form(data: bytes, _: Path) -> None:
    """Reads a form that arrives in two pieces."""
    form = UploadForm("multipart/form-data; boundary=b")
    middle = len(data) // 2
    content = form.feed(data[:middle]) + form.feed(data[middle:])
    form.finish()
    assert len(content) <= len(data)


CASES = {
    "POST /v1/files": Case(read_form, binary_like(FORM), (Refused,)),
    "POST /v1/batches": Case(
        lambda data, _: convert(read_object(data), BatchRequest), json_like(BATCH), (Refused,),
        ("entraide_scheduler.gateway.batches.batch_routes:BatchRoutes._create",),
    ),
    "a line of a batch": Case(
        read_line, json_like(LINE), (Refused,),
        ("entraide_scheduler.gateway.batches.input_lines:",
         "entraide_scheduler.gateway.batches.input_lines:_refuse_line"),
    ),
}  # fmt: skip

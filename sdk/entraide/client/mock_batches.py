"""Batches in memory for the mock transports: files, batches and their results, as a pool has them.

A batch has some more of its lines answered each time it is looked at, so that a program that waits
sees its progress.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from entraide import i18n
from entraide.client.http import WebRequest
from entraide.decoding import decode_json
from entraide.errors import CODES, EntraideError, error_for

AnswerLine = Callable[[dict[str, Any]], dict[str, Any]]
FILES, BATCHES = "/v1/files", "/v1/batches"
WINDOW_S = 86_400.0


def echo(body: dict[str, Any]) -> dict[str, Any]:
    """Answers a request with its own text, and an input with a small embedding."""
    if "input" in body:
        inputs = [body["input"]] if isinstance(body["input"], str) else body["input"]
        data = [
            {"object": "embedding", "index": index, "embedding": [float(len(text)), 1.0]}
            for index, text in enumerate(inputs)
        ]
        return {"object": "list", "model": body["model"], "data": data}
    text = body["messages"][-1]["content"] if "messages" in body else body.get("prompt", "")
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    return {"object": "chat.completion", "model": body["model"], "choices": [choice]}


class _MockBatch:
    """A batch, its lines that are still to come, and the lines of its results."""

    def __init__(self, name: str, fields: dict[str, Any], lines: list[dict[str, Any]]) -> None:
        self.name, self.fields = name, fields
        self.created_at = time.time()
        self.state = "validating"
        self.total = len(lines)
        self.lines = lines
        self.answers: list[bytes] = []
        self.errors: list[bytes] = []

    def answer_some(self, answer_line: AnswerLine) -> None:
        """Answers half of the lines that are left, at least one; ends after the last."""
        count = (len(self.lines) + 1) // 2 if self.state == "in_progress" else 0
        for line in self.lines[:count]:
            try:
                self._add(line, 200, answer_line(line["body"]))
            except EntraideError as problem:
                status = CODES[problem.code].http if problem.code in CODES else 500
                error = {"code": problem.code, "message": problem.message}
                self._add(line, status, {"error": error})
        del self.lines[:count]
        if self.state == "validating":
            self.state = "in_progress"
        elif self.state == "in_progress" and not self.lines:
            self.state = "completed"

    def cancel(self) -> None:
        """Ends the lines that are left with an error."""
        for line in self.lines:
            error = {"code": "batch_cancelled", "message": i18n.error("batch_cancelled", "en")}
            self.errors.append(_encoded(line, response=None, error=error))
        self.lines, self.state = [], "cancelled"

    def _add(self, line: dict[str, Any], status: int, body: dict[str, Any]) -> None:
        response = {"status_code": status, "request_id": f"kept-{line['custom_id']}", "body": body}
        results = self.answers if status == 200 else self.errors
        results.append(_encoded(line, response=response, error=None))

    def describe(self) -> dict[str, Any]:
        """Returns the batch in OpenAI's form."""
        ended_at = time.time() if self.state in ("completed", "cancelled") else None
        deadline_at = self.created_at + WINDOW_S
        return {
            "id": self.name,
            "object": "batch",
            "status": self.state,
            "endpoint": self.fields["endpoint"],
            "input_file_id": self.fields["input_file_id"],
            "metadata": self.fields.get("metadata"),
            "output_file_id": f"{self.name}-output" if self.answers else None,
            "error_file_id": f"{self.name}-errors" if self.errors else None,
            "created_at": self.created_at,
            "completed_at": ended_at if self.state == "completed" else None,
            "cancelled_at": ended_at if self.state == "cancelled" else None,
            "request_counts": {
                "total": self.total,
                "completed": len(self.answers),
                "failed": len(self.errors),
            },
            "entraide": {"deadline_at": deadline_at},
        }


def _encoded(line: dict[str, Any], **fields: Any) -> bytes:
    return msgspec.json.encode({"custom_id": line["custom_id"], **fields}) + b"\n"


class MockBatches:
    """Files and batches in memory.

    Attributes:
        files: the content of each file that was sent, by its identifier.
    """

    def __init__(self, answer_line: AnswerLine) -> None:
        self._answer_line = answer_line
        self._batches: dict[str, _MockBatch] = {}
        self.files: dict[str, bytes] = {}

    def answer(self, request: WebRequest) -> bytes:
        """Returns the answer to a request.

        Raises:
            NotFoundError: there is no such file or batch.
        """
        path, _, _ = request.path.partition("?")
        match request.method, path.removeprefix("/v1/").split("/"):
            case "POST", ["files"]:
                return msgspec.json.encode({"id": self._take_file(b"".join(request.body))})
            case "POST", ["batches"]:
                batch = self._create(decode_json(b"".join(request.body), type=dict[str, Any]))
            case "GET", ["batches"]:
                data = [each.describe() for each in reversed(self._batches.values())]
                return msgspec.json.encode({"data": data, "has_more": False})
            case "GET", ["batches", name]:
                batch = self._find(name)
                batch.answer_some(self._answer_line)
            case "POST", ["batches", name, "cancel"]:
                batch = self._find(name)
                batch.cancel()
            case "GET", ["files", name, "content"]:
                return self._content(name)
            case _:
                raise error_for("unknown_path", i18n.error("unknown_path", "en"))
        return msgspec.json.encode(batch.describe())

    def _take_file(self, form: bytes) -> str:
        boundary = form[: form.index(b"\r\n")]
        head = form.index(b"\r\n\r\n", form.index(b'name="file"')) + 4
        name = f"file-{len(self.files) + 1}"
        self.files[name] = form[head : form.rindex(b"\r\n" + boundary)]
        return name

    def _create(self, fields: dict[str, Any]) -> _MockBatch:
        content = self.files[fields["input_file_id"]]
        lines = [decode_json(line, type=dict[str, Any]) for line in content.splitlines()]
        name = f"batch_{len(self._batches) + 1}"
        self._batches[name] = _MockBatch(name, fields, lines)
        return self._batches[name]

    def _find(self, name: str) -> _MockBatch:
        if name not in self._batches:
            raise error_for("unknown_batch", i18n.error("unknown_batch", "en", {"batch": name}))
        return self._batches[name]

    def _content(self, name: str) -> bytes:
        if name in self.files:
            return self.files[name]
        batch = self._find(name.removesuffix("-output").removesuffix("-errors"))
        return b"".join(batch.answers if name.endswith("-output") else batch.errors)

"""Input: reads requests from a file or a program, checks them, and writes them as a batch's file.

In: a path, or requests. A file has one JSON object per line, in OpenAI's form or as a request
alone, or one prompt per line of plain text. Out: a temporary file in OpenAI's form, each line with
a ``custom_id``. What can be known without the pool is checked here, with the numbers of the lines,
so that nothing is sent in vain. A line that needs no change is copied byte by byte.
"""

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, Self

import msgspec
from msgspec import Struct

from entraide import i18n
from entraide.client._constants import (
    BATCH_FAULTS_MAX,
    BATCH_FILE_BYTES_MAX,
    BATCH_LINE_BYTES_MAX,
    BATCH_LINES_MAX,
    CUSTOM_ID_MAX,
)
from entraide.decoding import decode_json
from entraide.errors import EntraideError, error_for
from entraide.printable import printable

CHAT, COMPLETION = "/v1/chat/completions", "/v1/completions"
EMBEDDINGS, RESPONSES, MESSAGES = "/v1/embeddings", "/v1/responses", "/v1/messages"
ENDPOINTS = (CHAT, COMPLETION, EMBEDDINGS, RESPONSES, MESSAGES)
# Fields of a request that say which endpoint it is for; ``input`` is of two.
ENDPOINT_OF_FIELD = {"messages": CHAT, "prompt": COMPLETION}
LIMITS = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens"})
LINE_FIELDS = frozenset({"custom_id", "method", "url", "body"})
JSON_ENDS = (".jsonl", ".ndjson", ".json")
IN_MEMORY_BYTES = 1024 * 1024
SHOWN_MAX = 60  # characters of a value in a sentence
TRUNCATED = "truncated"  # in msgspec's error about JSON that breaks off
_BYTE = re.compile(r"\(byte (\d+)\)")

Request = str | Mapping[str, Any]
Requests = str | Path | Mapping[str, Request] | Iterable[Request]


class InputOptions(Struct, frozen=True):
    """What holds for the requests that do not say it themselves.

    Attributes:
        endpoint: HTTP path of all requests; "" for the one that they show.
        model: public model name; "" for the pool's first.
        max_output_tokens: maximum length of an answer; 0 for none.
        defaults: other fields of an OpenAI request.
    """

    endpoint: str = ""
    model: str = ""
    max_output_tokens: int = 0
    defaults: Mapping[str, Any] = {}


class BatchInput:
    """The file of a batch, ready to be sent; a context manager, which deletes it.

    Attributes:
        file: its content, in OpenAI's form.
        name: of the file that was read, without its folder.
        endpoint, model: of all its requests.
        lines, bytes: its size.
        digest: of its content, hexadecimal.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.file = file
        self.name = name
        self.endpoint = self.model = self.digest = ""
        self.lines = self.bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


class _Fault(Exception):
    """A fault of one request."""

    def __init__(self, fault: str, *, code: str = "invalid_request", **values: str | int) -> None:
        super().__init__(fault)
        self.code = code
        self.values = {"fault": fault, **values}


class _Entry(Struct):
    """A request as it was found; ``line`` are its bytes in the file, without their end."""

    place: int
    value: Any = None
    custom_id: str = ""
    line: bytes | None = None
    is_text: bool = False


def prepare(
    requests: Requests,
    options: InputOptions,
    *,
    choose_model: Callable[[str], str],
    lang: str,
) -> BatchInput:
    """Returns the file of a batch.

    Args:
        requests: a path; or prompts and requests, by ``custom_id`` or without.
        options: what holds for requests that do not say it themselves.
        choose_model: returns the model of an endpoint's requests that name none.
        lang: language of sentences.

    Raises:
        RequestError: ``invalid_request`` with each fault and its line, or ``file_unreadable``.
    """
    is_file = isinstance(requests, str | Path)
    name = Path(requests).name if isinstance(requests, str | Path) else "requests.jsonl"
    ascii_name = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)[:100] or "requests.jsonl"
    file: Any = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115
    prepared = BatchInput(file, ascii_name)
    try:
        writer = _Writer(prepared, options, choose_model)
        try:
            for entry in _entries(requests):
                writer.add(entry)
        except (OSError, UnicodeDecodeError) as problem:
            _refuse_file(str(requests), problem, lang)
        writer.end()
        if writer.faults:
            raise _refusal(writer.faults, name if is_file else "", lang)
        prepared.digest = writer.digest.hexdigest()
    except BaseException:
        file.close()
        raise
    return prepared


def _refuse_file(path: str, problem: Exception, lang: str) -> NoReturn:
    detail = problem.strerror if isinstance(problem, OSError) else ""
    values = {"path": path} | ({"detail": detail} if detail else {})
    sentence = i18n.error("file_unreadable", lang, values)
    raise error_for("file_unreadable", sentence, values=values) from problem


def _refusal(faults: list[tuple[int, _Fault]], name: str, lang: str) -> EntraideError:
    """Returns the error that lists the faults of a file, or of a program's requests."""
    code = "batch-line-fault" if name else "batch-request-fault"
    sentences = [
        i18n.text(code, lang, place=place, detail=i18n.error(fault.code, lang, fault.values))
        if place
        else i18n.error(fault.code, lang, fault.values)
        for place, fault in faults
    ]
    values = {"name": name} if name else {}
    head = i18n.text("batch-not-sent", lang, **values)
    return error_for("invalid_request", "\n".join([head, *sentences]))


# Reading.


def _entries(requests: Requests) -> Iterator[_Entry]:
    if isinstance(requests, str | Path):
        yield from _file_entries(Path(requests))
    elif isinstance(requests, Mapping):
        for place, (custom_id, value) in enumerate(requests.items(), 1):
            yield _Entry(place, value, custom_id, is_text=isinstance(value, str))
    else:
        for place, value in enumerate(requests, 1):
            yield _Entry(place, value, is_text=isinstance(value, str))


def _file_entries(path: Path) -> Iterator[_Entry]:
    """Yields the lines of a file that are not empty."""
    is_json: bool | None = True if path.suffix.lower() in JSON_ENDS else None
    with path.open("rb") as file:
        place = 0
        while line := file.readline(BATCH_LINE_BYTES_MAX + 2):
            place += 1
            line = line.removeprefix(b"\xef\xbb\xbf") if place == 1 else line
            line = line.rstrip(b"\r\n")
            if not line.strip():
                continue
            if is_json is None:
                is_json = _is_object(line)
            if is_json:
                yield _Entry(place, line=line)
            else:
                text = line.decode().strip()
                yield _Entry(place, text, is_text=True)
            if len(line) > BATCH_LINE_BYTES_MAX:
                return


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(decode_json(line), dict)
    except msgspec.DecodeError:
        return False


# Writing.


class _Writer:
    """Checks requests and writes them as lines; ``faults`` has each fault with its place."""

    def __init__(
        self, prepared: BatchInput, options: InputOptions, choose_model: Callable[[str], str]
    ) -> None:
        self._prepared = prepared
        self._options = options
        self._choose_model = choose_model
        self._defaults = dict(options.defaults)
        self._names: set[str] = set()
        self._is_full = False
        self.faults: list[tuple[int, _Fault]] = []
        self.digest = hashlib.blake2b(digest_size=16)
        prepared.endpoint = options.endpoint
        if options.endpoint and options.endpoint not in ENDPOINTS:
            choices = ", ".join(ENDPOINTS)
            self.faults.append((0, _Fault("not_one_of", param="endpoint", choices=choices)))

    def add(self, entry: _Entry) -> None:
        """Writes a request, or notes its fault; after many faults it does nothing."""
        if self._is_full or len(self.faults) >= BATCH_FAULTS_MAX:
            return
        try:
            line = self._line_of(entry)
            size = len(line) + 1
            if size > BATCH_LINE_BYTES_MAX:
                raise _Fault("line_long", limit=BATCH_LINE_BYTES_MAX)
            if self._prepared.bytes + size > BATCH_FILE_BYTES_MAX:
                raise _Fault("batch_large", limit_mb=BATCH_FILE_BYTES_MAX // 1024**2)
            if self._prepared.lines >= BATCH_LINES_MAX:
                raise _Fault("too_many_lines", limit=BATCH_LINES_MAX)
        except _Fault as fault:
            self.faults.append((entry.place, fault))
            self._is_full = fault.values["fault"] in ("batch_large", "too_many_lines")
            return
        self._prepared.lines += 1
        self._prepared.bytes += size
        self._prepared.file.write(line + b"\n")
        self.digest.update(line + b"\n")

    def end(self) -> None:
        """Notes a file without requests."""
        if not self._prepared.lines and not self.faults:
            self.faults.append((0, _Fault("empty_batch")))

    def _line_of(self, entry: _Entry) -> bytes:
        if entry.line is not None:
            if len(entry.line) > BATCH_LINE_BYTES_MAX:
                raise _Fault("line_long", limit=BATCH_LINE_BYTES_MAX)
            entry.value = _decode(entry.line)
        fields = self._fields_of(entry)
        custom_id = fields.get("custom_id", entry.custom_id or f"line-{entry.place}")
        self._check_name(custom_id)
        body = self._complete(fields["body"])
        self._check_model(body["model"])
        is_whole = {"custom_id", "url", "body"} <= entry.value.keys() if entry.line else False
        if entry.line is not None and is_whole and body == fields["body"]:
            return entry.line
        whole = {"custom_id": custom_id, "method": "POST", "url": self._prepared.endpoint}
        try:
            return msgspec.json.encode(whole | {"body": body})
        except (TypeError, ValueError, RecursionError):  # of a program
            raise _Fault("unreadable", param="body") from None

    def _fields_of(self, entry: _Entry) -> dict[str, Any]:
        """Returns the fields of a line; chooses the endpoint at the first."""
        value = entry.value
        if entry.is_text:
            self._check_endpoint(self._prepared.endpoint or CHAT, "")
            return {"body": _request_of(value, self._prepared.endpoint)}
        if not isinstance(value, Mapping):
            raise _Fault("not_an_object")
        if "body" not in value and LINE_FIELDS & value.keys():
            raise _Fault("missing", param="body")
        if "body" not in value:
            self._check_endpoint(self._prepared.endpoint or _endpoint_of(value), "")
            return {"body": dict(value)}
        if unknown := sorted(value.keys() - LINE_FIELDS):
            raise _Fault("unknown_field", param=unknown[0])
        if not isinstance(value["body"], Mapping):
            raise _Fault("wrong_kind", param="body", expected="object", got=_kind(value["body"]))
        if value.get("method", "POST") != "POST":
            shown = _shown(value["method"])
            raise _Fault("not_one_of", param="method", choices="POST", found=shown)
        url = value.get("url", "")
        self._check_endpoint(url or self._prepared.endpoint or _endpoint_of(value["body"]), url)
        return dict(value)

    def _check_endpoint(self, endpoint: str, url: Any) -> None:
        if not self._prepared.endpoint:
            if endpoint not in ENDPOINTS:
                choices, shown = ", ".join(ENDPOINTS), _shown(endpoint)
                raise _Fault("not_one_of", param="url", choices=choices, found=shown)
            self._prepared.endpoint = endpoint
        elif url and url != self._prepared.endpoint:
            endpoint, shown = self._prepared.endpoint, _shown(url)
            raise _Fault("other_endpoint", param="url", endpoint=endpoint, found=shown)

    def _check_name(self, custom_id: Any) -> None:
        if not isinstance(custom_id, str):
            raise _Fault("wrong_kind", param="custom_id", expected="str", got=_kind(custom_id))
        if not custom_id:
            raise _Fault("empty", param="custom_id")
        if len(custom_id) > CUSTOM_ID_MAX:
            raise _Fault("too_long", param="custom_id", limit=CUSTOM_ID_MAX)
        if custom_id in self._names:
            raise _Fault("duplicate_custom_id", param="custom_id", found=_shown(custom_id))
        self._names.add(custom_id)

    def _check_model(self, model: Any) -> None:
        if not isinstance(model, str):
            raise _Fault("wrong_kind", param="body.model", expected="str", got=_kind(model))
        if not self._prepared.model:
            self._prepared.model = model
        elif model != self._prepared.model:
            shown = _shown(model)
            raise _Fault("other_model", param="body.model", model=self._prepared.model, found=shown)

    def _complete(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a request with the fields that it left out."""
        whole = {**self._defaults, **body}
        limit, endpoint = self._options.max_output_tokens, self._prepared.endpoint
        if limit and endpoint != EMBEDDINGS and not LIMITS & whole.keys():
            whole["max_output_tokens" if endpoint == RESPONSES else "max_tokens"] = limit
        if not whole.get("model"):
            if "model" not in self._defaults:
                model = self._options.model or self._choose_model(endpoint)
                self._defaults["model"] = model
            whole["model"] = self._defaults["model"]
        return whole


def _decode(line: bytes) -> Any:
    try:
        return decode_json(line)
    except msgspec.DecodeError as problem:
        match = _BYTE.search(str(problem))
        end = len(line) if TRUNCATED in str(problem) else 0
        place = int(match.group(1)) if match else end
        column = len(line[:place].decode(errors="replace")) + 1
        raise _Fault("line_syntax", code="invalid_json", column=column) from None


def _request_of(text: str, endpoint: str) -> dict[str, Any]:
    """Returns the request of a prompt."""
    if endpoint in (CHAT, MESSAGES):
        return {"messages": [{"role": "user", "content": text}]}
    return {"prompt" if endpoint == COMPLETION else "input": text}


def _endpoint_of(body: Mapping[str, Any]) -> str:
    """Returns the endpoint that a request shows."""
    for name, endpoint in ENDPOINT_OF_FIELD.items():
        if name in body:
            return endpoint
    if "input" in body:
        raise _Fault("which_endpoint", first=EMBEDDINGS, second=RESPONSES)
    raise _Fault("none_given", choices="messages, prompt, input")


def _kind(value: Any) -> str:
    """Returns the name of a value's kind, as the catalogue has it."""
    names = {bool: "bool", int: "int", float: "float", str: "str", list: "array", dict: "object"}
    return names.get(type(value), "null" if value is None else "object")


def _shown(value: Any) -> str:
    """Returns a value as JSON writes it, shortened."""
    text = printable(msgspec.json.encode(value).decode())
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"

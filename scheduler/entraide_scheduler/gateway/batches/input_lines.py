"""Input lines: reads the lines of a batch's file, and checks one line. The check is pure.

A line is a JSON object with ``custom_id``, ``method``, ``url`` and ``body``, as OpenAI has it. The
reader goes on from any place, so that a restart need not read what came before.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from entraide.decoding import JsonDecoder
from entraide_scheduler.config import BODY_MAX_BYTES
from entraide_scheduler.gateway.refusals import (
    ErrorReply,
    Refused,
    convert,
    read_object,
    refused,
    show_value,
)
from entraide_scheduler.gateway.requests import ParsedRequest, openai

LINES_MAX = 50_000
NUMBER_MAX = 1_000_000  # of a line, empty lines included
LINE_MAX_BYTES = BODY_MAX_BYTES + 64 * 1024
CUSTOM_ID_MAX = 512
BLANK = b" \t\r"
BLANK_LINES = re.compile(rb"(?:[ \t\r]*+\n)++")

PartReader = Callable[[int], Awaitable[bytes | None]]


class _Line(Struct, forbid_unknown_fields=True):
    """A line as its writer means it, with its body undecoded."""

    custom_id: Annotated[str, Meta(min_length=1, max_length=CUSTOM_ID_MAX)]
    url: str
    body: Raw
    method: Literal["POST"] = "POST"


class _LineForm(Struct, forbid_unknown_fields=True):
    """The same with its body decoded, whose faults have their sentences."""

    custom_id: Annotated[str, Meta(min_length=1, max_length=CUSTOM_ID_MAX)]
    url: str
    body: dict[str, Any]
    method: Literal["POST"] = "POST"


class _Name(Struct):
    custom_id: str = ""


_line = JsonDecoder[_Line](_Line)
_name = JsonDecoder[_Name](_Name)


class BatchLine(Struct, frozen=True):
    """A line of a batch that was read and checked.

    Attributes:
        number: from 1, as an editor counts lines.
        custom_id: the client's own name of the line.
        body: the request, as JSON.
        request: the same, parsed.
    """

    number: int
    custom_id: str
    body: bytes
    request: ParsedRequest


class LineReader:
    """Reads the lines of a file in order.

    Attributes:
        number: number of the last line that was read; 0 before the first.
        part, offset: where the next line begins.
    """

    def __init__(
        self, read_part: PartReader, *, number: int = 0, part: int = 0, offset: int = 0
    ) -> None:
        """Begins after a line; ``read_part`` returns a part of the file, None after the last."""
        self.number = number
        self.part = part
        self.offset = offset
        self._read_part = read_part
        self._content: bytes | None = None  # of the part

    async def next_line(self) -> bytes | None:
        """Returns the next line that is not empty, without its end; None after the last.

        Raises:
            Refused: ``invalid_request``: the line is too long, or has too high a number.
        """
        while True:
            self._skip_blank_lines()
            line = await self._next_line()
            if line is None or line.strip(BLANK):
                return line

    def _skip_blank_lines(self) -> None:
        """Counts the blank lines ahead in the part that is read, all at once."""
        content = self._content
        ahead = None if content is None else BLANK_LINES.match(content, self.offset)
        if content is not None and ahead is not None:
            self._count_lines(content.count(b"\n", self.offset, ahead.end()))
            self.offset = ahead.end()

    async def _next_line(self) -> bytes | None:
        pieces: list[bytes] = []
        while True:
            if self._content is None:
                self._content = await self._read_part(self.part)
                if self._content is None:
                    return self._end_line(pieces) if any(pieces) else None
            end = self._content.find(b"\n", self.offset)
            pieces.append(self._content[self.offset : end if end >= 0 else None])
            if sum(map(len, pieces)) > LINE_MAX_BYTES:
                self.number += 1
                raise refused("invalid_request", fault="line_long", limit=LINE_MAX_BYTES)
            if end >= 0:
                self.offset = end + 1
                return self._end_line(pieces)
            self._content, self.part, self.offset = None, self.part + 1, 0

    def _end_line(self, pieces: list[bytes]) -> bytes:
        self._count_lines(1)
        return b"".join(pieces)

    def _count_lines(self, more: int) -> None:
        self.number = min(self.number + more, NUMBER_MAX + 1)
        if self.number > NUMBER_MAX:
            raise refused("invalid_request", fault="too_many_lines", limit=LINES_MAX)


def check_line(number: int, line: bytes, endpoint: str) -> BatchLine:
    """Returns a line, checked as its endpoint checks a request.

    Args:
        number: of the line, from 1.
        line: JSON, without its end.
        endpoint: HTTP path of the batch's requests.

    Raises:
        Refused: the line has a fault; ``param`` names its field, that of the request as ``body.…``.
    """
    try:
        fields = _line.decode(line)
    except (msgspec.DecodeError, RecursionError):
        _refuse_line(line)
        raise refused("invalid_json", fault="line_syntax", column=1) from None
    if fields.url != endpoint:
        raise refused(
            "invalid_request", param="url", fault="other_endpoint", endpoint=endpoint,
            found=show_value(fields.url),
        )  # fmt: skip
    body = bytes(fields.body)
    try:
        request = openai.parse_request(endpoint, body)
    except Refused as problem:
        raise in_body(problem.refusal) from None
    return BatchLine(number, fields.custom_id, body, request)


def _refuse_line(line: bytes) -> None:
    """Raises the refusal of a line that is not JSON, or not of the form of a line."""
    try:
        convert(read_object(line), _LineForm)
    except Refused as problem:
        values = problem.refusal.values
        if values.get("fault") != "json_syntax":
            raise
        column = values.get("column", 1)
        raise refused("invalid_json", fault="line_syntax", column=column) from None


def read_custom_id(line: bytes) -> str:
    """Returns the client's name of a line, without checking the rest; "" if it has none."""
    try:
        return _name.decode(line).custom_id
    except (msgspec.DecodeError, RecursionError):
        return ""


def in_body(refusal: ErrorReply) -> Refused:
    """Returns a refusal of a request as that of its line: its field is in ``body``."""
    param = refusal.values.get("param")
    inner = {"param": f"body.{param}"} if param else {"param": "body"}
    return Refused(ErrorReply(refusal.code, {**refusal.values, **inner}, refusal.retry_after_s))

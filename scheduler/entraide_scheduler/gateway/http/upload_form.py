"""Upload form: reads ``multipart/form-data`` (RFC 7578) as its bytes arrive. Does no I/O.

In: the content type and the bytes of a body, in pieces. Out: the content of the one file, in
pieces, and the other fields. Every count and length is bounded, and a fault is a refusal.
"""

from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from entraide_scheduler.gateway.refusals import clean_text, refused, show_value

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELDS_MAX = 16
VALUE_MAX_BYTES = 1024
FILE_NAME_MAX = 256
FILE_FIELD = "file"
CONTENT_TYPE_FORM = "multipart/form-data; boundary=…"


class UploadForm:
    """One form with a file.

    Attributes:
        fields: the texts that the form holds, by name.
        file_name: the name of the file; None before the file.
    """

    def __init__(self, content_type: str) -> None:
        """Begins a form.

        Raises:
            Refused: ``invalid_request``: the content type is not a form's, or has no boundary.
        """
        kind, parameters = parse_options_header(content_type)
        boundary = parameters.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise refused(
                "invalid_request", param="Content-Type", fault="wrong_form",
                form=CONTENT_TYPE_FORM, found=show_value(content_type),
            )  # fmt: skip
        self.fields: dict[str, str] = {}
        self.file_name: str | None = None
        self._name = ""  # of the present part
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._value = bytearray()
        self._content: list[bytes] = []
        self._in_file = self._ended = False
        try:
            self._parser = MultipartParser(boundary, self._make_callbacks())
        except FormParserError:  # a boundary that is too long
            raise refused(
                "invalid_request", param="Content-Type", fault="wrong_form",
                form=CONTENT_TYPE_FORM, found=show_value(content_type),
            ) from None  # fmt: skip

    def feed(self, data: bytes) -> bytes:
        """Reads a piece of the form; returns the part of the file's content in it.

        Raises:
            Refused: ``invalid_request``: the form is broken, or a limit is exceeded.
        """
        try:
            self._parser.write(data)
        except FormParserError:
            raise refused("invalid_request", fault="form_broken") from None
        content = b"".join(self._content)
        self._content.clear()
        return content

    def finish(self) -> None:
        """Checks that the form is complete and holds a file.

        Raises:
            Refused: ``invalid_request``.
        """
        if not self._ended:
            raise refused("invalid_request", fault="form_cut")
        if self.file_name is None:
            raise refused("invalid_request", param=FILE_FIELD, fault="missing")

    def _make_callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._add_header_name,
            "on_header_value": self._add_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._add_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin_part(self) -> None:
        self._disposition = self._header_name = self._header_value = b""
        self._value.clear()

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _end_headers(self) -> None:
        _, parameters = parse_options_header(self._disposition)
        self._name = parameters.get(b"name", b"").decode("utf-8", "replace")
        self._in_file = self._name == FILE_FIELD
        if self._in_file:
            if self.file_name is not None:
                raise refused("invalid_request", param=FILE_FIELD, fault="too_many", limit=1)
            name = parameters.get(b"filename", b"").decode("utf-8", "replace")
            self.file_name = clean_text(name, FILE_NAME_MAX)
        elif len(self.fields) >= FIELDS_MAX:
            param = clean_text(self._name)
            raise refused("invalid_request", param=param, fault="too_many", limit=FIELDS_MAX)

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._content.append(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > VALUE_MAX_BYTES:
            param = clean_text(self._name)
            raise refused("invalid_request", param=param, fault="too_long", limit=VALUE_MAX_BYTES)

    def _end_part(self) -> None:
        if not self._in_file:
            self.fields[self._name] = self._value.decode("utf-8", "replace")

    def _end(self) -> None:
        self._ended = True

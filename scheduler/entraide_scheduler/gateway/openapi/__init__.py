"""OpenAPI: the HTTP interface as an OpenAPI 3.1 document, made from the code.

Input: the tables and structs of the gateway. Output: the document.

``document`` builds it. ``operations`` is the table of what each handler takes and answers, with
``admin`` for the Admin service, ``codes`` that of its errors, ``parameters`` that of the
parameters. ``schemas`` makes the components from the structs, ``chat_answers`` and
``translated_answers`` those of answers; ``examples`` has requests. ``texts`` reads ``texts.toml``,
whose sentences ``docs/reference/http.md`` and its French twin have, too.
"""

from entraide_scheduler.gateway.openapi.document import build_document

__all__ = [
    "build_document",
]

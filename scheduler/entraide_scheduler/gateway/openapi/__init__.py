"""OpenAPI: the HTTP interface as an OpenAPI 3.1 document, made from the code.

``operations`` is the table of what each handler takes and answers, ``codes`` that of its errors,
``schemas`` makes the components from the structs, and ``texts.toml`` has the sentences, which
``docs/reference/http.md`` and its French twin have, too.
"""

from entraide_scheduler.gateway.openapi.document import build_document

__all__ = ["build_document"]

"""Hooks of Schemathesis: short answers, so that a real engine keeps up, and no fault of the pool's.

Schemathesis loads this module (``SCHEMATHESIS_HOOKS``) in a process of its own.
"""

from typing import Any

import schemathesis

ANSWER_TOKENS = 4
OUTPUT_TOKENS_MAX = 1 << 24
LIMITS = {"/v1/responses": "max_output_tokens"}
TEXT_PATHS = ("/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/responses")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Shortens the answer that a valid request asks for."""
    path, body = case.operation.path, case.body
    if path == "/v1/jobs" and isinstance(body, dict):
        path, body = body.get("path", TEXT_PATHS[0]), body.get("request")
    if path not in TEXT_PATHS or not isinstance(body, dict):
        return
    name = LIMITS.get(path, "max_tokens")
    asked, answers = body.get(name), body.get("n")
    is_long = isinstance(asked, int) and ANSWER_TOKENS < asked <= OUTPUT_TOKENS_MAX
    if (asked is None and path != "/v1/messages") or is_long:
        body[name] = ANSWER_TOKENS
    if isinstance(answers, int) and answers > 1:
        body["n"] = 1


@schemathesis.check
def is_no_internal_error(context: Any, response: Any, case: Any) -> None:
    """No answer says that the pool has a fault."""
    assert response.status_code != 500

"""Who may call what over HTTP: every path of the gateway, by nobody, a key and each role."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from tests.scheduler.gateway_support import KEY_A, Pool, open_pool
from tests.scheduler.people_support import Answer, Browser, add_person, open_people, signed_in

from entraide_scheduler.gateway.admin import HANDLER_PREFIX
from entraide_scheduler.gateway.routes import PATHS
from entraide_scheduler.store.person_rows import Role

EVERY_ROLE = frozenset(role.value for role in Role)
LEADING = EVERY_ROLE - {Role.PERSON}
OPEN = EVERY_ROLE | {"nobody", "key"}
KEYS = EVERY_ROLE | {"key"}
NONE: frozenset[str] = frozenset()
# Who passes the check of the caller, by handler; the calls of Admin have a table of their own.
PASSES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        (
            "page", "page_asset", "status", "well_known", "openapi", "health", "readiness",
            "metrics", "sign_in", "signin_ways", "send_signin_email", "start_oidc", "finish_oidc",
            "enrol", "install_page", "install_script", "install_file",
        ),
        OPEN,
    ),
    **dict.fromkeys(
        (
            "models", "model", "chat", "completion", "embeddings", "responses", "messages",
            "count_tokens", "list_jobs", "submit_job", "get_job", "cancel_job", "explain_job",
            "job_stream", "job_receipt", "list_files", "upload_file", "get_file", "delete_file",
            "file_content", "list_batches", "create_batch", "get_batch", "cancel_batch", "pool",
            "pool_events", "grid", "coop",
        ),
        KEYS,
    ),
    "statement": LEADING | {"key"},
    "machines": LEADING,
    **dict.fromkeys(
        (
            "get_session", "change_session", "claim_browser_half", "sign_out", "list_sessions",
            "end_session", "ask_opening", "open_session", "erase_earlier", "confirm_email",
            "export",
        ),
        EVERY_ROLE,
    ),
    "list_people": LEADING,
    **dict.fromkeys(
        ("add_person", "change_person", "disable_person", "make_signin_link"),
        LEADING - {Role.AUDITOR},
    ),
    **dict.fromkeys(("node_statement", "weights"), NONE),
}  # fmt: skip
# To a person others are unknown; so are paths for nodes where a gateway knows no nodes, as here.
HIDDEN = {
    **dict.fromkeys(("change_person", "disable_person", "make_signin_link"), "unknown_person"),
    **dict.fromkeys(("node_statement", "weights"), "unknown_path"),
}
REFUSALS = ("unauthorised", "not_signed_in", "role_refused", "forbidden")
KEY = {"authorization": f"Bearer {KEY_A}"}
BODIES = {"add_person": b'{"name": "Zed"}'}


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


async def call(pool: Pool, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Sends a request; of a stream only the head is asked for."""
    if path.endswith("/events"):
        method = "HEAD"
    data = b"" if method in ("GET", "HEAD") else body
    async with pool.session.request(
        method, path, data=data, headers=headers, allow_redirects=False
    ) as answer:
        return Answer(answer, await answer.read())


@pytest.mark.parametrize("who", sorted(OPEN))
async def test_each_path_is_for_those_of_the_table(pool: Pool, who: str) -> None:
    """No path is missing, and each refuses the caller by a stable code or lets the caller pass."""
    people = await open_people(pool)
    browser = Browser(pool)
    if who in EVERY_ROLE:
        browser = await signed_in(pool, people, await add_person(people, role=who))
    wrong: list[str] = []
    calls = [
        (method, path, handler)
        for path, methods in PATHS.items()
        for method, handler in methods.items()
        if not handler.startswith(HANDLER_PREFIX)
    ]
    for method, path, handler in sorted(calls, key=lambda each: each[2] == "sign_out"):
        concrete = path.replace("{person}", (await add_person(people)).person)
        for name in ("job", "file", "batch", "session", "model", "sha256"):
            concrete = concrete.replace(f"{{{name}}}", "none")
        headers = KEY if who == "key" else browser.headers(browser.csrf)
        answer = await call(pool, method, concrete, BODIES.get(handler, b"{}"), headers)
        is_refused = answer.code in (*REFUSALS, HIDDEN.get(handler)) or answer.status in (401, 403)
        if is_refused is (who in PASSES[handler]):
            wrong.append(f"{method} {path}: {answer.status} {answer.code}")

    assert [] == wrong
    assert PASSES.keys() == {handler for _, _, handler in calls}

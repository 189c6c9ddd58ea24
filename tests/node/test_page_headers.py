"""The headers of a browser's defences on every kind of answer of the owner's page."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from entraide_node.config import NodeConfig
from entraide_node.page.server import BODY_BYTES_MAX, FORM_KIND, OwnerPage

EXPECTED = {
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff", "x-frame-options": "DENY",
    "referrer-policy": "no-referrer", "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin", "cache-control": "no-store",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}  # fmt: skip
KINDS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "the page": ("GET", "", {}, 200),
    "the page, head only": ("HEAD", "", {}, 200),
    "the style": ("GET", "style.css", {}, 200),
    "an unknown path": ("GET", "<script>", {}, 404),
    "another method": ("GET", "save", {}, 404),
    "an unknown method": ("DELETE", "", {}, 404),
    "without the secret": ("GET", "/", {}, 404),
    "under another name": ("GET", "", {"headers": {"Host": "evil.example"}}, 404),
    "without the proof": ("POST", "pause", {"data": {}}, 403),
    "what is no form": ("POST", "save", {"data": b"\0", "headers": {"Content-Type": "x/y"}}, 403),
    "a form without its end": (
        "POST", "save",
        {"data": b"--", "headers": {"Content-Type": "multipart/form-data"}}, 403,
    ),
    "a form that is no text": (
        "POST", "save", {"data": b"csrf=\xff", "headers": {"Content-Type": FORM_KIND}}, 400,
    ),
    "an unknown charset": (
        "POST", "save",
        {"data": b"csrf=x", "headers": {"Content-Type": f"{FORM_KIND}; charset=nope"}}, 400,
    ),
    "a pause": ("POST", "pause", {"data": {"csrf": ""}}, 303),
    "wrong terms": ("POST", "save", {"data": {"csrf": "", "idle_min": "long"}}, 422),
    "too many bytes": ("POST", "save", {"data": {"x": "x" * BODY_BYTES_MAX * 2}}, 413),
}  # fmt: skip


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[OwnerPage]:
    config = NodeConfig(
        node="mini", coop="boreale", zone="CA-QC", nats_urls=(), dir=str(tmp_path), lang="fr"
    )
    opened = OwnerPage(config)
    await opened.open()
    yield opened
    await opened.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_answer_has_its_headers(page: OwnerPage, kind: str) -> None:
    """Nothing runs or loads but the page's own style, whatever the page answers."""
    method, path, options, status = KINDS[kind]
    sent = options.get("data")
    if isinstance(sent, dict) and "csrf" in sent:
        options = {"data": {**sent, "csrf": page._csrf}}
    url = page.url.replace(page._secret, "")[:-1] if path == "/" else page.url + path
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, allow_redirects=False, **options) as answer,
    ):
        headers = {name.lower(): value for name, value in answer.headers.items()}

    assert status == answer.status
    assert EXPECTED == {name: headers.get(name) for name in EXPECTED}

"""The pages' files as the gateway sends them: kinds, compressed forms, and nothing else."""

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from tests.cases import all_cases
from tests.scheduler.gateway_support import Pool, open_pool

from entraide_scheduler.gateway.http import PageAssets, page_assets
from entraide_scheduler.gateway.http.page_assets import choose_coding

ASSETS = PageAssets()
SCRIPT = next(name for name in ASSETS.names if re.fullmatch(r"index-[\w-]+\.js", name))


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    async with open_pool(tmp_path) as opened:
        yield opened


async def fetch(
    pool: Pool, path: str, accepted: str = "identity"
) -> tuple[int, dict[str, str], bytes]:
    """A file as it is sent, not decompressed."""
    async with (
        aiohttp.ClientSession(pool.gateway.url, auto_decompress=False) as session,
        session.get(path, headers={"accept-encoding": accepted}) as answer,
    ):
        return answer.status, {k.lower(): v for k, v in answer.headers.items()}, await answer.read()


async def test_all_that_the_page_names_is_there(pool: Pool) -> None:
    """Each file that the page loads is served with its kind, and kept by browsers for good."""
    _, _, page = await fetch(pool, "/")
    named = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page.decode())
    kinds = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
             "svg": "image/svg+xml"}  # fmt: skip

    assert len(named) >= 3
    for path in named:
        status, headers, _ = await fetch(pool, path)

        assert 200 == status
        assert kinds[path.rpartition(".")[2]] == headers["content-type"]
        assert "public, max-age=31536000, immutable" == headers["cache-control"]
        assert "nosniff" == headers["x-content-type-options"]


async def test_the_form_follows_what_the_client_accepts(pool: Pool) -> None:
    """A checkout's gateway sends gzip, else the file itself; caches are told that it varies."""
    path = f"/assets/{SCRIPT}"
    sent = {
        accepted: await fetch(pool, path, accepted)
        for accepted in ("gzip, deflate, br, zstd", "gzip", "identity", "")
    }
    codings = [headers.get("content-encoding", "") for _, headers, _ in sent.values()]
    plain, packed = sent["identity"][2], sent["gzip"][2]

    assert ["gzip", "gzip", "", ""] == codings
    assert plain == gzip.decompress(packed)
    assert 2 * len(packed) < len(plain)
    assert {"accept-encoding"} == {headers["vary"] for _, headers, _ in sent.values()}


def test_compressed_forms_that_were_made_for_a_wheel_are_sent_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An asset has them beside its plain content, the smallest first; they are no assets."""
    folder = tmp_path / page_assets.FOLDER
    folder.mkdir()
    plain = b"let a = 1;" * page_assets.SMALL_BYTES
    for name, content in {
        "index.html": b"<!doctype html>", "a.js": plain, "a.js.gz": b"gzip", "a.js.br": b"brotli",
        "b.css": b"b {}",
    }.items():  # fmt: skip
        (folder / name).write_bytes(content)
    monkeypatch.setattr(page_assets, "files", lambda _: tmp_path)
    page, assets = page_assets._read_assets.__wrapped__()

    assert "<!doctype html>" == page
    assert {"a.js", "b.css"} == set(assets)
    assert [("br", b"brotli"), ("gzip", b"gzip"), ("", plain)] == [*assets["a.js"].contents.items()]
    assert {"": b"b {}"} == assets["b.css"].contents


@pytest.mark.parametrize(
    "name", ["index.html", "nope.js", f"{SCRIPT}.gz", "..%2f__init__.py", "../__init__.py", ""]
)
async def test_nothing_else_is_sent(pool: Pool, name: str) -> None:
    """A name that is no asset is a 404: other files of the package, compressed forms, paths."""
    status, _, _ = await fetch(pool, f"/assets/{name}")

    assert 404 == status


@all_cases(
    ("accepted", "coding"),
    [
        ("", ""),
        ("br", "br"),
        ("BR", "br"),
        ("gzip;q=1.0, br;q=0", "gzip"),
        ("*", "br"),
        ("*;q=0", ""),
        ("br;q=0.000, *;q=0.1", "gzip"),
        ("br;q=;;, gzip;q=x", ""),
        (",,,", ""),
        ("br" * 5_000, ""),
    ],
)
def test_choice_of_coding(accepted: str, coding: str) -> None:
    """A weight of nought excludes a coding, a star means the others, rubbish means none."""
    assert coding == choose_coding(accepted, ("br", "gzip", ""))

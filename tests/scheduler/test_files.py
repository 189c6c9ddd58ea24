"""Files over HTTP: streamed in, sealed in the store, streamed out, bounded and hostile."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from tests.scheduler.gateway_support import KEY_A, KEY_B, WAIT_S, Pool, everything, open_pool

from entraide_scheduler.config import FILE_MAX_BYTES, HttpConfig, HttpLimits
from entraide_scheduler.gateway import Settings
from entraide_scheduler.gateway.batches import files
from entraide_scheduler.store import files as table

FILES = "/v1/files"
CONTENT = b'{"custom_id": "Yukon"}\n' * 3


def form(content: bytes = CONTENT, name: str = "demandes.jsonl", **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData()
    for field, value in ({"purpose": "batch"} | fields).items():
        if value:
            data.add_field(field, value)
    data.add_field("file", io.BytesIO(content), filename=name, content_type="application/jsonl")
    return data


async def upload(pool: Pool, data: Any = None, *, key: str = KEY_A, **fields: str) -> Any:
    """Sends a form; returns the status and the reply."""
    headers = {"authorization": f"Bearer {key}", "accept-language": "en"}
    body = form(**fields) if data is None else data
    async with pool.session.post(FILES, data=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def fetch(pool: Pool, file: str, key: str = KEY_A) -> tuple[int, bytes]:
    headers = {"authorization": f"Bearer {key}"}
    async with pool.session.get(f"{FILES}/{file}/content", headers=headers) as answer:
        return answer.status, await answer.read()


async def raw(pool: Pool, body: bytes, *, kind: str, length: int | None = None) -> bytes:
    """Sends a request of these bytes and closes; returns what the gateway answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", pool.gateway.port)
    head = (
        f"POST {FILES} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY_A}\r\n"
        f"content-type: {kind}\r\ncontent-length: {len(body) if length is None else length}\r\n"
        "connection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    try:
        return await asyncio.wait_for(reader.read(), WAIT_S)
    finally:
        writer.close()


def error_of(reply: bytes) -> dict[str, Any]:
    return json.loads(reply.partition(b"\r\n\r\n")[2])["error"]


def multipart(*parts: tuple[str, bytes], boundary: str = "b") -> bytes:
    lines = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        + (b'; filename="f.jsonl"' if name == "file" else b"")
        + b"\r\n\r\n"
        + value
        + b"\r\n"
        for name, value in parts
    ]
    return b"".join(lines) + f"--{boundary}--\r\n".encode()


KIND = "multipart/form-data; boundary=b"
WHOLE = multipart(("file", CONTENT), ("purpose", b"batch"))


async def test_a_file_comes_back_as_it_was_sent(tmp_path: Path) -> None:
    """A file has its name, size and times, is listed, comes back and can be deleted."""
    async with open_pool(tmp_path) as pool:
        status, file = await upload(pool)
        path = f"{FILES}/{file['id']}"
        same = await pool.call("GET", path)
        listed = await pool.call("GET", FILES)
        content = await fetch(pool, file["id"])
        deleted = await pool.call("DELETE", path)
        gone = await pool.call("GET", path)

    assert 200 == status
    assert ("file", "demandes.jsonl", "batch", len(CONTENT)) == (
        file["object"], file["filename"], file["purpose"], file["bytes"],
    )  # fmt: skip
    assert files.KEEP_MOST_S == file["expires_at"] - file["created_at"]
    assert (200, file) == same
    assert [file] == listed[1]["data"]
    assert (200, CONTENT) == content
    assert {"id": file["id"], "object": "file", "deleted": True} == deleted[1]
    assert (404, "unknown_file") == (gone[0], gone[1]["error"]["code"])


async def test_a_file_of_many_parts_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts are joined in order, whatever the pieces in which they arrive; nothing of them can be
    read in the store."""
    monkeypatch.setattr(files, "PART_BYTES", 100_000)
    content = b"".join(b"%06d Whitehorse\n" % number for number in range(60_000))
    async with open_pool(tmp_path) as pool:
        _, file = await upload(pool, content=content)
        answer = await fetch(pool, file["id"])
        parts = [
            await pool.store.read(lambda c, n=number: table.read_part(c, file["id"], n))
            for number in range(12)
        ]
    stored = everything(tmp_path)

    assert (200, content) == answer
    assert [part is not None for part in parts] == [True] * 11 + [False]
    assert b"Whitehorse" not in stored
    assert b"demandes.jsonl" not in stored


async def test_another_coop_has_no_such_file(tmp_path: Path) -> None:
    """A file is its co-op's: to another it is unknown, and is not listed."""
    async with open_pool(tmp_path) as pool:
        _, file = await upload(pool)
        path = f"{FILES}/{file['id']}"
        replies = [await pool.call(method, path, key=KEY_B) for method in ("GET", "DELETE")]
        content = await fetch(pool, file["id"], KEY_B)
        listed = await pool.call("GET", FILES, key=KEY_B)

    assert [404, 404, 404] == [replies[0][0], replies[1][0], content[0]]
    assert [] == listed[1]["data"]


async def test_the_official_client_sends_and_lists_files(tmp_path: Path) -> None:
    """OpenAI's own client uploads, pages through, reads and deletes files."""
    async with (
        open_pool(tmp_path) as pool,
        openai.AsyncOpenAI(base_url=f"{pool.gateway.url}/v1", api_key=KEY_A) as client,
    ):
        sent = [
            await client.files.create(
                file=(f"{number}.jsonl", CONTENT),
                purpose="batch",
                expires_after={"anchor": "created_at", "seconds": 7_200},
            )
            for number in range(3)
        ]
        page = await client.files.list(limit=2)
        listed = [file.id async for file in client.files.list(limit=2, order="asc")]
        content = await client.files.content(sent[0].id)
        deletion = await client.files.delete(sent[0].id)

    assert [file.id for file in sent] == listed
    assert page.has_more
    assert "2.jsonl" == page.data[0].filename
    assert CONTENT == content.content
    assert 7_200 == sent[0].expires_at - sent[0].created_at
    assert deletion.deleted


@pytest.mark.parametrize(
    ("body", "kind", "fault"),
    {
        "no form": (b"{}", "application/json", "Content-Type"),
        "no boundary": (WHOLE, "multipart/form-data", "Content-Type"),
        "boundary too long": (WHOLE, f"multipart/form-data; boundary={'b' * 300}", "Content-Type"),
        "wrong boundary": (WHOLE, "multipart/form-data; boundary=other", None),
        "not even a form": (b"\x00\xff" * 500, KIND, None),
        "no end": (WHOLE[:-7], KIND, None),
        "cut in the content": (WHOLE[:90], KIND, None),
        "no file": (multipart(("purpose", b"batch")), KIND, "file"),
        "no purpose": (multipart(("file", CONTENT)), KIND, "purpose"),
        "two files": (multipart(("file", CONTENT), ("file", CONTENT)), KIND, "file"),
        "empty file": (multipart(("file", b""), ("purpose", b"batch")), KIND, "file"),
        "other purpose": (
            multipart(("file", CONTENT), ("purpose", b"fine-tune")),
            KIND,
            "purpose",
        ),
        "long value": (multipart(("file", CONTENT), ("purpose", b"b" * 5_000)), KIND, "purpose"),
        "many fields": (
            multipart(*((f"field-{number}", b"1") for number in range(40))),
            KIND,
            "field-16",
        ),
        "no time": (
            multipart(("file", CONTENT), ("purpose", b"batch"), (files.SECONDS_FIELD, b"\xff-1")),
            KIND,
            files.SECONDS_FIELD,
        ),
        "other anchor": (
            multipart(
                ("file", CONTENT), ("purpose", b"batch"), (files.ANCHOR_FIELD, b"last_active_at")
            ),
            KIND,
            files.ANCHOR_FIELD,
        ),
    }.values(),
)
async def test_a_broken_upload_is_refused_and_leaves_nothing(
    tmp_path: Path, body: bytes, kind: str, fault: str | None
) -> None:
    """Each fault of a form is a 400 that names it, and no file and no part stay."""
    async with open_pool(tmp_path) as pool:
        error = error_of(await raw(pool, body, kind=kind))
        await pool.store.committed()
        amount = await pool.store.read(lambda c: table.measure_files(c, "alpha"))
        good, _ = await upload(pool)

    assert ("invalid_request", fault) == (error["code"], error["param"])
    assert error["message"]
    assert (0, 0) == amount
    assert 200 == good


async def test_a_claim_of_a_gigabyte_is_refused_before_its_body(tmp_path: Path) -> None:
    """A length above the limit gets a 413 with the limit, without one byte of the file."""
    async with open_pool(tmp_path) as pool:
        reply = await raw(pool, b"", kind=KIND, length=10**9)

    assert reply.startswith(b"HTTP/1.1 413 ")
    assert f"{FILE_MAX_BYTES:,}" in error_of(reply)["message"].replace("\u00a0", ",")


async def test_a_client_that_leaves_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts that were stored before the connection broke are deleted."""
    monkeypatch.setattr(files, "PART_BYTES", 1_000)
    async with open_pool(tmp_path) as pool:
        _, writer = await asyncio.open_connection("127.0.0.1", pool.gateway.port)
        head = (
            f"POST {FILES} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY_A}\r\n"
            f"content-type: {KIND}\r\ncontent-length: 100000\r\n\r\n"
        )
        writer.write(head.encode() + multipart(("file", b"x" * 50_000))[:-9])
        await until(pool, lambda amount: amount.bytes > 10_000)
        writer.close()
        await until(pool, lambda amount: amount == (0, 0))


async def until(pool: Pool, holds: Any) -> None:
    """Waits until what the co-op has stored is as asked."""
    async with asyncio.timeout(WAIT_S):
        while True:
            if holds(await pool.store.read(lambda c: table.measure_files(c, "alpha"))):
                return
            await asyncio.sleep(0)


async def test_a_coop_has_bounded_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What exceeds the co-op's megabytes is refused and erased; other co-ops have their own."""
    limits = HttpLimits(files_mb_per_coop=1)
    settings = Settings(http=HttpConfig(limits=limits), drain_s=0.0)
    monkeypatch.setattr(files, "FILES_PER_COOP_MAX", 2)
    async with open_pool(tmp_path, settings=settings) as pool:
        first = await upload(pool, content=b"x" * 700_000)
        second = await upload(pool, content=b"x" * 700_000)
        other = await upload(pool, content=b"x" * 700_000, key=KEY_B)
        await until(pool, lambda amount: amount == (1, 700_000))
        third = await upload(pool)
        fourth = await upload(pool)

    assert [200, 429, 200, 200, 429] == [first[0], second[0], other[0], third[0], fourth[0]]
    assert "files_full" == second[1]["error"]["code"] == fourth[1]["error"]["code"]
    assert "(1 MB)" in second[1]["error"]["message"]
    assert "(2 files)" in fourth[1]["error"]["message"]


async def test_a_slow_upload_is_ended_by_the_deadline_of_its_part(tmp_path: Path) -> None:
    """A client that stops sending gets a 408; one byte after another does not help it."""
    limits = HttpLimits(body_deadline_s=0.2)
    settings = Settings(http=HttpConfig(limits=limits), drain_s=0.0)
    async with open_pool(tmp_path, settings=settings) as pool:
        reply = await raw(pool, WHOLE[:50], kind=KIND, length=len(WHOLE))

    assert reply.startswith(b"HTTP/1.1 408 ")


async def test_requests_after_an_upload_are_answered_on_its_connection(tmp_path: Path) -> None:
    """An upload leaves its connection usable, also for a request that was sent right behind it."""
    async with open_pool(tmp_path) as pool:
        reader, writer = await asyncio.open_connection("127.0.0.1", pool.gateway.port)
        head = (
            f"POST {FILES} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY_A}\r\n"
            f"content-type: {KIND}\r\ncontent-length: {len(WHOLE)}\r\n\r\n"
        ).encode()
        after = (
            f"GET {FILES} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY_A}\r\n"
            "connection: close\r\n\r\n"
        ).encode()
        writer.write(head + WHOLE + after)
        replies = await asyncio.wait_for(reader.read(), WAIT_S)
        writer.close()

    assert 2 == replies.count(b"HTTP/1.1 200 OK")
    assert b'"object":"list"' in replies


async def test_a_client_may_wait_for_permission_to_send(tmp_path: Path) -> None:
    """`Expect: 100-continue` is answered before the body, and chunks need no length."""
    async with open_pool(tmp_path) as pool:
        reader, writer = await asyncio.open_connection("127.0.0.1", pool.gateway.port)
        head = (
            f"POST {FILES} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY_A}\r\n"
            f"content-type: {KIND}\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n"
            "connection: close\r\n\r\n"
        ).encode()
        writer.write(head)
        interim = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
        for start in range(0, len(WHOLE), 7):
            piece = WHOLE[start : start + 7]
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        writer.write(b"0\r\n\r\n")
        reply = await asyncio.wait_for(reader.read(), WAIT_S)
        writer.close()

    assert interim.startswith(b"HTTP/1.1 100 ")
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert b"%d" % len(CONTENT) in reply


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=10001", "order=up"])
async def test_a_wrong_query_is_refused(tmp_path: Path, query: str) -> None:
    """Limit and order are checked, and the parameter is named."""
    async with open_pool(tmp_path) as pool:
        status, reply = await pool.call("GET", f"{FILES}?{query}")

    assert (400, query.partition("=")[0]) == (status, reply["error"]["param"])

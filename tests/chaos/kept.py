"""Kept work: a client that submits kept jobs and batches, and fetches each answer from any gateway.

What was accepted is noted in ``kept.jsonl`` at once, and again when its answer has been checked; so
a run that goes on knows what it still waits for. An accepted job without its right answer at the
end of the run breaks a promise, unless it was tried as often as the policy allows (``attempts``).
"""

import asyncio
import io
import itertools
import json
import time
from typing import Any

import aiohttp
from msgspec import Struct
from msgspec.structs import replace
from tests.chaos.fair_clock import FairClock
from tests.chaos.pool import HTTP_PORTS, MODEL
from tests.chaos.run_folder import RunFolder

JOB_EVERY_S, BATCH_EVERY_S = 2.0, 20.0
LOOK_S = 1.0
LOOKS = 8  # answers that are asked for in one look
LINES = 10
TOKENS = 20
END_S = 120.0  # fair seconds for what is open at the end
CHAT = "/v1/chat/completions"
JOB, BATCH = "job", "batch"
CALL = aiohttp.ClientTimeout(total=10.0)
FAILURES = (aiohttp.ClientError, OSError, TimeoutError, ValueError)
GIVEN_UP = "too_many_attempts"


class Lost(Exception):
    """Accepted work has no right answer."""


class KeptWork(Struct, frozen=True):
    """A kept job or a batch.

    Attributes:
        kind: ``job`` or ``batch``.
        name: identifier.
        start: number after which its answer begins; each line of a batch begins 1,000 later.
        at: when it was accepted, or when its answer was checked; seconds since the epoch.
        is_done: whether its answer was checked.
        jobs: whose answers it has, once it is done; ``TOKENS`` tokens each.
        given_up: jobs that ended with ``too_many_attempts``.
    """

    kind: str
    name: str
    start: int
    at: float
    is_done: bool = False
    jobs: tuple[str, ...] = ()
    given_up: tuple[str, ...] = ()


class KeptClient:
    """The client.

    Args:
        folder: of the run.
        key: API key.
        clock: fair seconds.
    """

    def __init__(self, folder: RunFolder, key: str, clock: FairClock) -> None:
        self._folder, self._key, self._clock = folder, key, clock
        self._open: dict[str, KeptWork] = {}
        for line in folder.read("kept", KeptWork):
            if line.is_done:
                self._open.pop(line.name, None)
            else:
                self._open[line.name] = line
        self._starts = itertools.count(int(time.time()) * 1_000_000 + 500_000_000, 100_000)
        self._gateways = itertools.cycle(HTTP_PORTS)
        self.is_over = False

    async def run(self) -> None:
        """Submits and fetches until the run is over and nothing is open."""
        due = {JOB: 0.0, BATCH: 0.0}
        until_s = 0.0
        headers = {"authorization": f"Bearer {self._key}", "accept-language": "en"}
        async with aiohttp.ClientSession(headers=headers, timeout=CALL) as session:
            while not self.is_over or self._open:
                if not self.is_over:
                    await self._submit_due(session, due)
                    until_s = self._clock() + END_S
                elif self._clock() > until_s:
                    break
                for work in list(itertools.islice(self._open.values(), LOOKS)):
                    await self._look(session, work)
                await asyncio.sleep(LOOK_S)
        for work in self._open.values():
            self._folder.broken("kept_lost", work.name, f"open {END_S:g} s after the last fault")

    async def _submit_due(self, session: aiohttp.ClientSession, due: dict[str, float]) -> None:
        now = time.monotonic()
        for kind, every_s, submit in (
            (JOB, JOB_EVERY_S, self._submit_job),
            (BATCH, BATCH_EVERY_S, self._submit_batch),
        ):
            if now < due[kind]:
                continue
            due[kind] = now + every_s
            start = next(self._starts)
            try:
                name = await submit(session, start)
            except FAILURES:
                continue  # without a reply nothing is promised
            if name:
                self._open[name] = work = KeptWork(kind, name, start, time.time())
                self._folder.add("kept", work)

    async def _submit_job(self, session: aiohttp.ClientSession, start: int) -> str:
        body = {"path": CHAT, "request": question(start)}
        async with session.post(f"{self._url()}/v1/jobs", json=body) as answer:
            return str((await answer.json())["id"]) if answer.status == 202 else ""

    async def _submit_batch(self, session: aiohttp.ClientSession, start: int) -> str:
        lines = [
            {
                "custom_id": str(n),
                "method": "POST",
                "url": CHAT,
                "body": question(start + 1_000 * n),
            }
            for n in range(LINES)
        ]
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        content = io.BytesIO("\n".join(map(json.dumps, lines)).encode())
        form.add_field("file", content, filename="lines.jsonl")
        async with session.post(f"{self._url()}/v1/files", data=form) as answer:
            if answer.status != 200:
                return ""
            file = (await answer.json())["id"]
        body = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
        async with session.post(f"{self._url()}/v1/batches", json=body) as answer:
            return str((await answer.json())["id"]) if answer.status == 200 else ""

    async def _look(self, session: aiohttp.ClientSession, work: KeptWork) -> None:
        """Checks an answer if it is there; else the work goes to the end of the line."""
        del self._open[work.name]
        fetch = self._fetch_job if work.kind == JOB else self._fetch_batch
        try:
            done = await fetch(session, work)
        except FAILURES:
            done = None
        except Lost as lost:
            self._folder.broken("kept_lost", work.name, str(lost))
            done = work
        if done is None:
            self._open[work.name] = work
            return
        self._folder.add("kept", replace(done, at=time.time(), is_done=True))

    async def _fetch_job(self, session: aiohttp.ClientSession, work: KeptWork) -> KeptWork | None:
        """A job whose answer is right, or that was given up; None while there is no answer.

        Raises:
            Lost: the job or its right answer is gone.
        """
        async with session.get(f"{self._url()}/v1/jobs/{work.name}") as answer:
            if answer.status == 404:
                raise Lost("unknown_job")
            view = await answer.json()
        state, code = view.get("state"), view.get("code")
        if state == "completed":
            check_text(view["result"], work.start)
            return replace(work, jobs=(work.name,))
        if state not in ("failed", "refused"):
            return None
        if code != GIVEN_UP:
            raise Lost(f"{state}: {code}")
        return replace(work, given_up=(work.name,))

    async def _fetch_batch(self, session: aiohttp.ClientSession, work: KeptWork) -> KeptWork | None:
        """Likewise, a batch; each of its lines has its answer, or was given up."""
        async with session.get(f"{self._url()}/v1/batches/{work.name}") as answer:
            if answer.status == 404:
                raise Lost("unknown_batch")
            view = await answer.json()
        if view.get("status") in ("failed", "expired", "cancelled"):
            raise Lost(str(view["status"]))
        if view.get("status") != "completed":
            return None
        answers = await self._lines(session, view.get("output_file_id"))
        errors = await self._lines(session, view.get("error_file_id"))
        names = sorted(line["custom_id"] for line in answers + errors)
        if names != sorted(map(str, range(LINES))):
            raise Lost(f"lines {names}")
        for line in answers:
            start = work.start + 1_000 * int(line["custom_id"])
            check_text(line["response"]["body"], start)
        for line in errors:
            if line["response"] is None or line["response"]["body"]["error"]["code"] != GIVEN_UP:
                raise Lost(f"line {line}")
        jobs, given_up = (
            tuple(line["response"]["request_id"] for line in lines) for lines in (answers, errors)
        )
        return replace(work, jobs=jobs, given_up=given_up)

    async def _lines(self, session: aiohttp.ClientSession, file: str | None) -> list[Any]:
        if not file:
            return []
        async with session.get(f"{self._url()}/v1/files/{file}/content") as answer:
            answer.raise_for_status()
            return [json.loads(line) for line in (await answer.text()).splitlines()]

    def _url(self) -> str:
        return f"http://127.0.0.1:{HTTP_PORTS[next(self._gateways)]}"


def question(start: int) -> dict[str, Any]:
    """A request whose answer is known."""
    messages = [{"role": "user", "content": f"Count from {start}"}]
    return {"model": MODEL, "messages": messages, "max_tokens": TOKENS}


def check_text(body: dict[str, Any], start: int) -> None:
    """Checks a whole answer.

    Raises:
        Lost: it is not the right one.
    """
    words = body["choices"][0]["message"]["content"].split()
    expected = [str(start + n + 1) for n in range(TOKENS)]
    if words != expected:
        raise Lost(f"{words[:3]} … of {len(words)} instead of {expected[:3]}")

"""Streams: clients that read one streamed answer after the other, and check every token of it.

The counting engine writes the numbers after the one in the question, so a client knows what comes
next: a number that is missing, repeated or out of turn breaks a promise, and so does a silence of
more than ``SILENCE_S`` fair seconds, an answer that ends without an end, and an error whose code is
not documented. llama.cpp is asked for numbers, too: the small model is certain of each token of
that answer, so its text is known, on any machine and after any seam. Each answer gives one line of
``outcomes.jsonl``.
"""

import asyncio
import itertools
import json
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from msgspec import Struct
from tests.chaos.fair_clock import FairClock
from tests.chaos.pool import HTTP_PORTS, MODEL, REAL_MODEL
from tests.chaos.run_folder import RunFolder

SILENCE_S = 30.0
READ_S = 0.5  # between two looks at the fair clock
RETRY_S = 0.5
SHORTEST, LONGEST = 20, 120  # tokens of an answer
REAL_TOKENS, REAL_CHARS, REAL_PAUSE_S = 40, 30, 6.0
ERRORS_PAGE = Path(__file__).parents[2] / "docs/reference/errors.md"
QUESTION = "Write the numbers from 1 to 50, separated by commas."
NUMBERS = ", ".join(map(str, range(1, 51)))

COMPLETE, RESUMED, ERROR = "complete", "resumed", "error"
CLOCK_PAGE = "page"  # in place of an answer: the scheduler's start waits for its clock
CLOSED, REFUSED, STOPPED, HUNG = "closed", "refused", "stopped", "hung"


class Seam(Struct, frozen=True):
    """Where another node went on.

    Attributes:
        node_before, code: the run that ended, and why.
        last_at, next_at: time of the last token before it and of the first after it, seconds since
            the epoch.
    """

    node_before: str
    code: str
    last_at: float
    next_at: float


class Outcome(Struct, frozen=True):
    """How one answer ended.

    Attributes:
        outcome: see above; ``closed``: the connection closed without an end; ``stopped``: the run
            was stopped.
        gateway: that was asked.
        job: identifier; "" if none came.
        model: that was asked for.
        began_at, ended_at: seconds since the epoch.
        tokens: that the client received.
        code: of the error.
        node: of the last run.
        billed_tokens: of the receipt: prompt and output; 0 without one.
        output_tokens: of the receipt.
        seams: of the answer.
        first_at, last_at: time of the first and the last token, seconds since the epoch; 0 if none
            came.
    """

    outcome: str
    gateway: str
    job: str
    model: str
    began_at: float
    ended_at: float
    tokens: int
    code: str
    node: str
    billed_tokens: int
    output_tokens: int
    seams: tuple[Seam, ...] = ()
    first_at: float = 0.0
    last_at: float = 0.0


class _Answer:
    """What a client has of one answer."""

    def __init__(self, gateway: str, model: str, start: int, tokens: int) -> None:
        self.gateway, self.model, self.start, self.asked = gateway, model, start, tokens
        self.began_at = time.time()
        self.job, self.code, self.finish = "", "", ""
        self.tokens, self.text = 0, ""
        self.first_at = self.last_at = 0.0
        self.receipt: dict[str, Any] = {}
        self.seams: list[Seam] = []
        self._open_seam: dict[str, Any] | None = None
        self.faults: list[str] = []
        self.is_done = False

    def take(self, name: str, data: str) -> None:
        """Takes one event."""
        if data == "[DONE]":
            self.is_done = True
            return
        event = json.loads(data)
        self.job = event.get("id") or event.get("job") or self.job
        if name == "entraide.resumed":
            self._open_seam = event
            if self.model == MODEL and event["token_offset"] != self.tokens:
                self.faults.append(f"resumed at {event['token_offset']} after {self.tokens}")
        elif "error" in event:
            self.code = event["error"]["code"]
        elif choices := event.get("choices"):
            self.finish = choices[0].get("finish_reason") or self.finish
            self._take_text(choices[0].get("delta", {}).get("content") or "")
        self.receipt = event.get("entraide", self.receipt)

    def _take_text(self, text: str) -> None:
        if not text:
            return
        now = time.time()
        if self._open_seam is not None:
            seam = self._open_seam
            last_at = self.last_at or self.began_at
            self.seams.append(Seam(seam["node_before"], seam["code"], last_at, now))
            self._open_seam = None
        self.first_at = self.first_at or now
        self.last_at = now
        if self.model != MODEL:
            self.tokens += 1
            self.text += text
            return
        for word in text.split():
            self.tokens += 1
            if word != str(self.start + self.tokens) and len(self.faults) < 3:
                self.faults.append(f"{word} instead of {self.start + self.tokens}")

    def outcome(self, ended: str) -> Outcome:
        """The line of the outcome."""
        receipt = self.receipt
        output = int(receipt.get("output_tokens", 0))
        billed = output + int(receipt.get("input_tokens", 0))
        return Outcome(
            ended, self.gateway, self.job, self.model, self.began_at, time.time(), self.tokens,
            self.code, str(receipt.get("node", "")), billed, output, tuple(self.seams),
            self.first_at, self.last_at,
        )  # fmt: skip


class Streams:
    """The clients of a run.

    Args:
        folder: of the run.
        keys: API keys, one of which each client has.
        clock: fair seconds.
        seed: of the answers' lengths.
    """

    def __init__(
        self, folder: RunFolder, keys: dict[str, str], *, clock: FairClock, seed: int
    ) -> None:
        self._folder, self._keys, self._clock = folder, list(keys.values()), clock
        self._draw = random.Random(seed)
        self._codes = documented_codes()
        self._starts = itertools.count(int(time.time()) * 1_000_000, 1_000)
        self.is_over = False

    async def client(self, number: int, model: str = MODEL) -> None:
        """Asks for one answer after the other until the run is over."""
        key = self._keys[number % len(self._keys)]
        gateways = ["main", "g1", "g2"] if number % 8 == 0 else ["g1", "g2"]
        turns = itertools.islice(itertools.cycle(gateways), number, None)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0)
        headers = {"authorization": f"Bearer {key}", "accept-language": "en"}
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            while not self.is_over:
                answer = self._new_answer(next(turns), model)
                ended = await self._ask(session, answer)
                if ended != REFUSED:
                    self._judge(answer, ended)
                if ended in (REFUSED, ERROR):
                    await asyncio.sleep(RETRY_S)
                elif model == REAL_MODEL:
                    await asyncio.sleep(REAL_PAUSE_S)

    def _new_answer(self, gateway: str, model: str) -> _Answer:
        tokens = REAL_TOKENS if model == REAL_MODEL else self._draw.randint(SHORTEST, LONGEST)
        return _Answer(gateway, model, next(self._starts), tokens)

    async def _ask(self, session: aiohttp.ClientSession, answer: _Answer) -> str:
        """Reads one answer to its end; returns how it ended."""
        text = f"Count from {answer.start}" if answer.model == MODEL else QUESTION
        body = {
            "model": answer.model, "stream": True, "max_tokens": answer.asked, "temperature": 0,
            "messages": [{"role": "user", "content": text}], "entraide": {"resume_events": True},
        }  # fmt: skip
        url = f"http://127.0.0.1:{HTTP_PORTS[answer.gateway]}/v1/chat/completions"
        since = [self._clock()]
        reading = asyncio.create_task(self._read(session, url, body, answer, since))
        while not (await asyncio.wait({reading}, timeout=READ_S))[0]:
            if self._clock() - since[0] > SILENCE_S:
                reading.cancel()
                await asyncio.wait({reading})
                return HUNG
        return reading.result()

    async def _read(
        self, session: aiohttp.ClientSession, url: str, body: dict[str, Any], answer: _Answer,
        since: list[float],
    ) -> str:  # fmt: skip
        has_begun = False
        try:
            async with session.post(url, json=body) as response:
                has_begun = True
                if response.status != 200 and response.content_type == "text/html":
                    answer.code = CLOCK_PAGE
                    return CLOSED
                if response.status != 200:
                    answer.code = (await response.json())["error"]["code"]
                    return ERROR
                async for name, data in events(response):
                    since[0] = self._clock()
                    answer.take(name, data)
        except aiohttp.ClientConnectorError:
            return REFUSED  # the gateway is down: nothing was asked
        except (aiohttp.ClientError, OSError, ValueError):
            if not has_begun and not answer.job:
                answer.code = "no reply"
            return CLOSED
        if answer.code:
            return ERROR
        if not answer.is_done:
            return CLOSED
        return RESUMED if answer.seams else COMPLETE

    def _judge(self, answer: _Answer, ended: str) -> None:
        """Notes the outcome, and what is wrong with it."""
        line = answer.outcome(ended)
        self._folder.add("outcomes", line)
        subject = line.job or f"a request at {line.gateway}"
        for fault in answer.faults:
            self._folder.broken("offsets", subject, fault)
        if ended == HUNG:
            self._folder.broken("hang", subject, f"silent for {SILENCE_S:g} s at {line.gateway}")
        if ended == ERROR and answer.code not in self._codes:
            self._folder.broken("stable_error", subject, f"code {answer.code!r}")
        if ended not in (COMPLETE, RESUMED):
            return
        if answer.model != MODEL:
            is_right = answer.finish == "length" and NUMBERS.startswith(answer.text)
            if not is_right or len(answer.text) < REAL_CHARS:
                self._folder.broken("text", subject, f"{answer.text!r}, {answer.finish!r}")
        elif (answer.asked, "length") != (line.tokens, answer.finish):
            detail = f"{line.tokens} of {answer.asked} tokens, {answer.finish!r}"
            self._folder.broken("complete", subject, detail)


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, str]]:
    """The events of an answer: name and data."""
    name = ""
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, line[6:]
            name = ""


def documented_codes() -> set[str]:
    """The stable codes of errors that the reference lists."""
    lines = ERRORS_PAGE.read_text("utf-8").splitlines()
    return {line.split("`")[1] for line in lines if line.startswith("| `")}

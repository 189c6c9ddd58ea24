"""Twin load: streams requests to a live pool and measures each piece of the answers.

Requests are chat completions of given lengths with no common prompt prefix.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import msgspec
from benchmarks.support.twin_fit import MeasuredRequest
from msgspec import Struct

from entraide_sim import Arrival

ANSWER_TIMEOUT_S = 600.0
SETTLED_S = 0.05  # after a first token, until only answers are made
LONGER_TOKENS = 40  # of the answer of whoever began before another, so that it ends after it
NEVER = -100.0  # a bias
DIGITS = 6  # of a second: recordings are kept to the microsecond
DATA, DONE = b"data: ", b"[DONE]"


class LoadTarget(Struct, frozen=True):
    """Target of a load: the pool's address, a key, and a model.

    Attributes:
        end_tokens: numbers of the model's tokens that end an answer; a bias keeps them from being
            picked, so that an answer is as long as it is asked to be.
    """

    url: str
    key: str
    model: str
    end_tokens: tuple[int, ...] = ()


def make_prompt(words: int, number: int) -> str:
    """Returns a prompt of about ``words`` tokens; different numbers share no prefix.

    Its number stands first, always with as many digits, so that all prompts of so many words have
    as many tokens.
    """
    return f"{number:06} " + "one " * max(1, words)


def request_body(
    target: LoadTarget, *, words: int, output_tokens: int, number: int
) -> dict[str, Any]:
    """Returns a request whose answer has exactly ``output_tokens`` tokens."""
    return {
        "model": target.model,
        "messages": [
            {"role": "system", "content": "."},  # else the template puts in a longer one
            {"role": "user", "content": make_prompt(words, number)},
        ],
        "max_tokens": output_tokens,
        "logit_bias": dict.fromkeys(map(str, target.end_tokens), NEVER),
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def _ignore_first_piece() -> None:
    """Does nothing."""


async def send_request(
    session: aiohttp.ClientSession,
    target: LoadTarget,
    *,
    words: int,
    output_tokens: int,
    number: int,
    begun: Callable[[], None] = _ignore_first_piece,
) -> MeasuredRequest:
    """Sends a request and reads the whole answer; calls ``begun`` at its first piece.

    Raises:
        RuntimeError: the pool refused, or the stream broke.
    """
    body = request_body(target, words=words, output_tokens=output_tokens, number=number)
    sent = time.perf_counter()
    first = last = 0.0
    usage: dict[str, Any] = {}
    async with session.post(
        f"{target.url}/v1/chat/completions",
        json=body,
        headers={"Authorization": f"Bearer {target.key}", "X-Entraide-Data-Class": "public"},
    ) as answer:
        if answer.status != 200:
            raise RuntimeError(f"status {answer.status}: {await answer.text()}")
        async for line in answer.content:
            if not line.startswith(DATA) or line.startswith(DATA + DONE):
                continue
            chunk = json.loads(line[len(DATA) :])
            usage = chunk.get("usage") or usage
            if any(choice["delta"].get("content") for choice in chunk["choices"]):
                last = time.perf_counter()
                if not first:
                    first = last
                    begun()
    end = time.perf_counter()
    if not usage or not first:
        raise RuntimeError("the stream ended without an answer or its usage")
    return MeasuredRequest(
        usage["prompt_tokens"],
        usage["completion_tokens"],
        0.0,
        *(round(moment - sent, DIGITS) for moment in (first, last, end)),
    )


def open_session() -> aiohttp.ClientSession:
    """Returns a session without a limit of connections."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S),
    )


async def play_load(
    target: LoadTarget, arrivals: Sequence[Arrival], *, first_number: int
) -> list[MeasuredRequest]:
    """Sends each request at its arrival time; returns the measurements in order.

    The arrivals' ``input_tokens`` are words of the prompt here.
    """
    began = time.perf_counter()

    async def send_at_time(place: int, arrival: Arrival) -> MeasuredRequest:
        await asyncio.sleep(max(0.0, began + arrival.at_s - time.perf_counter()))
        sent_at = round(time.perf_counter() - began, DIGITS)
        measured = await send_request(
            opened,
            target,
            words=arrival.input_tokens,
            output_tokens=arrival.output_tokens,
            number=first_number + place,
        )
        return msgspec.structs.replace(measured, sent_at=sent_at)

    async with open_session() as opened:
        return list(
            await asyncio.gather(
                *(send_at_time(place, each) for place, each in enumerate(arrivals))
            )
        )


async def ask_beside(
    target: LoadTarget,
    companions: int,
    *,
    words: int,
    output_tokens: int,
    prompt_words: int,
    prompt_tokens: int,
    number: int,
) -> MeasuredRequest:
    """Sends a request during ``companions`` other answers, and returns its measurement.

    Args:
        target: of the requests.
        companions: number of concurrent answers.
        words: of their prompts.
        output_tokens: of the last of them; those of the ones before are longer.
        prompt_words: of the question.
        prompt_tokens: of its answer.
        number: of the first prompt.
    """
    async with open_session() as opened:

        async def begin(place: int, tokens: int) -> "asyncio.Task[MeasuredRequest]":
            begun = asyncio.Event()
            asked = send_request(
                opened,
                target,
                words=words,
                output_tokens=tokens,
                number=number + place,
                begun=begun.set,
            )
            task = asyncio.create_task(asked)
            await begun.wait()
            return task

        others = [
            await begin(place, output_tokens + LONGER_TOKENS * (companions - place))
            for place in range(1, companions + 1)
        ]
        await asyncio.sleep(SETTLED_S)
        question = await send_request(
            opened,
            target,
            words=prompt_words,
            output_tokens=prompt_tokens,
            number=number,
        )
        await asyncio.gather(*others)
        return question

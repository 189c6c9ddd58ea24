"""The official Python client of OpenAI for asyncio, in an outage."""

import asyncio
from typing import Any

import openai
from recorder import EMBEDDING_MODEL, KEY, MODEL, STORY, error_facts, run

LONG: list[Any] = [{"role": "user", "content": STORY}]


def client(url: str) -> openai.AsyncOpenAI:
    """The client of a gateway; each loop needs its own."""
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY)


async def gathered(url: str) -> Any:
    """Three questions at once; one that fails does not end the others."""
    async with client(url) as asking:
        create = asking.chat.completions.create
        answers = await asyncio.gather(
            *(create(model=MODEL, messages=LONG, max_tokens=24) for _ in range(3)),
            return_exceptions=True,
        )
    failed = [answer for answer in answers if isinstance(answer, BaseException)]
    if failed:
        raise failed[0]
    return len(answers)


async def stream(url: str) -> Any:
    """A long answer in pieces."""
    pieces = 0
    async with client(url) as asking:
        chunks = await asking.chat.completions.create(
            model=MODEL, messages=LONG, max_tokens=48, stream=True
        )
        async for _ in chunks:
            pieces += 1
    return pieces


async def cancelled(url: str) -> Any:
    """A program that gives up after a second."""
    async with client(url) as asking:
        create = asking.chat.completions.create
        try:
            async with asyncio.timeout(1.0):
                return await create(model=MODEL, messages=LONG, max_tokens=48)
        except TimeoutError as error:
            return error_facts(error)["error"]


async def responses_stream(url: str) -> Any:
    """A response in pieces, its events as they come."""
    kinds = []
    async with client(url) as asking:
        events = await asking.responses.create(
            model=MODEL, input=STORY, max_output_tokens=48, store=False, stream=True
        )
        async for event in events:
            kinds.append(event.type)
            if event.type in ("response.failed", "error"):
                return ["FAILED", len(kinds), event.response.error]
    return [len(kinds), kinds[-1]]


async def embeddings(url: str) -> Any:
    """Vectors of two texts."""
    async with client(url) as asking:
        answer = await asking.embeddings.create(model=EMBEDDING_MODEL, input=["Un", "Deux"])
        return len(answer.data)


CALLS = {
    "gathered": gathered, "stream": stream, "cancelled": cancelled,
    "responses_stream": responses_stream, "embeddings": embeddings,
}  # fmt: skip

if __name__ == "__main__":
    run("openai-asyncio", CALLS)

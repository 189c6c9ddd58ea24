"""Instructor in an outage: its default mode, a schema, pieces, several objects, and asyncio."""

from functools import cache
from typing import Any, Literal

import instructor
import openai
from pydantic import BaseModel
from recorder import KEY, MODEL, PACED_KEY, run

PLACE: list[Any] = [{"role": "user", "content": "Gaspé"}]
ASKED: Any = {"model": MODEL, "messages": PLACE, "max_tokens": 60}


class Place(BaseModel):
    """What a structured answer looks like."""

    ville: Literal["Gaspé", "Rimouski"]


@cache
def client(url: str, mode: Any = instructor.Mode.TOOLS, key: str = KEY) -> Any:
    """The client of a gateway."""
    return instructor.from_openai(openai.OpenAI(base_url=f"{url}/v1", api_key=key), mode=mode)


def tools(url: str) -> Any:
    """The default mode."""
    return client(url).chat.completions.create(response_model=Place, **ASKED)


def schema(url: str) -> Any:
    """A schema instead of a tool."""
    asking = client(url, instructor.Mode.JSON_SCHEMA)
    return asking.chat.completions.create(response_model=Place, **ASKED)


def partial(url: str) -> Any:
    """In pieces."""
    *_, last = client(url).chat.completions.create_partial(response_model=Place, **ASKED)
    return last


async def asyncio_client(url: str) -> Any:
    """Under asyncio."""
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY) as asking:
        return await instructor.from_openai(asking).chat.completions.create(
            response_model=Place, **ASKED
        )


def patient(url: str) -> Any:
    """With retries of its own, as its documentation recommends."""
    return client(url).chat.completions.create(response_model=Place, max_retries=3, **ASKED)


def paced(url: str) -> Any:
    """A co-op with two requests a minute."""
    return client(url, key=PACED_KEY).chat.completions.create(response_model=Place, **ASKED)


CALLS = {
    "tools": tools, "schema": schema, "partial": partial, "asyncio": asyncio_client,
    "patient": patient, "paced": paced,
}  # fmt: skip

if __name__ == "__main__":
    run("instructor", CALLS)

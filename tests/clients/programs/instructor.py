"""Instructor, unmodified, in its default mode: prints what each check got, as JSON."""

import asyncio
import json
import os
import sys
from typing import Any, Literal

import instructor
import openai
from pydantic import BaseModel

MODEL, QUESTION = os.environ["ENTRAIDE_MODEL"], os.environ["QUESTION"]
PLACE: list[Any] = [{"role": "user", "content": "Gaspé"}]


class Place(BaseModel):
    """What a structured answer looks like."""

    ville: Literal["Gaspé", "Rimouski"]


client = instructor.from_openai(openai.OpenAI())


def structured() -> Any:
    """An answer of a Pydantic class, whole, in pieces, and under asyncio."""
    asked: Any = {"model": MODEL, "messages": PLACE, "max_tokens": 60}
    place = client.chat.completions.create(response_model=Place, **asked)
    *_, last = client.chat.completions.create_partial(response_model=Place, **asked)
    waiting = instructor.from_openai(openai.AsyncOpenAI())
    again = asyncio.run(waiting.chat.completions.create(response_model=Place, **asked))
    assert isinstance(again, Place)
    assert {"ville"} == last.model_dump().keys()
    return place.model_dump()


def errors() -> Any:
    """The client's own exceptions for a wrong model, a wrong field and a wrong key."""
    raised = []
    wrong = instructor.from_openai(openai.OpenAI(api_key="ent_wrong"))
    for asking, changes in (
        (client, {"model": "gpt-4o"}), (client, {"temperature": 9}), (wrong, {}),
    ):  # fmt: skip
        fields: Any = {"model": MODEL, "messages": PLACE, **changes}
        try:
            asking.chat.completions.create(response_model=Place, max_retries=1, **fields)
        except Exception as error:  # noqa: BLE001  (whichever it is: the test says which)
            raised.append([type(error).__name__, "", str(error)])
    return raised


CHECKS = {"structured": structured, "errors": errors}

if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: check() for name, check in CHECKS.items()}))

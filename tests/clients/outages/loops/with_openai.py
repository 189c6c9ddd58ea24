"""The official Python client of OpenAI in an outage: what is not a plain chat."""

import io
import json
import time
import uuid
from functools import cache
from typing import Any, Literal

import openai
from pydantic import BaseModel
from recorder import EMBEDDING_MODEL, KEY, MODEL, PACED_KEY, STORY, run

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "meteo",
        "parameters": {
            "type": "object", "required": ["ville"],
            "properties": {"ville": {"type": "string", "enum": ["Gaspé", "Rimouski"]}},
        },
    },
}  # fmt: skip
PLACE: list[Any] = [{"role": "user", "content": "Gaspé"}]
LONG: list[Any] = [{"role": "user", "content": STORY}]
BATCH_S, POLL_S = 180.0, 2.0


class Place(BaseModel):
    """What a structured answer looks like."""

    ville: Literal["Gaspé", "Rimouski"]


@cache
def client(url: str) -> openai.OpenAI:
    """The client of a gateway."""
    return openai.OpenAI(base_url=f"{url}/v1", api_key=KEY)


def embeddings(url: str) -> Any:
    """Vectors of several texts."""
    texts = [f"Le chat numéro {number} dort." for number in range(8)]
    return len(client(url).embeddings.create(model=EMBEDDING_MODEL, input=texts).data)


def tools(url: str) -> Any:
    """A call of a function that is demanded, and the answer to its result."""
    create = client(url).chat.completions.create
    asked: Any = {"model": MODEL, "tools": [TOOL], "max_tokens": 48}
    message = create(messages=PLACE, tool_choice="required", **asked).choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "12 °C"}
    return create(messages=[*PLACE, message, result], **asked).choices[0].finish_reason


def parse(url: str) -> Any:
    """An answer of a Pydantic class."""
    answer = client(url).chat.completions.parse(
        model=MODEL, messages=PLACE, max_tokens=40, response_format=Place
    )
    return answer.choices[0].message.parsed


def stream(url: str) -> Any:
    """A long answer in pieces; those that had come are told where it is cut."""
    pieces = 0
    chunks = client(url).chat.completions.create(
        model=MODEL, messages=LONG, max_tokens=48, stream=True
    )
    try:
        for _ in chunks:
            pieces += 1
    except Exception as error:
        error.add_note(f"after {pieces} pieces")
        raise
    return pieces


def completions(url: str) -> Any:
    """The older endpoint."""
    return client(url).completions.create(model=MODEL, prompt="Un chat", max_tokens=80).usage


def responses(url: str) -> Any:
    """A whole response."""
    answer = client(url).responses.create(
        model=MODEL, input=STORY, max_output_tokens=60, store=False
    )
    return answer.status


def responses_stream(url: str) -> Any:
    """A response in pieces, by the client's own helper."""
    with client(url).responses.stream(
        model=MODEL, input=STORY, max_output_tokens=48, store=False
    ) as events:
        kinds = [event.type for event in events]
    return [len(kinds), kinds[-1]]


def idempotent(url: str) -> Any:
    """A question with an idempotency key: the program asks again by itself after an error."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    errors = []
    for wait_s in (3.0, 8.0, 0.0):
        try:
            answer = client(url).chat.completions.create(
                model=MODEL, messages=LONG, max_tokens=24, extra_headers=headers
            )
            return [answer.id, *errors]
        except openai.APIError as error:
            errors.append(f"{type(error).__name__} {getattr(error, 'code', None)}")
            if not wait_s:
                raise
            time.sleep(wait_s)
    return errors


def batch(url: str) -> Any:
    """A file, a batch of its lines and the file of its answers."""
    asking = client(url)
    body = {"model": MODEL, "messages": LONG, "max_tokens": 60}
    lines = [
        {"custom_id": f"l{n}", "method": "POST", "url": "/v1/chat/completions", "body": body}
        for n in range(4)
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    file = asking.files.create(file=("lot.jsonl", io.BytesIO(content)), purpose="batch")
    made = asking.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    until = time.monotonic() + BATCH_S
    while made.status in ("validating", "in_progress", "finalizing"):
        if time.monotonic() > until:
            asking.batches.cancel(made.id)
            return ["cancelled", made.request_counts]
        time.sleep(POLL_S)
        made = asking.batches.retrieve(made.id)
    output = asking.files.content(made.output_file_id).text if made.output_file_id else ""
    asking.files.delete(file.id)
    return [made.status, len(output.splitlines()), made.error_file_id]


def paced(url: str) -> Any:
    """A co-op with two requests a minute."""
    asking = client(url).with_options(api_key=PACED_KEY)
    return asking.chat.completions.create(model=MODEL, messages=PLACE, max_tokens=8).usage


def short_timeout(url: str) -> Any:
    """A client that waits less long than the answer takes."""
    asking = client(url).with_options(timeout=0.5)
    return asking.chat.completions.create(model=MODEL, messages=LONG, max_tokens=48).usage


CALLS = {
    "embeddings": embeddings, "tools": tools, "parse": parse, "stream": stream,
    "completions": completions, "responses": responses, "responses_stream": responses_stream,
    "idempotent": idempotent, "batch": batch, "paced": paced, "short_timeout": short_timeout,
}  # fmt: skip

if __name__ == "__main__":
    run("openai", CALLS)

"""Answers that are cut and resumed at a real engine, and what the same engine says to the raw text.

The comparison is with a fresh greedy run of the engine on the templated prompt and the earlier
text, without the node: another engine, or one that computes other requests beside, may round
otherwise, so an unbroken answer is no measure.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct
from tests.engines.support import DEADLINE_S, events, ran

from entraide.wire.messages import Resume
from entraide_node.engines.base import (
    CHAT,
    COMPLETIONS,
    Engine,
    EngineChunk,
    EngineEnd,
    EngineRequest,
)
from entraide_node.engines.sse import EventReader
from entraide_node.engines.stream_run import DONE
from entraide_node.engines.supervised_engine import SupervisedEngine

CREATED = 1_700_000_000
GREEDY = {"temperature": 0}

# Answers with accents, characters of several tokens, emoji of several characters, code and lists.
ANSWERS: dict[str, tuple[str, str]] = {
    "french": (CHAT, "Écris deux phrases sur un élève âgé de Montréal."),
    "emoji": (CHAT, "Répète ceci trois fois : 🍌 👩🏽‍🚀 🇨🇦 é"),
    "code": (CHAT, "Write a Python function that adds two numbers, with a docstring."),
    "list": (CHAT, "Make a numbered list of five animals, one a line."),
    "emoji in a completion": (COMPLETIONS, "👩🏽‍🚀 🇨🇦 é\n👩🏽‍🚀 🇨🇦 é\n👩🏽‍🚀"),
    "code in a completion": (COMPLETIONS, "def fib(n):\n    "),
}


class Cut(Struct, frozen=True):
    """What a client has of an answer when its machine is lost."""

    tokens: int
    text: str


class Continuation(Struct, frozen=True):
    """What a resumed run gave: its text, its events' choices, and its end."""

    text: str
    choices: list[dict[str, Any]]
    end: EngineEnd


def asked(
    path: str, question: str, *, max_tokens: int, earlier: Cut | None = None, **fields: Any
) -> EngineRequest:
    """A greedy request, as the gateway makes it; with the earlier text, if there is one."""
    text = earlier.text if earlier is not None else ""
    body: dict[str, Any] = {"prompt": question + text}
    if path == CHAT:
        own = [{"role": "assistant", "content": text}] if earlier is not None else []
        body = {"messages": [{"role": "user", "content": question}, *own]}
    resume = Resume(earlier.tokens, CREATED, len(text)) if earlier is not None else None
    encoded = msgspec.json.encode(body | GREEDY | {"max_tokens": max_tokens} | fields)
    return EngineRequest("job-1", path, encoded, True, "public", None, resume)


def text_of(choice: dict[str, Any]) -> str:
    """The text of a choice."""
    return choice.get("text") or choice.get("delta", {}).get("content") or ""


async def cuts_of(
    engine: Engine, path: str, question: str, *, max_tokens: int, **fields: Any
) -> list[Cut]:
    """An answer after each of its events with text, as its client has it by then."""
    chunks, _ = await ran(engine, asked(path, question, max_tokens=max_tokens, **fields))
    cuts, text = [], ""
    for chunk in chunks:
        said = "".join(text_of(event["choices"][0]) for event in events([chunk]))
        if said:
            text += said
            cuts.append(Cut(shown(chunk), text))
    return cuts


async def cuts_after(
    engine: Engine, path: str, question: str, lengths: Iterable[int], **fields: Any
) -> list[Cut]:
    """What a client has of the answer after so many tokens, where that is some text.

    It does not depend on how many tokens the engine joins in an event, as vLLM does when busy.
    """
    cuts = []
    for length in lengths:
        cuts += (await cuts_of(engine, path, question, max_tokens=length, **fields))[-1:]
    return cuts


def shown(chunk: EngineChunk) -> int:
    """The tokens whose text was sent."""
    return chunk.n_shown_tokens if chunk.n_shown_tokens >= 0 else chunk.n_output_tokens


def spread(cuts: list[Cut], number: int) -> list[Cut]:
    """So many of an answer's cuts, spread over it; the first is after its first token."""
    step = max(1, (len(cuts) - 1) // max(1, number - 1))
    return cuts[:-1:step][:number]


async def resumed(
    engine: Engine, path: str, question: str, earlier: Cut, *, max_tokens: int, **fields: Any
) -> Continuation:
    """What a resumed run gives."""
    request = asked(path, question, max_tokens=max_tokens, earlier=earlier, **fields)
    chunks, end = await ran(engine, request)
    assert end.failure is None, end.failure
    sent = [*events(chunks), msgspec.json.decode(end.final_chunk)]
    assert {CREATED} == {event["created"] for event in sent}
    choices = [event["choices"][0] for event in sent]
    assert not any("role" in choice.get("delta", {}) for choice in choices)
    return Continuation("".join(map(text_of, choices)), choices, end)


async def own_answer(engine: SupervisedEngine, path: str, body: dict[str, Any]) -> bytes:
    """The engine's own answer to a request that the node does not see."""
    stream = engine._connection.client
    assert stream is not None
    payload = msgspec.json.encode({"model": stream._target.model, **body})
    answer = await stream.post(path, payload, timeout_s=DEADLINE_S)
    assert answer, "the engine refused the request"
    return answer


async def post(engine: SupervisedEngine, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """An answer of the engine's own that is not streamed."""
    document: dict[str, Any] = msgspec.json.decode(await own_answer(engine, path, body))
    return document


async def streamed(
    engine: SupervisedEngine, path: str, body: dict[str, Any]
) -> list[dict[str, Any]]:
    """The events of a streamed answer of the engine's own."""
    payloads = EventReader().feed(await own_answer(engine, path, body))
    return [msgspec.json.decode(payload) for payload in payloads if payload != DONE]

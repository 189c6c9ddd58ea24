"""A run of embeddings: its parts, and what an engine may answer to them."""

import base64
import math
import struct
from typing import Any

import msgspec
import pytest
from tests.cases import all_cases

from entraide.types import Basis, Outcome
from entraide_node.engines.base import BAD_REQUEST, EMBEDDINGS_PATH, ENGINE_REJECTED, EngineRequest
from entraide_node.engines.embedding_run import PART_INPUTS, PART_TEXT_BYTES, EmbeddingRun
from entraide_node.engines.stream_run import ANSWER_BYTES_MAX


def run_of(inputs: Any, **fields: Any) -> EmbeddingRun:
    """A run that has not begun."""
    request = EngineRequest("j", EMBEDDINGS_PATH, b"", stream=False, model="public")
    return EmbeddingRun(request, {"input": inputs, **fields}, started=10.0)


def packed(*numbers: float) -> str:
    """An embedding as base64 of 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def answer(*embeddings: Any, tokens: int | None = None) -> bytes:
    """What an engine answers to a part."""
    data = [{"index": index, "embedding": each} for index, each in enumerate(embeddings)]
    usage = {} if tokens is None else {"usage": {"prompt_tokens": tokens}}
    return msgspec.json.encode({"data": data, **usage})


def ended(run: EmbeddingRun) -> dict[str, Any]:
    """The answer of a run whose inputs are all answered."""
    end = run.complete(now=12.0, created=1)
    assert Outcome.COMPLETED is end.outcome
    document: dict[str, Any] = msgspec.json.decode(end.body)
    return document


FORMS: dict[str, tuple[Any, list[Any]]] = {
    "a text": ("a", ["a"]),
    "texts": (["a", "b"], ["a", "b"]),
    "tokens": ([1, 2], [[1, 2]]),
    "lists of tokens": ([[1, 2], [3]], [[1, 2], [3]]),
}


@pytest.mark.parametrize("name", FORMS)
def test_inputs_of_each_form(name: str) -> None:
    """One text or one list of tokens is one input."""
    value, expected = FORMS[name]
    part = run_of(value, dimensions=2).next_part()

    assert {"input": expected, "encoding_format": "base64", "dimensions": 2} == part


@pytest.mark.parametrize("value", [None, 7, [], [None], [["a"]], {"a": 1}])
def test_anything_else_is_refused(value: Any) -> None:
    """A request that the gateway cannot have sent fails without a question to the engine."""
    run = run_of(value)

    assert run.next_part() is None
    assert run.failure is not None
    assert BAD_REQUEST == run.failure.code


def test_a_long_batch_goes_in_parts() -> None:
    """The parts hold all inputs in order, few at a time; the answer has them in one piece."""
    inputs = [f"{n}" for n in range(2 * PART_INPUTS + 1)]
    run = run_of(inputs)
    sent: list[str] = []
    while (part := run.next_part()) is not None:
        sent += part["input"]
        run.add_answer(answer(*([float(text)] for text in part["input"]), tokens=3))

    document = ended(run)
    assert inputs == sent
    assert [[float(text)] for text in inputs] == [e["embedding"] for e in document["data"]]
    assert list(range(len(inputs))) == [entry["index"] for entry in document["data"]]
    assert {"prompt_tokens": 9, "total_tokens": 9} == document["usage"]


def test_long_texts_go_alone() -> None:
    """A part holds little text, so that it does not keep the engine for long."""
    run = run_of(["x" * PART_TEXT_BYTES, "y" * PART_TEXT_BYTES])

    assert ["x" * PART_TEXT_BYTES] == (run.next_part() or {})["input"]
    assert ["y" * PART_TEXT_BYTES] == (run.next_part() or {})["input"]
    assert run.next_part() is None


@pytest.mark.parametrize("form", ["float", "base64", None])
@pytest.mark.parametrize("engine_form", ["float", "base64"])
def test_the_client_gets_its_form(form: str | None, engine_form: str) -> None:
    """Whichever form the engine answers in, the numbers are the same 32-bit floats."""
    numbers = struct.unpack("<3f", struct.pack("<3f", 0.1, -2.5e-8, 3e7))
    run = run_of("a", encoding_format=form)
    run.next_part()
    run.add_answer(answer(packed(*numbers) if engine_form == "base64" else list(numbers)))

    (entry,) = ended(run)["data"]
    expected = packed(*numbers) if form == "base64" else list(numbers)
    assert expected == entry["embedding"]


def test_embeddings_are_put_in_order() -> None:
    """An engine may answer the inputs in any order."""
    data = [{"index": 1, "embedding": [1.0]}, {"index": 0, "embedding": [0.0]}]
    run = run_of(["a", "b"])
    run.next_part()
    run.add_answer(msgspec.json.encode({"data": data}))

    assert [[0.0], [1.0]] == [entry["embedding"] for entry in ended(run)["data"]]


INVALID: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"<html>",
    "too few": answer([1.0]),
    "too many": answer([1.0], [2.0], [3.0]),
    "an index twice": b'{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}',
    "an index beyond": b'{"data":[{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}]}',
    "an empty embedding": answer([1.0], []),
    "of two lengths": answer([1.0], [1.0, 2.0]),
    "words": answer([1.0], ["x"]),
    "no base64": answer(packed(1.0), "***"),
    "half a float": answer(packed(1.0), base64.b64encode(b"abc").decode()),
    "not a number": answer(packed(1.0), packed(math.nan)),
    "infinite": answer(packed(1.0), packed(math.inf)),
    "beyond a float": answer([1.0], [1e39]),
    "a whole number of thousands of digits": b'{"data":[{"embedding":[1]},{"embedding":[1%s]}]}'
    % (b"0" * 5_000),
}


@all_cases("name", INVALID)
def test_an_invalid_answer_fails_the_run(name: str) -> None:
    """What holds no embedding of each input is the engine's fault, and another may do better."""
    run = run_of(["a", "b"])
    run.next_part()
    run.add_answer(INVALID[name])

    assert run.failure is not None
    assert (ENGINE_REJECTED, True) == (run.failure.code, run.failure.retryable)
    assert run.next_part() is None


def test_another_length_than_asked_is_no_answer() -> None:
    """An engine that ignores ``dimensions`` is found out."""
    run = run_of("a", dimensions=2)
    run.next_part()
    run.add_answer(answer([1.0, 2.0, 3.0]))

    assert run.failure is not None


def test_an_answer_that_would_be_too_long_ends_early() -> None:
    """After the first part it is clear that the embeddings exceed what can be sent."""
    inputs = ["a"] * 1_000
    width = 2 * ANSWER_BYTES_MAX // len(inputs) // 4
    run = run_of(inputs)
    part = run.next_part() or {}
    run.add_answer(answer(*([packed(*([0.5] * width))] * len(part["input"]))))

    assert run.failure is not None
    assert (BAD_REQUEST, "inputs", False) == (
        run.failure.code, run.failure.cause, run.failure.retryable
    )  # fmt: skip


def test_tokens_are_estimated_without_a_count() -> None:
    """An engine that counts nothing is estimated, and marked so."""
    run = run_of(["mot " * 10, [1, 2, 3]])
    run.next_part()
    run.add_answer(answer([1.0], [1.0]))
    end = run.complete(now=12.0, created=1)

    assert (13, Basis.ESTIMATED) == (end.usage.prompt_tokens, end.usage.counted)
    assert (0, 2.0) == (end.usage.completion_tokens, end.timings.ttft_s)


def test_a_cancelled_run_is_charged_what_was_read() -> None:
    """The parts that were answered before it was cancelled are its usage."""
    run = run_of(["a"] * (PART_INPUTS + 1))
    part = run.next_part() or {}
    run.add_answer(answer(*([[1.0]] * len(part["input"])), tokens=64))
    end = run.abort(Outcome.CANCELLED, now=11.0)

    assert (64, Basis.MEASURED, b"") == (end.usage.prompt_tokens, end.usage.counted, end.body)

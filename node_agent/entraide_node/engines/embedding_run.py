"""Embedding run: one request for embeddings as a pure state machine, without the socket.

Input: the request, and the engine's answers to its parts. Output: the parts, and the end of the run
with the whole answer. Several inputs are sent in parts, one after the other, so that a long batch
shows life, ends soon when it is cancelled, and leaves the engine to other runs in between.

Embeddings are 32-bit floats. They are asked of the engine as base64, which is exact and short, and
answered as the client asked: as base64 of little-endian floats, or as numbers.
"""

import base64
import binascii
import math
import struct
from typing import Any

import msgspec

from entraide.types import Basis, Outcome
from entraide_node.engines.base import (
    BAD_REQUEST,
    ENGINE_REJECTED,
    EngineEnd,
    EngineFailure,
    EngineRequest,
    EngineTimings,
    EngineUsage,
)
from entraide_node.engines.stream_run import ANSWER_BYTES_MAX
from entraide_node.engines.token_counter import BYTES_PER_TOKEN
from entraide_node.engines.untrusted_json import list_objects, parse_count, parse_object

PART_INPUTS = 32
PART_TEXT_BYTES = 32 * 1024  # about ten thousand tokens
PART_ANSWER_BYTES_MAX = 16 * 1024 * 1024
FLOAT_BYTES = 4
# An answer whose first part already shows that it is longer than allowed is not computed further.
EARLY_MARGIN = 1.25

Input = str | list[int]

NO_INPUT = EngineFailure(
    BAD_REQUEST, "input must be a text, tokens, or a list of these", retryable=False
)
TOO_LONG = EngineFailure(
    BAD_REQUEST, "the embeddings are longer than an answer may be", retryable=False, cause="inputs"
)
NOT_EMBEDDINGS = EngineFailure(
    ENGINE_REJECTED, "the answer holds no embedding of each input", retryable=True
)
WRONG_LENGTH = EngineFailure(
    ENGINE_REJECTED, "the embeddings have another length than asked", retryable=True
)


class EmbeddingRun:
    """The state of one run."""

    def __init__(self, request: EngineRequest, body: dict[str, Any], *, started: float) -> None:
        """Has no answer yet.

        Args:
            request: the run's request.
            body: its fields.
            started: time of the start, in seconds on any clock.
        """
        self._request = request
        self._inputs = _list_inputs(body.get("input"))
        self._dimensions = parse_count(body.get("dimensions"))
        self._as_text = body.get("encoding_format") == "base64"
        self._started = started
        self._sent = 0  # inputs sent so far
        self._pieces: list[bytes] = []  # JSON of the answered inputs
        self._length = 0  # floats of each embedding
        self._prompt_tokens = 0
        self._counted = Basis.MEASURED
        self.failure: EngineFailure | None = None if self._inputs else NO_INPUT

    @property
    def n_prompt_tokens(self) -> int:
        """Prompt tokens so far."""
        return self._prompt_tokens

    def next_part(self) -> dict[str, Any] | None:
        """Returns the fields of the next request to the engine; None after the last."""
        part: list[Input] = []
        size = 0
        for text in self._inputs[self._sent : self._sent + PART_INPUTS]:
            size += _size(text)
            if part and size > PART_TEXT_BYTES:
                break
            part.append(text)
        if not part or self.failure is not None:
            return None
        self._sent += len(part)
        fields: dict[str, Any] = {"input": part, "encoding_format": "base64"}
        if self._dimensions:
            fields["dimensions"] = self._dimensions
        return fields

    def add_answer(self, payload: bytes) -> None:
        """Adds the engine's answer to the last part; ``failure`` says whether it is valid."""
        answer = parse_object(payload)
        vectors = _read_vectors(answer.get("data"), self._sent - len(self._pieces))
        if vectors is None:
            self.failure = NOT_EMBEDDINGS
            return
        wanted = self._dimensions or self._length or len(vectors[0])
        if any(len(vector) != wanted for vector in vectors):
            self.failure = WRONG_LENGTH
            return
        self._length = wanted
        self._count_tokens(answer.get("usage"), self._inputs[len(self._pieces) : self._sent])
        self._pieces += map(self._encode, range(len(self._pieces), self._sent), vectors)
        mean_bytes = sum(map(len, self._pieces)) / len(self._pieces)
        if mean_bytes * len(self._inputs) > EARLY_MARGIN * ANSWER_BYTES_MAX:
            self.failure = TOO_LONG

    def complete(self, *, now: float, created: int) -> EngineEnd:  # noqa: ARG002
        """Returns the end of a run whose inputs are all answered.

        Args:
            now: end time, on the clock of ``started``.
            created: not used; an answer with embeddings has no time.
        """
        usage = self._usage()
        body = b'{"object":"list","data":[%s],"model":%s,"usage":%s}' % (
            b",".join(self._pieces),
            msgspec.json.encode(self._request.model),
            msgspec.json.encode(
                {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens}
            ),
        )
        if len(body) > ANSWER_BYTES_MAX:
            return self.abort(Outcome.FAILED, now=now, failure=TOO_LONG)
        run_s = now - self._started
        timings = EngineTimings(run_s, run_s, run_s, 0.0, timed=Basis.ESTIMATED)
        return EngineEnd(Outcome.COMPLETED, usage=usage, timings=timings, body=body)

    def abort(
        self, outcome: Outcome, *, now: float, failure: EngineFailure | None = None
    ) -> EngineEnd:
        """Returns the end of a run that was cancelled or failed; answered parts are its usage."""
        run_s = now - self._started
        timings = EngineTimings(0.0, run_s, run_s, 0.0, timed=Basis.ESTIMATED)
        return EngineEnd(outcome, usage=self._usage(), timings=timings, failure=failure)

    def _usage(self) -> EngineUsage:
        return EngineUsage(self._prompt_tokens, 0, 0, counted=self._counted)

    def _count_tokens(self, usage: Any, inputs: list[Input]) -> None:
        counted = parse_count(usage.get("prompt_tokens")) if isinstance(usage, dict) else 0
        if not counted:
            self._counted = Basis.ESTIMATED
            counted = sum(max(1, _size(text) // BYTES_PER_TOKEN) for text in inputs)
        self._prompt_tokens += counted

    def _encode(self, index: int, vector: tuple[float, ...]) -> bytes:
        embedding = _to_base64(vector) if self._as_text else vector
        return msgspec.json.encode({"object": "embedding", "index": index, "embedding": embedding})


def _list_inputs(value: Any) -> list[Input]:
    """Returns the inputs of a request; [] if they are of no known form."""
    match value:
        case str():
            return [value]
        case [int(), *_] if _are_tokens(value):
            return [value]
        case list() if all(isinstance(item, str) or _are_tokens(item) for item in value):
            return value
        case _:
            return []


def _are_tokens(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, int) for item in value)


def _size(text: Input) -> int:
    return len(text.encode()) if isinstance(text, str) else BYTES_PER_TOKEN * len(text)


def _read_vectors(data: Any, inputs: int) -> list[tuple[float, ...]] | None:
    """Returns the embeddings in the order of the inputs; None unless each has one."""
    entries = list_objects(data)
    by_index: dict[int, dict[str, Any]] = {}
    for number, entry in enumerate(entries):
        index = entry.get("index")
        by_index[index if isinstance(index, int) else number] = entry
    if len(entries) != inputs or by_index.keys() != set(range(inputs)):
        return None
    vectors = [_read_vector(by_index[index].get("embedding")) for index in range(inputs)]
    return [vector for vector in vectors if vector] if all(vectors) else None


def _read_vector(value: Any) -> tuple[float, ...]:
    """Returns an embedding as 32-bit floats; () if it is none."""
    try:
        if isinstance(value, str):
            data = base64.b64decode(value, validate=True)
            vector = struct.unpack(f"<{len(data) // FLOAT_BYTES}f", data)
        else:
            numbers = value if isinstance(value, list) else []
            vector = struct.unpack(f"<{len(numbers)}f", struct.pack(f"<{len(numbers)}f", *numbers))
    except (binascii.Error, struct.error, OverflowError, ValueError):
        return ()
    # A sum of 32-bit floats is finite as a double, unless one of them is not.
    return vector if math.isfinite(sum(vector)) else ()


def _to_base64(vector: tuple[float, ...]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()

"""Validation: reads the whole file of a batch and checks each line, before any line is run.

Out: what the batch amounts to, or its faults with the numbers of their lines. The work is done in
slices of a few milliseconds, so that live requests are answered meanwhile.
"""

import asyncio
import hashlib
import time
from collections.abc import Container

from msgspec import Struct

from entraide.types import Control
from entraide_scheduler.gateway.batches.input_lines import (
    LINES_MAX,
    BatchLine,
    LineReader,
    check_line,
)
from entraide_scheduler.gateway.batches.line_jobs import answer_tokens, as_typical, build_line_facts
from entraide_scheduler.gateway.batches.way import find_wish
from entraide_scheduler.gateway.jobs import FactsBuilder, Options
from entraide_scheduler.gateway.refusals import ErrorReply, Refused, Values, clean_text, refused
from entraide_scheduler.store.rows import BatchProgress, BatchRow

FAULTS_MAX = 100
SLICE_S = 0.002
DIGEST_BYTES = 16

# OpenAI's codes of some faults; every other one has the code of the refusal.
OPENAI_CODES = {
    "duplicate_custom_id": "duplicate_custom_id",
    "empty_batch": "empty_file",
    "other_endpoint": "mismatched_endpoint",
    "other_model": "mismatched_model",
    "line_syntax": "invalid_json_line",
    "too_many_lines": "too_many_tasks",
}


class LineFault(Struct, frozen=True):
    """A fault of a batch's input.

    Attributes:
        line: number of the line, from 1; 0 for the file as a whole.
        code: stable code of the refusal.
        values: values of its sentence.
    """

    line: int
    code: str
    values: Values

    @property
    def openai_code(self) -> str:
        """The code in OpenAI's vocabulary, where it has one."""
        return OPENAI_CODES.get(str(self.values.get("fault", "")), self.code)


class CheckedInput(Struct, frozen=True):
    """The result of a validation: faults, or the number of lines and what they amount to."""

    faults: tuple[LineFault, ...]
    lines: int = 0
    progress: BatchProgress = BatchProgress()


class InputCheck:
    """Checks the lines of one batch, one after another."""

    def __init__(
        self, row: BatchRow, options: Options, builder: FactsBuilder, models: Container[str]
    ) -> None:
        """Begins a check.

        Args:
            row: the batch.
            options: of all its lines.
            builder: builds the facts of requests.
            models: names that a request may have as its model.
        """
        self._row = row
        self._options = options
        self._builder = builder
        self._models = models
        self._faults: list[LineFault] = []
        self._digests: set[bytes] = set()  # of the custom identifiers
        self._features: set[str] = set()
        self._model = ""  # of the first line
        self._wishes: set[tuple[str, Control] | None] = set()

    async def run(self, reader: LineReader) -> CheckedInput:
        """Reads and checks all lines, or as many as have ``FAULTS_MAX`` faults."""
        slice_ends_at = time.perf_counter() + SLICE_S
        lines = input_tokens = output_tokens = 0
        facts = None
        while len(self._faults) < FAULTS_MAX:
            try:
                text = await reader.next_line()
                if text is None:
                    break
                lines += 1
                if lines > LINES_MAX:
                    raise refused("invalid_request", fault="too_many_lines", limit=LINES_MAX)
                line = check_line(reader.number, text, self._row.endpoint)
                self._check_line(line)
                line_facts = build_line_facts(self._builder, self._row, line, self._options)
            except Refused as problem:
                self._add_fault(reader.number, problem.refusal)
                if problem.refusal.values.get("fault") in ("too_many_lines", "line_long"):
                    break
                continue
            facts = facts or line_facts
            self._wishes.add(find_wish(line_facts))
            self._features.update(line_facts.features)
            input_tokens += line_facts.input_tokens_est
            output_tokens += answer_tokens(line_facts)
            if time.perf_counter() >= slice_ends_at:
                await asyncio.sleep(0)
                slice_ends_at = time.perf_counter() + SLICE_S
        if facts is None and not self._faults:
            self._add_fault(0, ErrorReply("invalid_request", {"fault": "empty_batch"}))
        if self._faults or facts is None:
            return CheckedInput(tuple(self._faults))
        progress = BatchProgress(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            facts=as_typical(facts, self._row.batch, self._features),
            wishes=tuple(sorted(filter(None, self._wishes))),
        )
        return CheckedInput((), lines, progress)

    def _check_line(self, line: BatchLine) -> None:
        """Checks what concerns the file: one model, which the pool has, and unique identifiers."""
        digest = hashlib.blake2b(line.custom_id.encode(), digest_size=DIGEST_BYTES).digest()
        if digest in self._digests:
            raise refused(
                "invalid_request", param="custom_id", fault="duplicate_custom_id",
                found=clean_text(line.custom_id),
            )  # fmt: skip
        self._digests.add(digest)
        model = line.request.model
        if not self._model:
            self._model = model
            if model not in self._models:
                raise refused("unknown_model", param="body.model", model=clean_text(model))
        elif model != self._model:
            raise refused(
                "invalid_request", param="body.model", fault="other_model",
                model=clean_text(self._model), found=clean_text(model),
            )  # fmt: skip

    def _add_fault(self, number: int, refusal: ErrorReply) -> None:
        self._faults.append(LineFault(number, refusal.code, dict(refusal.values)))

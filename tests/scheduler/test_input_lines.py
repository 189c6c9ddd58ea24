"""A batch's file is read line by line, whatever its lines are."""

import asyncio
import random

import pytest

from entraide_scheduler.gateway.batches.input_lines import NUMBER_MAX, LineReader
from entraide_scheduler.gateway.refusals import Refused

PIECES = (b"a", b"b c", b" ", b"\t", b"\r", b"\n", b"\n", b"\n\n", b" \n", b"\r\n")


class CountingReader(LineReader):
    """Counts the lines that are read one by one."""

    steps = 0

    async def _next_line(self) -> bytes | None:
        self.steps += 1
        return await super()._next_line()


def read(reader: LineReader) -> list[tuple[int, bytes]]:
    """Returns all lines with their numbers."""

    async def all_lines() -> list[tuple[int, bytes]]:
        lines = []
        while (line := await reader.next_line()) is not None:
            lines.append((reader.number, line))
        return lines

    return asyncio.run(all_lines())


def reader_of(parts: list[bytes]) -> CountingReader:
    async def read_part(number: int) -> bytes | None:
        return parts[number] if number < len(parts) else None

    return CountingReader(read_part)


def test_blank_lines_are_passed_over_at_once() -> None:
    """A part of a file that holds nothing else is one step, so that it stalls no other client."""
    parts = [b"\n" * 200_000, b" \t\r\n" * 50_000, b"\n\n{}\n"]
    reader = reader_of(parts)

    assert [(250_003, b"{}")] == read(reader)
    assert reader.steps <= 2 * len(parts) + 1


@pytest.mark.parametrize("seed", range(20))
def test_lines_have_the_numbers_that_an_editor_shows(seed: int) -> None:
    """Blank lines count, wherever the file is cut into parts."""
    draw = random.Random(seed)
    text = b"".join(draw.choice(PIECES) for _ in range(60))
    cuts = sorted(draw.randrange(len(text)) for _ in range(4))
    parts = [
        text[start:end]
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)
        if start < end
    ]
    lines = list(enumerate(text.split(b"\n"), 1))

    assert [(number, line) for number, line in lines if line.strip(b" \t\r")] == read(
        reader_of(parts)
    )


def test_too_many_blank_lines_are_refused() -> None:
    """The number of lines has a bound, blank ones included."""
    reader = reader_of([b"\n" * (NUMBER_MAX + 5)])
    with pytest.raises(Refused) as raised:
        read(reader)

    assert "too_many_lines" == raised.value.refusal.values["fault"]
    assert NUMBER_MAX + 1 == reader.number

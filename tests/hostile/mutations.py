"""Hypothesis strategies for foreign bytes: samples of a format that were changed, and anything."""

import json
from typing import Any

from hypothesis import strategies as st

DEPTH = 50_000
PLACE = "@@place@@"

# What stands where a sample has a value. JSON as text, for some of it no library would write.
JSON_VALUES = (
    "null", "true", "0", "-1", "1.5", "1e308", "-1e308", "1e999", "NaN", "Infinity", "{}", "[]",
    '""', '"x"', '"\\u0000\\u001b[2J"', '"\\ud800"', '"é"', "18446744073709551615",
    "-9223372036854775809", "9" * 30, "9" * 400, "9" * 5_000, "[" * DEPTH + "]" * DEPTH,
    '{"a":' * DEPTH + "1" + "}" * DEPTH, '[[],{},null,"x",1]', '{"a":{"b":[1]}}',
    '"' + "x" * 10_000 + '"', '[null,"",-1,1e300]', "2", "100000", '"NaN"', '"1e400"',
    '"0001-01-01T00:00:00"', '"9999-12-31T23:59:59-23:59"', '"-"',
)  # fmt: skip
TEXT_PARTS = (
    "", "\x00", "\r", "\n", "\ufeff", '"', "'", ",", ";", "=", "[", "]", "{", "}", "#", ".", "\\",
    "-", "nan", "inf", "-inf", "1e999", "9" * 400, "9" * 5_000, "-1", "0", "1e308", "true", "[[",
    "[" * DEPTH, "a." * 2_000 + "a=1", "0001-01-01T00:00:00", "9999-12-31T23:59:59-23:59",
    "2026-02-30", "24:00", "é", "\u0663", "\U0001f600", "x" * 10_000, "\x1b[2J", "[]", "{}", "''",
)  # fmt: skip
BINARY_PARTS = (
    b"", b"\x00", b"\xff", b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\x00" * 8, b"\xc1", b"\xc0",
    b"\x91" * DEPTH, b"\x81\xa1a" * 5_000, b"\xa1\xff", b"\xdb\xff\xff\xff\xff", b"\x81\x90\x00",
    b"\xdd\xff\xff\xff\xff", b"\xcb\x7f\xf8" + b"\x00" * 6, b"\xcf" + b"\xff" * 8, b"\xd6\xff",
    b"\xd3\x80" + b"\x00" * 7, b"\xed\xa0\x80",
)  # fmt: skip


def json_like(*samples: bytes) -> st.SearchStrategy[bytes]:
    """Returns JSON in which values are exchanged or added, and samples with foreign bytes."""
    changed = st.sampled_from(samples).flatmap(_with_other_values)
    return changed | spliced(samples, _text_parts(JSON_VALUES)) | st.binary(max_size=300)


def text_like(*samples: bytes) -> st.SearchStrategy[bytes]:
    """Returns samples of a text format (TOML, CSV, headers) with foreign parts."""
    return spliced(samples, _text_parts(TEXT_PARTS)) | st.binary(max_size=300)


def binary_like(*samples: bytes) -> st.SearchStrategy[bytes]:
    """Returns samples of a binary format with foreign parts."""
    parts = st.sampled_from(BINARY_PARTS) | st.binary(max_size=12)
    return spliced(samples, parts) | st.binary(max_size=300)


def spliced(
    samples: tuple[bytes, ...], parts: st.SearchStrategy[bytes]
) -> st.SearchStrategy[bytes]:
    """Returns samples in which up to three stretches are replaced."""

    @st.composite
    def change(draw: st.DrawFn) -> bytes:
        data = draw(st.sampled_from(samples))
        for _ in range(draw(st.integers(1, 3))):
            begin = draw(st.integers(0, len(data)))
            end = min(len(data), begin + draw(st.sampled_from((0, 0, 1, 2, 4, 8, 32, 10_000))))
            data = data[:begin] + draw(parts) + data[end:]
        return data

    return change()


def _text_parts(parts: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    return st.sampled_from([part.encode() for part in parts]) | st.binary(max_size=8)


@st.composite
def _with_other_values(draw: st.DrawFn, sample: bytes) -> bytes:
    document = json.loads(sample)
    for _ in range(draw(st.integers(1, 3))):
        holders = list(_holders(document))
        if not holders:
            break
        holder, key = draw(st.sampled_from(holders))
        if isinstance(holder, dict) and draw(st.integers(0, 4)) == 0:
            key = draw(st.sampled_from(("x", "", "\x00", "type", "index", key)))
        holder[key] = PLACE
    text = json.dumps(document)
    while f'"{PLACE}"' in text:
        text = text.replace(f'"{PLACE}"', draw(st.sampled_from(JSON_VALUES)), 1)
    return text.encode()


def _holders(value: Any) -> Any:
    """Yields each container with each of its keys or places."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        yield value, key
        if isinstance(inner, dict | list):
            yield from _holders(inner)

"""A closed month is verified without the pool: whatever was changed, it is false."""

import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace
from tests.sdk.conftest import Cli
from tests.sdk.month_support import (
    CLOSED,
    END,
    KEY,
    KEYS,
    PUBLIC,
    correction,
    head_of,
    job,
    month_file,
    records,
)

from entraide.closed_months import (
    MAGIC,
    ClosedEntry,
    MonthDefect,
    MonthFault,
    MonthWriter,
    VerifiedMonth,
    file_format,
    open_month,
    verify_month,
)
from entraide.receipts import ReceiptKey, Verdict
from entraide_scheduler.nats.receipt_keys import describe_key

RECORDS = records()
MONTH = month_file(RECORDS)
ANOTHER = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)


def verified(content: bytes, keys: dict[str, ReceiptKey] = KEYS) -> VerifiedMonth:
    return verify_month(io.BytesIO(content), keys)


@pytest.mark.long
def test_what_was_written_is_read() -> None:
    """Each record is found by its name, all of them in order, and no other."""
    month = open_month(io.BytesIO(MONTH))
    read = [month.find(record.name) for record in RECORDS]
    absent = [month.find(name) for name in ("", "a", "job-00000000a", "job-ffffffff", "z")]

    assert RECORDS == read
    assert [None] * 5 == absent
    assert RECORDS == [each for number in range(4) for each in month.read_records(number)]
    assert (1_200, 1_201) == (month.head.jobs, month.head.records)
    assert 200 > len(MONTH) / len(RECORDS)


def test_a_whole_month_is_genuine() -> None:
    """Signature, tree and sums belong to the records."""
    month = verified(MONTH)

    assert (Verdict.GENUINE, MonthDefect.NONE, PUBLIC) == (month.verdict, month.defect, month.key)


def test_every_changed_byte_is_found() -> None:
    """A bit of another value, at places all over the file, makes the verdict false."""
    step = max(1, len(MONTH) // 150)
    places = [*range(0, len(MONTH), step), *range(len(MONTH) - 24, len(MONTH))]
    genuine = []
    for place in places:
        changed = MONTH[:place] + bytes([MONTH[place] ^ 1]) + MONTH[place + 1 :]
        if verified(changed).verdict is Verdict.GENUINE:
            genuine.append(place)

    assert [] == genuine


@pytest.mark.parametrize("left", [0, 5, len(MAGIC), 100, len(MONTH) // 2, len(MONTH) - 1])
def test_a_file_cut_short_is_no_month(left: int) -> None:
    """Nothing is believed of a part of a file."""
    month = verified(MONTH[:left])

    assert (Verdict.MALFORMED, MonthDefect.UNREADABLE) == (month.verdict, month.defect)


# What a person with the pool's own key could write, and a reader must find all the same.
FORGED: dict[str, tuple[Callable[[], bytes], MonthDefect]] = {
    "a job is left out": (lambda: with_head_of(RECORDS, RECORDS[:-1]), MonthDefect.ROOT),
    "amounts are doubled": (lambda: with_head_of([job(1)], [heavier(job(1))]), MonthDefect.ROOT),
    "sums are others": (lambda: month_file([job(1)], jobs=2), MonthDefect.SUMS),
    "a co-op's sum is missing": (lambda: month_file([job(1)], sums=()), MonthDefect.SUMS),
    "lines do not sum to zero": (
        lambda: month_file([job(1, entries=(ClosedEntry("alpha", "tokens", 1),))]),
        MonthDefect.RECORD,
    ),
    "a receipt of another job": (
        lambda: month_file([job(1, receipt=job(2).receipt)]), MonthDefect.RECORD,
    ),
    "a job without a run": (lambda: month_file([job(1, runs=())]), MonthDefect.RECORD),
    "a job of the next month": (
        lambda: month_file([job(1, settled_at=END)]), MonthDefect.RECORD,
    ),
    "a correction of the next month": (
        lambda: month_file([replace(correction(), at=END)]), MonthDefect.RECORD,
    ),
}  # fmt: skip


def heavier(record: Any) -> Any:
    """A job whose run used twice the energy."""
    (run,) = record.runs
    more = replace(run.settlement, energy_uwh=2 * run.settlement.energy_uwh)
    return replace(record, runs=(replace(run, settlement=more),))


def with_head_of(signed: list[Any], written: list[Any]) -> bytes:
    """A file of some records whose head has root and number of others."""
    head = open_month(io.BytesIO(month_file(signed))).head
    changes = ("root", "records", "jobs", "sums", "accounts")
    return month_file(written, **{name: getattr(head, name) for name in changes})


@pytest.mark.parametrize("forgery", FORGED)
def test_a_forgery_with_the_right_key_is_found(forgery: str) -> None:
    """Records and head must agree, even where both are signed."""
    made, defect = FORGED[forgery]
    month = verified(made())

    assert (Verdict.ALTERED, defect) == (month.verdict, month.defect)


def test_a_record_that_stands_twice_is_found() -> None:
    """The writer refuses it; a file that has it all the same is false."""
    content = io.BytesIO()
    writer = MonthWriter(content)
    leaf = writer.add(job(1))
    with pytest.raises(AssertionError, match="comes after"):
        writer.add(job(1))
    writer._last = ""
    writer.add(job(1))
    writer.finish(head_of([job(1)] * 2, [leaf] * 2), KEY.sign)

    assert (Verdict.ALTERED, MonthDefect.ORDER) == verdict_of(content.getvalue(), KEYS)


def test_the_key_decides() -> None:
    """Another pool's key, and a signature of another key, are found; a retired key still counts
    for what was closed before."""
    public = describe_key(ANOTHER)
    foreign = month_file([job(1)], ANOTHER, key=public.id)
    impostor = month_file([job(1)], ANOTHER)
    retired, late = (
        {PUBLIC.id: replace(PUBLIC, until=until), public.id: public}
        for until in (CLOSED + 1.0, CLOSED - 1.0)
    )

    assert (Verdict.UNKNOWN_KEY, MonthDefect.KEY) == verdict_of(foreign, KEYS)
    assert (Verdict.ALTERED, MonthDefect.SIGNATURE) == verdict_of(impostor, KEYS)
    assert (Verdict.GENUINE, MonthDefect.NONE) == verdict_of(MONTH, retired)
    assert (Verdict.RETIRED_KEY, MonthDefect.KEY) == verdict_of(MONTH, late)


def verdict_of(content: bytes, keys: dict[str, ReceiptKey]) -> tuple[Verdict, MonthDefect]:
    month = verified(content, keys)
    return month.verdict, month.defect


def test_a_block_that_unpacks_to_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded by the limit of a block, not by what its bytes unpack to."""
    bomb = zlib.compress(bytes(64 * 1024 * 1024))
    monkeypatch.setattr(zlib, "compress", lambda *_: bomb)
    content = month_file([job(1)])
    monkeypatch.undo()
    with pytest.raises(MonthFault, match="cut short, or too long"):
        open_month(io.BytesIO(content)).find(job(1).name)

    assert (Verdict.ALTERED, MonthDefect.UNREADABLE) == verdict_of(content, KEYS)


def test_a_later_format_is_refused() -> None:
    """A reader of this version does not guess."""
    with pytest.raises(MonthFault, match="later format"):
        open_month(io.BytesIO(month_file([job(1)], format=2)))


def test_a_long_list_of_blocks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of blocks is bounded, too."""
    monkeypatch.setattr(file_format, "BLOCKS_MAX", 2)
    with pytest.raises(MonthFault):
        open_month(io.BytesIO(MONTH))


def keys_file(folder: Path, *keys: ReceiptKey) -> str:
    file = folder / "keys.json"
    file.write_bytes(msgspec.json.encode({"receipt_keys": keys}))
    return str(file)


def test_the_command_says_whether_a_month_is_genuine(cli: Cli, tmp_path: Path) -> None:
    """In words and for programs; exit status 1 for what is false."""
    keys = keys_file(tmp_path, PUBLIC)
    file, altered = tmp_path / "1970-01.entraide", tmp_path / "altered.entraide"
    file.write_bytes(MONTH)
    altered.write_bytes(with_head_of(RECORDS, RECORDS[:-1]))
    verify = ["--lang", "en", "receipts", "verify"]
    said = cli([*verify, str(file), "--keys", keys])
    as_json = cli([*verify, str(file), "--keys", keys, "--json"])
    false = cli([*verify, str(altered), "--keys", keys])
    head = json.loads(as_json.out)["head"]

    assert (0, 0, 1) == (said.status, as_json.status, false.status)
    assert "1970-01" in said.out
    assert head["root"] in said.out
    assert "records are not those that were signed" in false.out

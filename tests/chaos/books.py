"""Books: compares the pool's books with what clients have received, from outside.

The counting engine reads the words of a question as its tokens and writes one token a number, so
what a whole answer costs is known without the pool. Promises:

- ``billed``: a whole answer, live or kept, is settled for each token that its client has;
- ``billed_once``: and for no more, even if several runs or machines had a part in it;
- ``billed_broken``: an answer that broke is settled for no more tokens than its client has;
- ``prompt``: a prompt that an engine has counted is settled as it was sent;
- ``amounts``: the ledger's amounts are those of the settlement, in each unit.

A whole answer whose gateway was killed just then may be billed for less: its last word was lost
with it; so it is if the scheduler was away as the answer came and the gateway is killed before it
could say so again. What a gateway had sent nobody knows if it is lost with the scheduler.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct
from tests.chaos import schedule
from tests.chaos.faults import Executed
from tests.chaos.kept import TOKENS, KeptWork
from tests.chaos.pool import MODEL
from tests.chaos.run_folder import RunFolder
from tests.chaos.streams import CLOSED, COMPLETE, RESUMED, Outcome

from entraide.types import Basis, Usage

FIRST = "main"  # the gateway of the scheduler
PROMPT_TOKENS = 3  # "Count from N"
AWAY_S = 25.0  # from a kill of the scheduler until it has heard what came meanwhile
LAST_WORD_S = 3.0  # between the end of an answer at its client, and the word of it
UNITS = {"tokens": "tokens", "energy_uwh": "energy_uwh", "carbon_ug": "carbon_direct_ug"}
BUSY_S = 30.0


class Bill(Struct):
    """What one job was settled for, over all its runs.

    Attributes:
        prompt, output: tokens.
        is_counted: whether engines have counted all of them.
        settled, entered: amounts of the settlement, and of the ledger, by unit.
    """

    prompt: int
    output: int
    is_counted: bool
    settled: Counter[str]
    entered: Counter[str]


def read_books(store: Path) -> dict[str, Bill]:
    """Returns the bill of each settled job."""
    bills: dict[str, Bill] = {}
    columns = ", ".join(UNITS.values())
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=BUSY_S)) as books:
        for job, encoded, *amounts in books.execute(f"SELECT job, usage, {columns} FROM settled"):
            used = msgspec.msgpack.decode(encoded, type=Usage)
            bill = bills.setdefault(job, Bill(0, 0, True, Counter(), Counter()))
            bill.prompt += used.input_tokens
            bill.output += used.output_tokens
            bill.is_counted &= used.counted is Basis.MEASURED
            bill.settled.update(dict(zip(UNITS, amounts, strict=True)))
        given = "SELECT job, unit, sum(amount) FROM entries WHERE amount > 0 GROUP BY job, unit"
        for job, unit, amount in books.execute(given):
            if job in bills:
                bills[job].entered[unit] += amount
    return bills


def check_books(
    folder: RunFolder,
    bills: dict[str, Bill],
    *,
    outcomes: Iterable[Outcome],
    kept: Iterable[KeptWork],
    faults: Iterable[Executed],
) -> dict[str, int]:
    """Checks the books of a run that has ended.

    Returns:
        Whole answers that are billed exactly, that are billed for less at a killed gateway, and
        whose prompt is estimated.
    """
    counts: Counter[str] = Counter(exact=0, less_at_killed_gateway=0, prompt_estimated=0)
    killed = gateway_kills(faults)
    for line in outcomes:
        is_whole = line.outcome in (COMPLETE, RESUMED)
        bill = bills.get(line.job)
        away = line.ended_at - AWAY_S, line.ended_at + LAST_WORD_S
        scheduler_was_away = any(away[0] <= at <= away[1] for at in killed.get(FIRST, ()))
        if is_whole:
            later_s = AWAY_S if scheduler_was_away else LAST_WORD_S
            ends = line.ended_at - LAST_WORD_S, line.ended_at + later_s
            may_lack = any(ends[0] <= at <= ends[1] for at in killed.get(line.gateway, ()))
            expected = _expected_tokens(line, killed.get(FIRST, ()))
            counts[_check_whole(folder, line.job, bill, expected, may_lack=may_lack)] += 1
        elif line.model != MODEL or (line.outcome == CLOSED and scheduler_was_away):
            continue
        elif bill is not None and bill.output > line.tokens:
            detail = f"{line.outcome} {line.code} after {line.tokens} tokens, settled {bill.output}"
            folder.broken("billed_broken", line.job, detail)
        if bill is not None and line.model == MODEL:
            _check_prompt(folder, line.job, bill)
    for work in kept:
        for job in work.jobs:
            counts[_check_whole(folder, job, bills.get(job), TOKENS)] += 1
    for job, bill in bills.items():
        if bill.settled != bill.entered:
            detail = f"settled {dict(bill.settled)}, entered {dict(bill.entered)}"
            folder.broken("amounts", job, detail)
    return dict(counts)


def _expected_tokens(line: Outcome, scheduler_kills: Sequence[float]) -> int:
    """The output tokens to be billed: those that came, but for a run that its receipt cannot know.

    It is one that the scheduler had placed in its last moment (``report.check_receipts``).
    """
    was_killed = any(line.began_at <= at <= line.ended_at for at in scheduler_kills)
    lacks_run = was_killed and line.output_tokens < line.tokens
    return line.output_tokens if lacks_run or line.model != MODEL else line.tokens


def _check_whole(
    folder: RunFolder, job: str, bill: Bill | None, expected: int, *, may_lack: bool = False
) -> str:
    """Checks the bill of a whole answer; returns how it counts."""
    output = bill.output if bill is not None else 0
    if output < expected and may_lack:
        return "less_at_killed_gateway"
    if output != expected:
        promise = "billed" if output < expected else "billed_once"
        folder.broken(promise, job, f"received {expected} tokens, settled {output}")
        return "wrong"
    return "exact" if bill is not None and bill.is_counted else "prompt_estimated"


def _check_prompt(folder: RunFolder, job: str, bill: Bill) -> None:
    if bill.is_counted and bill.prompt not in (0, PROMPT_TOKENS):
        folder.broken("prompt", job, f"{PROMPT_TOKENS} tokens, settled {bill.prompt}")


def gateway_kills(faults: Iterable[Executed]) -> dict[str, list[float]]:
    """When each gateway was killed, seconds since the epoch; the first is in the scheduler."""
    kills: dict[str, list[float]] = {}
    for fault in faults:
        if fault.kind in (schedule.GATEWAY_KILLED, *schedule.SCHEDULER_ENDED):
            gateway = FIRST if fault.target == schedule.SCHEDULER else fault.target
            kills.setdefault(gateway, []).append(fault.at)
    return kills

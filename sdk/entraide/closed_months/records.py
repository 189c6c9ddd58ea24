"""Records of a closed month: its jobs, corrections and sums, and the head that the pool signs.

Energy is in microwatt-hours, carbon in micrograms of CO2 equivalent. A person, a key and a machine
are named by numbers (``person-…``, ``key-…``, ``node-…``).
"""

from collections import Counter

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from entraide.decoding import MsgpackDecoder
from entraide.settlements import Receipt, Settlement
from entraide.types import Terms, Usage

FORMAT = 1
CORRECTION_PREFIX = "correction/"  # before a correction's name, so that it is no job's


class ClosedEntry(Struct, frozen=True, array_like=True, gc=False):
    """One line of the ledger: what an account's balance in a unit changed by."""

    account: str
    unit: str
    amount: int


class ClosedRun(Struct, frozen=True, array_like=True, gc=False):
    """One run of a job: the terms fixed at its placement, its usage and its final amounts."""

    terms: Terms
    usage: Usage
    settlement: Settlement


class ClosedJob(Struct, frozen=True, array_like=True, tag="job"):
    """A settled job.

    Attributes:
        job, coop, key, project, state: the job, who sent it, and its final state.
        settled_at: when it was booked, seconds since the epoch.
        receipt: of the whole answer; the file's signature stands for one of its own.
        runs: the run that ended it, then its earlier runs, oldest first.
        entries: its lines of the ledger.
        is_late: whether its own month was closed before it was settled: a correction of this month
            has its lines then, and no sum counts it.
    """

    job: str
    coop: str
    key: str
    project: str
    state: str
    settled_at: float
    receipt: Receipt
    runs: tuple[ClosedRun, ...]
    entries: tuple[ClosedEntry, ...]
    is_late: bool = False

    @property
    def name(self) -> str:
        """By which the file is sorted."""
        return self.job


class ClosedCorrection(Struct, frozen=True, array_like=True, tag="correction"):
    """A correction of the ledger; its reason stands in the store, since it may name a person.

    Attributes:
        correction: its name.
        at: when it was posted, seconds since the epoch.
        entries: its lines of the ledger.
    """

    correction: str
    at: float
    entries: tuple[ClosedEntry, ...]

    @property
    def name(self) -> str:
        """By which the file is sorted."""
        return f"{CORRECTION_PREFIX}{self.correction}"


Record = ClosedJob | ClosedCorrection

_decoder: MsgpackDecoder[Record] = MsgpackDecoder(Record)


def decode_record(packed: bytes) -> Record:
    """Returns a record from its bytes.

    Raises:
        msgspec.DecodeError: they are no record.
    """
    return _decoder.decode(packed)


class ExchangeSum(Struct, frozen=True, array_like=True, gc=False):
    """What the machines of one co-op did for another in the month, or for their own."""

    lender: str
    borrower: str
    jobs: int = 0
    tokens: int = 0
    energy_uwh: int = 0
    carbon_direct_ug: int = 0
    carbon_lifecycle_ug: int = 0


class AccountSum(Struct, frozen=True, array_like=True, gc=False):
    """What the balance of an account in a unit changed by in the month."""

    account: str
    unit: str
    amount: int


class MonthHead(Struct, frozen=True):
    """What the pool signs.

    Attributes:
        format: version of the file's format.
        pool: name of the pool.
        month, timezone: ``2026-11``, in a time zone.
        start_at, end_at: the month, without its end, seconds since the epoch.
        closed_at: when it was closed.
        jobs, records: number of jobs, late ones included, and of leaves of the tree.
        root: of the Merkle tree over the records, hexadecimal.
        previous: root of the month that was closed before; "" for the first one.
        sums: by lender and borrower, sorted.
        accounts: by account and unit, sorted; those of each unit sum to zero.
        key: identifier of the key that signed.
        blocks: SHA-256 over the list of blocks, hexadecimal.
    """

    format: int
    pool: str
    month: str
    timezone: str
    start_at: float
    end_at: float
    closed_at: float
    jobs: int
    records: int
    root: str
    previous: str
    sums: tuple[ExchangeSum, ...]
    accounts: tuple[AccountSum, ...]
    key: str
    blocks: str = ""


class MonthSums:
    """Adds up the records of a month."""

    def __init__(self) -> None:
        self.jobs = 0
        self._pairs: dict[tuple[str, str], ExchangeSum] = {}
        self._accounts: Counter[tuple[str, str]] = Counter()

    def add(self, record: Record) -> None:
        """Adds a record."""
        for entry in record.entries:
            self._accounts[entry.account, entry.unit] += entry.amount
        if not isinstance(record, ClosedJob):
            return
        self.jobs += 1
        if record.is_late:
            return
        for number, run in enumerate(record.runs):
            usage, settlement = run.usage, run.settlement
            pair = run.terms.lender, record.coop
            # A job counts once, for the co-op whose machine ended it.
            amounts = (
                int(number == 0),
                run.terms.count_tokens(usage),
                settlement.energy_uwh,
                settlement.carbon_direct_ug,
                settlement.carbon_lifecycle_ug,
            )
            before = astuple(self._pairs.get(pair, ExchangeSum(*pair)))[2:]
            self._pairs[pair] = ExchangeSum(*pair, *map(sum, zip(before, amounts, strict=True)))

    @property
    def size(self) -> int:
        """Number of sums so far."""
        return len(self._pairs) + len(self._accounts)

    def pairs(self) -> tuple[ExchangeSum, ...]:
        """Returns the sums by lender and borrower, sorted."""
        return tuple(self._pairs[pair] for pair in sorted(self._pairs))

    def accounts(self) -> tuple[AccountSum, ...]:
        """Returns the sums by account and unit, sorted."""
        return tuple(AccountSum(*name, self._accounts[name]) for name in sorted(self._accounts))


encode = msgspec.msgpack.Encoder().encode

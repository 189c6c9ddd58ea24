"""Statements: what a co-op gave and received in a month, as JSON and CSV.

``GET /v1/statement`` returns a ``Statement``. The sum of ``usage`` is that of ``received`` and
``own``, the sum of ``lent`` is ``given``; the co-op's balance changed in the month by ``given``
less ``received`` and by the corrections.
"""

import csv
import datetime as dt
import io
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import astuple

from entraide.coop_names import shown_name
from entraide.settlements import ServerPlace

NODE_PATH = "/node/statement"  # with a node pass
CSV_KIND = "text/csv; charset=utf-8"
CSV_COLUMNS = (
    "kind", "day", "key", "project", "model", "node", "coop",
    "jobs", "tokens", "energy_wh", "direct_gco2e", "lifecycle_gco2e",
)  # fmt: skip
# A spreadsheet takes a text that begins so for a formula.
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


class Amounts(Struct, frozen=True):
    """Totals of jobs: number, tokens, energy, direct and life-cycle emissions."""

    jobs: int = 0
    tokens: int = 0
    energy_wh: float = 0.0
    direct_gco2e: float = 0.0
    lifecycle_gco2e: float = 0.0

    def plus(self, other: "Amounts") -> "Amounts":
        """Returns the sum of both."""
        return Amounts(*map(sum, zip(astuple(self), astuple(other), strict=True)))


class PartnerAmounts(Struct, frozen=True):
    """What the co-op gave to another and received from it."""

    coop: str
    given: Amounts
    received: Amounts


class PostedCorrection(Struct, frozen=True):
    """A correction of the ledger that concerns the co-op; positive is more given by it.

    ``posted_at`` is in seconds since the epoch; emissions are direct ones.
    """

    correction: str
    reason: str
    coop: str
    tokens: int
    energy_wh: float
    direct_gco2e: float
    posted_at: float


class UsageLine(Struct, frozen=True):
    """Jobs of one day, key, project, model and node.

    Attributes:
        day: ``2026-11-03``, in the pool's time zone.
        key, project: sender in the co-op; "" in ``lent``, and for jobs settled by an older version.
        model: model that ran.
        node: machine that ran the jobs.
        coop: the other co-op: the machine's in ``usage``, the sender's in ``lent``.
        amounts: their totals.
    """

    day: str
    key: str
    project: str
    model: str
    node: str
    coop: str
    amounts: Amounts


class Statement(Struct, frozen=True):
    """A co-op's statement of a month.

    Attributes:
        coop: the co-op.
        month: ``2026-11``, in the time zone ``timezone``.
        start_at, end_at: the month, without its end, seconds since the epoch.
        given, received: jobs of others on its nodes, and its jobs on nodes of others.
        own: its jobs on its own nodes.
        others: given and received per other co-op, sorted by name.
        corrections: corrections posted in the month, oldest first.
        usage: its own jobs, by day, key, project, model and node.
        lent: jobs of others on its nodes, by day, model, node and co-op.
        complete: whether ``usage`` and ``lent`` have all their lines; else the first ones.
        place: where the pool's server stands when the statement is made; None from older pools.
        coop_names: what people read in place of the identifiers of co-ops that it names.
        closed_at: when the books of the month were closed, seconds since the epoch; 0 before.
        root: of the signed file in which they are since, hexadecimal; "" before.
    """

    coop: str
    month: str
    timezone: str
    start_at: float
    end_at: float
    given: Amounts
    received: Amounts
    own: Amounts
    others: tuple[PartnerAmounts, ...] = ()
    corrections: tuple[PostedCorrection, ...] = ()
    usage: tuple[UsageLine, ...] = ()
    lent: tuple[UsageLine, ...] = ()
    complete: bool = True
    place: ServerPlace | None = None
    coop_names: dict[str, str] = {}
    closed_at: float = 0.0
    root: str = ""

    def name_of(self, coop: str) -> str:
        """Returns what people read for a co-op."""
        return shown_name(coop, self.coop_names)


class NodeShare(Struct, frozen=True):
    """What a node gave to one co-op, its own included, on the days of the month that are over."""

    coop: str
    month: Amounts


class NodeStatement(Struct, frozen=True):
    """What a node gave; days and months are in the pool's time zone.

    Attributes:
        node, coop: the node, and its co-op.
        day, month: ``2026-11-03`` and ``2026-11``.
        today, this_month: the totals, its own co-op included.
        shares: the month without today by co-op, sorted by name: if they grew with each request,
            whoever reads what runs on the machine would learn who sent it.
        complete: whether all lines of the month were summed.
        coop_names: what people read in place of the identifiers of co-ops that it names.
    """

    node: str
    coop: str
    day: str
    month: str
    today: Amounts
    this_month: Amounts
    shares: tuple[NodeShare, ...] = ()
    complete: bool = True
    coop_names: dict[str, str] = {}

    def name_of(self, coop: str) -> str:
        """Returns what people read for a co-op."""
        return shown_name(coop, self.coop_names)


def to_csv(statement: Statement) -> str:
    """Returns usage, lent and corrections as CSV (RFC 4180), with ``CSV_COLUMNS``."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(CSV_COLUMNS)
    for kind, lines in (("usage", statement.usage), ("lent", statement.lent)):
        for line in lines:
            a = line.amounts
            names = (line.key, line.project, line.model, line.node, line.coop)
            amounts = (a.jobs, a.tokens, a.energy_wh, a.direct_gco2e, a.lifecycle_gco2e)
            writer.writerow((kind, line.day, *map(_as_text, names), *amounts))
    zone = ZoneInfo(statement.timezone)
    for each in statement.corrections:
        day = dt.datetime.fromtimestamp(each.posted_at, zone).date().isoformat()
        names = (each.correction, "", "", "", each.coop)
        amounts = (0, each.tokens, each.energy_wh, each.direct_gco2e, 0.0)
        writer.writerow(("correction", day, *map(_as_text, names), *amounts))
    return buffer.getvalue()


def _as_text(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text

"""Own machines: a co-op's machines, as those who run the co-op see them, as JSON. Pure.

Each has its state in a sentence, and what it ran today and in the month, by the books, as on the
owner's own page. If the owner tells the terms, it also has the owner's hours and caps, and its
state has the reason that the node reports; else the reason is the one that everybody sees.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from entraide import i18n
from entraide.lent_terms import LentTerms
from entraide.statements import Amounts
from entraide.wire.pool_state import MachineCard, PoolState
from entraide_scheduler.books import amounts_of
from entraide_scheduler.gateway.views.lent_words import terms_sentences
from entraide_scheduler.gateway.views.pool_view import PoolMachine, view_machine
from entraide_scheduler.store.breakdown import MachineTotals


class MachineWork(Struct, frozen=True):
    """What a machine ran in a span of time.

    Attributes:
        given: requests of other co-ops.
        own: requests of its own co-op.
    """

    given: Amounts
    own: Amounts


class OwnMachine(Struct, frozen=True):
    """A machine of the co-op.

    Attributes:
        node: its name.
        site, zone, zone_name: its place; "" once it has left the pool.
        now: the machine as it stands; None once it has left the pool.
        today, this_month: what it ran.
        terms: the owner's hours and caps; None if the owner does not tell them.
        terms_sentences: the same in sentences; the only one is that they are not told, if so.
    """

    node: str
    site: str
    zone: str
    zone_name: str
    now: PoolMachine | None
    today: MachineWork
    this_month: MachineWork
    terms: LentTerms | None
    terms_sentences: tuple[str, ...]


class OwnMachines(Struct, frozen=True):
    """The machines of a co-op.

    Attributes:
        coop: the co-op.
        at: time of the view, seconds since the epoch.
        day, month, timezone: today and the month of the figures, in the pool's time zone.
        machines: by name: those of the pool, and those that ran something in the month.
    """

    coop: str
    at: float
    day: str
    month: str
    timezone: str
    machines: tuple[OwnMachine, ...]


class MachineBooks(Struct, frozen=True):
    """What the books say of the machines of a co-op, today and in the present month."""

    coop: str
    day: str
    month: str
    timezone: str
    today: tuple[MachineTotals, ...]
    this_month: tuple[MachineTotals, ...]


def view_own_machines(books: MachineBooks, pool: PoolState, *, lang: str) -> OwnMachines:
    """Returns the machines of a co-op, in a language, ``fr`` or ``en``."""
    cards = {card.node: card for card in pool.machines if card.coop == books.coop}
    today, month = _by_node(books.today), _by_node(books.this_month)
    return OwnMachines(
        coop=books.coop,
        at=pool.at,
        day=books.day,
        month=books.month,
        timezone=books.timezone,
        machines=tuple(
            _own_machine(node, cards.get(node), today.get(node), month.get(node), lang)
            for node in sorted(cards.keys() | month.keys())
        ),
    )


def _by_node(totals: Iterable[MachineTotals]) -> Mapping[str, MachineTotals]:
    return {each.node: each for each in totals}


def _own_machine(
    node: str,
    card: MachineCard | None,
    today: MachineTotals | None,
    month: MachineTotals | None,
    lang: str,
) -> OwnMachine:
    return OwnMachine(
        node=node,
        site="" if card is None else card.site,
        zone="" if card is None else card.zone,
        zone_name="" if card is None else i18n.zone_name(card.zone, lang),
        now=None if card is None else view_machine(card, lang, reason=_reason(card)),
        today=_work(today),
        this_month=_work(month),
        terms=None if card is None else card.terms,
        terms_sentences=() if card is None else terms_sentences(card.terms, lang),
    )


def _reason(card: MachineCard) -> str | None:
    """Returns the code that the node reports if its owner tells the terms, else None."""
    is_told = card.terms is not None and i18n.has_message(f"node-reason-{card.reason}")
    return card.reason if is_told else None


def _work(totals: MachineTotals | None) -> MachineWork:
    if totals is None:
        return MachineWork(Amounts(), Amounts())
    return MachineWork(amounts_of(totals.given), amounts_of(totals.own))

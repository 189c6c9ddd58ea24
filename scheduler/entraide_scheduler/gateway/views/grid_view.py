"""Grid view: the next hours of the grid, and the work that waits for them, as JSON structs. Pure.

For each zone where the pool has machines: the expected intensity of ``HOURS`` hours with the signal
of each, the source of the data, and how many jobs and lines of batches are expected in which hour.
Work counts only where it waits for greener hours.
"""

from msgspec import Struct

from entraide import i18n
from entraide.wire.pool_state import PoolState, WorkHour, ZoneCard
from entraide_scheduler.gateway.views.pool_view import sentence, source_name

HOUR_S = 3_600
HOURS = 24
SIGNALS = ("actual", "forecast", "profile", "default")


class GridWork(Struct, frozen=True):
    """Number of waiting jobs, and of batches' lines that are not yet requested."""

    jobs: int = 0
    lines: int = 0


class GridHour(Struct, frozen=True):
    """An hour of a zone.

    Attributes:
        at: its start, seconds since the epoch.
        g_per_kwh: expected intensity, gCO2e/kWh; None where nothing is known.
        signal: actual, forecast, profile or default; "" where nothing is known.
        work: the work that waits for this hour.
    """

    at: float
    g_per_kwh: float | None
    signal: str
    work: GridWork


class GridZone(Struct, frozen=True):
    """A zone's next hours.

    Attributes:
        zone, name: code and name of the province.
        basis: how the present intensity was obtained.
        source, source_name: of the present intensity, as a code and in words.
        data_at: time of the source's data, seconds since the epoch; 0 where unknown.
        issued_at: when the newest forecast was issued; 0 without one.
        hours: the hours, from the present one on.
        later: work that waits for hours after those.
    """

    zone: str
    name: str
    basis: str
    source: str
    source_name: str
    data_at: float
    issued_at: float
    hours: tuple[GridHour, ...]
    later: GridWork


class GridView(Struct, frozen=True):
    """The next hours of the grid in the provinces of the pool.

    Attributes:
        at: time of the view, seconds since the epoch.
        intensity_basis: ``direct`` or ``lifecycle`` emissions, as the policy compares them.
        signals: the signals' names in words.
        zones: by zone.
        unplanned: work whose hours were not computed, because too many batches wait.
    """

    at: float
    intensity_basis: str
    signals: dict[str, str]
    zones: tuple[GridZone, ...]
    unplanned: GridWork


def view_grid(state: PoolState, *, lang: str) -> GridView:
    """Returns the view of the grid's next hours in a language, ``fr`` or ``en``."""
    shown = {machine.zone for machine in state.machines} | {work.zone for work in state.work}
    first = int(state.at) // HOUR_S
    return GridView(
        at=state.at,
        intensity_basis=state.intensity_basis,
        signals={signal: sentence(f"signal-{signal}", lang) for signal in SIGNALS},
        zones=tuple(
            _zone(card, [work for work in state.work if work.zone == card.zone], first, lang)
            for card in state.zones
            if card.zone in shown
        ),
        unplanned=_sum([work for work in state.work if not work.zone]),
    )


def _zone(card: ZoneCard, work: list[WorkHour], first: int, lang: str) -> GridZone:
    hours = []
    for place, expected in enumerate(card.hours[:HOURS]):
        at = float((first + place) * HOUR_S)
        hours.append(
            GridHour(
                at,
                expected.g_per_kwh,
                expected.signal,
                _sum([each for each in work if each.at == at]),
            )
        )
    return GridZone(
        zone=card.zone,
        name=i18n.zone_name(card.zone, lang),
        basis=card.basis,
        source=card.source,
        source_name=source_name(card.source, lang),
        data_at=card.data_at,
        issued_at=card.issued_at,
        hours=tuple(hours),
        later=_sum([each for each in work if each.at >= (first + len(hours)) * HOUR_S]),
    )


def _sum(work: list[WorkHour]) -> GridWork:
    return GridWork(sum(each.jobs for each in work), sum(each.lines for each in work))

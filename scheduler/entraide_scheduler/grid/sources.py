"""Grid sources: what the operator imports and chooses for each zone, with effect at once.

The store holds the series and the choices; the token of Electricity Maps is in a private file of
the pool's directory. Where nothing was chosen, the configuration decides.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.decoding import MsgpackDecoder
from entraide.files import write_private
from entraide.types import Basis
from entraide_scheduler.config import ElectricityMapsConfig
from entraide_scheduler.grid.feed import IntensityFeed, ZoneSource
from entraide_scheduler.grid.poller import GridPoller
from entraide_scheduler.grid.series import IntensitySeries
from entraide_scheduler.store.rows import GridZoneRow
from entraide_scheduler.store.store import Store

CONFIGURED = "configured"  # as a row's source: what was imported is kept, but does not count
AVERAGES = (ZoneSource.ANNUAL, CONFIGURED)
TOKEN_NAME = "electricity-maps.token"  # noqa: S105  (a file's name)


class _StoredSeries(Struct, frozen=True):
    hours: dict[int, tuple[float, float]]
    basis: Basis


_decoder = MsgpackDecoder[_StoredSeries](_StoredSeries)


class GridSources:
    """The choices of the operator, and the poller that follows from them.

    Args:
        configured: the API as configured, or None.
        feed: receives series, choices and the API's values.
        store: holds the choices.
        folder: holds the token.
        now: seconds since the epoch.
        on_change: called after the feed may have other readings.
    """

    def __init__(
        self,
        configured: ElectricityMapsConfig | None,
        feed: IntensityFeed,
        *,
        store: Store,
        folder: Path,
        now: Callable[[], float],
        on_change: Callable[[], None],
    ) -> None:
        self.feed = feed
        self.now = now
        self._configured = configured
        self._store = store
        self._token_path = folder / TOKEN_NAME
        self._on_change = on_change
        self._rows: dict[str, GridZoneRow] = {}
        self._poller: GridPoller | None = None

    @property
    def rows(self) -> dict[str, GridZoneRow]:
        """What was imported and chosen, by zone."""
        return dict(self._rows)

    @property
    def has_token(self) -> bool:
        """Whether the operator set a token."""
        return self._token_path.exists()

    async def load(self) -> None:
        """Gives the stored series and choices to the feed."""
        for row in await self._store.list_grid_zones():
            self._apply(row)

    def list_stale_zones(self) -> list[str]:
        """Returns the zones whose chosen source has no data for the present hour."""
        present = {
            each.reading.zone: each.source.value for each in self.feed.sources_at(self.now())
        }
        return [
            zone
            for zone, row in sorted(self._rows.items())
            if row.source not in AVERAGES and present.get(zone) != row.source
        ]

    def start(self) -> None:
        """Starts to poll the zones whose source is the API."""
        configured = self._configured
        chosen = {zone: row.source for zone, row in self._rows.items() if row.source != CONFIGURED}
        zones = {zone for zone, source in chosen.items() if source == ZoneSource.ELECTRICITY_MAPS}
        zones.update(set(configured.zones if configured else ()) - chosen.keys())
        if not zones:
            return
        settings = msgspec.structs.replace(
            configured or ElectricityMapsConfig(()), zones=tuple(sorted(zones))
        )
        if self.has_token:
            settings = msgspec.structs.replace(settings, token_file=str(self._token_path))
        self._poller = GridPoller(settings, self.feed, now=self.now, on_new_hour=self._on_change)
        self._poller.start()

    async def stop(self) -> None:
        """Stops polling."""
        if self._poller is not None:
            await self._poller.stop()
            self._poller = None

    async def put_series(self, series: IntensitySeries, *, file: str) -> None:
        """Imports a zone's series, which becomes its source."""
        stored = msgspec.msgpack.encode(_StoredSeries(series.hours, series.basis))
        source = ZoneSource.SERIES.value
        await self._put(GridZoneRow(series.zone, source, stored, file, self.now()))

    async def choose(self, zone: str, source: ZoneSource, *, token: str = "") -> None:
        """Chooses the source of a zone, and sets the API's token unless it is ""."""
        if token:
            write_private(self._token_path, f"{token}\n".encode())
        row = self._rows.get(zone, GridZoneRow(zone, source.value))
        await self._put(msgspec.structs.replace(row, source=source.value))

    async def leave_to_configuration(self, zone: str) -> None:
        """Lets the configuration decide on a zone again; an imported series is kept for later."""
        row = self._rows.get(zone)
        if row is not None:
            await self._put(msgspec.structs.replace(row, source=CONFIGURED))

    async def _put(self, row: GridZoneRow) -> None:
        await self._store.put_grid_zone(row)
        self._apply(row)
        await self.stop()
        self.start()
        self._on_change()

    def _apply(self, row: GridZoneRow) -> None:
        self._rows[row.zone] = row
        apply_row(self.feed, row)


def apply_row(feed: IntensityFeed, row: GridZoneRow) -> None:
    """Gives a zone's imported series and its choice to a feed."""
    if row.source == CONFIGURED:
        feed.leave_to_configuration(row.zone)
        return
    if row.series:
        stored = _decoder.decode(row.series)
        feed.put_series(IntensitySeries(row.zone, stored.hours, stored.basis))
    feed.choose_source(row.zone, ZoneSource(row.source))

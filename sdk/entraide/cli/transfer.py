"""Transfers of weights on the terminal: how much before they begin, and how far they are.

On a terminal the progress is one line that is rewritten; elsewhere it is a line every
``LINE_INTERVAL_S``. The rate is that of the last ``RATE_WINDOW_S``. Progress goes to the error
output, so that the report alone is on the standard output.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence

import typer

from entraide import i18n
from entraide.catalogue.gather import Need
from entraide.catalogue.model_store import ModelStore
from entraide.errors import EntraideError, error_for
from entraide.models import DISK_RESERVE_BYTES, TransferRates
from entraide.printable import printable

LINE_INTERVAL_S = 5.0
REWRITE_INTERVAL_S = 0.2
RATE_WINDOW_S = 30.0
CLEAR_LINE = "\r\x1b[K"


def size_text(size_bytes: float, lang: str) -> str:
    r"""Returns a size in GB, or in MB below one GB.

    >>> size_text(4.966e9, "en"), size_text(12.5e6, "fr")
    ('4.97\xa0GB', '12,5\xa0Mo')
    """
    unit, divisor = ("gb", 1e9) if size_bytes >= 1e9 else ("mb", 1e6)
    return f"{i18n.decimal(size_bytes / divisor, lang)}\u00a0{i18n.text(f'unit-{unit}', lang)}"


def duration_text(duration_s: float) -> str:
    r"""Returns a duration in seconds, minutes, or hours and minutes.

    >>> duration_text(12.3), duration_text(400), duration_text(8_000)
    ('12\xa0s', '7\xa0min', '2\xa0h\xa013')
    """
    if duration_s < 60:
        return f"{duration_s:.0f}\u00a0s"
    minutes = round(duration_s / 60)
    if minutes < 90:
        return f"{minutes}\u00a0min"
    return f"{minutes // 60}\u00a0h\u00a0{minutes % 60:02d}"


def announce(store: ModelStore, needs: Sequence[Need], lang: str) -> int:
    """Says how much must be fetched and how long it takes; returns the bytes to fetch.

    The time follows from the rate of earlier downloads into this store, or from an assumed one.

    Raises:
        RequestError: ``pin_failed``: the disk has not enough space.
    """
    download_bytes = sum(need.download_bytes for need in needs)
    whole = download_bytes + sum(need.copy_bytes for need in needs)
    free_bytes = store.free_bytes()
    if whole > free_bytes:
        raise _no_space(store, whole, free_bytes, lang)
    rates = store.transfer_rates()
    if download_bytes:
        text = i18n.text(
            "transfer-need",
            lang,
            files=sum(need.files for need in needs),
            size=size_text(download_bytes, lang),
            folder=str(store.folder),
            time=duration_text(download_bytes / rates.network_bytes_per_s),
            speed=size_text(rates.network_bytes_per_s, lang),
            basis="assumed" if rates == TransferRates() else "measured",
            free=size_text(free_bytes, lang),
        )
        typer.echo(text)
    return whole


def _no_space(store: ModelStore, needed: int, free_bytes: int, lang: str) -> EntraideError:
    sentence = i18n.text(
        "transfer-no-space",
        lang,
        size=size_text(needed, lang),
        folder=str(store.folder),
        free=size_text(free_bytes, lang),
        reserve=size_text(DISK_RESERVE_BYTES, lang),
    )
    return error_for("pin_failed", sentence)


class TransferProgress:
    """Progress of a transfer.

    Args:
        whole_bytes: of the transfer.
        lang: language.
        code: message of a line: ``transfer-progress`` or ``transfer-reading``.
        now: monotonic clock, seconds.
    """

    def __init__(
        self,
        whole_bytes: int,
        lang: str,
        *,
        code: str = "transfer-progress",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._whole = whole_bytes
        self._lang = lang
        self._code = code
        self._now = now
        self._is_terminal = sys.stderr.isatty()
        self._done = 0
        self._samples: deque[tuple[float, int]] = deque([(now(), 0)])
        self._written_at = now()
        self._is_shown = False

    def add(self, name: str, size_bytes: int) -> None:
        """Counts bytes of a file, and writes a line if one is due."""
        self._done += size_bytes
        at = self._now()
        interval_s = REWRITE_INTERVAL_S if self._is_terminal else LINE_INTERVAL_S
        if at - self._written_at < interval_s:
            return
        self._written_at = at
        self._samples.append((at, self._done))
        while len(self._samples) > 2 and at - self._samples[0][0] > RATE_WINDOW_S:
            self._samples.popleft()
        self._write(self._line(name, at))

    def close(self) -> None:
        """Removes the line from a terminal."""
        if self._is_shown and sys.__stderr__ is not None:
            sys.__stderr__.write(CLEAR_LINE)
            sys.__stderr__.flush()

    def _line(self, name: str, at: float) -> str:
        first_at, first = self._samples[0]
        rate = (self._done - first) / max(at - first_at, 1e-3)
        left_s = (self._whole - self._done) / rate if rate > 0 else 0.0
        return i18n.text(
            self._code,
            self._lang,
            file=name,
            done=size_text(self._done, self._lang),
            whole=size_text(self._whole, self._lang),
            percent=min(100, 100 * self._done // max(1, self._whole)),
            speed=size_text(rate, self._lang),
            time=duration_text(max(0.0, left_s)),
        )

    def _write(self, line: str) -> None:
        if self._is_terminal and sys.__stderr__ is not None:
            # The cleaned stream of the commands would remove the carriage return.
            sys.__stderr__.write(f"{CLEAR_LINE}{printable(line)}")
            sys.__stderr__.flush()
            self._is_shown = True
        else:
            typer.echo(line, err=True)

"""Chart: a chart with its caption and table, and the marks of axes.

An axis is logarithmic where values differ by more than ``LOG_RATIO``.
"""

from collections.abc import Callable
from math import log10
from typing import Any

from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)
from msgspec import Struct

# Ticks of a delay axis that exceeds minutes.
DELAY_TICKS_S = (0.01, 0.1, 1.0, 10.0, 60.0, 900.0, 14_400.0, 172_800.0)
LONG_DELAY_S = 600.0
LOG_RATIO = 30.0  # ratio of largest to smallest value from which an axis is logarithmic
DECADE_TICKS = (1.0, 2.0, 5.0)  # ticks of a decade, if there is room


class Chart(Struct, frozen=True):
    """A chart with its caption and table.

    Attributes:
        name: identifier; its title is ``sim-report-NAME`` in the message catalogue.
        caption: one or two sentences.
        svg: the chart as an SVG element.
        header, rows: the same numbers as a table.
    """

    name: str
    caption: str
    svg: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def needs_log_scale(values: list[float]) -> bool:
    """Returns whether values need a logarithmic axis."""
    return min(values) > 0 and max(values) / min(values) > LOG_RATIO


def mark_delays(axes: Any, show: Callable[[float], str]) -> None:
    """Sets the ticks of a logarithmic delay axis to seconds, minutes and hours."""
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(
        FixedLocator([tick_s for tick_s in DELAY_TICKS_S if low <= tick_s <= high])
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: show(value)))


def mark_ticks(
    axis: Any, show: Callable[[float], str], *, log: bool = False, most: int = 6
) -> None:
    """Sets the ticks of an axis to round values, formatted by ``show``."""
    if log:
        low, high = axis.get_view_interval()
        room = most + 4
        crowded = log10(high / low) * len(DECADE_TICKS) > room
        axis.set_major_locator(
            LogLocator(10, subs=(1.0,) if crowded else DECADE_TICKS, numticks=room)
        )
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(nbins=most))
    axis.set_major_formatter(FuncFormatter(lambda value, _: show(value)))

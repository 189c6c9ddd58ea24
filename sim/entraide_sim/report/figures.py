"""Figures: what every picture of a report has, and how its axes are marked.

Decides the form of a picture with its words and its table, and when an axis is logarithmic. It
refuses to know what is shown.
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

# What an axis of waiting marks when it reaches beyond minutes.
WAITS_S = (0.01, 0.1, 1.0, 10.0, 60.0, 900.0, 14_400.0, 172_800.0)
LONG_S = 600.0
WIDE = 30.0  # from this ratio of largest to smallest on, an axis is logarithmic
ROUND = (1.0, 2.0, 5.0)  # what a decade marks, where there is room


class Picture(Struct, frozen=True):
    """A picture with its words.

    Attributes:
        name: of the picture; its title is ``sim-report-NAME`` in the catalogue.
        caption: what it shows, in a sentence or two.
        svg: the picture.
        header, rows: the same numbers as a table.
    """

    name: str
    caption: str
    svg: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def wide(values: list[float]) -> bool:
    """Returns whether values differ so much that only a logarithmic axis shows them all."""
    return min(values) > 0 and max(values) / min(values) > WIDE


def waits(axes: Any, show: Callable[[float], str]) -> None:
    """Marks a logarithmic axis of seconds that reaches beyond minutes as clocks have it."""
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(FixedLocator([one for one in WAITS_S if low <= one <= high]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: show(value)))


def ticks(axis: Any, show: Callable[[float], str], *, log: bool = False, most: int = 6) -> None:
    """Marks an axis at round values, as ``show`` writes them."""
    if log:
        low, high = axis.get_view_interval()
        room = most + 4
        crowded = log10(high / low) * len(ROUND) > room
        axis.set_major_locator(LogLocator(10, subs=(1.0,) if crowded else ROUND, numticks=room))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(nbins=most))
    axis.set_major_formatter(FuncFormatter(lambda value, _: show(value)))

"""Draws the frontier of emissions against late first words, by the weight of a late first word.

    python -m benchmarks.small_pools --frontier --json > small.json
    python -m benchmarks.support.frontier_picture small.json [PICTURE.svg]

Each sample of pools is a line over the values of ``carbon.late_weight``; the default is a dot.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from benchmarks.small_pools import FRONTIER, Row
from benchmarks.support.steady_picture import ROOT, run_program

from entraide_scheduler.core.policy import Carbon
from entraide_sim.report import svg
from entraide_sim.report.svg import DASHES, series_colour

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

PICTURE = ROOT / "docs/reference/frontier.svg"
HEIGHT_IN = 3.4


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draws emissions over late first words, a line for each sample."""
    axes = figure.subplots()
    svg.style_axes(axes)
    samples = dict.fromkeys(row.sample for row in rows)
    for number, sample in enumerate(samples):
        frontier = [row for row in rows if row.sample == sample and row.method == FRONTIER]
        frontier.sort(key=lambda row: row.late_weight)
        late = [1_000.0 * row.late / row.jobs for row in frontier]
        ratios = [row.total_by_least for row in frontier]
        colour, dashes = series_colour(number), DASHES[number % len(DASHES)]
        axes.plot(late, ratios, label=sample, color=colour, linestyle=dashes)
        default = next(row for row in frontier if row.late_weight == Carbon().late_weight)
        at = 1_000.0 * default.late / default.jobs
        axes.plot([at], [default.total_by_least], "o", color=colour)
    axes.set_title("Emissions, multiple of the least; the dot is the default weight")
    axes.set_xlabel("late first words in 1,000 requests")
    axes.legend()


def main(arguments: Sequence[str]) -> int:
    """Draws the picture."""
    return run_program(
        arguments,
        lambda figure, result: draw(figure, msgspec.json.decode(result, type=list[Row])),
        usage=__doc__,
        picture=PICTURE,
        label="Emissions against late first words by the weight of a late first word",
        height_in=HEIGHT_IN,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Draws the result of `python -m benchmarks.steady --json` as a picture for the documents.

    python -m benchmarks.support.steady_picture RESULT.json [PICTURE.svg]

The picture shows by minute the memory and the descriptors of each process, the times of the
answers, and the CPU use. It has its own paper and follows the reader's light or dark theme; the
left-out warm-up is shaded. The same result gives the same bytes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from benchmarks.steady import TARGET, Steady
from benchmarks.support.steadiness import WARM_UP

from entraide_sim.report import svg
from entraide_sim.report.chart import mark_ticks
from entraide_sim.report.svg import DASHES, Tooltips, mark_colour, render_svg, series_colour

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs/reference/steady.svg"
PAGE_STYLE = ROOT / "sim/entraide_sim/report/page.css"
HEIGHT_IN = 8.6
LATENCIES = {
    "whole_p50_s": "whole answer, p50",
    "first_token_p99_s": "first token, p99",
    "first_token_p50_s": "first token, p50",
    "between_tokens_p50_s": "between tokens, p50",
}
ROOT_TAG = re.compile(r"<svg\b[^>]*>")
ROOT_RULE = re.compile(r":root ?\{[^}]*\}")


def draw(figure: Figure, result: Steady) -> None:
    """Draws four panels below each other over one axis of minutes."""
    memory, descriptors, latency, use = figure.subplots(
        4, 1, sharex=True, height_ratios=[3.2, 2.2, 2.6, 1.2]
    )
    at = [minute.minute for minute in result.minutes]
    for axes in (memory, descriptors, latency, use):
        axes.axvspan(at[0], WARM_UP * len(at), color=mark_colour("faint"), alpha=0.5, linewidth=0)
        svg.style_axes(axes)
    _draw_processes(memory, result, at, "rss_mb")
    memory.set_title("Memory (RSS) of each process, MB")
    _draw_processes(descriptors, result, at, "descriptors")
    descriptors.set_title("Descriptors of each process")
    for number, (measure, name) in enumerate(LATENCIES.items()):
        values = [getattr(minute, measure) for minute in result.minutes]
        _draw_line(latency, at, values, number, name)
    latency.set_yscale("log")
    mark_ticks(latency.yaxis, lambda value: f"{value:g}", log=True)
    latency.set_title("Times of the answers, s")
    latency.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    _draw_line(use, at, [minute.use_percent for minute in result.minutes], 0, "")
    use.axhline(100.0 * TARGET, color=mark_colour("line"), linewidth=0.8)
    use.set_ylim(0.0, 100.0)
    use.set_title("CPU use of the two cores, %")
    use.set_xlabel("minutes")
    for axes in (memory, descriptors):
        axes.set_ylim(bottom=0.0)


def _draw_processes(axes: Axes, result: Steady, at: Sequence[int], measure: str) -> None:
    last = result.minutes[-1].processes
    names = sorted(last, key=lambda name: -float(getattr(last[name], measure)))
    numbers = {name: number for number, name in enumerate(sorted(last))}
    for name in names:
        values = [
            getattr(minute.processes[name], measure) if name in minute.processes else None
            for minute in result.minutes
        ]
        _draw_line(axes, at, values, numbers[name], name)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_line(
    axes: Axes, at: Sequence[int], values: Sequence[float | None], number: int, name: str
) -> None:
    gaps = [float("nan") if value is None else value for value in values]
    axes.plot(
        at, gaps, label=name, color=series_colour(number), linestyle=DASHES[number % len(DASHES)]
    )


def to_file(inline: str, width_px: int) -> str:
    """Returns an inline picture as a file with the colours of the report's page."""
    style = "".join(
        f"@media (prefers-color-scheme: dark){{{rule}}}" if number else rule
        for number, rule in enumerate(ROOT_RULE.findall(PAGE_STYLE.read_text("utf-8"))[:2])
    )
    font = "text{font-family:system-ui,sans-serif}"
    broad = inline[: inline.index("</svg>") + len("</svg>")]
    opening = ROOT_TAG.search(broad)
    assert opening is not None
    start = opening[0][:-1] + f' width="{width_px}">'
    paper = '<rect width="100%" height="100%" fill="var(--paper)"/>'
    return f"{start}<style>{style}{font}</style>{paper}{broad[opening.end() :]}\n"


def run_program(
    arguments: Sequence[str],
    draw_rows: Callable[[Figure, bytes], None],
    *,
    usage: str | None,
    picture: Path,
    label: str,
    height_in: float,
) -> int:
    """Draws a benchmark's result (first argument) to a file (the second one, or ``picture``)."""
    if not arguments:
        print(usage, file=sys.stderr)
        return 2
    result = Path(arguments[0]).read_bytes()
    target = Path(arguments[1]) if len(arguments) > 1 else picture

    def draw_result(figure: Figure, _: Tooltips) -> None:
        draw_rows(figure, result)

    inline = render_svg(
        draw_result,
        name=picture.stem,
        label=label,
        height_in=height_in,
        narrow_height_in=height_in,
    )
    target.write_text(to_file(inline, 740), "utf-8")
    return 0


def main(arguments: Sequence[str]) -> int:
    """Draws the picture."""
    return run_program(
        arguments,
        lambda figure, result: draw(figure, msgspec.json.decode(result, type=Steady)),
        usage=__doc__,
        picture=PICTURE,
        label="Memory, descriptors, answer times and CPU use of a pool by minute",
        height_in=HEIGHT_IN,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Pareto chart: latency, carbon and cost of several results, two at a time.

Pareto-optimal results have filled marks.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from msgspec import Struct

from entraide import i18n
from entraide.i18n import text
from entraide_sim.report import formatting, report_data, summary_text, svg
from entraide_sim.report.chart import Chart, mark_ticks, needs_log_scale
from entraide_sim.report.context import ReportInput
from entraide_sim.report.svg import Tooltips, mark_colour, render_svg, series_colour
from entraide_sim.runs import SeededResult, summary_value
from entraide_sim.seed_statistics import Interval

LOG_MARGIN = 2.0  # factor beyond the extremes of a logarithmic axis
NUMBERED_MAX = 12  # results up to which all points are numbered
_PAIRS = (
    (report_data.CARBON, report_data.TTFT),
    (report_data.COST, report_data.CARBON),
    (report_data.COST, report_data.TTFT),
)


def make_pareto_chart(report: ReportInput, lang: str) -> Chart | None:
    """Returns the charts of latency, carbon and cost, two axes at a time.

    The caption says whether a plan or the report recommends the result.
    """
    results = report.results
    pairs = tuple(
        pair
        for pair in _PAIRS
        if sum(
            all(summary_value(result.summary, key) is not None for key in pair)
            for result in results
        )
        > 1
    )
    if len(results) < 2 or not pairs:
        return None
    best = report_data.pareto_optimal(results)
    choice = _ParetoData(report.variants, report.lead, pairs, lang)
    return Chart(
        "pareto",
        text(
            "sim-report-pareto.caption",
            lang,
            best=sum(best),
            tried=len(results),
            how="leads" if report.chosen is None else "chosen",
        ),
        render_svg(
            lambda figure, tips: _draw_pareto(figure, tips, choice),
            name=f"pareto-{lang}",
            label=text("sim-report-pareto", lang),
            height_in=3.0,
            narrow_height_in=2.6 * len(pairs),
        ),
        tuple(
            text(f"sim-report-col-{key}", lang)
            for key in ("number", "what", "ttft_p95", "g_per_1k", "cad_per_1m", "unbeaten")
        ),
        tuple(
            (
                str(at + 1),
                formatting.result_name(result, lang),
                *(
                    summary_text.axis_text(report.variants[at], key, lang)
                    for key in report_data.AXES
                ),
                text("sim-report-yes" if best[at] else "sim-report-no", lang),
            )
            for at, result in enumerate(results)
        ),
    )


class _ParetoData(Struct, frozen=True):
    """Data of the charts, for one language."""

    variants: tuple[SeededResult, ...]
    lead: int
    pairs: tuple[tuple[str, str], ...]
    lang: str


def _draw_pareto(figure: Figure, tips: Tooltips, choice: _ParetoData) -> None:
    results = [variant.mean for variant in choice.variants]
    best = report_data.pareto_optimal(results)
    numbered = {0, choice.lead, *(at for at, is_optimal in enumerate(best) if is_optimal)}
    if len(results) <= NUMBERED_MAX:
        numbered = set(range(len(results)))
    panels = svg.make_panels(figure, len(choice.pairs))
    for axes, keys in zip(panels, choice.pairs, strict=True):
        for at, variant in enumerate(choice.variants):
            of = [variant.interval(key) for key in keys]
            if None in of:
                continue
            mark = _Mark(
                at,
                _shade(is_lead=at == choice.lead),
                is_lead=at == choice.lead,
                is_best=best[at],
                is_numbered=at in numbered,
            )
            values = [summary_text.axis_text(variant, key, choice.lang) for key in keys]
            name = formatting.result_name(variant.mean, choice.lang)
            _draw_variant(axes, mark, [i for i in of if i], tips.add(", ".join((name, *values))))
        for axis, key in zip((axes.xaxis, axes.yaxis), keys, strict=True):
            of = [variant.interval(key) for variant in choice.variants]
            _set_scale(axes, axis, [interval for interval in of if interval], choice.lang)
        axes.set_xlabel(text(f"sim-report-axis-{keys[0].replace('.', '-')}", choice.lang))
        axes.set_ylabel(text(f"sim-report-axis-{keys[1].replace('.', '-')}", choice.lang))
        svg.style_axes(axes)
        axes.grid(visible=True)
    svg.add_legend(figure, _legend_marks(choice, all_best=all(best)))


class _Mark(Struct, frozen=True):
    """How one variant is drawn."""

    number: int
    shade: str
    is_lead: bool
    is_best: bool
    is_numbered: bool


def _shade(*, is_lead: bool) -> str:
    return series_colour(1 if is_lead else 0)


def _draw_variant(axes: Axes, mark: _Mark, of: Sequence[Interval], gid: str) -> None:
    """Draws a variant's point with the intervals of its two values."""
    x, y = (interval.mean for interval in of)
    widths = [interval.high - interval.mean for interval in of]
    if all(isfinite(width) for width in widths):
        axes.errorbar([x], [y], xerr=[widths[0]], yerr=[widths[1]], fmt="none",
                      ecolor=mark.shade, elinewidth=1.2)  # fmt: skip
    axes.plot(
        [x], [y], marker="D" if mark.is_lead else "o", markersize=8, linestyle="none",
        color=mark.shade if mark.is_best else mark_colour("paper"), markeredgecolor=mark.shade,
        markeredgewidth=1.6, gid=gid,
    )  # fmt: skip
    if mark.is_numbered:
        beside = (6, 5) if mark.number % 2 else (-11, -12)  # neighbours on two sides
        axes.annotate(
            str(mark.number + 1), (x, y), xytext=beside, textcoords="offset points", fontsize=8.5
        )


def _legend_marks(choice: _ParetoData, *, all_best: bool) -> list[Line2D]:
    """Returns the marks of the legend: recommended, and Pareto-optimal or not."""
    lead, other = (_shade(is_lead=is_lead) for is_lead in (True, False))
    kinds = [("leads", "D", lead, lead), ("unbeaten", "o", other, other)]
    if not all_best:
        kinds.append(("beaten", "o", mark_colour("paper"), other))
    return [
        Line2D([], [], linestyle="none", marker=marker, color=fill, markeredgecolor=edge,
               markeredgewidth=1.6, label=text(f"sim-report-mark-{name}", choice.lang))
        for name, marker, fill, edge in kinds
    ]  # fmt: skip


def _set_scale(axes: Axes, axis: Any, shown: Sequence[Interval], lang: str) -> None:
    """Sets the limits of an axis so that it holds all values, with their intervals."""
    means = [interval.mean for interval in shown]
    most = max(interval.high if isfinite(interval.high) else interval.mean for interval in shown)
    across, log = axis is axes.xaxis, needs_log_scale(means)
    if log:
        axes.set(**{"xscale" if across else "yscale": "log"})
        axes.set(**{"xlim" if across else "ylim": (min(means) / LOG_MARGIN, most * LOG_MARGIN)})
    else:
        axes.set(**{"xlim" if across else "ylim": (0, 1.18 * most or 1.0)})
    mark_ticks(axis, lambda value: i18n.decimal(value, lang), log=log, most=2 if log else 4)

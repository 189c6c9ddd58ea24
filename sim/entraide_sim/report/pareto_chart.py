"""Pareto chart: latency, carbon and cost of several results, two at a time.

Pareto-optimal results have filled marks.
"""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from msgspec import Struct

from entraide import i18n
from entraide.i18n import text
from entraide_sim.goals import summary_value
from entraide_sim.report import formatting, report_data, summary_text, svg
from entraide_sim.report.chart import Chart, mark_ticks, needs_log_scale
from entraide_sim.report.svg import Tooltips, mark_colour, render_svg, series_colour
from entraide_sim.results import RunResult

LOG_MARGIN = 2.0  # factor beyond the extremes of a logarithmic axis
NUMBERED_MAX = 12  # results up to which all points are numbered
_PAIRS = (
    (report_data.CARBON, report_data.TTFT),
    (report_data.COST, report_data.CARBON),
    (report_data.COST, report_data.TTFT),
)


def make_pareto_chart(
    results: Sequence[RunResult], lang: str, lead: int, *, chosen: bool = False
) -> Chart | None:
    """Returns the charts of latency, carbon and cost, two axes at a time.

    The caption says whether a plan (``chosen``) or the report recommends the result.
    """
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
    choice = _ParetoData(tuple(results), lead, pairs, lang)
    return Chart(
        "pareto",
        text(
            "sim-report-pareto.caption",
            lang,
            best=sum(best),
            tried=len(results),
            how="chosen" if chosen else "leads",
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
                _axis_value(result, report_data.TTFT, lang),
                _axis_value(result, report_data.CARBON, lang),
                _axis_value(result, report_data.COST, lang),
                text("sim-report-yes" if best[at] else "sim-report-no", lang),
            )
            for at, result in enumerate(results)
        ),
    )


def _axis_value(result: RunResult, key: str, lang: str) -> str:
    """Returns a value with its unit, emissions always in grams."""
    if key == report_data.CARBON:
        return formatting.format_grams(summary_value(result.summary, key), lang)
    return summary_text.format_axis_value(result, key, lang)


class _ParetoData(Struct, frozen=True):
    """Data of the charts, for one language."""

    results: tuple[RunResult, ...]
    lead: int
    pairs: tuple[tuple[str, str], ...]
    lang: str


def _draw_pareto(figure: Figure, tips: Tooltips, choice: _ParetoData) -> None:
    best = report_data.pareto_optimal(choice.results)
    numbered = {0, choice.lead, *(at for at, is_optimal in enumerate(best) if is_optimal)}
    if len(choice.results) <= NUMBERED_MAX:
        numbered = set(range(len(choice.results)))
    panels = svg.make_panels(figure, len(choice.pairs))
    for axes, (x_key, y_key) in zip(panels, choice.pairs, strict=True):
        for at, result in enumerate(choice.results):
            x, y = (
                summary_value(result.summary, x_key),
                summary_value(result.summary, y_key),
            )
            if x is None or y is None:
                continue
            numbers = [_axis_value(result, key, choice.lang) for key in (x_key, y_key)]
            shade = series_colour(1 if at == choice.lead else 0)
            axes.plot(
                [x], [y], marker="D" if at == choice.lead else "o", markersize=8, linestyle="none",
                color=shade if best[at] else mark_colour("paper"), markeredgecolor=shade,
                markeredgewidth=1.6,
                gid=tips.add(", ".join((formatting.result_name(result, choice.lang), *numbers))),
            )  # fmt: skip
            if at in numbered:
                beside = (6, 5) if at % 2 else (-11, -12)  # neighbours on two sides
                axes.annotate(
                    str(at + 1), (x, y), xytext=beside, textcoords="offset points", fontsize=8.5
                )
        for axis, key in ((axes.xaxis, x_key), (axes.yaxis, y_key)):
            _set_scale(
                axes,
                axis,
                [summary_value(result.summary, key) for result in choice.results],
                choice.lang,
            )
        axes.set_xlabel(text(f"sim-report-axis-{x_key.replace('.', '-')}", choice.lang))
        axes.set_ylabel(text(f"sim-report-axis-{y_key.replace('.', '-')}", choice.lang))
        svg.style_axes(axes)
        axes.grid(visible=True)


def _set_scale(axes: Axes, axis: Any, values: list[float | None], lang: str) -> None:
    have = [value for value in values if value is not None]
    across, log = axis is axes.xaxis, needs_log_scale(have)
    if log:
        axes.set(**{"xscale" if across else "yscale": "log"})
        axes.set(**{"xlim" if across else "ylim": (min(have) / LOG_MARGIN, max(have) * LOG_MARGIN)})
    else:
        axes.set(**{"xlim" if across else "ylim": (0, 1.18 * max(have) or 1.0)})
    mark_ticks(axis, lambda value: i18n.decimal(value, lang), log=log, most=2 if log else 4)

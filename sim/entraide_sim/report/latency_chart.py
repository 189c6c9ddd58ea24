"""Latency chart: cumulative distributions of TTFT and of end-to-end latency.

One curve per class, or per result where several are compared.
"""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from entraide import i18n
from entraide.i18n import text
from entraide_sim.report import formatting, svg
from entraide_sim.report.chart import LONG_DELAY_S, Chart, mark_delays, mark_ticks, needs_log_scale
from entraide_sim.report.svg import Tooltips, mark_colour, render_svg, series_colour
from entraide_sim.scenario import ClassLatency, RunResult

MARKED_PERCENTILES = (50, 95, 99)  # marked on each curve
CURVES_MAX = svg.SERIES_COLOURS


Curve = tuple[str, tuple[float, ...], float | None, int]  # name, quantiles, objective, colour


def make_latency_chart(results: Sequence[RunResult], lang: str) -> Chart | None:
    """Returns the latency chart: one curve per class, or per result if there are several."""
    shown = [(result, latency) for result in results[:CURVES_MAX] for latency in result.latencies
             if latency.ttft_s and latency.e2e_s]  # fmt: skip
    if not shown:
        return None
    several = len(results) > 1
    if several:
        most = max(shown, key=lambda pair: pair[1].jobs)[1].job_class
        shown = [pair for pair in shown if pair[1].job_class == most]
    names = [
        formatting.result_name(result, lang)
        if several
        else i18n.word("class", latency.job_class, lang)
        for result, latency in shown
    ]
    panels = [
        (
            text(f"sim-report-axis-{kind}", lang),
            [(name, _quantiles(latency, kind), _objective(latency, kind), at)
             for at, (name, (_, latency)) in enumerate(zip(names, shown, strict=True))],
        )
        for kind in ("ttft", "e2e")
    ]  # fmt: skip
    rows = [
        (name, title, *(formatting.format_seconds(values[at], lang) for at in MARKED_PERCENTILES),
         formatting.format_seconds(objective, lang))
        for title, curves in panels
        for name, values, objective, _ in curves
    ]  # fmt: skip
    return Chart(
        "latency",
        text(
            "sim-report-latency.caption", lang,
            scope="several" if several else "one",
            class_name=i18n.word("class", shown[0][1].job_class, lang),
        ),
        render_svg(
            lambda figure, tips: _draw_latency(figure, tips, panels, lang),
            name=f"latency-{lang}", label=text("sim-report-latency", lang),
            height_in=3.1, narrow_height_in=5.6,
        ),
        tuple(text(f"sim-report-col-{key}", lang)
              for key in ("what", "measure", "p50", "p95", "p99", "objective")),
        tuple(rows),
    )  # fmt: skip


def _quantiles(latency: ClassLatency, kind: str) -> tuple[float, ...]:
    return latency.ttft_s if kind == "ttft" else latency.e2e_s


def _objective(latency: ClassLatency, kind: str) -> float | None:
    return latency.objective_ttft_s if kind == "ttft" else latency.objective_e2e_s


def _draw_latency(
    figure: Figure, tips: Tooltips, panels: Sequence[tuple[str, list[Curve]]], lang: str
) -> None:
    all_axes = svg.make_panels(figure, len(panels), sharey=True)
    for axes, (title, curves) in zip(all_axes, panels, strict=True):
        ends = [value for _, values, _, _ in curves for value in (values[2], values[99])]
        log = needs_log_scale(ends)
        for curve in curves:
            _draw_curve(axes, tips, curve, title, lang)
        _draw_objectives(axes, tips, curves, lang)
        if log:
            axes.set_xscale("log")
        else:
            axes.set_xlim(0, 1.05 * max(*ends, *(c[2] or 0.0 for c in curves)) or 1.0)
        axes.set_ylim(0, 1.02)
        axes.set_title(title)
        if log and max(ends) > LONG_DELAY_S:
            axes.set_xlabel(text("sim-report-axis-waiting", lang))
            mark_delays(axes, lambda value: formatting.format_tick(value, lang))
        else:
            axes.set_xlabel(text("sim-report-axis-seconds", lang))
            mark_ticks(axes.xaxis, lambda value: i18n.decimal(value, lang), log=log, most=5)
        mark_ticks(axes.yaxis, lambda value: formatting.format_percentage(value, lang), most=5)
        svg.style_axes(axes)
    for axes in all_axes if svg.is_narrow(figure) else all_axes[:1]:
        axes.set_ylabel(text("sim-report-axis-answered", lang))
    handles, _ = all_axes[0].get_legend_handles_labels()
    svg.add_legend(figure, handles)


def _draw_curve(axes: Axes, tips: Tooltips, curve: Curve, title: str, lang: str) -> None:
    name, values, _, at = curve
    heights = [step / 100 for step in range(100)]
    axes.plot(values[:100], heights, color=series_colour(at), linestyle=svg.DASHES[at],
              label=svg.legend_label(name))  # fmt: skip
    for percent in MARKED_PERCENTILES:
        part = formatting.format_percentage(percent / 100, lang)
        point_text = f"{title}, {part} ≤ {formatting.format_seconds(values[percent], lang)}"
        axes.plot([values[percent]], [percent / 100], color=series_colour(at),
                  marker=svg.POINTS[at], markersize=6, markeredgecolor=mark_colour("paper"),
                  gid=tips.add(text("sim-report-tip", lang, name=name, what=point_text)),
              )  # fmt: skip


def _draw_objectives(axes: Axes, tips: Tooltips, curves: Sequence[Curve], lang: str) -> None:
    """Draws each objective once, in its curve's colour, or in ink if several curves share it."""
    for objective in sorted({limit_s for _, _, limit_s, _ in curves if limit_s is not None}):
        sharing = [(name, at) for name, _, limit_s, at in curves if limit_s == objective]
        objective_text = text(
            "sim-report-objective", lang, limit=formatting.format_seconds(objective, lang)
        )
        names = formatting.join_list((name for name, _ in sharing), lang)
        shade = series_colour(sharing[0][1]) if len(sharing) == 1 else mark_colour("ink")
        tip = text("sim-report-tip", lang, name=names, what=objective_text)
        axes.axvline(
            objective, color=shade, linewidth=1.2, linestyle=(0, (2, 2)), gid=tips.add(tip)
        )

"""Latency: how many were answered by when.

Decides how the wait for the first word and for the whole answer is drawn: a curve by class, or by
result where several are compared. It refuses to know what made them wait.
"""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from entraide import i18n
from entraide.i18n import text
from entraide_sim.report import canvas, words
from entraide_sim.report.canvas import Tips, colour, picture, series_colour
from entraide_sim.report.figures import LONG_S, Picture, ticks, waits, wide
from entraide_sim.results import Latency, Result

MARKED = (50, 95, 99)  # percentiles that a curve marks
CURVES_MAX = canvas.SERIES


Curve = tuple[str, tuple[float, ...], float | None, int]  # name, quantiles, objective, colour


def latency(results: Sequence[Result], lang: str) -> Picture | None:
    """Returns how long answers took: a curve by class, or by result where there are several."""
    found = [(one, latency) for one in results[:CURVES_MAX] for latency in one.latencies
             if latency.ttft_s and latency.e2e_s]  # fmt: skip
    if not found:
        return None
    several = len(results) > 1
    if several:
        most = max(found, key=lambda pair: pair[1].jobs)[1].job_class
        found = [pair for pair in found if pair[1].job_class == most]
    names = [words.name(one, lang) if several else i18n.word("class", latency.job_class, lang)
             for one, latency in found]  # fmt: skip
    panels = [
        (
            text(f"sim-report-axis-{kind}", lang),
            [(name, _quantiles(latency, kind), _objective(latency, kind), at)
             for at, (name, (_, latency)) in enumerate(zip(names, found, strict=True))],
        )
        for kind in ("ttft", "e2e")
    ]  # fmt: skip
    rows = [
        (name, title, *(words.seconds(values[at], lang) for at in MARKED),
         words.seconds(objective, lang))
        for title, curves in panels
        for name, values, objective, _ in curves
    ]  # fmt: skip
    return Picture(
        "latency",
        text(
            "sim-report-latency.caption", lang,
            scope="several" if several else "one",
            class_name=i18n.word("class", found[0][1].job_class, lang),
        ),
        picture(
            lambda figure, tips: _draw_latency(figure, tips, panels, lang),
            name=f"latency-{lang}", label=text("sim-report-latency", lang), height_in=3.1,
        ),
        tuple(text(f"sim-report-col-{key}", lang)
              for key in ("what", "measure", "p50", "p95", "p99", "objective")),
        tuple(rows),
    )  # fmt: skip


def _quantiles(latency: Latency, kind: str) -> tuple[float, ...]:
    return latency.ttft_s if kind == "ttft" else latency.e2e_s


def _objective(latency: Latency, kind: str) -> float | None:
    return latency.objective_ttft_s if kind == "ttft" else latency.objective_e2e_s


def _draw_latency(
    figure: Figure, tips: Tips, panels: Sequence[tuple[str, list[Curve]]], lang: str
) -> None:
    for axes, (title, curves) in zip(figure.subplots(1, 2, sharey=True), panels, strict=True):
        ends = [value for _, values, _, _ in curves for value in (values[2], values[99])]
        log = wide(ends)
        for curve in curves:
            _draw_curve(axes, tips, curve, title, lang)
        _draw_objectives(axes, tips, curves, lang)
        if log:
            axes.set_xscale("log")
        else:
            axes.set_xlim(0, 1.05 * max(*ends, *(c[2] or 0.0 for c in curves)) or 1.0)
        axes.set_ylim(0, 1.02)
        axes.set_title(title)
        if log and max(ends) > LONG_S:
            axes.set_xlabel(text("sim-report-axis-waiting", lang))
            waits(axes, lambda value: words.mark(value, lang))
        else:
            axes.set_xlabel(text("sim-report-axis-seconds", lang))
            ticks(axes.xaxis, lambda value: i18n.decimal(value, lang), log=log, most=5)
        ticks(axes.yaxis, lambda value: words.part(value, lang), most=5)
        canvas.plain(axes)
    figure.axes[0].set_ylabel(text("sim-report-axis-answered", lang))
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3)


def _draw_curve(axes: Axes, tips: Tips, curve: Curve, title: str, lang: str) -> None:
    name, values, _, at = curve
    heights = [step / 100 for step in range(100)]
    axes.plot(values[:100], heights, color=series_colour(at), linestyle=canvas.DASHES[at],
              label=canvas.plain_label(name))  # fmt: skip
    for percent in MARKED:
        told = (
            f"{title}, {words.part(percent / 100, lang)} ≤ {words.seconds(values[percent], lang)}"
        )
        axes.plot([values[percent]], [percent / 100], color=series_colour(at),
                  marker=canvas.POINTS[at], markersize=6, markeredgecolor=colour("paper"),
                  gid=tips.say(text("sim-report-tip", lang, name=name, what=told)))  # fmt: skip


def _draw_objectives(axes: Axes, tips: Tips, curves: Sequence[Curve], lang: str) -> None:
    """Draws each promised delay once: in the colour of its curve, or in ink where several share."""
    for objective in sorted({one for _, _, one, _ in curves if one is not None}):
        sharing = [(name, at) for name, _, one, at in curves if one == objective]
        told = text("sim-report-objective", lang, limit=words.seconds(objective, lang))
        names = words.listed((name for name, _ in sharing), lang)
        shade = series_colour(sharing[0][1]) if len(sharing) == 1 else colour("ink")
        axes.axvline(objective, color=shade, linewidth=1.2, linestyle=(0, (2, 2)),
                     gid=tips.say(text("sim-report-tip", lang, name=names, what=told)))  # fmt: skip

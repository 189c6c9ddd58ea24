"""Pareto: latency, carbon and cost of several results, two by two.

Decides how a choice between policies or fleets is drawn, so that one sees which of them nothing
beats. It refuses to know which is right.
"""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from msgspec import Struct

from entraide import i18n
from entraide.i18n import text
from entraide_sim.report import answers, canvas, facts, words
from entraide_sim.report.canvas import Tips, colour, picture, series_colour
from entraide_sim.report.figures import Picture, ticks, wide
from entraide_sim.results import Result

ROOM = 2.0  # beyond the least and the most of a logarithmic axis, for the numbers of the points
NAMED_MAX = 12  # results that a picture numbers, all of them
_PAIRS = ((facts.CARBON, facts.TTFT), (facts.COST, facts.CARBON), (facts.COST, facts.TTFT))


def pareto(
    results: Sequence[Result], lang: str, lead: int, *, chosen: bool = False
) -> Picture | None:
    """Returns latency, carbon and cost two by two; what nothing beats is drawn full.

    The caption says why the one that leads does: a plan has ``chosen`` it, or the report has.
    """
    pairs = tuple(
        pair
        for pair in _PAIRS
        if sum(all(facts.get(one, *path) is not None for path in pair) for one in results) > 1
    )
    if len(results) < 2 or not pairs:
        return None
    best = facts.unbeaten(results)
    choice = _Choice(tuple(results), lead, pairs, lang)
    return Picture(
        "pareto",
        text("sim-report-pareto.caption", lang, best=sum(best), tried=len(results),
             how="chosen" if chosen else "leads"),
        picture(
            lambda figure, tips: _draw_pareto(figure, tips, choice),
            name=f"pareto-{lang}", label=text("sim-report-pareto", lang), height_in=3.0,
        ),
        tuple(text(f"sim-report-col-{key}", lang)
              for key in ("number", "what", "ttft_p95", "g_per_1k", "cad_per_1m", "unbeaten")),
        tuple(
            (str(at + 1), words.name(one, lang), _amount(one, facts.TTFT, lang),
             _amount(one, facts.CARBON, lang), _amount(one, facts.COST, lang),
             text("sim-report-yes" if best[at] else "sim-report-no", lang))
            for at, one in enumerate(results)
        ),
    )  # fmt: skip


def _amount(result: Result, path: tuple[str, ...], lang: str) -> str:
    """As the answer tells it, but always grams: one column has one unit."""
    if path == facts.CARBON:
        return words.grams(facts.get(result, *path), lang)
    return answers.amount(result, path, lang)


class _Choice(Struct, frozen=True):
    """What is compared, for one language."""

    results: tuple[Result, ...]
    lead: int
    pairs: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    lang: str


def _draw_pareto(figure: Figure, tips: Tips, choice: _Choice) -> None:
    best = facts.unbeaten(choice.results)
    numbered = {0, choice.lead, *(at for at, one in enumerate(best) if one)}
    if len(choice.results) <= NAMED_MAX:
        numbered = set(range(len(choice.results)))
    panels = figure.subplots(1, len(choice.pairs), squeeze=False)[0]
    for axes, (x_path, y_path) in zip(panels, choice.pairs, strict=True):
        for at, result in enumerate(choice.results):
            x, y = facts.get(result, *x_path), facts.get(result, *y_path)
            if x is None or y is None:
                continue
            numbers = [_amount(result, path, choice.lang) for path in (x_path, y_path)]
            shade = series_colour(1 if at == choice.lead else 0)
            axes.plot(
                [x], [y], marker="D" if at == choice.lead else "o", markersize=8, linestyle="none",
                color=shade if best[at] else colour("paper"), markeredgecolor=shade,
                markeredgewidth=1.6,
                gid=tips.say(", ".join((words.name(result, choice.lang), *numbers))),
            )  # fmt: skip
            if at in numbered:
                beside = (6, 5) if at % 2 else (-11, -12)  # neighbours on two sides
                axes.annotate(
                    str(at + 1), (x, y), xytext=beside, textcoords="offset points", fontsize=8.5
                )
        for axis, path in ((axes.xaxis, x_path), (axes.yaxis, y_path)):
            _scale(axes, axis, [facts.get(one, *path) for one in choice.results], choice.lang)
        axes.set_xlabel(text(f"sim-report-axis-{'-'.join(x_path)}", choice.lang))
        axes.set_ylabel(text(f"sim-report-axis-{'-'.join(y_path)}", choice.lang))
        canvas.plain(axes)
        axes.grid(visible=True)


def _scale(axes: Axes, axis: Any, values: list[float | None], lang: str) -> None:
    have = [value for value in values if value is not None]
    across, log = axis is axes.xaxis, wide(have)
    if log:
        axes.set(**{"xscale" if across else "yscale": "log"})
        axes.set(**{"xlim" if across else "ylim": (min(have) / ROOM, max(have) * ROOM)})
    else:
        axes.set(**{"xlim" if across else "ylim": (0, 1.18 * max(have) or 1.0)})
    ticks(axis, lambda value: i18n.decimal(value, lang), log=log, most=2 if log else 4)

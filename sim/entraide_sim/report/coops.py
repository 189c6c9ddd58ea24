"""Co-ops: what each received, what was due to it, and what it gave.

Decides how shares are drawn and which are shown of many. It refuses to know what is due.
"""

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from entraide.i18n import text
from entraide_sim.report import canvas, facts, words
from entraide_sim.report.canvas import Tips, colour, picture, series_colour
from entraide_sim.report.figures import Picture, ticks
from entraide_sim.results import Result


def shares(result: Result, lang: str, *, mark: str = "") -> Picture | None:
    """Returns what each co-op received against what was due to it, and what it gave."""
    shown = facts.coops_shown(result)
    total = sum(one.received_tokens for one in result.coops)
    if not shown or not total:
        return None

    def part(value: float) -> str:
        return words.part(value / total, lang)

    return Picture(
        "shares",
        text("sim-report-shares.caption", lang, shown=len(shown), coops=len(result.coops),
             scope="all" if len(shown) == len(result.coops) else "some"),
        picture(
            lambda figure, tips: _draw_shares(figure, tips, result, lang),
            name=f"shares{mark}-{lang}", label=text("sim-report-shares", lang),
            height_in=1.2 + 0.27 * len(shown),
        ),
        tuple(text(f"sim-report-col-{key}", lang)
              for key in ("coop", "weight", "jobs", "rejected", "received", "due", "given")),
        tuple(
            (one.coop, words.number(one.weight, lang), words.count(one.jobs, lang),
             words.count(one.rejected, lang), part(one.received_tokens), part(one.due_tokens),
             part(one.given_tokens))
            for one in shown
        ),
    )  # fmt: skip


def _draw_shares(figure: Figure, tips: Tips, result: Result, lang: str) -> None:
    axes = figure.subplots()
    shown = facts.coops_shown(result)
    total = sum(one.received_tokens for one in result.coops)
    for at, one in enumerate(shown):
        received, due, given = (
            value / total for value in (one.received_tokens, one.due_tokens, one.given_tokens)
        )
        said = text(
            "sim-report-tip-share", lang, coop=one.coop, received=words.part(received, lang),
            due=words.part(due, lang), given=words.part(given, lang),
        )  # fmt: skip
        axes.barh([at], [received], height=0.62, color=series_colour(0))[0].set_gid(tips.say(said))
        axes.plot(
            [due, due],
            [at - 0.42, at + 0.42],
            color=colour("ink"),
            linewidth=2.4,
            solid_capstyle="butt",
            label=text("sim-report-due", lang) if not at else None,
        )
        axes.plot([given], [at], marker="D", markersize=6, linestyle="none",
                  markerfacecolor=colour("paper"), markeredgecolor=series_colour(1),
                  markeredgewidth=1.6,
                  label=text("sim-report-given", lang) if not at else None)  # fmt: skip
        axes.axhspan(at - 0.5, at + 0.5, alpha=0, gid=tips.say(said, band=True))
    handles, labels = axes.get_legend_handles_labels()
    bar = Patch(color=series_colour(0), label=text("sim-report-received", lang))
    figure.legend([bar, *handles], [str(bar.get_label()), *labels],
                  loc="outside upper left", ncols=3)  # fmt: skip
    axes.set_yticks(range(len(shown)), [one.coop for one in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel(text("sim-report-axis-part_of_tokens", lang))
    ticks(axes.xaxis, lambda value: words.part(value, lang))
    canvas.plain(axes, grid="x")

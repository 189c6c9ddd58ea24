"""Share chart: service received, due and given by each co-op."""

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from entraide.i18n import text
from entraide_sim.report import formatting, report_data, svg
from entraide_sim.report.chart import Chart, mark_ticks
from entraide_sim.report.svg import Tooltips, mark_colour, render_svg, series_colour
from entraide_sim.scenario import RunResult


def make_share_chart(result: RunResult, lang: str, *, mark: str = "") -> Chart | None:
    """Returns the chart of the service that each co-op received, was due and gave."""
    coops = report_data.coops_shown(result)
    total = sum(coop.received_tokens for coop in result.coops)
    if not coops or not total:
        return None

    def part(value: float) -> str:
        return formatting.format_percentage(value / total, lang)

    return Chart(
        "shares",
        text(
            "sim-report-shares.caption",
            lang,
            shown=len(coops),
            coops=len(result.coops),
            scope="all" if len(coops) == len(result.coops) else "some",
        ),
        render_svg(
            lambda figure, tips: _draw_shares(figure, tips, result, lang),
            name=f"shares{mark}-{lang}",
            label=text("sim-report-shares", lang),
            height_in=1.2 + 0.27 * len(coops),
            narrow_height_in=1.6 + 0.27 * len(coops),
        ),
        tuple(
            text(f"sim-report-col-{key}", lang)
            for key in ("coop", "weight", "jobs", "rejected", "received", "due", "given")
        ),
        tuple(
            (
                formatting.part_name(result, "coop", coop.coop, lang),
                formatting.format_number(coop.weight, lang),
                formatting.format_count(coop.jobs, lang),
                formatting.format_count(coop.rejected, lang),
                part(coop.received_tokens),
                part(coop.due_tokens),
                part(coop.given_tokens),
            )
            for coop in coops
        ),
    )


def _draw_shares(figure: Figure, tips: Tooltips, result: RunResult, lang: str) -> None:
    axes = figure.subplots()
    coops = report_data.coops_shown(result)
    total = sum(coop.received_tokens for coop in result.coops)
    for at, coop in enumerate(coops):
        received, due, given = (
            value / total for value in (coop.received_tokens, coop.due_tokens, coop.given_tokens)
        )
        tooltip = text(
            "sim-report-tip-share",
            lang,
            coop=formatting.part_name(result, "coop", coop.coop, lang),
            received=formatting.format_percentage(received, lang),
            due=formatting.format_percentage(due, lang),
            given=formatting.format_percentage(given, lang),
        )
        axes.barh([at], [received], height=0.62, color=series_colour(0))[0].set_gid(
            tips.add(tooltip)
        )
        axes.plot(
            [due, due],
            [at - 0.42, at + 0.42],
            color=mark_colour("ink"),
            linewidth=2.4,
            solid_capstyle="butt",
            label=text("sim-report-due", lang) if not at else None,
        )
        axes.plot([given], [at], marker="D", markersize=6, linestyle="none",
                  markerfacecolor=mark_colour("paper"), markeredgecolor=series_colour(1),
                  markeredgewidth=1.6,
                  label=text("sim-report-given", lang) if not at else None)  # fmt: skip
        axes.axhspan(at - 0.5, at + 0.5, alpha=0, gid=tips.add(tooltip, band=True))
    handles, _ = axes.get_legend_handles_labels()
    bar = Patch(color=series_colour(0), label=text("sim-report-received", lang))
    svg.add_legend(figure, [bar, *handles])
    names = [formatting.part_name(result, "coop", coop.coop, lang) for coop in coops]
    axes.set_yticks(range(len(coops)), svg.wrap_ticks(figure, names))
    axes.set_ylim(len(coops) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel(text("sim-report-axis-part_of_tokens", lang))
    mark_ticks(axes.xaxis, lambda value: formatting.format_percentage(value, lang))
    svg.style_axes(axes, grid="x")

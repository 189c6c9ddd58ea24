"""Day charts: load and grid intensity by hour of the day, and a map of zones by hour."""

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from entraide import i18n
from entraide.i18n import text
from entraide_sim.report import formatting, report_data, svg
from entraide_sim.report.chart import Chart, mark_ticks, needs_log_scale
from entraide_sim.report.svg import Tooltips, mark_colour, render_svg, series_colour
from entraide_sim.scenario import RunResult

HEAT_STEP = 1.0 / svg.HEAT_STEPS


def make_day_chart(result: RunResult, lang: str, *, mark: str = "") -> Chart | None:
    """Returns the chart of load by zone and of grid intensity by hour of the day."""
    day = report_data.day_profile(result)
    if not day.hours or not day.zones:
        return None
    names = [i18n.zone_name(zone, lang) for zone in day.zones]
    rows = tuple(
        (
            formatting.format_hour(hour, lang),
            name,
            formatting.format_number(round(day.jobs[z][h], 1), lang),
            _format_intensity(day.intensity_g_per_kwh[z][h], lang),
        )
        for h, hour in enumerate(day.hours)
        for z, name in enumerate(names)
    )
    return Chart(
        "day",
        text(
            "sim-report-day.caption",
            lang,
            days=formatting.format_span(
                report_data.whole_days_hours(result) or report_data.demand_hours(result), lang
            ),
            timezone=_timezone_text(result.timezone, lang),
        ),
        render_svg(
            lambda figure, tips: _draw_day(figure, tips, day, lang),
            name=f"day{mark}-{lang}",
            label=text("sim-report-day", lang),
            height_in=4.3,
            narrow_height_in=4.3,
        ),
        tuple(text(f"sim-report-col-{key}", lang) for key in ("hour", "zone", "jobs", "intensity")),
        rows,
    )


def _format_intensity(value_g_per_kwh: float, lang: str) -> str:
    return f"{formatting.format_number(value_g_per_kwh, lang)}{formatting.NBSP}g/kWh"


def _timezone_text(timezone: str, lang: str) -> str:
    code = timezone.replace("/", "_")
    return text("sim-report-timezone", lang, zone_id=code, place=timezone)


def _draw_day(figure: Figure, tips: Tooltips, day: report_data.DayProfile, lang: str) -> None:
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.15, 1))
    named = min(len(day.zones), report_data.ZONES_MAX)
    base = [0.0] * len(day.hours)
    for z, jobs in enumerate(day.jobs):
        colours = series_colour(z if z < named else svg.SERIES_COLOURS)
        above.bar(day.hours, jobs, bottom=base, width=0.86, color=colours,
                  edgecolor=mark_colour("paper"), linewidth=0.5)  # fmt: skip
        base = [have + more for have, more in zip(base, jobs, strict=True)]
    for z in range(named):
        below.plot(day.hours, day.intensity_g_per_kwh[z], color=series_colour(z),
                   linestyle=svg.DASHES[z], marker=svg.POINTS[z], markersize=3.5)  # fmt: skip
    values = [value for row in day.intensity_g_per_kwh[:named] for value in row]
    log = needs_log_scale(values)
    if log:
        below.set_yscale("log")
    else:
        below.set_ylim(bottom=0)
    for axes in (above, below):
        for h, hour in enumerate(day.hours):
            axes.axvspan(hour - 0.5, hour + 0.5, alpha=0, clip_on=False,
                         gid=tips.add(_hour_tooltip(day, h, lang), band=True))  # fmt: skip
        svg.style_axes(axes)
    above.set_ylabel(text("sim-report-axis-jobs_per_h", lang))
    below.set_ylabel("g CO2e/kWh")
    below.set_xlabel(text("sim-report-axis-hour", lang))
    mark_ticks(above.yaxis, lambda value: i18n.decimal(value, lang), most=5)
    mark_ticks(below.yaxis, lambda value: i18n.decimal(value, lang), log=log, most=5)
    below.set_xlim(day.hours[0] - 0.6, day.hours[-1] + 0.6)
    below.set_xticks(_marked_hours(figure, day))
    below.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: formatting.format_hour(int(value), lang))
    )
    _zone_legend(figure, day, named, lang)


def _marked_hours(figure: Figure, day: report_data.DayProfile) -> list[int]:
    every_h = 6 if svg.is_narrow(figure) else 3
    return [hour for hour in day.hours if len(day.hours) < 3 * every_h or hour % every_h == 0]


def _zone_legend(figure: Figure, day: report_data.DayProfile, named: int, lang: str) -> None:
    handles = [Patch(color=series_colour(z), label=i18n.zone_name(day.zones[z], lang))
               for z in range(named)]  # fmt: skip
    if len(day.zones) > named:
        others = text("sim-report-other-zones", lang, count=len(day.zones) - named)
        handles.append(Patch(color=series_colour(svg.SERIES_COLOURS), label=others))
    svg.add_legend(figure, handles)


def _hour_tooltip(day: report_data.DayProfile, h: int, lang: str) -> str:
    lines = [formatting.format_hour(day.hours[h], lang)]
    for z, zone in enumerate(day.zones):
        lines.append(text(
            "sim-report-tip-hour", lang, name=i18n.zone_name(zone, lang),
            jobs=formatting.format_number(round(day.jobs[z][h], 1), lang),
            intensity=_format_intensity(day.intensity_g_per_kwh[z][h], lang),
        ))  # fmt: skip
    return "\n".join(lines)


def make_zone_map(result: RunResult, lang: str, *, mark: str = "") -> Chart | None:
    """Returns the heat map of the zones in which each hour's jobs ran."""
    day = report_data.day_profile(result)
    totals = [sum(column) for column in zip(*day.jobs, strict=True)]
    if len(day.zones) < 2 or not any(totals):
        return None
    parts = [
        [jobs / total if total else 0.0 for jobs, total in zip(row, totals, strict=True)]
        for row in day.jobs
    ]
    names = [i18n.zone_name(zone, lang) for zone in day.zones]
    return Chart(
        "map",
        text("sim-report-map.caption", lang),
        render_svg(
            lambda figure, tips: _draw_map(figure, tips, day, parts, lang),
            name=f"map{mark}-{lang}",
            label=text("sim-report-map", lang),
            height_in=0.9 + 0.36 * len(names),
            narrow_height_in=0.9 + 0.36 * len(names),
        ),
        (text("sim-report-col-hour", lang), *names),
        tuple(
            (
                formatting.format_hour(hour, lang),
                *(formatting.format_percentage(row[h], lang) for row in parts),
            )
            for h, hour in enumerate(day.hours)
        ),
    )


def _draw_map(
    figure: Figure, tips: Tooltips, day: report_data.DayProfile, parts: list[list[float]], lang: str
) -> None:
    axes = figure.subplots()
    for z, zone in enumerate(day.zones):
        for h, hour in enumerate(day.hours):
            part = parts[z][h]
            step = min(int(part / HEAT_STEP), svg.HEAT_STEPS - 1)
            where = f"{formatting.format_hour(hour, lang)}, {i18n.zone_name(zone, lang)}"
            tooltip = text(
                "sim-report-tip", lang, name=where, what=formatting.format_percentage(part, lang)
            )
            axes.barh(
                [z], [0.94], left=hour - 0.47, height=0.9, color=mark_colour(f"h{step}"), gid=None
            )[0].set_gid(tips.add(tooltip))
            if part > 0 and not svg.is_narrow(figure):
                axes.text(
                    hour,
                    z,
                    i18n.decimal(max(1.0, round(part * 100)), lang),
                    ha="center",
                    va="center_baseline",
                    fontsize=7,
                    color=mark_colour("ink" if step < svg.HEAT_STEPS // 2 else "paper"),
                )
    axes.set_yticks(range(len(day.zones)), [i18n.zone_name(zone, lang) for zone in day.zones])
    axes.invert_yaxis()
    axes.set_xlim(day.hours[0] - 0.6, day.hours[-1] + 0.6)
    axes.set_xticks(_marked_hours(figure, day))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: formatting.format_hour(int(value), lang))
    )
    axes.set_xlabel(text("sim-report-axis-hour", lang))
    axes.set_title(text("sim-report-axis-part_of_hour", lang), fontsize=8.5)
    axes.tick_params(length=0, labelsize=8.5)
    for spine in axes.spines.values():
        spine.set_visible(False)

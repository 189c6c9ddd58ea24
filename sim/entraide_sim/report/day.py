"""Day: load, grid intensity and places, hour by hour of the day.

Decides that load stands above intensity on one axis of hours, and that hours and zones make a map
of parts. It refuses to know why jobs ran where they did.
"""

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from entraide import i18n
from entraide.i18n import text
from entraide_sim.report import canvas, facts, words
from entraide_sim.report.canvas import Tips, colour, picture, series_colour
from entraide_sim.report.figures import Picture, ticks, wide
from entraide_sim.results import Result

STEP = 1.0 / canvas.STEPS


def over_the_day(result: Result, lang: str, *, mark: str = "") -> Picture | None:
    """Returns load by zone above, and the grid's intensity below, hour by hour of the day."""
    day = facts.day(result)
    if not day.hours or not day.zones:
        return None
    names = [words.zone(zone, lang) for zone in day.zones]
    rows = tuple(
        (words.hour(hour, lang), name, words.number(round(day.jobs[z][h], 1), lang),
         f"{words.number(day.intensity_g_per_kwh[z][h], lang)}{words.NBSP}g/kWh")
        for h, hour in enumerate(day.hours)
        for z, name in enumerate(names)
    )  # fmt: skip
    return Picture(
        "day",
        text("sim-report-day.caption", lang,
             days=words.span(facts.whole_days(result) or result.hours, lang),
             timezone=_clock(result.timezone, lang)),
        picture(
            lambda figure, tips: _draw_day(figure, tips, day, lang),
            name=f"day{mark}-{lang}", label=text("sim-report-day", lang), height_in=4.3,
        ),
        tuple(text(f"sim-report-col-{key}", lang) for key in ("hour", "zone", "jobs", "intensity")),
        rows,
    )  # fmt: skip


def _clock(timezone: str, lang: str) -> str:
    code = timezone.replace("/", "_")
    return text("sim-report-timezone", lang, zone_id=code, place=timezone)


def _draw_day(figure: Figure, tips: Tips, day: facts.Day, lang: str) -> None:
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.15, 1))
    named = min(len(day.zones), facts.ZONES_MAX)
    base = [0.0] * len(day.hours)
    for z, jobs in enumerate(day.jobs):
        colours = series_colour(z if z < named else canvas.SERIES)
        above.bar(day.hours, jobs, bottom=base, width=0.86, color=colours,
                  edgecolor=colour("paper"), linewidth=0.5)  # fmt: skip
        base = [have + more for have, more in zip(base, jobs, strict=True)]
    for z in range(named):
        below.plot(day.hours, day.intensity_g_per_kwh[z], color=series_colour(z),
                   linestyle=canvas.DASHES[z], marker=canvas.POINTS[z], markersize=3.5)  # fmt: skip
    values = [value for row in day.intensity_g_per_kwh[:named] for value in row]
    log = wide(values)
    if log:
        below.set_yscale("log")
    else:
        below.set_ylim(bottom=0)
    for axes in (above, below):
        for h, hour in enumerate(day.hours):
            axes.axvspan(hour - 0.5, hour + 0.5, alpha=0, clip_on=False,
                         gid=tips.say(_told_hour(day, h, lang), band=True))  # fmt: skip
        canvas.plain(axes)
    above.set_ylabel(text("sim-report-axis-jobs_per_h", lang))
    below.set_ylabel("g CO2e/kWh")
    below.set_xlabel(text("sim-report-axis-hour", lang))
    ticks(above.yaxis, lambda value: i18n.decimal(value, lang), most=5)
    ticks(below.yaxis, lambda value: i18n.decimal(value, lang), log=log, most=5)
    below.set_xlim(day.hours[0] - 0.6, day.hours[-1] + 0.6)
    below.set_xticks([hour for hour in day.hours if len(day.hours) < 9 or hour % 3 == 0])
    below.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.hour(int(value), lang)))
    _zone_legend(figure, day, named, lang)


def _zone_legend(figure: Figure, day: facts.Day, named: int, lang: str) -> None:
    handles = [Patch(color=series_colour(z), label=words.zone(day.zones[z], lang))
               for z in range(named)]  # fmt: skip
    if len(day.zones) > named:
        others = text("sim-report-other-zones", lang, count=len(day.zones) - named)
        handles.append(Patch(color=series_colour(canvas.SERIES), label=others))
    figure.legend(handles=handles, loc="outside upper left", ncols=4)


def _told_hour(day: facts.Day, h: int, lang: str) -> str:
    lines = [words.hour(day.hours[h], lang)]
    for z, zone in enumerate(day.zones):
        intensity = words.number(day.intensity_g_per_kwh[z][h], lang)
        lines.append(text(
            "sim-report-tip-hour", lang, name=words.zone(zone, lang),
            jobs=words.number(round(day.jobs[z][h], 1), lang),
            intensity=f"{intensity}{words.NBSP}g/kWh",
        ))  # fmt: skip
    return "\n".join(lines)


def hours_and_zones(result: Result, lang: str, *, mark: str = "") -> Picture | None:
    """Returns in which zone each hour's jobs ran, as a map of parts."""
    day = facts.day(result)
    totals = [sum(column) for column in zip(*day.jobs, strict=True)]
    if len(day.zones) < 2 or not any(totals):
        return None
    parts = [
        [jobs / total if total else 0.0 for jobs, total in zip(row, totals, strict=True)]
        for row in day.jobs
    ]
    names = [words.zone(zone, lang) for zone in day.zones]
    return Picture(
        "map",
        text("sim-report-map.caption", lang),
        picture(
            lambda figure, tips: _draw_map(figure, tips, day, parts, lang),
            name=f"map{mark}-{lang}", label=text("sim-report-map", lang),
            height_in=0.9 + 0.36 * len(names),
        ),
        (text("sim-report-col-hour", lang), *names),
        tuple(
            (words.hour(hour, lang), *(words.part(row[h], lang) for row in parts))
            for h, hour in enumerate(day.hours)
        ),
    )  # fmt: skip


def _draw_map(
    figure: Figure, tips: Tips, day: facts.Day, parts: list[list[float]], lang: str
) -> None:
    axes = figure.subplots()
    for z, zone in enumerate(day.zones):
        for h, hour in enumerate(day.hours):
            part = parts[z][h]
            step = min(int(part / STEP), canvas.STEPS - 1)
            where = f"{words.hour(hour, lang)}, {words.zone(zone, lang)}"
            said = text("sim-report-tip", lang, name=where, what=words.part(part, lang))
            axes.barh([z], [0.94], left=hour - 0.47, height=0.9, color=colour(f"h{step}"),
                      gid=None)[0].set_gid(tips.say(said))  # fmt: skip
            if part > 0:
                axes.text(hour, z, i18n.decimal(max(1.0, round(part * 100)), lang), ha="center",
                          va="center_baseline", fontsize=7,
                          color=colour("ink" if step < canvas.STEPS // 2 else "paper"))  # fmt: skip
    axes.set_yticks(range(len(day.zones)), [words.zone(zone, lang) for zone in day.zones])
    axes.invert_yaxis()
    axes.set_xlim(day.hours[0] - 0.6, day.hours[-1] + 0.6)
    axes.set_xticks([hour for hour in day.hours if len(day.hours) < 9 or hour % 3 == 0])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.hour(int(value), lang)))
    axes.set_xlabel(text("sim-report-axis-hour", lang))
    axes.set_title(text("sim-report-axis-part_of_hour", lang), fontsize=8.5)
    axes.tick_params(length=0, labelsize=8.5)
    for spine in axes.spines.values():
        spine.set_visible(False)

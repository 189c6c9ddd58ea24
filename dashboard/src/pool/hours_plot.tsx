// The next hours of a province's grid: a small drawing, and the same in sentences for everybody.
import { hourTime, list, number, t } from "../i18n.ts";
import {
  BAR, barsOf, highestOf, isFlat, knownOf, lowestOf, waitsFor, type GridHour, type GridView,
  type GridZone,
} from "./hours.ts"; // prettier-ignore

const LABEL_EVERY = 6; // hours

export function HoursPlot({ zone, grid }: { zone: GridZone; grid: GridView }) {
  const low = lowestOf(zone.hours);
  return (
    <div class="hours">
      {low && !isFlat(zone.hours) && <Drawing hours={zone.hours} />}
      <p>{sentence(zone.hours, grid.signals)}</p>
      <Waiting zone={zone} />
    </div>
  );
}

function sentence(hours: readonly GridHour[], signals: Record<string, string>): string {
  const low = lowestOf(hours);
  if (!low) return t("hours-unknown");
  const high = highestOf(hours);
  const used = new Set(knownOf(hours).slice(1).map((hour) => signals[hour.signal] ?? ""));
  const how = list([...used].filter(Boolean));
  if (isFlat(hours)) return t("hours-flat", { value: number(high, 1), how });
  const range = { low: number(low.g_per_kwh, 1), high: number(high, 1), how };
  if (low === hours[0]) return t("hours-range-now", range);
  return t("hours-range", { ...range, at: hourTime(low.at) });
}

function Drawing({ hours }: { hours: readonly GridHour[] }) {
  const width = hours.length * (BAR.width + BAR.gap) - BAR.gap;
  return (
    <div aria-hidden="true">
      <svg viewBox={`0 -7 ${width} ${BAR.height + 8}`} class="bars">
        {barsOf(hours).map((bar) => (
          <g key={bar.x} class={bar.lowest ? "lowest" : bar.published ? "published" : "usual"}>
            <rect x={bar.x} y={bar.y} width={BAR.width} height={bar.height} rx="1.5" />
            {bar.waits && <circle cx={bar.x + BAR.width / 2} cy={bar.y - 4} r="2.5" />}
          </g>
        ))}
        <line x1="0" x2={width} y1={BAR.height + 0.5} y2={BAR.height + 0.5} />
      </svg>
      <p class="hour-names">
        {hours
          .filter((_, place) => place % LABEL_EVERY === 0)
          .map((hour) => (
            <span key={hour.at}>{hourTime(hour.at)}</span>
          ))}
      </p>
    </div>
  );
}

const HOURS_NAMED = 3;

function Waiting({ zone }: { zone: GridZone }) {
  const waited = zone.hours.filter(waitsFor);
  const named = waited
    .slice(0, HOURS_NAMED)
    .map((hour) => t("hours-wait-at", { at: hourTime(hour.at), work: workOf(hour.work) }));
  const rest = waited.slice(HOURS_NAMED).map((hour) => hour.work);
  if (zone.later.jobs + zone.later.lines > 0) rest.push(zone.later);
  if (rest.length > 0) {
    const sum = (count: "jobs" | "lines") => rest.reduce((total, one) => total + one[count], 0);
    named.push(t("hours-wait-later", { work: workOf({ jobs: sum("jobs"), lines: sum("lines") }) }));
  }
  if (named.length === 0) return null;
  return <p class="hours-wait">{t("hours-wait", { hours: list(named) })}</p>;
}

/** Returns jobs and lines in words. */
export function workOf({ jobs, lines }: { jobs: number; lines: number }): string {
  const parts = [];
  if (jobs) parts.push(t("work-jobs", { jobs }));
  if (lines) parts.push(t("work-lines", { lines }));
  return list(parts);
}

// The next hours of a province's grid: which is the lowest, what waits, and their bars. Pure.
import type { components } from "../openapi.d.ts";

type Schemas = components["schemas"];
export type GridView = Schemas["GridView"];
export type GridZone = Schemas["GridZone"];
export type GridHour = Schemas["GridHour"];
export type KnownHour = GridHour & { g_per_kwh: number };

export const BAR = { width: 10, gap: 2, height: 56, least: 1.5 } as const; // units of the drawing

export interface Bar {
  x: number;
  y: number;
  height: number;
  /** Whether the value is published for this hour, rather than usual or an average. */
  published: boolean;
  lowest: boolean;
  waits: boolean;
}

/** Returns the hours whose intensity is known. */
export function knownOf(hours: readonly GridHour[]): KnownHour[] {
  return hours.filter((hour): hour is KnownHour => hour.g_per_kwh !== null);
}

/** Returns the first hour of the lowest intensity; null where none is known. */
export function lowestOf(hours: readonly GridHour[]): KnownHour | null {
  return knownOf(hours).reduce<KnownHour | null>(
    (low, hour) => (low && low.g_per_kwh <= hour.g_per_kwh ? low : hour),
    null,
  );
}

/** Returns the highest known intensity; 0 where none is known. */
export function highestOf(hours: readonly GridHour[]): number {
  return Math.max(0, ...knownOf(hours).map((hour) => hour.g_per_kwh));
}

/** Whether all known hours have the same intensity, so that a drawing would show nothing. */
export function isFlat(hours: readonly GridHour[]): boolean {
  return highestOf(hours) === (lowestOf(hours)?.g_per_kwh ?? 0);
}

/** Whether a job or a line of a batch waits for the hour. */
export function waitsFor(hour: GridHour): boolean {
  return hour.work.jobs + hour.work.lines > 0;
}

/** Returns a bar per known hour; the highest fills the drawing, and zero is at its foot. */
export function barsOf(hours: readonly GridHour[]): Bar[] {
  const high = highestOf(hours) || 1;
  const low = lowestOf(hours);
  return hours.flatMap((hour, place) => {
    if (hour.g_per_kwh === null) return [];
    const height = Math.max(BAR.least, (hour.g_per_kwh / high) * BAR.height);
    return {
      x: place * (BAR.width + BAR.gap),
      y: BAR.height - height,
      height,
      published: hour.signal === "actual" || hour.signal === "forecast",
      lowest: hour === low,
      waits: waitsFor(hour),
    };
  });
}

import { expect, test } from "vitest";
import { applyChange, type PoolChange, type PoolProvince, type PoolView } from "../src/pool/changes.ts";
import { BAR, barsOf, isFlat, lowestOf, type GridHour } from "../src/pool/hours.ts";

function province(zone: string, machines = 1): PoolProvince {
  return { zone, name: zone, machines, available: 0, green: 0, slots: 0, running: 0, intensity: null, sites: [] };
}

const BEFORE: PoolView = {
  pool: "p", at: 1, policy_version: "v1", queued: 0, running: 0, waiting: [], machines: 3,
  provinces: [province("CA-NB"), province("CA-QC"), province("CA-SK")],
}; // prettier-ignore

test("a change replaces, adds and removes provinces, and keeps the rest", () => {
  const change: PoolChange = {
    type: "change", at: 2, policy_version: "v2", queued: 4, running: 5, waiting: [], machines: 9,
    provinces: [province("CA-QC", 7), province("CA-ON")], gone: ["CA-NB"],
  }; // prettier-ignore
  const after = applyChange(BEFORE, change);

  expect(after.provinces.map((one) => [one.zone, one.machines])).toEqual([
    ["CA-ON", 1], ["CA-QC", 7], ["CA-SK", 1],
  ]); // prettier-ignore
  expect([after.pool, after.at, after.policy_version, after.queued, after.running]).toEqual(["p", 2, "v2", 4, 5]);
});

function hours(...values: (number | null)[]): GridHour[] {
  return values.map((value, place) => ({
    at: place * 3600,
    g_per_kwh: value,
    signal: value === null ? "" : "forecast",
    work: { jobs: 0, lines: place === 1 ? 3 : 0 },
  }));
}

test("the lowest hour is the first of the lowest that are known", () => {
  expect(lowestOf(hours(9, null, 2, 5, 2))?.at).toBe(2 * 3600);
  expect(lowestOf(hours(null))).toBe(null);
});

test("a bar stands for each known hour, from zero, and marks what waits", () => {
  const bars = barsOf(hours(10, 5, null, 0));

  expect(bars.map((bar) => [bar.x, bar.y, bar.height])).toEqual([
    [0, 0, BAR.height],
    [12, BAR.height / 2, BAR.height / 2],
    [36, BAR.height - BAR.least, BAR.least],
  ]);
  expect(bars.map((bar) => bar.waits)).toEqual([false, true, false]);
  expect(bars.map((bar) => bar.lowest)).toEqual([false, false, true]);
});

test("hours that are all the same, or unknown, need no drawing", () => {
  expect([isFlat(hours(3, 3)), isFlat(hours(null, null)), isFlat(hours(3, 4))]).toEqual([true, true, false]);
});

import { expect, test } from "vitest";
import { comparisonOf, ENERGIES, MASSES, unitFor } from "../src/coop/figures.ts";

test("the energies of a page have one unit, that of the largest", () => {
  const cases = [[12, 999, 1_200], [12, 999], [-2_000, 1], [0], []]; // prettier-ignore

  expect(cases.map((amounts) => unitFor(ENERGIES, amounts).name)).toEqual(["kWh", "Wh", "kWh", "Wh", "Wh"]);
});

test("the masses of a page have one unit, that of the largest", () => {
  const cases = [[0.00005, 0.03], [0.03, 0.5, 0], [0.4, 1_500], [0], []]; // prettier-ignore

  expect(cases.map((amounts) => unitFor(MASSES, amounts).name)).toEqual(["mg", "g", "kg", "g", "g"]);
});

test("a difference that the figures cannot show is none", () => {
  const cases: [number, number][] = [[0, 0], [0, 0.000000939], [100, 100.9], [100, 99.2], [10, 12], [12, 10]]; // prettier-ignore

  expect(cases.map(([direct, average]) => comparisonOf(direct, average))).toEqual([
    "none", "same", "same", "same", "less", "more",
  ]); // prettier-ignore
});

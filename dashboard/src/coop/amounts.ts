// Amounts as the language writes them: three figures, and the unit that keeps them short.
import { lang, number } from "../i18n.ts";
import { ENERGIES, MASSES, unitFor, type Unit } from "./figures.ts";

const NBSP = "\u00a0";

/** Returns a number with three figures, or whole from 1,000 on. */
export function short(value: number): string {
  if (Math.abs(value) >= 1_000) return number(value);
  return value.toLocaleString(`${lang.value}-CA`, { maximumSignificantDigits: 3 });
}

function writerOf(units: readonly Unit[], amounts: readonly number[]): (amount: number) => string {
  const { name, size } = unitFor(units, amounts);
  return (amount) => `${short(amount / size)}${NBSP}${name}`;
}

/** Returns how a page writes its energies: all in the unit of the largest, Wh or kWh. */
export function energyWriter(wattHours: readonly number[]): (wattHours: number) => string {
  return writerOf(ENERGIES, wattHours);
}

/** Returns how a page writes its masses of CO2e: all in the unit of the largest, mg, g or kg. */
export function massWriter(grams: readonly number[]): (grams: number) => string {
  return writerOf(MASSES, grams);
}

/** Returns a part of one in percent. */
export function percent(part: number): string {
  return part.toLocaleString(`${lang.value}-CA`, { style: "percent", maximumFractionDigits: 1 });
}

/** Returns the name of a month `2026-11`. */
export function monthName(month: string): string {
  const [year = 0, place = 1] = month.split("-").map(Number);
  const style = { month: "long", year: "numeric", timeZone: "UTC" } as const;
  return new Date(Date.UTC(year, place - 1)).toLocaleDateString(`${lang.value}-CA`, style);
}

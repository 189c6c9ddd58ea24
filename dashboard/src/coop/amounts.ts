// Amounts as the language writes them: three figures, and the unit that keeps them short.
import { lang, number } from "../i18n.ts";

const NBSP = "\u00a0";

/** Returns a number with three figures, or whole from 1,000 on. */
export function short(value: number): string {
  if (Math.abs(value) >= 1_000) return number(value);
  return value.toLocaleString(`${lang.value}-CA`, { maximumSignificantDigits: 3 });
}

/** Returns an energy in Wh or kWh. */
export function energy(wattHours: number): string {
  const isLarge = Math.abs(wattHours) >= 1_000;
  return isLarge ? `${short(wattHours / 1_000)}${NBSP}kWh` : `${short(wattHours)}${NBSP}Wh`;
}

/** Returns a mass of CO2e in mg, g or kg. */
export function mass(grams: number): string {
  const size = Math.abs(grams);
  if (size >= 1_000) return `${short(grams / 1_000)}${NBSP}kg`;
  return size >= 0.1 || size === 0 ? `${short(grams)}${NBSP}g` : `${short(grams * 1_000)}${NBSP}mg`;
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

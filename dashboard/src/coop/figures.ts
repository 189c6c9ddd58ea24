// Figures of a co-op that the page computes by itself. Pure.
import type { components } from "../openapi.d.ts";

type Schemas = components["schemas"];
export type CoopOverview = Schemas["CoopOverview"];
export type OwnMachines = Schemas["OwnMachines"];
export type OwnMachine = Schemas["OwnMachine"];
export type Amounts = Schemas["Amounts"];
export type Person = Schemas["Person"];
export type Key = Schemas["AdminKey"];

/** Returns a month and those before it, newest first: `2026-01`, `2025-12`, … */
export function monthsFrom(month: string, count: number): string[] {
  const [year = 0, number = 1] = month.split("-").map(Number);
  return Array.from({ length: count }, (_, before) => {
    const months = year * 12 + (number - 1) - before;
    return `${Math.floor(months / 12)}-${String((months % 12) + 1).padStart(2, "0")}`;
  });
}

/** Returns the part of a limit that is used, from 0 to 1; a limit of zero is used up. */
export function partUsed(used: number, limit: number): number {
  return limit > 0 ? Math.min(1, Math.max(0, used / limit)) : 1;
}

/** A unit, its size in Wh or g, and the amount from which on a page uses it. */
export interface Unit {
  name: string;
  size: number;
  from: number;
}
export const ENERGIES: readonly Unit[] = [
  { name: "kWh", size: 1_000, from: 1_000 },
  { name: "Wh", size: 1, from: 0 },
];
export const MASSES: readonly Unit[] = [
  { name: "kg", size: 1_000, from: 1_000 },
  { name: "g", size: 1, from: 0.1 },
  { name: "mg", size: 0.001, from: 0 },
];

/** Returns the one unit in which a page writes all amounts of a figure: that of the largest. */
export function unitFor(units: readonly Unit[], amounts: readonly number[]): Unit {
  const most = Math.max(0, ...amounts.map(Math.abs)) || 1;
  return units.find((unit) => most >= unit.from)!;
}

// Below either, two masses count as equal: intensities are known to two or three figures, and one
// milligram is less than the smallest that the chat page tells of one answer.
const DIFFERENCE_MIN_PART = 0.01;
const DIFFERENCE_MIN_G = 0.001;

/** Returns how grams compare with those of the same energy at another intensity. */
export function comparisonOf(directG: number, averageG: number): "none" | "same" | "less" | "more" {
  if (averageG === 0) return "none";
  const size = Math.abs(averageG - directG);
  if (size < DIFFERENCE_MIN_G || size < Math.max(directG, averageG) * DIFFERENCE_MIN_PART) return "same";
  return directG > averageG ? "more" : "less";
}

export interface Project {
  name: string;
  keys: number;
  people: number;
}

/** Returns the projects on which keys or people count at present, by name. */
export function projectsOf(keys: readonly Key[], people: readonly Person[]): Project[] {
  const projects = new Map<string, Project>();
  const count = (name: string, what: "keys" | "people") => {
    const project = projects.get(name) ?? { name, keys: 0, people: 0 };
    project[what] += 1;
    projects.set(name, project);
  };
  for (const key of keys) if (!key.revoked) count(key.project ?? "", "keys");
  for (const person of people) if (!person.disabled_at) count(person.project, "people");
  return [...projects.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Whether a role sees machines, keys and projects of its co-op one by one, and its statement. */
export function seesParts(role: string): boolean {
  return role !== "person";
}

/** Whether a role manages the people and keys of its own co-op. */
export function mayManage(role: string): boolean {
  return role === "coop_admin" || role === "operator";
}

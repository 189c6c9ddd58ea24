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

// The pool's view and what events change of it. Pure.
import type { components } from "../openapi.d.ts";

type Schemas = components["schemas"];
export type PoolView = Schemas["PoolView"];
export type PoolChange = Schemas["PoolChange"];
export type PoolProvince = Schemas["PoolProvince"];
export type PoolSite = Schemas["PoolSite"];
export type PoolMachine = Schemas["PoolMachine"];

/** Returns the view after a change: its provinces replace those of the same zone. */
export function applyChange(view: PoolView, change: PoolChange): PoolView {
  const { at, policy_version, queued, running, waiting, machines } = change;
  const gone = new Set([...change.gone, ...change.provinces.map((one) => one.zone)]);
  const provinces = [...view.provinces.filter((one) => !gone.has(one.zone)), ...change.provinces];
  provinces.sort((one, other) => (one.zone < other.zone ? -1 : 1));
  return { ...view, at, policy_version, queued, running, waiting, machines, provinces };
}

/** What the dot beside a machine looks like; its sentence says the same in words. */
export function dotOf(state: string): string {
  if (state === "ready" || state === "working") return "ready";
  if (state === "full") return "busy";
  if (state === "suspect") return "silent";
  return ["stopped", "resting", "loading"].includes(state) ? "paused" : "gone";
}

/** Number of machines that take new work, in all provinces. */
export function availableOf(view: PoolView): number {
  return view.provinces.reduce((sum, province) => sum + province.available, 0);
}

/** Number of machines that the view lists, which are fewer than all in a very large pool. */
export function listedOf(view: PoolView): number {
  return view.provinces.reduce((sum, province) => sum + province.machines, 0);
}

// What anybody may know of the pool, from /status.json: read now and then while somebody looks.
import { computed, signal } from "@preact/signals";
import type { components } from "./openapi.d.ts";
import { api, take } from "./api.ts";
import { session } from "./session.ts";

export type PoolStatus = components["schemas"]["PublicStatus"];
export type Machine = PoolStatus["nodes"][number];

const PERIOD_MS = 5_000;
const DEFAULT_NAME = "entraide"; // a pool that nobody named

/** The last status, and whether the pool has failed to answer since. */
export const status = signal<{ facts: PoolStatus | null; late: boolean }>({ facts: null, late: false });

/** The pool's own name, "" while unknown or where it has none. */
export const poolName = computed(() => {
  const name = session.value?.pool ?? status.value.facts?.pool ?? "";
  return name === DEFAULT_NAME ? "" : name;
});

/** Reads the status every few seconds while the page is visible; returns how to stop. */
export function watchStatus(): () => void {
  let timer = 0;
  const read = async () => {
    if (document.visibilityState === "visible") {
      try {
        status.value = { facts: await take(api.GET("/status.json")), late: false };
      } catch {
        status.value = { ...status.value, late: true };
      }
    }
    timer = window.setTimeout(read, PERIOD_MS);
  };
  void read();
  return () => clearTimeout(timer);
}

export type MachineState = "ready" | "busy" | "paused" | "silent" | "gone";

/** Returns in one word what a machine does for the pool. */
export function stateOf(machine: Machine): MachineState {
  if (machine.state === "suspect") return "silent";
  if (machine.state !== "live") return "gone";
  if (!machine.accepting) return "paused";
  return machine.slots > 0 && machine.running >= machine.slots ? "busy" : "ready";
}

/** Whether a machine is in service, with or without room for one more request. */
export function isTaking(machine: Machine): boolean {
  return ["ready", "busy"].includes(stateOf(machine));
}

export interface Province {
  zone: string;
  name: { fr: string; en: string };
  machines: Machine[];
}

/** Returns the machines by province, the one with most in service first. */
export function provincesOf(machines: readonly Machine[]): Province[] {
  const provinces = new Map<string, Province>();
  for (const machine of machines) {
    const { zone, zone_name: name } = machine;
    const province = provinces.get(zone) ?? { zone, name, machines: [] };
    province.machines.push(machine);
    provinces.set(zone, province);
  }
  const taking = (province: Province) => province.machines.filter(isTaking).length;
  return [...provinces.values()].sort(
    (one, other) => taking(other) - taking(one) || one.zone.localeCompare(other.zone),
  );
}

// The pool's name and whether it answers, from /status.json: read now and then while somebody looks.
import { computed, signal } from "@preact/signals";
import type { components } from "./openapi.d.ts";
import { api, take } from "./api.ts";
import { session } from "./session.ts";

export type PoolStatus = components["schemas"]["PublicStatus"];

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

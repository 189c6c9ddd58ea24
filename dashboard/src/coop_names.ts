// What people read for a co-op: its name, or its identifier where it has none.
import { session } from "./session.ts";

export function coopName(coop: string): string {
  const names = session.value?.coop_names ?? {};
  return Object.hasOwn(names, coop) ? (names[coop] ?? coop) : coop;
}

/** Notes names that the pool has told since the session began: those of all co-ops. */
export function noteCoopNames(coops: readonly { coop: string; name?: string }[]): void {
  const own = session.peek();
  if (own) session.value = { ...own, coop_names: Object.fromEntries(coops.flatMap(({ coop, name }) => (name ? [[coop, name]] : []))) };
}

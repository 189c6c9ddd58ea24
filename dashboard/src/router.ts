// Which view is shown: the part of the address after `#/`, in segments. A secret in a fragment
// (a sign-in token) reaches no server log.
import { signal } from "@preact/signals";
import { segmentsOf } from "./segments.ts";

/** The segments of the present address. */
export const segments = signal<readonly string[]>(segmentsOf(location.hash));

/** Goes to another view; `replace` leaves no trace of the present address in the history. */
export function go(hash: string, how: "push" | "replace" = "push"): void {
  if (how === "replace") history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
  segments.value = segmentsOf(hash);
}

addEventListener("hashchange", () => (segments.value = segmentsOf(location.hash)));
addEventListener("popstate", () => (segments.value = segmentsOf(location.hash)));

// Who is signed in, as the pool said last. `undefined` until the pool has answered once.
import { signal } from "@preact/signals";
import type { components } from "./openapi.d.ts";

export type SessionView = components["schemas"]["SessionView"];

export const session = signal<SessionView | null | undefined>(undefined);

/** The proof that a call comes from this page; "" for whoever is not signed in. */
export function csrfToken(): string {
  return session.peek()?.csrf ?? "";
}

/** Notes that the pool no longer knows this browser. */
export function forgetSession(): void {
  session.value = null;
}

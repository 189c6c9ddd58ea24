// Who is signed in, as the pool said last. `undefined` until the pool has answered once.
import { signal } from "@preact/signals";
import type { components } from "./openapi.d.ts";

export type SessionView = components["schemas"]["SessionView"];

export const session = signal<SessionView | null | undefined>(undefined);

/** How often somebody has signed out on this page: what belongs to that person is then forgotten. */
export const signOuts = signal(0);

/** The proof that a call comes from this page; "" for whoever is not signed in. */
export function csrfToken(): string {
  return session.peek()?.csrf ?? "";
}

/** Notes that the pool no longer knows this browser: the session has ended elsewhere or by itself. */
export function forgetSession(): void {
  session.value = null;
}

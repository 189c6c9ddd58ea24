// Whether the person said at sign-in that this computer is the own one: only then does the browser
// keep conversations. Said anew at each sign-in, and forgotten at sign-out.
import { signal } from "@preact/signals";

const NAME = "entraide.own-computer";

function stored(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null; // the browser keeps nothing for this page
  }
}

export const isOwnComputer = signal(stored()?.getItem(NAME) === "1");

export function setOwnComputer(isOwn: boolean): void {
  isOwnComputer.value = isOwn;
  if (isOwn) stored()?.setItem(NAME, "1");
  else stored()?.removeItem(NAME);
}

/** Deletes what this browser keeps by itself for a person; the passphrase's conversations stay. */
export function eraseKeptHere(person: string): void {
  setOwnComputer(false);
  indexedDB.deleteDatabase(`entraide-${ownerHere(person)}`);
}

/** Owner of the database of what is kept here without a passphrase; see `chat/kept_store.ts`. */
export function ownerHere(person: string): string {
  return `here-${person}`;
}

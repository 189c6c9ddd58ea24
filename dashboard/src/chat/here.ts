// Conversations that this browser keeps by itself: encrypted under a key that is never written.
//
// It is derived (HKDF, RFC 5869) from a half that this browser has and scripts cannot export, and
// from one that the pool gives to a signed-in session of this browser and destroys at its end.
import { signal } from "@preact/signals";
import { api, take } from "../api.ts";
import { ownerHere } from "../own_computer.ts";
import type { Conversation } from "./conversation.ts";
import * as store from "./kept_store.ts";
import { canEncrypt } from "./vault.ts";

const BYTES = 32;
const ID_BYTES = 16;
const INFO = new TextEncoder().encode("entraide/conversations/1");

/** Where conversations are kept: `none` before it is known; `lost` once those of before are gone. */
export type HereState = "none" | "kept" | "lost" | "not-own" | "no-https" | "failed";

export const hereState = signal<HereState>("none");
export const here = signal<readonly Conversation[]>([]);

let key: CryptoKey | null = null;
let owner = "";

export function isHere(id: string): boolean {
  return here.value.some((one) => one.id === id);
}

export function forgetKey(): void {
  key = null;
  owner = "";
  here.value = [];
  hereState.value = "none";
}

/** Reads what is kept here for a person who is signed in. */
export async function openHere(person: string, isOwn: boolean): Promise<void> {
  forgetKey();
  if (!isOwn || !canEncrypt()) {
    hereState.value = isOwn ? "no-https" : "not-own";
    return;
  }
  const asked = ownerHere(person);
  owner = asked;
  try {
    const own = await ownHalf(asked);
    const claimed = await take(api.POST("/v1/session/browser", { body: { browser: own.browser } }));
    const made = await deriveKey(own.half, claimed.half);
    const read = await store.readAll(asked, made);
    // What opens no more, opens never again.
    for (const id of read.unreadable) await store.forget(asked, id);
    if (owner !== asked) return; // somebody else has signed in meanwhile
    key = made;
    here.value = read.conversations;
    hereState.value = read.unreadable.length ? "lost" : "kept";
  } catch {
    if (owner === asked) hereState.value = "failed";
  }
}

/** Encrypts and writes a conversation; returns whether this browser keeps any by itself. */
export async function keepHere(one: Conversation): Promise<boolean> {
  const [present, whose] = [key, owner];
  if (!present) return false;
  try {
    await store.keep(whose, present, one);
    if (key === present) here.value = [one, ...here.peek().filter(({ id }) => id !== one.id)];
  } catch {
    if (key === present) hereState.value = "failed";
  }
  return true;
}

export async function deleteHere(id: string): Promise<void> {
  here.value = here.peek().filter((one) => one.id !== id);
  await store.forget(owner, id);
}

async function ownHalf(asked: string): Promise<store.OwnHalf> {
  const random = crypto.getRandomValues(new Uint8Array(BYTES));
  const half = await crypto.subtle.importKey("raw", random, "HKDF", false, ["deriveKey"]);
  const id = crypto.getRandomValues(new Uint8Array(ID_BYTES));
  const browser = Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return store.ownHalf(asked, { browser, half });
}

async function deriveKey(half: CryptoKey, fromPool: string): Promise<CryptoKey> {
  const salt = Uint8Array.from(atob(fromPool), (letter) => letter.charCodeAt(0));
  const derivation = { name: "HKDF", hash: "SHA-256", salt, info: INFO };
  const algorithm = { name: "AES-GCM", length: 256 };
  return crypto.subtle.deriveKey(derivation, half, algorithm, false, ["encrypt", "decrypt"]);
}

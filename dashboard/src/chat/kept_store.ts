// The browser's store of kept conversations: encrypted records in IndexedDB, one database for each
// person's passphrase and one for what `here.ts` keeps of a person. Nothing readable is in it but how many there are and how long.
import { deleteDB, openDB, type DBSchema, type IDBPDatabase } from "idb";
import type { Conversation } from "./conversation.ts";
import { seal, unseal, WrongSecret, type Sealed, type VaultHeader } from "./vault.ts";

/** What makes this browser known, and its half of a key; scripts cannot read the half. */
export interface OwnHalf {
  browser: string;
  half: CryptoKey;
}

interface KeptSchema extends DBSchema {
  vault: { key: "header"; value: VaultHeader };
  own: { key: "half"; value: OwnHalf };
  conversations: { key: string; value: Sealed & { id: string } };
}

function nameOf(person: string): string {
  return `entraide-${person}`;
}

async function open(person: string): Promise<IDBPDatabase<KeptSchema>> {
  return openDB<KeptSchema>(nameOf(person), 2, {
    upgrade(database, version) {
      if (version < 1) database.createObjectStore("vault");
      if (version < 1) database.createObjectStore("conversations", { keyPath: "id" });
      database.createObjectStore("own");
    },
  });
}

async function inStore<T>(person: string, act: (store: IDBPDatabase<KeptSchema>) => Promise<T>): Promise<T> {
  const store = await open(person);
  try {
    return await act(store);
  } finally {
    store.close();
  }
}

/** Returns the wrapped keys of a person's vault, or null before there is one. */
export async function readHeader(person: string): Promise<VaultHeader | null> {
  return (await inStore(person, (store) => store.get("vault", "header"))) ?? null;
}

export async function writeHeader(person: string, header: VaultHeader): Promise<void> {
  await inStore(person, (store) => store.put("vault", header, "header"));
}

/** Returns the half that is stored, or stores this one: of two tabs only one makes it. */
export async function ownHalf(person: string, fresh: OwnHalf): Promise<OwnHalf> {
  return inStore(person, async (store) => {
    const step = store.transaction("own", "readwrite");
    const own = (await step.store.get("half")) ?? fresh;
    await step.store.put(own, "half");
    await step.done;
    return own;
  });
}

/** Encrypts and writes a conversation, in place of its earlier state. */
export async function keep(person: string, key: CryptoKey, conversation: Conversation): Promise<void> {
  const sealed = await seal(key, conversation.id, conversation);
  await inStore(person, (store) => store.put("conversations", { id: conversation.id, ...sealed }));
}

/** Returns the conversations, the last used first, and the names of those that could not be read. */
export async function readAll(
  person: string,
  key: CryptoKey,
): Promise<{ conversations: Conversation[]; unreadable: string[] }> {
  const records = await inStore(person, (store) => store.getAll("conversations"));
  const conversations: Conversation[] = [];
  const unreadable: string[] = [];
  for (const { id, iv, data } of records) {
    try {
      conversations.push(await unseal<Conversation>(key, id, { iv, data }));
    } catch (problem) {
      if (!(problem instanceof WrongSecret)) throw problem;
      unreadable.push(id);
    }
  }
  conversations.sort((one, other) => other.updated_at - one.updated_at);
  return { conversations, unreadable };
}

export async function forget(person: string, id: string): Promise<void> {
  await inStore(person, (store) => store.delete("conversations", id));
}

/** Deletes the vault with all that is in it. */
export async function forgetAll(person: string): Promise<void> {
  await deleteDB(nameOf(person));
}

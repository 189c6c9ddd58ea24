// The browser's store of kept conversations: encrypted records in IndexedDB, one database for each
// person. Nothing readable is in it but how many there are and how long.
import { deleteDB, openDB, type DBSchema, type IDBPDatabase } from "idb";
import type { Conversation } from "./conversation.ts";
import { seal, unseal, WrongSecret, type Sealed, type VaultHeader } from "./vault.ts";

interface KeptSchema extends DBSchema {
  vault: { key: "header"; value: VaultHeader };
  conversations: { key: string; value: Sealed & { id: string } };
}

function nameOf(person: string): string {
  return `entraide-${person}`;
}

async function open(person: string): Promise<IDBPDatabase<KeptSchema>> {
  return openDB<KeptSchema>(nameOf(person), 1, {
    upgrade(database) {
      database.createObjectStore("vault");
      database.createObjectStore("conversations", { keyPath: "id" });
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

/** Encrypts and writes a conversation, in place of its earlier state. */
export async function keep(person: string, key: CryptoKey, conversation: Conversation): Promise<void> {
  const sealed = await seal(key, conversation.id, conversation);
  await inStore(person, (store) => store.put("conversations", { id: conversation.id, ...sealed }));
}

/** Returns the conversations, the last used first, and how many could not be read. */
export async function readAll(
  person: string,
  key: CryptoKey,
): Promise<{ conversations: Conversation[]; unreadable: number }> {
  const records = await inStore(person, (store) => store.getAll("conversations"));
  const conversations: Conversation[] = [];
  let unreadable = 0;
  for (const { id, iv, data } of records) {
    try {
      conversations.push(await unseal<Conversation>(key, id, { iv, data }));
    } catch (problem) {
      if (!(problem instanceof WrongSecret)) throw problem;
      unreadable += 1;
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

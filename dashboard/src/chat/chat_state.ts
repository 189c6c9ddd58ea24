// The chat's state: the open conversation, the answer under way, and the kept ones.
//
// A conversation that is not kept lives in this tab only and ends with it.
import { effect, signal } from "@preact/signals";
import { ApiError, sentenceOf } from "../api.ts";
import { t } from "../i18n.ts";
import { isOwnComputer } from "../own_computer.ts";
import { session, signOuts } from "../session.ts";
import { ask, Unreachable, type AnswerPart } from "./ask.ts";
import { before, fromStore, newConversation, renamed, sentAs, withLast, type Attachment, type Conversation, type Message } from "./conversation.ts";
import { deleteHere, forgetKey, here, hereState, isHere, keepHere, openHere } from "./here.ts";
import * as keptStore from "./kept_store.ts";

export interface Draft {
  text: string;
  attachments: Attachment[];
}

export const EMPTY_DRAFT: Draft = { text: "", attachments: [] };

export const conversation = signal<Conversation>(newConversation(now()));
/** What is written and not asked yet. */
export const draft = signal<Draft>(EMPTY_DRAFT);
/** The request under way, with how to end it. */
export const running = signal<AbortController | null>(null);
/** The key of the vault once it is open. */
export const vaultKey = signal<CryptoKey | null>(null);
export const kept = signal<readonly Conversation[]>([]);
/** Other conversations of this tab that are not kept, the last used first. */
export const inTab = signal<readonly Conversation[]>([]);
/** A sentence about keeping that somebody should read, "" for none. */
export const keepProblem = signal("");

function now(): number {
  return Date.now() / 1000;
}

function personId(): string {
  return session.peek()?.person.id ?? "";
}

export function isKept(id: string): boolean {
  return kept.value.some((one) => one.id === id);
}

// A session that has ended by itself takes nothing that was written: it is there again when the same
// person comes back to this tab. Signing out, or another person, forgets it.
let owner = "";
let outs = signOuts.peek();
effect(() => {
  const person = session.value?.person.id ?? "";
  const isOut = signOuts.value !== outs;
  outs = signOuts.value;
  if (!person) lock();
  if (isOut || (person && owner && person !== owner)) clear();
  owner = isOut ? "" : person || owner;
});

// What this browser keeps is read once somebody is signed in, and again if the answer changes.
let opened = "";
effect(() => {
  const view = session.value;
  const asked = view ? `${view.session} ${isOwnComputer.value}` : "";
  if (asked === opened) return;
  opened = asked;
  if (!view) return forgetKey();
  void openHere(view.person.id, isOwnComputer.value).then(reopen);
});

const OPEN = "entraide.open"; // identifier of the conversation that this tab shows

/** Shows the conversation that the tab showed before its reload, and keeps what was written since. */
async function reopen(): Promise<void> {
  if (hereState.peek() !== "kept" && hereState.peek() !== "lost") return;
  const before = here.peek().find(({ id }) => id === sessionStorage.getItem(OPEN));
  if (before && !conversation.peek().messages.length) conversation.value = fromStore(before);
  for (const one of inTab.peek()) if (!isKept(one.id)) await keepHere(one);
  if (conversation.peek().messages.length && !isStored(conversation.peek().id)) await save();
}

effect(() => {
  const { id, messages } = conversation.value;
  if (messages.length) sessionStorage.setItem(OPEN, id);
  else if (hereState.peek() !== "none") sessionStorage.removeItem(OPEN);
});

/** Whether a conversation is still there after the tab is closed. */
export function isStored(id: string): boolean {
  return isKept(id) || isHere(id);
}

function lock(): void {
  stop();
  vaultKey.value = null;
  kept.value = [];
}

function clear(): void {
  lock();
  draft.value = EMPTY_DRAFT;
  conversation.value = newConversation(now());
  inTab.value = [];
}

/** Leaves the open conversation; if it is kept nowhere, it stays in the tab's list. */
function putAside(): void {
  if (running.peek()) stopByHand();
  const left = conversation.peek();
  if (left.messages.length && !isStored(left.id)) inTab.value = [left, ...inTab.peek()];
}

/** Takes a conversation out of the tab's list. */
export function drop(id: string): void {
  inTab.value = inTab.peek().filter((one) => one.id !== id);
}

export function startNew(): void {
  putAside();
  const { model, data_class: dataClass } = conversation.peek();
  conversation.value = newConversation(now(), model, dataClass);
}

export function open(chosen: Conversation): void {
  if (chosen.id === conversation.peek().id) return;
  putAside();
  drop(chosen.id);
  conversation.value = chosen;
}

export function change(part: Partial<Pick<Conversation, "model" | "data_class" | "thinks">>): void {
  conversation.value = { ...conversation.peek(), ...part };
}

/** Changes every text that would leave; see `personal_data.ts`. */
export type Edit = (text: string) => string;

function edited(message: Message, edit: Edit): Message {
  const { attachments } = message;
  const documents = attachments?.map((one) => ({ ...one, text: edit(one.text) }));
  return { ...message, text: edit(message.text), ...(documents ? { attachments: documents } : {}) };
}

/** Adds a question and asks it. */
export function send(question: Message, edit: Edit): void {
  void answer([...conversation.peek().messages, question].map((message) => edited(message, edit)));
}

/** The messages that a question at a place, with another text, would be asked with. */
export function messagesAgain(index: number, text: string): Message[] {
  const question = conversation.peek().messages[index];
  if (question?.role !== "user") return [];
  return [...before(conversation.peek(), index).messages, { ...question, text }];
}

/** Asks the question at a place again; what came after it is gone. */
export function askAgain(index: number, text: string, edit: Edit): void {
  const messages = messagesAgain(index, text);
  if (messages.length) void answer(messages.map((message) => edited(message, edit)));
}

/** Ends the answer under way, and with it the engine's work. */
export function stop(): void {
  running.peek()?.abort();
  running.value = null;
}

async function answer(messages: Message[]): Promise<void> {
  stop();
  const controller = new AbortController();
  running.value = controller;
  const sent = messages.map((message) => sentAs(message, conversation.peek().data_class));
  const asked = { ...conversation.peek(), messages: sent, updated_at: now() };
  conversation.value = { ...asked, messages: [...sent, { role: "assistant", text: "" }] };
  void save(asked);
  const isOurs = () => running.peek() === controller;
  const put = (edit: (last: Message) => Message) => {
    if (isOurs()) conversation.value = withLast(conversation.peek(), edit);
  };
  try {
    for await (const part of ask(asked, controller.signal)) put((last) => withPart(last, part));
  } catch (problem) {
    if (!controller.signal.aborted)
      put(({ waits: _, ...last }) => ({
        ...last,
        is_reconnecting: false,
        ended: { how: "error", sentence: failure(problem, last.text !== "") },
      }));
  }
  if (!isOurs()) return;
  running.value = null;
  await save();
}

function withPart(last: Message, part: AnswerPart): Message {
  const next = { ...last, text: last.text + (part.text ?? "") };
  if (part.reasoning) next.reasoning = (last.reasoning ?? "") + part.reasoning;
  if (part.resumedBy) next.resumed_by = part.resumedBy;
  if (part.isReconnecting !== undefined) next.is_reconnecting = part.isReconnecting;
  if (part.waits) next.waits = part.waits;
  else if (next.text || next.reasoning) delete next.waits;
  if (part.receipt) next.receipt = part.receipt;
  if (part.finish === "length") next.ended = { how: "length", sentence: "" };
  return next;
}

// Codes with which the pool says that there is nothing to come back to.
const LOST = new Set(["unknown_job", "result_expired", "client_gone", "stream_not_kept"]);

function failure(problem: unknown, isBegun: boolean): string {
  if (problem instanceof ApiError && problem.code === "unknown_model") return t("chat-no-model");
  const kept = isBegun ? ` ${t("chat-kept")}` : "";
  if (problem instanceof Unreachable) return t(problem.isSent ? "chat-cut" : "chat-away") + kept;
  if (problem instanceof ApiError && !LOST.has(problem.code)) return sentenceOf(problem) + kept;
  return t("chat-lost") + kept;
}

/** Notes that the person has ended the answer; what came so far stays. */
export function stopByHand(): void {
  stop();
  conversation.value = withLast(conversation.peek(), (last) =>
    last.role === "assistant" ? { ...last, is_reconnecting: false, ended: { how: "stopped", sentence: "" } } : last,
  );
  void save();
}

/** Writes the open conversation to the store of kept ones, encrypted. */
export async function keepOpen(): Promise<void> {
  const [key, one] = [vaultKey.peek(), conversation.peek()];
  if (!key) return;
  try {
    await keptStore.keep(personId(), key, one);
    kept.value = [one, ...kept.peek().filter((other) => other.id !== one.id)];
    keepProblem.value = "";
    if (isHere(one.id)) await deleteHere(one.id);
  } catch {
    keepProblem.value = t("keep-failed");
  }
}

/** Writes the open conversation where it is kept. */
async function save(one: Conversation = conversation.peek()): Promise<void> {
  if (isKept(one.id)) await keepOpen();
  else await keepHere(one);
}

/** Gives a conversation a name, wherever it is kept. */
export async function rename(one: Conversation, name: string): Promise<void> {
  const changed = renamed(one, name);
  if (conversation.peek().id === one.id) conversation.value = renamed(conversation.peek(), name);
  inTab.value = inTab.peek().map((other) => (other.id === one.id ? changed : other));
  const key = vaultKey.peek();
  if (isKept(one.id) && key) {
    await keptStore.keep(personId(), key, changed);
    kept.value = kept.peek().map((other) => (other.id === one.id ? changed : other));
  } else if (isHere(one.id)) await keepHere(changed);
}

/** Deletes a conversation that this browser keeps by itself, and closes it. */
export async function removeHere(id: string): Promise<void> {
  if (conversation.peek().id === id) {
    stop();
    const { model, data_class: dataClass } = conversation.peek();
    conversation.value = newConversation(now(), model, dataClass);
  }
  await deleteHere(id);
}

/** Takes the key of the vault into use, and reads what is kept. */
export async function useVault(key: CryptoKey): Promise<void> {
  const { conversations, unreadable } = await keptStore.readAll(personId(), key);
  vaultKey.value = key;
  kept.value = conversations.map(fromStore);
  keepProblem.value = unreadable.length ? t("keep-unreadable", { count: unreadable.length }) : "";
}

export async function forget(id: string): Promise<void> {
  await keptStore.forget(personId(), id);
  kept.value = kept.peek().filter((one) => one.id !== id);
}

export async function forgetAll(): Promise<void> {
  await keptStore.forgetAll(personId());
  vaultKey.value = null;
  kept.value = [];
}

export const header = {
  read: () => keptStore.readHeader(personId()),
  write: (made: Parameters<typeof keptStore.writeHeader>[1]) => keptStore.writeHeader(personId(), made),
};

// A conversation and what can be done with it. Pure.
import type { Receipt } from "./footprint.ts";

export type DataClass = "public" | "internal" | "restricted";

export interface Attachment {
  name: string;
  text: string;
  /** Whether only the beginning of the document was taken. */
  cut: boolean;
}

export interface Message {
  role: "user" | "assistant";
  text: string;
  attachments?: Attachment[];
  receipt?: Receipt;
  /** Why the answer is not whole: "stopped", "length", or the sentence of an error. */
  ended?: { how: "stopped" | "length" | "error"; sentence: string };
  /** The machine that continued the answer, where another one had begun it. */
  resumed_by?: string;
  /** Why the question waits, in a sentence; undefined once the answer has begun. */
  waits?: string;
  /** Whether the page tries to come back to the answer after a lost connection. */
  is_reconnecting?: boolean;
  /** The widest class with which it was sent; undefined before it was. */
  sent_as?: DataClass;
  /** The part of the answer in which the model reasons, where it shows it. */
  reasoning?: string;
}

export interface Conversation {
  id: string;
  created_at: number;
  updated_at: number;
  model: string;
  data_class: DataClass;
  /** As the person has named it. */
  title?: string;
  /** Whether the model is to think before each answer. */
  thinks?: boolean;
  messages: Message[];
}

const TITLE_MAX = 60;
const NAME_MAX = 120;

export function newConversation(now: number, model = "auto", dataClass: DataClass = "internal"): Conversation {
  return {
    id: crypto.randomUUID?.() ?? randomId(),
    created_at: now,
    updated_at: now,
    model,
    data_class: dataClass,
    messages: [],
  };
}

/** An identifier where the page comes over plain HTTP, on which browsers offer no `randomUUID`. */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The name that the person gave, or the first words of the first question; "" before there is one. */
export function titleOf(conversation: Conversation): string {
  if (conversation.title) return conversation.title;
  const first = conversation.messages.find((message) => message.role === "user");
  const text = (first?.text || first?.attachments?.[0]?.name || "").trim().replace(/\s+/g, " ");
  return text.length > TITLE_MAX ? `${text.slice(0, TITLE_MAX).trimEnd()}…` : text;
}

/** The conversation with another name; without one, with its first words again. */
export function renamed(conversation: Conversation, name: string): Conversation {
  const { title: _, ...rest } = conversation;
  const title = name.trim().replace(/\s+/g, " ").slice(0, NAME_MAX);
  return title ? { ...rest, title } : rest;
}

/** Letters without case and accents, to compare what is searched with what is written. */
function plain(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/** The conversations in whose name, messages or documents' names every searched word is. */
export function found(conversations: readonly Conversation[], searched: string): Conversation[] {
  const words = plain(searched).split(/\s+/).filter(Boolean);
  return conversations.filter((one) => {
    const names = one.messages.flatMap(({ attachments }) => (attachments ?? []).map(({ name }) => name));
    const text = plain([titleOf(one), ...one.messages.map((message) => message.text), ...names].join("\n"));
    return words.every((word) => text.includes(word));
  });
}

/** A message as the model reads it: its documents first, each between marks with its name. */
export function promptText(message: Message): string {
  const documents = (message.attachments ?? []).map(
    ({ name, text }) => `<document name="${name.replace(/["<>\n]/g, "'")}">\n${text}\n</document>\n\n`,
  );
  return documents.join("") + message.text;
}

/** The messages of a request; an answer that broke off with nothing is left out. */
export function requestMessages(messages: readonly Message[]): { role: string; content: string }[] {
  return messages
    .filter((message) => message.role === "user" || message.text !== "")
    .map((message) => ({ role: message.role, content: promptText(message) }));
}

/** The message once it is sent with a class: what was restricted stays so until it leaves. */
export function sentAs(message: Message, dataClass: DataClass): Message {
  const { sent_as: earlier = "restricted" } = message;
  return { ...message, sent_as: earlier === "restricted" ? dataClass : earlier };
}

/** Whether something among the messages has gone to the own co-op's machines alone. */
export function isRestricted(messages: readonly Message[]): boolean {
  return messages.some(({ sent_as: earlier }) => earlier === "restricted");
}

/** A conversation from the store; one from before `sent_as` was kept has its class in each message. */
export function fromStore(read: Conversation): Conversation {
  if (read.data_class !== "restricted") return read;
  return { ...read, messages: read.messages.map((message) => ({ sent_as: "restricted", ...message })) };
}

/** The conversation up to a message, without it: what is kept when it is edited. */
export function before(conversation: Conversation, index: number): Conversation {
  return { ...conversation, messages: conversation.messages.slice(0, index) };
}

/** The conversation with its last message changed. */
export function withLast(conversation: Conversation, change: (last: Message) => Message): Conversation {
  const last = conversation.messages.at(-1);
  if (!last) return conversation;
  return { ...conversation, messages: [...conversation.messages.slice(0, -1), change(last)] };
}

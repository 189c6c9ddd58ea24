// A conversation as a file of its owner: Markdown to read, JSON for programs. Pure.
import { titleOf, type Conversation, type Message } from "./conversation.ts";

export interface ExportWords {
  question: string;
  answer: string;
  document: string;
  untitled: string;
}

/** Returns a conversation as Markdown, each answer with the sentence of its receipt. */
export function toMarkdown(
  conversation: Conversation,
  words: ExportWords,
  receiptLine: (message: Message) => string,
): string {
  const parts = [`# ${titleOf(conversation) || words.untitled}\n`];
  for (const message of conversation.messages) {
    parts.push(`## ${message.role === "user" ? words.question : words.answer}\n`);
    for (const { name, text } of message.attachments ?? []) {
      parts.push(`${words.document} ${name}\n`, `${quoted(text)}\n`);
    }
    if (message.text) parts.push(`${message.text}\n`);
    const line = receiptLine(message);
    if (line) parts.push(`*${line}*\n`);
  }
  return parts.join("\n");
}

function quoted(text: string): string {
  return text
    .split("\n")
    .map((line) => `> ${line}`)
    .join("\n");
}

/** Returns a conversation as JSON, with the receipts as they were signed. */
export function toJson(conversation: Conversation): string {
  return `${JSON.stringify({ format: "entraide-conversation", version: 1, ...conversation }, null, 2)}\n`;
}

/** Returns the day of seconds since the epoch where the reader is, as 2026-11-27. */
function dayOf(seconds: number): string {
  const at = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** Returns a name for the file that every system takes. */
export function fileName(conversation: Conversation, ending: "md" | "json"): string {
  const plain = titleOf(conversation)
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  const day = dayOf(conversation.updated_at);
  return `${day}-${plain.slice(0, 40).toLowerCase() || "conversation"}.${ending}`;
}

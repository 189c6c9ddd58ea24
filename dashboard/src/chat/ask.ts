// One question to the pool, answered as a stream. Aborting the request ends the engine's work.
import { callHeaders, refusalOf } from "../api.ts";
import { eventsOf } from "./event_stream.ts";
import { requestMessages, type Conversation } from "./conversation.ts";
import type { Receipt } from "./footprint.ts";

const PATH = "/v1/chat/completions";

export interface AnswerPart {
  text?: string;
  reasoning?: string;
  receipt?: Receipt;
  finish?: string;
  /** The machine that continues the answer from here on. */
  resumedBy?: string;
}

interface Chunk {
  choices?: { delta?: { content?: unknown; reasoning_content?: unknown }; finish_reason?: unknown }[];
  entraide?: Receipt;
  error?: unknown;
  /** Of the event `entraide.resumed`. */
  token_offset?: unknown;
  node_after?: unknown;
}

/** Yields the parts of the answer; throws a refusal, an `AbortError`, or an error if it breaks off. */
export async function* ask(conversation: Conversation, signal: AbortSignal): AsyncGenerator<AnswerPart> {
  const response = await fetch(PATH, {
    method: "POST",
    signal,
    headers: { ...callHeaders(), "Content-Type": "application/json", Accept: "text/event-stream" },
    body: JSON.stringify({
      model: conversation.model,
      messages: requestMessages(conversation.messages),
      stream: true,
      entraide: { data_class: conversation.data_class, session: conversation.id, resume_events: true },
    }),
  });
  if (!response.ok || !response.body) {
    throw refusalOf(await response.json().catch(() => undefined), response.status);
  }
  for await (const data of eventsOf(response.body)) {
    if (data === "[DONE]") return;
    const part = partOf(data);
    if (part) yield part;
  }
  throw new Error("the answer ended without its last event");
}

/** Reads one event; what is not one of an answer is left out. */
function partOf(data: string): AnswerPart | null {
  let chunk: Chunk;
  try {
    chunk = JSON.parse(data) as Chunk;
  } catch {
    return null;
  }
  if (chunk.error) throw refusalOf(chunk, 200);
  if (typeof chunk.token_offset === "number" && typeof chunk.node_after === "string") {
    return { resumedBy: chunk.node_after };
  }
  const choice = chunk.choices?.[0];
  const { content, reasoning_content: reasoning } = choice?.delta ?? {};
  return {
    ...(typeof content === "string" ? { text: content } : {}),
    ...(typeof reasoning === "string" ? { reasoning } : {}),
    ...(typeof choice?.finish_reason === "string" ? { finish: choice.finish_reason } : {}),
    ...(chunk.entraide ? { receipt: chunk.entraide } : {}),
  };
}

// One question to the pool, answered as a stream. Aborting the request ends the engine's work.
import { ApiError, callHeaders, refusalOf } from "../api.ts";
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
  /** Whether the connection is lost, and the page tries to come back. */
  isReconnecting?: boolean;
  /** Why the question waits, as the pool says it in a sentence. */
  waits?: string;
}

/** The connection to the pool failed: the question did not get there, or the page cannot come back. */
export class Unreachable extends Error {
  constructor(readonly isSent: boolean) {
    super(isSent ? "the pool could not be reached again" : "the pool could not be reached");
  }
}

interface Chunk {
  choices?: { delta?: { content?: unknown; reasoning_content?: unknown }; finish_reason?: unknown }[];
  entraide?: Receipt;
  error?: unknown;
  /** Of the event `entraide.resumed`. */
  token_offset?: unknown;
  node_after?: unknown;
  /** Of the event `entraide.waiting`. */
  reason?: unknown;
  position?: unknown;
  message?: unknown;
}

/** For how long the pool lets an answer go on without this page, seconds. */
const RECONNECT_S = 60;
/** The pool sends a sign of life every 5 s. */
const SILENCE_MS = 16_000;
/** How long one attempt to come back waits for the pool. */
const ATTEMPT_MS = 5_000;
const PAUSE_MIN_MS = 250;
const PAUSE_MAX_MS = 4_000;

/**
 * Yields the parts of the answer; throws a refusal, an `AbortError`, or an error if it breaks off.
 *
 * If the connection is lost, the page comes back to the answer; aborting, or leaving the page for
 * good, cancels the job at the pool.
 */
export async function* ask(conversation: Conversation, signal: AbortSignal): AsyncGenerator<AnswerPart> {
  const response = await begin(conversation, signal);
  const job = response.headers.get("x-request-id") ?? "";
  const onLeft = ({ persisted }: PageTransitionEvent) => {
    if (!persisted) void cancel(job);
  };
  addEventListener("pagehide", onLeft);
  try {
    yield* partsOf(response, job, signal);
  } finally {
    removeEventListener("pagehide", onLeft);
    if (signal.aborted) void cancel(job);
  }
}

/** Yields the parts of an answer, over as many connections as that takes. */
async function* partsOf(first: Response, job: string, signal: AbortSignal): AsyncGenerator<AnswerPart> {
  let response = first;
  let last = "";
  for (;;) {
    try {
      for await (const { data, id } of eventsOf(response.body!, SILENCE_MS)) {
        if (id) last = id;
        if (data === "[DONE]") return;
        const part = partOf(data);
        if (part) yield part;
      }
    } catch (problem) {
      if (signal.aborted || problem instanceof ApiError) throw problem;
    }
    if (!job) throw new Error("the answer names no job to come back to");
    yield { isReconnecting: true };
    response = await comeBack(job, last, signal);
    yield { isReconnecting: false };
  }
}

/** Asks the question. */
async function begin(conversation: Conversation, signal: AbortSignal): Promise<Response> {
  const options = { data_class: conversation.data_class, session: conversation.id };
  const response = await fetch(PATH, {
    method: "POST",
    signal,
    headers: { ...callHeaders(), "Content-Type": "application/json", Accept: "text/event-stream" },
    body: JSON.stringify({
      model: conversation.model,
      messages: requestMessages(conversation.messages),
      think: conversation.thinks ?? false,
      stream: true,
      entraide: { ...options, resume_events: true, waiting_events: true, reconnect_s: RECONNECT_S },
    }),
  }).catch((problem: unknown) => {
    throw signal.aborted ? problem : new Unreachable(false);
  });
  return readable(response);
}

/** Asks for the rest of an answer until the pool gives it, refuses it, or has given it up. */
async function comeBack(job: string, last: string, signal: AbortSignal): Promise<Response> {
  const endsAt = Date.now() + RECONNECT_S * 1_000;
  for (let attempt = 0; Date.now() < endsAt; attempt += 1) {
    await pause(Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** attempt) * (0.5 + Math.random() / 2), signal);
    try {
      const headers = { ...callHeaders(), ...(last ? { "Last-Event-ID": last } : {}) };
      return await readable(await fetchSoon(`/v1/jobs/${job}/stream`, headers, signal));
    } catch (problem) {
      const isFinal = problem instanceof ApiError && problem.status < 500 && problem.status !== 429;
      if (signal.aborted || isFinal) throw problem;
    }
  }
  throw new Unreachable(true);
}

/**
 * Reads an address; fails if no response has begun after a time.
 *
 * A browser sends a request over an idle connection first. If the network has dropped that one too,
 * nothing comes back; the failed attempt closes it, and the next one takes another or a new one.
 */
async function fetchSoon(path: string, headers: HeadersInit, signal: AbortSignal): Promise<Response> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, ATTEMPT_MS);
  signal.addEventListener("abort", abort); // also ends the response's body
  try {
    return await fetch(path, { headers, signal: controller.signal });
  } finally {
    clearTimeout(timer);
  }
}

// What a server before the pool says while the pool itself is away.
const AWAY = new Set([502, 503, 504]);

async function readable(response: Response): Promise<Response> {
  if (response.ok && response.body) return response;
  const refusal = refusalOf(await response.json().catch(() => undefined), response.status);
  throw refusal.code === "unknown" && AWAY.has(refusal.status) ? new Unreachable(false) : refusal;
}

/** Ends a job that would go on without this page. */
async function cancel(job: string): Promise<void> {
  if (!job) return;
  const call = { method: "DELETE", headers: callHeaders(), keepalive: true };
  await fetch(`/v1/jobs/${job}`, call).catch(() => undefined);
}

/** Waits for a time, or until the browser says that it has a network again. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
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
  if (typeof chunk.reason === "string" && typeof chunk.message === "string") return { waits: chunk.message };
  const choice = chunk.choices?.[0];
  const { content, reasoning_content: reasoning } = choice?.delta ?? {};
  return {
    ...(typeof content === "string" ? { text: content } : {}),
    ...(typeof reasoning === "string" ? { reasoning } : {}),
    ...(typeof choice?.finish_reason === "string" ? { finish: choice.finish_reason } : {}),
    ...(chunk.entraide ? { receipt: chunk.entraide } : {}),
  };
}

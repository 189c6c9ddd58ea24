// Server-sent events of an answer, from the bytes of a response (WHATWG HTML, section 9.2).

const LINE_MAX = 8_000_000; // characters of one event; the pool's own bound on answers is lower

export interface StreamEvent {
  data: string;
  /** The last `id` of the stream so far, "" for none. */
  id: string;
}

/** Yields each event; throws once no byte has come for `silenceMs`. Comments are bytes, and skipped. */
export async function* eventsOf(body: ReadableStream<Uint8Array>, silenceMs = Infinity): AsyncGenerator<StreamEvent> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let pending = "";
  let id = "";
  try {
    for (;;) {
      const { done, value } = await within(silenceMs, reader.read());
      if (done) return;
      pending += value;
      const lines = pending.split(/\r\n|\n|\r(?!$)/);
      pending = lines.pop() ?? "";
      if (pending.length > LINE_MAX) throw new Error("an event is too long");
      for (const line of lines) {
        if (line.startsWith("id:")) id = line.slice(3).trimStart();
        if (line.startsWith("data:")) yield { data: line.slice(5).trimStart(), id };
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

/** Returns what is awaited, or throws after a time without it. */
async function within<T>(ms: number, awaited: Promise<T>): Promise<T> {
  if (ms === Infinity) return awaited;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("nothing has come for too long")), ms);
  });
  try {
    return await Promise.race([awaited, silence]);
  } finally {
    clearTimeout(timer);
  }
}

// Server-sent events of an answer, from the bytes of a response (WHATWG HTML, section 9.2).

const LINE_MAX = 8_000_000; // characters of one event; the pool's own bound on answers is lower

/** Yields the data of each event; comments and other fields are skipped. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let pending = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      pending += value;
      const lines = pending.split(/\r\n|\n|\r(?!$)/);
      pending = lines.pop() ?? "";
      if (pending.length > LINE_MAX) throw new Error("an event is too long");
      for (const line of lines) {
        if (line.startsWith("data:")) yield line.slice(5).trimStart();
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

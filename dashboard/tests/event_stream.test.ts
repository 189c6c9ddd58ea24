import { expect, test } from "vitest";
import { eventsOf } from "../src/chat/event_stream.ts";

function streamOf(...pieces: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const bytes = pieces.map((piece) => (typeof piece === "string" ? new TextEncoder().encode(piece) : piece));
  return new ReadableStream({
    start(controller) {
      bytes.forEach((piece) => controller.enqueue(piece));
      controller.close();
    },
  });
}

async function all(stream: ReadableStream<Uint8Array>): Promise<string[]> {
  const events: string[] = [];
  for await (const event of eventsOf(stream)) events.push(event.data);
  return events;
}

test.each([
  ["events one after the other", ["data: a\n\ndata: b\n\n"], ["a", "b"]],
  ["an event cut anywhere", ["da", "ta: a", "b\n", "\ndata: c\n\n"], ["ab", "c"]],
  ["other ends of line", ["data: a\r\n\r\ndata: b\r\r"], ["a", "b"]],
  ["an end of line cut in two", ["data: a\r", "\n\r\ndata: b\n\n"], ["a", "b"]],
  ["comments and other fields", [": en attente\n\nevent: x\ndata: a\n\n"], ["a"]],
  ["an end without a blank line", ["data: a\n\ndata: never ended"], ["a"]],
])("%s", async (_, pieces, events) => {
  expect(await all(streamOf(...pieces))).toEqual(events);
});

test("a letter cut in its bytes is whole", async () => {
  const bytes = new TextEncoder().encode("data: é\n\n");

  expect(await all(streamOf(bytes.slice(0, 7), bytes.slice(7)))).toEqual(["é"]);
});

test("an event without an end is refused", async () => {
  await expect(all(streamOf("data: ", "x".repeat(8_100_000)))).rejects.toThrow("too long");
});

test("an event has the last identifier of the stream", async () => {
  const ids: string[] = [];
  for await (const event of eventsOf(streamOf("data: a\n\nid: job/0\ndata: b\n\n: c\n\ndata: d\n\n"))) ids.push(event.id);

  expect(ids).toEqual(["", "job/0", "job/0"]);
});

test("a stream on which nothing comes is given up", async () => {
  const silent = new ReadableStream<Uint8Array>({ start() {} });

  await expect(eventsOf(silent, 1).next()).rejects.toThrow("too long");
});

// Sends several questions as a batch, which may wait for greener hours, and reads the answers.
//
//     node batch.mjs
//
// The pool answers within 24 hours. It says when it expects to run the questions and, at the end,
// what waiting saved. A batch goes on without this program: stop it with Ctrl-C, and give the
// batch's name to find the answers later:
//
//     node batch.mjs batch_…
//
// It needs OpenAI's client (`npm install openai`) and the variables ENTRAIDE_URL and ENTRAIDE_KEY.
import { setTimeout as wait } from "node:timers/promises";
import OpenAI, { toFile } from "openai";

const QUESTIONS = {
  pain: "Écris une phrase sur le pain.",
  neige: "Écris une phrase sur la neige.",
  miel: "Écris une phrase sur le miel.",
};
const ENDPOINT = "/v1/chat/completions";
const POLL_S = Number(process.env.POLL_S ?? 60);

const client = new OpenAI({
  baseURL: `${process.env.ENTRAIDE_URL}/v1`,
  apiKey: process.env.ENTRAIDE_KEY,
});
const model = process.env.ENTRAIDE_MODEL ?? "auto";

// Sends a file with one request a line, and asks for its answers.
async function start() {
  const lines = Object.entries(QUESTIONS).map(([name, question]) =>
    JSON.stringify({
      custom_id: name, // comes back with the answer
      method: "POST",
      url: ENDPOINT,
      body: { model, messages: [{ role: "user", content: question }], max_tokens: 200 },
    }),
  );
  const file = await client.files.create({
    file: await toFile(Buffer.from(lines.join("\n")), "questions.jsonl"),
    purpose: "batch",
  });
  return client.batches.create({
    input_file_id: file.id,
    endpoint: ENDPOINT,
    completion_window: "24h",
  });
}

let batch = process.argv[2] ? await client.batches.retrieve(process.argv[2]) : await start();
console.log(`${batch.id}: ${batch.status}`);
let shown;
while (["validating", "in_progress", "finalizing"].includes(batch.status)) {
  await wait(POLL_S * 1000);
  batch = await client.batches.retrieve(batch.id);
  // When the pool expects to run it, in a sentence of the pool.
  const expected = batch.entraide.expected?.sentence.fr;
  if (expected && expected !== shown) console.log(expected);
  shown = expected ?? shown;
}

console.log(`${batch.id}: ${batch.status}`);
if (batch.output_file_id) {
  // The answers stand in the order of their ends; `custom_id` says to which question each belongs.
  const output = await (await client.files.content(batch.output_file_id)).text();
  for (const line of output.trim().split("\n")) {
    const answer = JSON.parse(line);
    console.log(`${answer.custom_id}: ${answer.response.body.choices[0].message.content}`);
  }
}
if (batch.error_file_id) {
  console.log(await (await client.files.content(batch.error_file_id)).text());
}
if (batch.entraide.saved_sentence) console.log(batch.entraide.saved_sentence.fr);

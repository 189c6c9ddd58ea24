// The official JavaScript client of OpenAI, unmodified: prints what each check got, as JSON.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.CLIENT_FOLDER}/package.json`);
const { default: OpenAI, toFile } = require("openai");

const { ENTRAIDE_MODEL: model, ENTRAIDE_EMBEDDING_MODEL, QUESTION, TOKENS } = process.env;
const asked = {
  model,
  messages: [{ role: "user", content: QUESTION }],
  temperature: 0,
  max_tokens: Number(TOKENS),
};
const place = [{ role: "user", content: "Gaspé" }];
const parameters = {
  type: "object",
  properties: { ville: { type: "string", enum: ["Gaspé", "Rimouski"] } },
  required: ["ville"],
  additionalProperties: false,
};
const format = { name: "place", strict: true, schema: parameters };
const client = new OpenAI();

const whole = await client.chat.completions.create(asked);

const checks = {
  chat: () => ({ text: whole.choices[0].message.content }),
  usage: () => [whole.usage.prompt_tokens, whole.usage.completion_tokens],
  async stream() {
    const pieces = [];
    const stream = client.chat.completions.stream({
      ...asked,
      stream_options: { include_usage: true },
    });
    stream.on("content", (piece) => pieces.push(piece));
    const whole = await stream.finalChatCompletion();
    return {
      text: pieces.join(""),
      pieces: pieces.length,
      tokens: whole.usage.completion_tokens,
    };
  },
  async tools() {
    const calls = [];
    const meteo = (given) => {
      calls.push(given);
      return "12 °C";
    };
    const run = client.chat.completions.runTools({
      model,
      temperature: 0,
      max_tokens: 48,
      stop: ["."],
      messages: place,
      tools: [
        {
          type: "function",
          function: {
            name: "meteo", description: "Weather.", parse: JSON.parse, function: meteo, parameters,
          },
        },
      ],
    });
    const after = await run.finalContent();
    return { name: "meteo", arguments: calls[0], after };
  },
  async structured() {
    const answer = await client.chat.completions.parse({
      model,
      messages: place,
      max_tokens: 60,
      response_format: { type: "json_schema", json_schema: format },
    });
    return JSON.parse(answer.choices[0].message.content);
  },
  async embeddings() {
    const input = ["Le chat dort.", "La neige"];
    const answer = await client.embeddings.create({ model: ENTRAIDE_EMBEDDING_MODEL, input });
    return answer.data[0].embedding;
  },
  async responses() {
    const request = {
      model, input: QUESTION, temperature: 0, store: false, max_output_tokens: Number(TOKENS),
    };
    const whole = await client.responses.create(request);
    const stream = client.responses.stream(request);
    const pieces = [];
    stream.on("response.output_text.delta", (event) => pieces.push(event.delta));
    const final = await stream.finalResponse();
    const parsed = await client.responses.parse({
      model,
      input: "Gaspé",
      store: false,
      max_output_tokens: 60,
      text: { format: { type: "json_schema", ...format } },
    });
    if (pieces.join("") !== whole.output_text || final.output_text !== whole.output_text) {
      throw new Error("the stream differs from the whole");
    }
    return { text: whole.output_text, structured: JSON.parse(parsed.output_text) };
  },
  async errors() {
    const wrong = new OpenAI({ apiKey: "ent_wrong" });
    const told = [];
    for (const [asking, changes] of [
      [client, { model: "gpt-4o" }],
      [client, { temperature: 9 }],
      [wrong, {}],
    ]) {
      try {
        await asking.chat.completions.create({ ...asked, ...changes });
      } catch (error) {
        told.push([error.constructor.name, error.code, error.message]);
      }
    }
    return told;
  },
  async limits() {
    const paced = new OpenAI({ apiKey: process.env.PACED_KEY, maxRetries: 0 });
    const long = { messages: [{ role: "user", content: QUESTION.repeat(1000) }] };
    const told = [];
    // The key has one request a minute, and a minute may end between two.
    for (const [asking, changes] of [
      [client, long],
      [client, { ...long, model: "auto" }],
      ...Array(4).fill([paced, {}]),
    ]) {
      try {
        await asking.chat.completions.create({ ...asked, max_tokens: 1, ...changes });
      } catch (error) {
        told.push([error.constructor.name, error.code, error.message]);
      }
    }
    return told.slice(0, 3);
  },
  async models() {
    const listed = [];
    for await (const served of client.models.list()) listed.push(served.id);
    return [...listed, (await client.models.retrieve(model)).id];
  },
  async batches() {
    const line = { method: "POST", url: "/v1/chat/completions", body: asked };
    const content = [0, 1, 2]
      .map((number) => JSON.stringify({ custom_id: `l${number}`, ...line }))
      .join("\n");
    const file = await client.files.create({
      file: await toFile(Buffer.from(content), "lot.jsonl"),
      purpose: "batch",
    });
    let batch = await client.batches.create({
      input_file_id: file.id,
      endpoint: "/v1/chat/completions",
      completion_window: "24h",
    });
    while (["validating", "in_progress", "finalizing"].includes(batch.status)) {
      await new Promise((again) => setTimeout(again, 100));
      batch = await client.batches.retrieve(batch.id);
    }
    const listed = [];
    for await (const other of client.batches.list()) listed.push(other.id);
    const kept = await (await client.files.content(file.id)).text();
    if (!listed.includes(batch.id) || kept !== content) throw new Error("not listed, or altered");
    const output = await (await client.files.content(batch.output_file_id)).text();
    const answers = output.trim().split("\n").map((text) => JSON.parse(text));
    await client.files.delete(file.id);
    return {
      status: batch.status,
      names: answers.map((answer) => answer.custom_id).sort(),
      texts: answers.map((answer) => answer.response.body.choices[0].message.content),
    };
  },
};

const results = {};
for (const [name, check] of Object.entries(checks)) results[name] = await check();
process.stdout.write(JSON.stringify(results));

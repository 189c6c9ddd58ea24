// The official JavaScript client: tools, the answer sent back, a stream, the tool runner, embeddings.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.CLIENT_FOLDER}/package.json`);
const OpenAI = require("openai").default;
const client = new OpenAI();
const parameters = {
  type: "object",
  properties: { ville: { type: "string" } },
  required: ["ville"],
};
const tools = [
  { type: "function", function: { name: "meteo", description: "Donne le temps.", parameters } },
];
const messages = [
  { role: "system", content: "Réponds en français." },
  { role: "user", content: "Quel temps à Lévis ?" },
];
const first = await client.chat.completions.create({
  model: "petit", messages, tools, tool_choice: "auto", user: "u-1", temperature: 0.2,
});
messages.push(first.choices[0].message);
messages.push({ role: "tool", tool_call_id: "call_abc123", content: "12 °C" });
const second = await client.chat.completions.create({ model: "petit", messages, tools });
messages.push(second.choices[0].message, { role: "user", content: "Et demain ?" });
const stream = await client.chat.completions.create({
  model: "petit", messages, stream: true, stream_options: { include_usage: true },
  max_completion_tokens: 64,
});
for await (const _ of stream);
const schema = { type: "object", properties: { celsius: { type: "number" } } };
await client.chat.completions.create({
  model: "petit", messages: [{ role: "user", content: "En JSON ?" }],
  response_format: { type: "json_schema", json_schema: { name: "temps", schema, strict: true } },
});
const run = client.chat.completions.runTools({
  model: "petit",
  messages: [{ role: "user", content: "Quel temps à Lévis ?" }],
  tools: [
    {
      type: "function",
      function: { name: "meteo", parse: JSON.parse, function: () => "12 °C", parameters },
    },
  ],
});
await run.finalContent();
await client.completions.create({ model: "petit", prompt: "Il était", max_tokens: 8 });
await client.embeddings.create({ model: "petit", input: ["Bonjour", "Bonsoir"] });
await client.responses.create({ model: "petit", input: "Bonjour", store: false });

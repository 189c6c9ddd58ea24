// Asks one question, shows the answer as it is written, then the receipt.
//
//     node chat.mjs "Qui dirige une coopérative ?"
//
// It needs OpenAI's client (`npm install openai`) and the variables ENTRAIDE_URL and ENTRAIDE_KEY.
import OpenAI from "openai";

// The address of the pool and a key of your co-op are all that differs from any other service.
const client = new OpenAI({
  baseURL: `${process.env.ENTRAIDE_URL}/v1`,
  apiKey: process.env.ENTRAIDE_KEY,
});

// "auto" lets the pool choose a model. GET /v1/models lists the names that you may write here.
const model = process.env.ENTRAIDE_MODEL ?? "auto";
const question = process.argv[2] ?? "Qui dirige une coopérative ?";

const stream = await client.chat.completions.create({
  model,
  messages: [{ role: "user", content: question }],
  max_tokens: 200,
  stream: true,
  // With the usage, the last event of the stream also holds the receipt.
  stream_options: { include_usage: true },
});

let receipt = {};
for await (const event of stream) {
  process.stdout.write(event.choices[0]?.delta.content ?? "");
  receipt = event.entraide ?? receipt;
}
console.log();

console.log(`machine: ${receipt.node}, in ${receipt.province}`);
console.log(
  `energy: ${receipt.energy_wh.toFixed(4)} Wh, emissions: ${receipt.carbon_gco2e.toFixed(4)} g CO2e`,
);
console.log(`tokens: ${receipt.input_tokens} read, ${receipt.output_tokens} written`);

// Vercel's AI SDK, unmodified, in its default modes: prints what each check got, as JSON.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.CLIENT_FOLDER}/package.json`);
const { createOpenAICompatible } = require("@ai-sdk/openai-compatible");
const { embedMany, generateText, Output, stepCountIs, streamText, tool } = require("ai");
const { z } = require("zod");

const { ENTRAIDE_MODEL, ENTRAIDE_EMBEDDING_MODEL, OPENAI_BASE_URL, OPENAI_API_KEY } = process.env;
const connect = (apiKey) =>
  createOpenAICompatible({
    name: "pool",
    baseURL: OPENAI_BASE_URL,
    apiKey,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
const pool = connect(OPENAI_API_KEY);
const model = pool(ENTRAIDE_MODEL);
const asked = {
  model,
  prompt: process.env.QUESTION,
  temperature: 0,
  maxOutputTokens: Number(process.env.TOKENS),
  maxRetries: 0,
};
const place = z.object({ ville: z.enum(["Gaspé", "Rimouski"]) });

const whole = await generateText(asked);

const checks = {
  chat: () => ({ text: whole.text }),
  usage: () => [whole.usage.inputTokens, whole.usage.outputTokens],
  async stream() {
    const pieces = [];
    const running = streamText(asked);
    for await (const piece of running.textStream) pieces.push(piece);
    return {
      text: pieces.join(""),
      pieces: pieces.length,
      tokens: (await running.usage).outputTokens,
    };
  },
  async tools() {
    const meteo = tool({
      description: "The weather in a town.",
      inputSchema: place,
      execute: async ({ ville }) => `12 °C à ${ville}`,
    });
    const done = await generateText({
      model,
      prompt: "Gaspé",
      temperature: 0,
      maxOutputTokens: 48,
      stopSequences: ["."],
      tools: { meteo },
      stopWhen: stepCountIs(2),
    });
    const [call] = done.steps[0].toolCalls;
    return { name: call.toolName, arguments: call.input, after: done.text };
  },
  async structured() {
    const output = Output.object({ schema: place });
    return (await generateText({ model, prompt: "Gaspé", maxOutputTokens: 60, output })).output;
  },
  async embeddings() {
    const values = ["Le chat dort.", "La neige"];
    const embedding = pool.embeddingModel(ENTRAIDE_EMBEDDING_MODEL);
    return (await embedMany({ model: embedding, values })).embeddings[0];
  },
  async errors() {
    const told = [];
    for (const changes of [
      { model: pool("gpt-4o") },
      { temperature: 9 },
      { model: connect("ent_wrong")(ENTRAIDE_MODEL) },
    ]) {
      try {
        await generateText({ ...asked, ...changes });
      } catch (error) {
        told.push([error.name, "", error.message]);
      }
    }
    return told;
  },
};

const got = {};
for (const [name, check] of Object.entries(checks)) got[name] = await check();
process.stdout.write(JSON.stringify(got));

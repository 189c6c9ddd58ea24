// Finds the sentence that is closest in meaning to a question, by embeddings.
//
//     node embeddings.mjs "Qui fait du pain ?"
//
// It needs OpenAI's client (`npm install openai`), the variables ENTRAIDE_URL and ENTRAIDE_KEY, and in
// ENTRAIDE_EMBEDDING_MODEL the name of a model that computes embeddings.
import OpenAI from "openai";

const SENTENCES = [
  "Le boulanger cuit le pain avant l’aube.",
  "La neige couvre les montagnes en hiver.",
  "Le conseil a voté le budget de la coopérative.",
];

const client = new OpenAI({
  baseURL: `${process.env.ENTRAIDE_URL}/v1`,
  apiKey: process.env.ENTRAIDE_KEY,
});
const question = process.argv[2] ?? "Qui fait du pain ?";

// One request for all texts: it is one job of the pool, with one receipt.
const answer = await client.embeddings.create({
  model: process.env.ENTRAIDE_EMBEDDING_MODEL,
  input: [question, ...SENTENCES],
});
const [asked, ...known] = answer.data.map((entry) => entry.embedding);

// The cosine of the angle between two embeddings: 1 for the same direction.
function similarity(one, other) {
  const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other));
}

known
  .map((vector, index) => [similarity(asked, vector), SENTENCES[index]])
  .sort(([one], [other]) => other - one)
  .forEach(([score, sentence]) => console.log(`${score.toFixed(2)}  ${sentence}`));

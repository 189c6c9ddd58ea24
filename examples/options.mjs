// Asks with the pool's own options: where the answer may be computed, how sensitive the data is.
//
//     node options.mjs
//
// It needs OpenAI's client (`npm install openai`) and the variables ENTRAIDE_URL and ENTRAIDE_KEY.
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: `${process.env.ENTRAIDE_URL}/v1`,
  apiKey: process.env.ENTRAIDE_KEY,
  // A header of the client counts for all its requests: here, no request leaves Québec.
  defaultHeaders: { "X-Entraide-Jurisdiction": "CA-QC" },
});
const model = process.env.ENTRAIDE_MODEL ?? "auto";

const answer = await client.chat.completions.create({
  model,
  messages: [{ role: "user", content: "Écris une phrase sur la neige." }],
  max_tokens: 40,
  // The same options can stand in the body, for one request.
  entraide: {
    job_class: "standard", // no one waits in front of a screen
    data_class: "internal", // approved machines of members only
    max_gco2e: 50, // refuse the request rather than emit more grams
    explain: true, // say in the answer why this machine was chosen
  },
});
console.log(answer.choices[0].message.content);
console.log(`computed in ${answer.entraide.province}`);
console.log(answer.entraide.explanation.sentence.en);

// What the pool cannot promise is refused at once, with the reason.
try {
  await client.chat.completions.create(
    { model, messages: [{ role: "user", content: "Bonjour !" }] },
    { headers: { "X-Entraide-Jurisdiction": "CA-YT" } },
  );
} catch (error) {
  console.log(error.message);
}

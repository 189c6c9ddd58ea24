// opencode, an assistant for programmers: one run that calls a tool, and one that goes on with it.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";

const home = process.env.HOME;
mkdirSync(`${home}/work`);
writeFileSync(`${home}/work/meteo.py`, "def meteo(ville):\n    return 12\n");
writeFileSync(
  `${home}/work/opencode.json`,
  JSON.stringify({
    provider: {
      pool: {
        npm: "@ai-sdk/openai-compatible",
        options: { baseURL: process.env.ENTRAIDE_URL, apiKey: "sk-none" },
        models: { petit: { tool_call: true } },
      },
    },
    model: "pool/petit",
    small_model: "pool/petit",
    autoupdate: false,
    share: "disabled",
  }),
);
const program = `${process.env.CLIENT_FOLDER}/node_modules/.bin/opencode`;
const run = (...words) =>
  execFileSync(program, ["run", "--model", "pool/petit", ...words], {
    cwd: `${home}/work`,
    env: { ...process.env, OPENAI_API_KEY: "", OPENCODE_CONFIG: `${home}/work/opencode.json` },
    stdio: ["ignore", "inherit", "inherit"],
    timeout: 240_000,
  });
run("Que fait ce fichier ?");
run("--continue", "Et demain ?");

// Compresses the built assets once, so that the gateway only picks a form. Both compressors are
// JavaScript or WebAssembly: the same bytes with every build of Node.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "fflate";

const SMALL_BYTES = 512; // below this a compressed form saves nothing

// The package's form for Node is reached by `require` only.
const brotli = createRequire(import.meta.url)("brotli-wasm");
const folder = process.env.PAGES_OUT ?? "entraide_dashboard/assets";
for (const name of readdirSync(folder)) {
  if (name === "index.html") continue; // the gateway writes the language into it
  const content = readFileSync(join(folder, name));
  if (content.length < SMALL_BYTES) continue;
  writeFileSync(join(folder, `${name}.gz`), gzipSync(content, { level: 9, mem: 12, mtime: 0 }));
  writeFileSync(join(folder, `${name}.br`), brotli.compress(content, { quality: 11 }));
}

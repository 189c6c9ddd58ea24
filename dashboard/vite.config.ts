// How the pages are built: one HTML file and assets whose names hold the hash of their content, all
// in the Python package, whose wheel carries them. `npx vite` serves the sources while one works on
// them, and passes calls to the pool at ENTRAIDE_POOL.
import { defineConfig } from "vite";

const pool = process.env["ENTRAIDE_POOL"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/assets/",
  build: {
    outDir: process.env["PAGES_OUT"] ?? "entraide_dashboard/assets",
    emptyOutDir: true,
    assetsDir: "",
    assetsInlineLimit: 0, // an inlined picture would need `data:` in the content policy of scripts
    target: "es2022",
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 2_000, // the reader of PDF files is large, and loaded when one is attached
  },
  server: { proxy: { "/v1": pool, "/status.json": pool, "/openapi.json": pool } },
  test: { include: ["tests/**/*.test.ts"], environment: "node", testTimeout: 60_000 },
} as Parameters<typeof defineConfig>[0]);

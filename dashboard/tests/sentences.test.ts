// Both catalogues have what the sources ask for, and nothing else. That they have the same codes
// and values, and the French its spaces, is tested with the other catalogues in tests/house.
import { readdirSync, readFileSync } from "node:fs";
import { FluentBundle, FluentResource } from "@fluent/bundle";
import { expect, test } from "vitest";

const SOURCES = new URL("../src/", import.meta.url);
const LANGUAGES = ["fr", "en"] as const;

function read(path: string): string {
  return readFileSync(new URL(path, SOURCES), "utf-8");
}

function codesOf(lang: string): Set<string> {
  return new Set(read(`locales/${lang}.ftl`).match(/^[a-z][a-z0-9-]*(?= =)/gm));
}

const sources = readdirSync(SOURCES, { recursive: true, encoding: "utf-8" })
  .filter((path) => /\.tsx?$/.test(path) && !path.endsWith(".d.ts"))
  .map(read)
  .join("\n");

// `t("code")`, `title: "code"`; other codes are chosen before, and are literals somewhere.
const asked = new Set([...sources.matchAll(/(?:\bt\(\s*|title: )"([a-z][a-z0-9-]*)"/g)].map((m) => m[1]!));
const literals = new Set([...sources.matchAll(/"([a-z][a-z0-9-]*)"/g)].map((m) => m[1]!));
// The beginnings in t(`machine-${state}`).
const begun = [...sources.matchAll(/`([a-z][a-z0-9-]*-)\$\{/g)].map((m) => m[1]!);

test.each(LANGUAGES)("the catalogue %s says what the sources ask for", (lang) => {
  const codes = codesOf(lang);

  expect([...asked].filter((code) => !codes.has(code))).toEqual([]);
});

test.each(LANGUAGES)("no sentence of %s is unused", (lang) => {
  const used = (code: string) => literals.has(code) || begun.some((start) => code.startsWith(start));

  expect([...codesOf(lang)].filter((code) => !used(code))).toEqual([]);
});

test.each(LANGUAGES)("the catalogue %s is read without an error", (lang) => {
  const errors = new FluentBundle(lang).addResource(new FluentResource(read(`locales/${lang}.ftl`)));

  expect(errors).toEqual([]);
});

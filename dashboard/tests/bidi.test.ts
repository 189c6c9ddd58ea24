import { expect, test } from "vitest";
import { inOrder, isolated, withVisibleMarks } from "../src/bidi.ts";

test("a name from right to left is isolated in a sentence, any other stays as it is", () => {
  expect(["\u2068\u05d0\u05d1 12\u2069", "Zoé 12", ""]).toEqual(["\u05d0\u05d1 12", "Zoé 12", ""].map(isolated));
});

test("a mark that would end the isolation is shown by its code", () => {
  expect("\u2068\u05d0[U+2069][U+202E]b\u2069").toBe(isolated("\u05d0\u2069\u202eb"));
  expect("a[U+061C]").toBe(withVisibleMarks("a\u061c"));
});

test("words from right to left in a sentence of the pool are isolated one run at a time", () => {
  expect("Le site \u2068\u05d0 \u05d1\u2069 12, \u2068\u0627\u2069.").toBe(inOrder("Le site \u05d0 \u05d1 12, \u0627."));
});

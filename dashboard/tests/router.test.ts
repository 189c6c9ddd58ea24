import { expect, test } from "vitest";
import { segmentsOf } from "../src/segments.ts";

test.each([
  ["", []],
  ["#/", []],
  ["#/chat", ["chat"]],
  ["#/entrer/a-b_c", ["entrer", "a-b_c"]],
  ["#/entrer/a%20b/", ["entrer", "a b"]],
  ["#/entrer/%", ["entrer", "%"]],
])("the address %s has the segments %s", (hash, segments) => {
  expect(segmentsOf(hash)).toEqual(segments);
});

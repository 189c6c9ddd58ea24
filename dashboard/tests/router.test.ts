import { expect, test } from "vitest";
import { faultOf, segmentsOf } from "../src/segments.ts";

test.each([
  ["", []],
  ["#/", []],
  ["#/chat", ["chat"]],
  ["#/entrer/a-b_c", ["entrer", "a-b_c"]],
  ["#/entrer/a%20b/", ["entrer", "a b"]],
  ["#/entrer/%", ["entrer", "%"]],
  ["#/entrer?fault=oidc_refused", ["entrer"]],
  ["#/?fault=x/y", []],
])("the address %s has the segments %s", (hash, segments) => {
  expect(segmentsOf(hash)).toEqual(segments);
});

test.each([
  ["#/entrer", ""],
  ["#/entrer?fault=oidc_refused", "oidc_refused"],
  ["#/entrer?other=1", ""],
  ["#/entrer?fault=%", "%"],
])("the address %s has the fault %s", (hash, fault) => {
  expect(faultOf(hash)).toEqual(fault);
});

// What the operator's page makes of the doctor's remedies, and of changes of the catalogue.
import { expect, test } from "vitest";
import { versionOf, withEntries, withMissing, without } from "../src/pages/operator/catalogue.ts";
import { ageDays, splitRemedy } from "../src/pages/operator/remedy.ts";

const DOCUMENT = JSON.stringify({ version: 3, models: [{ name: "a", size: "petit", parameters: 1 }] });

test("a remedy that ends with a command gives it to copy", () => {
  expect(splitRemedy("Faites-en une :  entraide pool backup F --state D")).toEqual({
    words: "Faites-en une :",
    command: "entraide pool backup F --state D",
  });
  expect(splitRemedy("Free some space.")).toEqual({ words: "Free some space.", command: "" });
});

test("a backup's age is in whole days, and never negative", () => {
  expect([ageDays(0, 86_399), ageDays(0, 3 * 86_400), ageDays(500, 0)]).toEqual([0, 3, 0]);
});

test("entries come as one, as a list or as a catalogue, and replace their namesakes", () => {
  const entry = { name: "b", size: "petit", parameters: 2 };
  for (const added of [entry, [entry], { version: 9, models: [entry] }]) {
    const { document, count } = withEntries(DOCUMENT, JSON.stringify(added));
    expect([count, versionOf(document)]).toEqual([1, 3]);
    expect(JSON.parse(document).models.map((each: { name: string }) => each.name)).toEqual(["a", "b"]);
  }
  const other = JSON.stringify({ ...entry, name: "a" });
  expect(JSON.parse(withEntries(DOCUMENT, other).document).models[0].parameters).toBe(2);
});

test("what is no entry is refused", () => {
  for (const wrong of ["", "7", "null", "[]", "{}", "[{}]", '{"models": 4}']) {
    expect(() => withEntries(DOCUMENT, wrong), wrong).toThrow();
  }
});

test("of another catalogue only the missing models are added, and one can be taken out", () => {
  const shipped = JSON.stringify({
    version: 1,
    models: [
      { name: "a", size: "petit", parameters: 9 },
      { name: "c", size: "grand", parameters: 9 },
    ],
  });
  const { document, count } = withMissing(DOCUMENT, shipped);
  expect([count, withMissing(document, shipped).count]).toEqual([1, 0]);
  expect(JSON.parse(document).models[0].parameters).toBe(1);
  expect(JSON.parse(without(document, "a")).models.map((each: { name: string }) => each.name)).toEqual(["c"]);
});

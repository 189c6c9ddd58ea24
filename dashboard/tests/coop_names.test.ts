// What people read for a co-op: its name, or its identifier.
import { expect, test } from "vitest";
import { coopName, noteCoopNames } from "../src/coop_names.ts";
import { withWord } from "../src/coop_word.ts";
import { session } from "../src/session.ts";

test("a co-op has its name, or its identifier where it has none", () => {
  session.value = { coop_names: { alpha: "Les Abeilles" } } as never;

  expect(["alpha", "beta", "constructor"].map(coopName)).toEqual(["Les Abeilles", "beta", "constructor"]);
});

test("names that the pool has told since replace the session's", () => {
  session.value = { coop_names: { alpha: "Les Abeilles" } } as never;
  noteCoopNames([{ coop: "alpha", name: "" }, { coop: "beta", name: "Le Soleil" }]);

  expect(["alpha", "beta"].map(coopName)).toEqual(["alpha", "Le Soleil"]);
});

test("nobody signed in: the identifier", () => {
  session.value = null;
  noteCoopNames([{ coop: "beta", name: "Le Soleil" }]);

  expect(coopName("beta")).toEqual("beta");
});

test.each([
  ["Les Abeilles", "coop Les Abeilles"],
  ["Coop Boréale", "Coop Boréale"],
  ["COOPÉRATIVE du Nord", "COOPÉRATIVE du Nord"],
  ["Prairie Co-op", "Prairie Co-op"],
  ["The Prairie Cooperative", "coop The Prairie Cooperative"],
  ["Coopérateurs réunis", "coop Coopérateurs réunis"],
  ["Scoop", "coop Scoop"],
])("the word for a co-op is said once: %s", (name, shown) => {
  expect(withWord(name, "coop")).toEqual(shown);
});

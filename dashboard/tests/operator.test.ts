// The pure modules of the operator's view: differences of documents, and what needs a hand.
import { describe, expect, test } from "vitest";
import { compareLines } from "../src/pages/operator/diff.ts";
import { isPinned, readCatalogue } from "../src/pages/operator/catalogue.ts";
import { listWork, type Finding } from "../src/pages/operator/remedy.ts";
import { writeScenario } from "../src/pages/operator/scenario.ts";

function shown(old: string, now: string, around = 2): string[] {
  const signs = { same: " ", gone: "-", new: "+", "left-out": "…" };
  return compareLines(old, now, around).map((each) => signs[each.mark] + (each.count || each.text));
}

describe("a diff by lines", () => {
  test("shows a changed line as gone and new, between its neighbours", () => {
    expect(shown("a\nb\nc\n", "a\nB\nc\n")).toEqual([" a", "-b", "+B", " c"]);
  });

  test("leaves equal lines far from a change out, and counts them", () => {
    expect(shown("1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\n5\nsix\n", 1)).toEqual(["…4", " 5", "-6", "+six"]);
  });

  test("finds lines that moved into and out of the middle", () => {
    expect(shown("a\nb\nc\nd", "a\nx\nc\nb\nd")).toEqual([" a", "-b", "+x", " c", "+b", " d"]);
  });

  test("has no marked line for equal texts, and one kind for an empty side", () => {
    expect(shown("a\nb", "a\nb\n")).toEqual(["…2"]);
    expect(shown("", "a\nb")).toEqual(["+a", "+b"]);
    expect(shown("a", "")).toEqual(["-a"]);
  });

  test("gives both texts back, whatever they are", () => {
    const texts = ["", "x", "a\nb\na\nb", "b\na\n\n\nb", "a\n\nc\nd\na"];
    for (const old of texts) {
      for (const now of texts) {
        if (old === now) continue; // nothing of equal texts is shown
        const lines = compareLines(old, now, 99);
        const side = (mark: string) =>
          lines.filter((each) => ["same", mark].includes(each.mark)).map((each) => each.text);
        const split = (text: string) => (text ? text.split("\n") : []);
        expect([side("gone"), side("new")]).toEqual([split(old), split(now)]);
      }
    }
  });
});

describe("what needs a hand", () => {
  const finding = (code: string, more: Partial<Finding> = {}): Finding => ({
    level: "warn", code, sentence: "", remedy: "", since: 0, names: {}, watched: true, ...more,
  });

  test("is what the pool finds now and what only its doctor does, the most pressing first", () => {
    const running = [finding("bus-lost", { level: "fail" }), finding("node-lost"), finding("node-waiting")];
    const doctor = [
      finding("node-waiting"), // of some seconds before
      finding("node-old"),
      finding("node-lost", { watched: false }),
      finding("port-taken", { level: "fail", watched: false }),
      finding("disk-ok", { level: "ok", watched: false }),
      finding("place-unknown", { watched: false }),
    ];

    expect(listWork(running, doctor).map((each) => each.code)).toEqual([
      "bus-lost", "port-taken", "node-waiting", "node-lost", "place-unknown",
    ]);
  });
});

describe("the scenario of next year's demand", () => {
  const machine = {
    node: "serre", coop: "alpha", site: "Serre d'hiver", zone: "CA-ON", device: "mac-mini-m4",
    approval: "approved", models: ["petit"],
  };
  const growth = { journal: "parc.journal", percent: 120, hours: 48, start: "2027-01-13" };

  test("repeats the recorded demand in whole, then a part of it", () => {
    const text = writeScenario([machine], [{ coop: "alpha", shares: 2 }], [], growth);
    const parts = [...text.matchAll(/trace = "parc.journal"(?:\nkeep = ([\d.]+))?/g)].map((each) => each[1]);

    expect(parts).toEqual([undefined, "1", "0.2"]);
    expect(text).toContain('[[sites]]\nname = "Serre-d-hiver-CA-ON"\nzone = "CA-ON"');
    expect(text).toContain('coop = "alpha"\nsite = "Serre-d-hiver-CA-ON"\nmodels = ["petit"]');
  });

  test("leaves out machines that wait, have no model, or no known device", () => {
    const others = [{ approval: "waiting" }, { models: [] }, { device: "" }];
    const text = writeScenario(others.map((more) => ({ ...machine, ...more })), [], [], growth);

    expect(text).not.toContain("[[nodes]]");
  });

  test("keeps hostile names inside their quotes", () => {
    const text = writeScenario([{ ...machine, node: 'a"\n[[nodes]]' }], [], [], growth);

    expect(text.match(/^\[\[nodes\]\]$/gm)).toHaveLength(1);
  });
});

describe("the catalogue", () => {
  const model = (name: string, size: string, parameters: number, sums: (string | undefined)[]) => ({
    name, size, parameters,
    artefacts: [{ files: sums.map((sha256) => ({ sha256 })) }],
  });

  test("is listed from the smallest model, and says whose weights are pinned", () => {
    const models = [model("b", "grand", 70, ["x", undefined]), model("a", "petit", 1, ["x"])];
    const read = readCatalogue(JSON.stringify({ models }));

    expect(read.map((each) => [each.name, isPinned(each)])).toEqual([["a", true], ["b", false]]);
  });
});

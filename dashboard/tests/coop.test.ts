import { expect, test } from "vitest";
import { mayManage, monthsFrom, partUsed, projectsOf, type Person } from "../src/coop/figures.ts";

test("months are counted back over the turn of a year", () => {
  expect(monthsFrom("2026-02", 4)).toEqual(["2026-02", "2026-01", "2025-12", "2025-11"]);
});

test("the used part of a limit stays between none and all", () => {
  expect([partUsed(1, 4), partUsed(9, 4), partUsed(0, 0), partUsed(-1, 4)]).toEqual([0.25, 1, 1, 0]);
});

function person(project: string, disabled_at = 0): Person {
  return {
    id: `person-${project}`, name: "Ada", email: "", role: "person", coop: "alpha", project, lang: "",
    created_at: 1, disabled_at,
  }; // prettier-ignore
}

test("projects are those of keys and people that are still in use", () => {
  const keys = [
    { key: "key-1", project: "bulletin" },
    { key: "key-2", project: "archives", revoked: true },
  ];

  expect(projectsOf(keys, [person("default"), person("bulletin"), person("old", 5)])).toEqual([
    { name: "bulletin", keys: 1, people: 1 },
    { name: "default", keys: 0, people: 1 },
  ]);
});

test("only a co-op admin and the operator manage people and keys", () => {
  expect(["person", "auditor", "coop_admin", "operator"].map(mayManage)).toEqual([false, false, true, true]);
});

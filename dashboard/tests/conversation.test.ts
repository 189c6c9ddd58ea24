import { expect, test } from "vitest";
import { before, fromStore, isRestricted, newConversation, promptText, requestMessages, sentAs, titleOf, withLast } from "../src/chat/conversation.ts";
import { fileName, toJson, toMarkdown } from "../src/chat/export.ts";
import { microwaveSeconds, roundedGrams, savedBesideLarger, stayedInCanada, thoughtEnergy, type Receipt } from "../src/chat/footprint.ts";
import type { Conversation } from "../src/chat/conversation.ts";

const TALK: Conversation = {
  ...newConversation(1_790_000_000, "petit", "restricted"),
  messages: [
    { role: "user", text: "Résume\n ceci", attachments: [{ name: 'no"te.txt', text: "Bonjour", cut: false }] },
    { role: "assistant", text: "Voilà." },
    { role: "user", text: "Encore" },
    { role: "assistant", text: "" },
  ],
};
const WORDS = { question: "Question", answer: "Réponse", document: "Document :", untitled: "Sans titre" };

test("a document stands before the question, between marks with its name", () => {
  expect(promptText(TALK.messages[0]!)).toBe("<document name=\"no'te.txt\">\nBonjour\n</document>\n\nRésume\n ceci");
});

test("an answer that has no word yet is not sent", () => {
  expect(requestMessages(TALK.messages).map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
});

test("the title is the first question on one line", () => {
  expect(titleOf(TALK)).toBe("Résume ceci");
  expect(titleOf(before(TALK, 0))).toBe("");
  expect(titleOf({ ...TALK, messages: [{ role: "user", text: "x".repeat(100) }] })).toHaveLength(61);
});

test("a change of the last message leaves the others", () => {
  const changed = withLast(TALK, (last) => ({ ...last, text: "Oui" }));

  expect(changed.messages.slice(0, 3)).toEqual(TALK.messages.slice(0, 3));
  expect(changed.messages[3]!.text).toBe("Oui");
  expect(TALK.messages[3]!.text).toBe("");
});

test("Markdown holds questions, documents and answers with their line", () => {
  expect(toMarkdown(TALK, WORDS, ({ role }) => (role === "assistant" ? "atelier-1" : ""))).toBe(
    "# Résume ceci\n\n## Question\n\nDocument : no\"te.txt\n\n> Bonjour\n\nRésume\n ceci\n\n## Réponse\n\n" +
      "Voilà.\n\n*atelier-1*\n\n## Question\n\nEncore\n\n## Réponse\n\n*atelier-1*\n",
  );
});

test("JSON can be read back", () => {
  expect(JSON.parse(toJson(TALK))).toEqual({ format: "entraide-conversation", version: 1, ...TALK });
});

test("a file's name is plain on every system", () => {
  const named = { ...TALK, messages: [{ role: "user" as const, text: "Été/../à: «l’école»?" }] };

  expect(fileName(named, "md").slice(10)).toBe("-ete-a-l-ecole.md");
});

test("a file's name begins with the day of the conversation", () => {
  const noon = new Date(2026, 10, 7, 12).getTime() / 1000;

  expect(fileName({ ...TALK, updated_at: noon }, "json").slice(0, 10)).toBe("2026-11-07");
});

test("what went to the own machines alone is known as such until it leaves them", () => {
  const own = sentAs({ role: "user", text: "Le loyer" }, "restricted");

  expect(isRestricted([own])).toBe(true);
  expect(isRestricted([sentAs(own, "internal")])).toBe(false);
  expect(isRestricted([sentAs(sentAs(own, "internal"), "restricted")])).toBe(false);
});

test("a restricted conversation that was kept before messages had a class is restricted whole", () => {
  expect(isRestricted(TALK.messages)).toBe(false);
  expect(isRestricted(fromStore(TALK).messages)).toBe(true);
  expect(isRestricted(fromStore({ ...TALK, data_class: "internal" }).messages)).toBe(false);
});

test("a microwave oven of 1,000 W takes a watt-hour in 3.6 seconds", () => {
  expect(microwaveSeconds(1)).toBeCloseTo(3.6);
  expect(microwaveSeconds(1_000)).toBe(3_600);
});

const place = (zone: string, controlled_by: string, invented = false) => ({ zone, controlled_by, invented });

test.each([
  ["CA-QC", "member", "inside"],
  ["CA-ON", "canadian", "inside"],
  ["CA", "member", "inside"],
  ["CA-QC", "other", ""],
  ["CA-QC", "", ""],
  ["US-CA", "member", ""],
  ["CAN", "member", ""],
])("whether %s under %s stayed in Canada: %s", (province, control, stayed) => {
  const receipt = { province, controlled_by: control as never, place: place("CA-QC", "member") };
  expect(stayedInCanada(receipt)).toBe(stayed);
});

test.each([
  [[place("CA-ON", "canadian")], "inside"],
  [[place("CA-QC", "member", true)], "invented"],
  [[place("unknown", "member")], "unknown"],
  [[place("CA-QC", "unknown")], "unknown"],
  [[], "unknown"],
  [[place("US-NY", "unknown")], ""],
  [[place("unknown", "other")], ""],
  [[place("CA-QC", "member"), place("unknown", "unknown")], "unknown"],
  [[place("CA-QC", "member"), place("US-NY", "member")], ""],
])("whether a question by way of %j stayed in Canada: %s", ([own, ...further], stayed) => {
  const machine = { province: "CA-QC", controlled_by: "member" as never };
  expect(stayedInCanada({ ...machine, place: own ?? null, further_places: further })).toBe(stayed);
});

test.each([
  [0, 0],
  [0.0000004, 0.001],
  [0.0234, 0.023],
  [1.26, 1.3],
  [345.6, 350],
])("%s g is written as %s g", (value, rounded) => {
  expect(roundedGrams(value)).toBe(rounded);
});

test("what a thought costs is the mean of the answers that had one", () => {
  const receipt = (energy_wh: number, reasoning_tokens = 0, reasoning_wh = 0) => ({ energy_wh, reasoning_tokens, reasoning_wh }) as Receipt;
  const measured = thoughtEnergy([receipt(1, 80, 0.5), receipt(3, 90, 1.5), receipt(0.5)]);
  expect(measured).toEqual({ answers: 2, withWh: 2, thoughtWh: 1, withoutWh: 0.5 });
  expect(thoughtEnergy([])).toEqual({ answers: 0, withWh: 0, thoughtWh: 0, withoutWh: 0 });
});

test("an answer is compared with a larger model that takes more, and no other", () => {
  const saved = (energy: number | null) => {
    const larger = energy === null ? null : { model: "grand-32b", energy_wh: energy, carbon_gco2e: 0, basis: "estimated" as const };
    return savedBesideLarger({ energy_wh: 0.3, larger });
  };
  expect(saved(0.6)).toEqual({ model: "grand-32b", largerWh: 0.6, percent: 50 });
  expect([saved(0.3), saved(null)]).toEqual([null, null]);
});

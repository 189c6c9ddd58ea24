// Numbers here are made up: with right check digits or dates, and of nobody.
import { expect, test } from "vitest";
import { findPersonalData, hasLuhnCheck, hint, withoutPersonalData } from "../src/chat/personal_data.ts";

const FOUND: [string, string, string[]][] = [
  ["a social insurance number in groups", "NAS 130 692 544, merci", ["sin:130 692 544"]],
  ["a social insurance number with dashes", "130-692-544", ["sin:130-692-544"]],
  ["a social insurance number in one piece", "(130692544)", ["sin:130692544"]],
  ["a temporary number", "946 454 286".replace("946", "046"), ["sin:046 454 286"]],
  ["a wrong check digit", "130 692 545", []],
  ["groups of different signs", "130 692-544", []],
  ["a number of a business", "810 692 541", []],
  ["nine noughts", "000 000 000", []],
  ["digits of a longer number", "1130692544000", []],
  ["a decimal", "0,130692544", []],
  ["an amount", "130,692,544 $", []],
  ["a card in groups", "4111 1111 1111 1111", ["card:4111 1111 1111 1111"]],
  ["a card of fifteen digits", "3782-822463-10005", ["card:3782-822463-10005"]],
  ["a card with a wrong check digit", "4111 1111 1111 1112", []],
  ["a number of another network", "9111111111111111", []],
  ["a health insurance number", "TREM 5862 1214", ["ramq:TREM 5862 1214"]],
  ["a health insurance number in one piece", "TREM58621214", ["ramq:TREM58621214"]],
  ["a month that is none", "TREM 5813 1214", []],
  ["a woman's month that is none", "TREM 5863 1214", []],
  ["a day that is none", "TREM 5812 3214", []],
  ["a code in capitals", "ABCD 0000 0000", []],
  ["a telephone", "Appelez le 514 555-0199.", ["phone:514 555-0199"]],
  ["a telephone with brackets", "(418) 555-0123", ["phone:(418) 555-0123"]],
  ["a telephone with its country", "+1 819-555-0123", ["phone:+1 819-555-0123"]],
  ["a telephone in one piece", "5145550199", ["phone:5145550199"]],
  ["an area that is none", "114 555-0199", []],
  ["a service number", "514 911-0199", []],
  ["a postal code", "H2X 1Y4", ["postal:H2X 1Y4"]],
  ["a postal code in one piece", "G1R4S9", ["postal:G1R4S9"]],
  ["letters that Canada Post does not use", "D2X 1Y4", []],
  ["a postal code in small letters", "h2x 1y4", []],
  ["a part of a longer code", "XH2X1Y45", []],
  ["an e-mail address", "écris à marie.tremblay@coop.example.ca vite", ["email:marie.tremblay@coop.example.ca"]],
  ["an address without a domain", "marie@coop", []],
  ["a name and a street", "Marie Tremblay, 12 rue des Érables", []],
  ["a date", "2026-11-27 14:05:33", []],
  ["a version and a hash", "1.2.3 a94a8fe5ccb19ba61c4c0873d391e987982fbbd3", []],
];

test.each(FOUND)("%s", (_, text, found) => {
  expect(findPersonalData(text).map(({ kind, text: part }) => `${kind}:${part}`)).toEqual(found);
});

test("places are those of the text, in order", () => {
  const text = "H2X 1Y4 puis a@b.ca puis 130 692 544";
  const findings = findPersonalData(text);

  expect(findings.map(({ kind }) => kind)).toEqual(["postal", "email", "sin"]);
  expect(findings.every(({ start, end, text: part }) => text.slice(start, end) === part)).toBe(true);
});

test("what is removed is named in its place, and nothing of it is left", () => {
  const text = withoutPersonalData("Au 514 555-0199, NAS 130 692 544.", (kind) => `[${kind}]`);

  expect(text).toBe("Au [phone], NAS [sin].");
  expect(findPersonalData(text)).toEqual([]);
});

test("a hint is not the number", () => {
  const [email, sin] = findPersonalData("marie@coop.ca 130 692 544");

  expect([hint(email!), hint(sin!)]).toEqual(["ma…@…", "…544"]);
});

test.each([
  ["79927398713", true],
  ["79927398710", false],
  ["0", true],
  ["18", true],
])("the check of %s is %s", (digits, isRight) => {
  expect(hasLuhnCheck(digits)).toBe(isRight);
});

test("a long text of digits is searched at once", () => {
  expect(findPersonalData("1 ".repeat(400_000))).toEqual([]);
  expect(findPersonalData(`${"a.".repeat(100_000)}@`)).toEqual([]);
});

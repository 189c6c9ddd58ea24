// Finds personal data that has a form of its own, before a text leaves the co-op's machines. Pure.
//
// Nothing is guessed: a number counts by its check digit or the date inside it, never by the words
// around it; names and addresses of streets are not looked for.

export type PersonalKind = "sin" | "card" | "ramq" | "phone" | "postal" | "email";

export interface Finding {
  kind: PersonalKind;
  /** Place in the text: first character, and the one after the last. */
  start: number;
  end: number;
  text: string;
}

const TEXT_MAX = 2_000_000; // characters looked at; no prompt of a pool is longer

/** Whether the digits have a right check digit by Luhn (ISO/IEC 7812-1, annex B). */
export function hasLuhnCheck(digits: string): boolean {
  let sum = 0;
  for (let place = 0; place < digits.length; place++) {
    const digit = Number(digits[digits.length - 1 - place]);
    const doubled = place % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** A Canadian social insurance number: nine digits; those that begin with 8 are of businesses. */
function isSin(text: string): boolean {
  const digits = text.replace(/\D/g, "");
  return digits[0] !== "8" && !/^0+$/.test(digits) && hasLuhnCheck(digits);
}

/** A payment card: 13 to 19 digits with the beginnings of the large networks. */
function isCard(text: string): boolean {
  const digits = text.replace(/\D/g, "");
  const isKnown = /^(4|5[1-5]|2[2-7]|3[47]|30[0-5]|36|38|6(011|4[4-9]|5)|35)/.test(digits);
  return digits.length >= 13 && digits.length <= 19 && isKnown && hasLuhnCheck(digits);
}

/** A RAMQ number: four letters, then a birth date in which a woman's month has 50 added. */
function isRamq(text: string): boolean {
  const digits = text.replace(/\D/g, "");
  const month = Number(digits.slice(2, 4)) % 50;
  const day = Number(digits.slice(4, 6));
  const isMonth = Number(digits.slice(2, 4)) <= 62 && month >= 1 && month <= 12;
  return isMonth && day >= 1 && day <= 31;
}

/** A North American number: area and exchange codes begin with 2 to 9, and neither is N11. */
function isPhone(text: string): boolean {
  const digits = text.replace(/\D/g, "").replace(/^1(?=\d{10}$)/, "");
  return /^[2-9](?!11)\d\d[2-9](?!11)\d{6}$/.test(digits);
}

// In order: what an earlier pattern takes, a later one does not see again.
const PATTERNS: readonly [PersonalKind, RegExp, (text: string) => boolean][] = [
  ["email", /[\p{L}\p{N}._%+-]{1,64}@(?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}{2,24}/gu, () => true],
  ["ramq", /(?<![\p{L}\p{N}])\p{Lu}{4}[ -]?\d{4}[ -]?\d{4}(?!\d)/gu, isRamq],
  ["card", /(?<![\d.,-])\d(?:[ -]?\d){12,18}(?![\d]|[.,-]\d)/g, isCard],
  ["phone", /(?<![\d.,-])(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\d]|[.,-]\d)/g, isPhone],
  ["sin", /(?<![\d.,-])\d{3}([ -]?)\d{3}\1\d{3}(?![\d]|[.,-]\d)/g, isSin],
  ["phone", /(?<![\d.,-])\+?1?\d{10}(?![\d]|[.,-]\d)/g, isPhone],
  // Canada Post's letters: no D, F, I, O, Q or U, and neither W nor Z at the beginning.
  ["postal", /(?<![\p{L}\p{N}])[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z][ -]?\d[ABCEGHJ-NPRSTV-Z]\d(?![\p{L}\p{N}])/gu, () => true],
];

/** Returns the personal data in a text, in its order. */
export function findPersonalData(text: string): Finding[] {
  const findings: Finding[] = [];
  const searched = text.slice(0, TEXT_MAX);
  for (const [kind, pattern, isOne] of PATTERNS) {
    for (const match of searched.matchAll(pattern)) {
      const [start, end] = [match.index, match.index + match[0].length];
      const taken = findings.some((other) => start < other.end && other.start < end);
      if (!taken && isOne(match[0])) findings.push({ kind, start, end, text: match[0] });
    }
  }
  return findings.sort((one, other) => one.start - other.start);
}

/** Returns the text with each finding replaced by what `label` calls it. */
export function withoutPersonalData(text: string, label: (kind: PersonalKind) => string): string {
  let [kept, from] = ["", 0];
  for (const finding of findPersonalData(text)) {
    kept += text.slice(from, finding.start) + label(finding.kind);
    from = finding.end;
  }
  return kept + text.slice(from);
}

/** Returns enough of a finding to recognise it: its last characters, or an address's beginning. */
export function hint(finding: Finding): string {
  if (finding.kind === "email") return `${finding.text.slice(0, 2)}…@…`;
  return `…${finding.text.slice(-3)}`;
}

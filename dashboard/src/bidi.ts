// Names in letters that run from right to left, and marks that reorder letters. Pure.

// Marks that change the order of letters on the screen, so that a text reads as another one.
const REORDERING = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g;

/** Returns a text in which marks that reorder letters are visible instead of in force. */
export function withVisibleMarks(text: string): string {
  return text.replace(REORDERING, (mark) => `[U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
}

const LETTER = "[\\u0590-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufeff\\u{10800}-\\u{10fff}\\u{1e800}-\\u{1efff}]";
const RIGHT_TO_LEFT = new RegExp(LETTER, "u");
const WORDS = new RegExp(`${LETTER}(?:\\s*${LETTER})*`, "gu");
const FIRST_STRONG_ISOLATE = "\u2068";
const POP_ISOLATE = "\u2069";

/**
 * Returns a name for the middle of a sentence: letters from right to left stay among themselves
 * there (Unicode, UAX #9), and a name without any is returned as it is.
 */
export function isolated(name: string): string {
  const text = withVisibleMarks(name);
  return RIGHT_TO_LEFT.test(text) ? FIRST_STRONG_ISOLATE + text + POP_ISOLATE : text;
}

/** Returns a sentence of the pool in which words from right to left reorder nothing beside them. */
export function inOrder(sentence: string): string {
  return withVisibleMarks(sentence).replace(WORDS, (words) => FIRST_STRONG_ISOLATE + words + POP_ISOLATE);
}

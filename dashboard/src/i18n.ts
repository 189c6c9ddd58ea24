// Sentences in the reader's language, from the catalogues `locales/{fr,en}.ftl`.
//
// The gateway has set the language of <html>: `?lang=`, then the browser's, else the pool's. A
// choice made with the switch on an earlier visit comes before the browser's, and the language that
// the pool keeps for a person before both (`signin.ts`).
import { FluentBundle, FluentResource, type FluentVariable } from "@fluent/bundle";
import { signal } from "@preact/signals";
import { isolated } from "./bidi.ts";
import { withWord } from "./coop_word.ts";
import english from "./locales/en.ftl?raw";
import french from "./locales/fr.ftl?raw";

export type Lang = "fr" | "en";

const CHOICE = "lang"; // the name under which the browser keeps the choice

function bundle(lang: Lang, source: string): FluentBundle {
  const functions = { COOP: ([name, word]: unknown[]) => withWord(String(name), String(word)) };
  const made = new FluentBundle(`${lang}-CA`, { useIsolating: false, functions });
  made.addResource(new FluentResource(source));
  return made;
}

const bundles = { fr: bundle("fr", french), en: bundle("en", english) };

/** Whether the address names a language, which then comes before every other choice. */
export const isLangInAddress = new URLSearchParams(location.search).has("lang");

function firstLang(): Lang {
  const served = document.documentElement.lang === "en" ? "en" : "fr";
  if (isLangInAddress) return served;
  const chosen = readChoice();
  return chosen === "fr" || chosen === "en" ? chosen : served;
}

function readChoice(): string | null {
  try {
    return localStorage.getItem(CHOICE);
  } catch {
    return null; // the browser keeps nothing for this page
  }
}

/** The reader's language; components that read it are drawn again when it changes. */
export const lang = signal<Lang>(firstLang());

/** Changes the language, and remembers the choice in this browser. */
export function setLang(chosen: Lang): void {
  lang.value = chosen;
  document.documentElement.lang = chosen;
  try {
    localStorage.setItem(CHOICE, chosen);
  } catch {
    // the choice then lasts as long as the page
  }
}

/** Returns a sentence of the catalogue; a missing one shows its code, and a test finds it. */
export function t(code: string, values?: Record<string, FluentVariable>): string {
  const current = bundles[lang.value];
  const message = current.getMessage(code);
  if (!message?.value) return code;
  const errors: Error[] = [];
  return current.formatPattern(message.value, values ? inSentence(values) : null, errors);
}

function inSentence(values: Record<string, FluentVariable>): Record<string, FluentVariable> {
  const pairs = Object.entries(values);
  return Object.fromEntries(pairs.map(([name, value]) => [name, typeof value === "string" ? isolated(value) : value]));
}

/** Returns the list "a, b and c" as the language writes it. */
export function list(parts: readonly string[]): string {
  return new Intl.ListFormat(`${lang.value}-CA`, { type: "conjunction" }).format(parts.map(isolated));
}

/** Returns a number as the language writes it. */
export function number(value: number, digits = 0): string {
  return value.toLocaleString(`${lang.value}-CA`, { maximumFractionDigits: digits });
}

/** Returns a date and time of seconds since the epoch, with its time zone, as the language writes it. */
export function dateTime(seconds: number): string {
  const day = { year: "numeric", month: "long", day: "numeric" } as const;
  const style = { ...day, hour: "numeric", minute: "2-digit", timeZoneName: "short" } as const;
  const written = new Date(seconds * 1000).toLocaleString(`${lang.value}-CA`, style);
  if (lang.value === "en") return written;
  // « 14 h 26 » stays on one line; « 5 h » and « 1er » as French writes them
  return written.replace(/ 0?(\d+) h /, " $1\u00a0h\u00a0").replace(/^1 /, "1er ");
}

/** Returns the hour and minute of seconds since the epoch, as the language writes it. */
export function clockTime(seconds: number): string {
  const written = new Date(seconds * 1000).toLocaleTimeString(`${lang.value}-CA`, { timeStyle: "short" });
  return written.replace(/\s/g, "\u00a0");
}

/** Returns the hour at which seconds since the epoch begin: "14 h", with minutes if there are any. */
export function hourTime(seconds: number): string {
  const at = new Date(seconds * 1000);
  if (at.getMinutes() !== 0) return clockTime(seconds);
  const written = at.toLocaleTimeString(`${lang.value}-CA`, { hour: "numeric" });
  return written.replace(/^0(?=\d)/, "").replace(/\s/g, "\u00a0");
}

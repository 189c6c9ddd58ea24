// Findings of the pool: their order, and a remedy as words and a command to copy. Pure.

export interface Finding {
  level: string;
  /** Of the registry of findings, docs/reference/findings.md. */
  code: string;
  sentence: string;
  remedy: string;
  /** When it began, seconds since the epoch; 0 where that is not known. */
  since: number;
  /** Values of the sentence: the machine or key that it is about, its co-op. */
  names: Record<string, string>;
  /** Whether the running pool finds it, which is told at once; else the doctor on its machine. */
  watched: boolean;
}

const DAY_S = 86_400;
// What somebody waits for, before what else is no failure.
const PRESSING = ["node-waiting", "node-quarantined", "key-quarantined"];

/** Returns what needs a hand: what the pool finds now, and what only its doctor does. */
export function listWork(running: readonly Finding[], doctor: readonly Finding[]): Finding[] {
  const codes = new Set(running.map((each) => each.code));
  const own = doctor.filter((each) => !each.watched && each.level !== "ok" && !codes.has(each.code));
  return [...running, ...own].sort((a, b) => rank(a) - rank(b));
}

function rank(finding: Finding): number {
  if (finding.level === "fail") return -1;
  return PRESSING.includes(finding.code) ? PRESSING.indexOf(finding.code) : PRESSING.length;
}

/** A remedy ends with a command after two spaces, or has none. */
export function splitRemedy(remedy: string): { words: string; command: string } {
  const at = remedy.search(/ {2}\S/);
  if (at < 0) return { words: remedy, command: "" };
  return { words: remedy.slice(0, at).trim(), command: remedy.slice(at).trim() };
}

/** The whole days between two moments, in seconds. */
export function ageDays(from: number, now: number): number {
  return Math.max(0, Math.floor((now - from) / DAY_S));
}

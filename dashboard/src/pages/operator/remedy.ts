// A finding of the doctor's: its remedy as words and a command to copy. Pure.

export interface DoctorFinding {
  check: string;
  level: string;
  code: string;
  sentence: string;
  remedy: string;
}

const DAY_S = 86_400;

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

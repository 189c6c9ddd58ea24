// A diff of two texts by lines: what a reader must look at, with some lines around it. Pure.

export type Mark = "same" | "gone" | "new" | "left-out";

export interface Line {
  mark: Mark;
  text: string;
  /** For "left-out": how many equal lines are not shown; else 0. */
  count: number;
}

const LINES_MAX = 4_000; // compared line by line; longer middles are shown as replaced

/** Compares two texts, and keeps `around` equal lines beside each change. */
export function compareLines(old: string, now: string, around = 2): Line[] {
  return leaveOut(allLines(split(old), split(now)), around);
}

function split(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function line(mark: Mark, text: string): Line {
  return { mark, text, count: 0 };
}

function allLines(old: string[], now: string[]): Line[] {
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let end = 0;
  const room = Math.min(old.length, now.length) - start;
  while (end < room && old[old.length - 1 - end] === now[now.length - 1 - end]) end += 1;
  return [
    ...old.slice(0, start).map((text) => line("same", text)),
    ...middle(old.slice(start, old.length - end), now.slice(start, now.length - end)),
    ...old.slice(old.length - end).map((text) => line("same", text)),
  ];
}

/** The longest common subsequence, by the table of its lengths. */
function middle(old: string[], now: string[]): Line[] {
  if (Math.max(old.length, now.length) > LINES_MAX) {
    return [...old.map((text) => line("gone", text)), ...now.map((text) => line("new", text))];
  }
  const width = now.length + 1;
  const common = new Uint16Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      common[i * width + j] =
        old[i] === now[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      lines.push(line("same", old[i]!));
      i += 1;
      j += 1;
    } else if (j >= now.length || (i < old.length && common[(i + 1) * width + j]! >= common[i * width + j + 1]!)) {
      lines.push(line("gone", old[i]!));
      i += 1;
    } else {
      lines.push(line("new", now[j]!));
      j += 1;
    }
  }
  return lines;
}

function leaveOut(lines: Line[], around: number): Line[] {
  const near = new Set<number>();
  lines.forEach(({ mark }, at) => {
    if (mark === "same") return;
    for (let each = at - around; each <= at + around; each += 1) near.add(each);
  });
  const shown: Line[] = [];
  lines.forEach((each, at) => {
    const last = shown.at(-1);
    if (near.has(at)) shown.push(each);
    else if (last?.mark === "left-out") last.count += 1;
    else shown.push({ mark: "left-out", text: "", count: 1 });
  });
  return shown;
}

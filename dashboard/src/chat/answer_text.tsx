// The text of an answer, drawn while it comes in. Drawing takes at most a fifth of the time, so that
// a long answer does not freeze the page; its end is drawn at once.
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { t } from "../i18n.ts";
import { copyText } from "../parts/copy.tsx";
import { withVisibleMarks } from "../bidi.ts";
import { isRendered, render } from "./markdown.ts";

const PAUSE_MIN_MS = 60;
const SHARE = 4; // pauses are this many times as long as the last drawing,
const PAUSE_MAX_MS = 2_000; // and no longer than this

export function AnswerText({ text, isRunning }: { text: string; isRunning: boolean }) {
  const element = useRef<HTMLDivElement>(null);
  const latest = useRef(text);
  const timer = useRef(0);
  const tookMs = useRef(0);
  latest.current = text;
  useLayoutEffect(() => {
    const draw = () => {
      clearTimeout(timer.current);
      timer.current = 0;
      const began = performance.now();
      if (element.current) show(element.current, latest.current);
      tookMs.current = performance.now() - began;
    };
    if (!isRunning || !element.current?.hasChildNodes()) draw();
    else if (!timer.current) timer.current = window.setTimeout(draw, pauseMs(tookMs.current));
  }, [text, isRunning]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return <div ref={element} class="answer-text" dir="auto" onClick={copyCode} />;
}

function pauseMs(tookMs: number): number {
  return Math.min(PAUSE_MAX_MS, Math.max(PAUSE_MIN_MS, SHARE * tookMs));
}

function show(element: HTMLElement, text: string): void {
  if (!isRendered(text)) {
    const plain = document.createElement("p");
    plain.className = "plain";
    plain.textContent = withVisibleMarks(text);
    element.replaceChildren(plain);
    return;
  }
  const drawn = render(text);
  for (const block of drawn.querySelectorAll("pre")) {
    const copy = document.createElement("button");
    copy.type = "button";
    copy.className = "quiet small copy-code";
    copy.textContent = t("copy");
    block.parentElement?.before(copy);
  }
  element.replaceChildren(drawn);
}

function copyCode(event: Event): void {
  const button = (event.target as Element).closest<HTMLButtonElement>("button.copy-code");
  const code = button?.nextElementSibling?.textContent;
  if (!button || code == null) return;
  void copyText(code).then((done) => (button.textContent = t(done ? "copied" : "copy-failed")));
}

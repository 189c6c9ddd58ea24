// The pool as it changes: events while the page is visible, and a new attempt after each silence.
//
// The gateway keeps a stream open while no scheduler answers. Hence a check now and then, whose
// refusal marks what is shown as old.
import { signal } from "@preact/signals";
import { api, refusalOf, take } from "../api.ts";
import { applyChange, type PoolChange, type PoolView } from "./changes.ts";
import type { GridView } from "./hours.ts";

const RETRY_MS = 2_000; // and up to as long again, so that not all pages return at once
const CHECK_MS = 10_000;
const GRID_MS = 60_000;

export interface Live {
  view: PoolView | null;
  grid: GridView | null;
  /** When the pool confirmed the view last, seconds since the epoch. */
  confirmedAt: number;
  /** Whether the pool has failed to answer since. */
  late: boolean;
}

export const live = signal<Live>({ view: null, grid: null, confirmedAt: 0, late: false });

function show(view: PoolView): void {
  live.value = { ...live.value, view, confirmedAt: Date.now() / 1000, late: false };
}

function markLate(): void {
  if (!live.peek().late) live.value = { ...live.peek(), late: true };
}

/** Keeps `live` up to date, with sentences in a language; returns how to stop. */
export function watchPool(lang: "fr" | "en"): () => void {
  const params = { query: { lang } };
  let stream: EventSource | null = null;
  let attempt = 0; // what an attempt that was given up receives is dropped
  const timers = { retry: 0, check: 0, grid: 0 };

  function close(): void {
    attempt += 1;
    stream?.close();
    stream = null;
    Object.values(timers).forEach((timer) => clearTimeout(timer));
  }

  function retry(): void {
    close();
    markLate();
    timers.retry = window.setTimeout(connect, RETRY_MS * (1 + Math.random()));
  }

  async function connect(): Promise<void> {
    close();
    const own = attempt;
    try {
      const view = await take(api.GET("/v1/pool", { params }));
      if (own !== attempt) return;
      show(view);
    } catch {
      if (own === attempt) retry();
      return;
    }
    void readGrid(own);
    listen();
    timers.check = window.setTimeout(check, CHECK_MS, own);
  }

  function listen(): void {
    stream = new EventSource(`/v1/pool/events?lang=${lang}`);
    stream.addEventListener("pool", (event) => show(JSON.parse(event.data) as PoolView));
    stream.addEventListener("change", (event) => {
      const { view } = live.peek();
      if (view) show(applyChange(view, JSON.parse(event.data) as PoolChange));
    });
    stream.addEventListener("end", (event) => {
      refusalOf(JSON.parse(event.data), 0); // a sign-in that has ended is forgotten here
      retry();
    });
    stream.addEventListener("error", retry);
  }

  async function check(own: number): Promise<void> {
    try {
      const view = await take(api.GET("/v1/pool", { params }));
      if (own === attempt) show(view);
    } catch {
      if (own === attempt) markLate();
    }
    if (own === attempt) timers.check = window.setTimeout(check, CHECK_MS, own);
  }

  async function readGrid(own: number): Promise<void> {
    try {
      const grid = await take(api.GET("/v1/grid", { params }));
      if (own === attempt) live.value = { ...live.peek(), grid };
    } catch {
      // the hours of the last reading still stand; the check says whether the pool answers
    }
    if (own === attempt) timers.grid = window.setTimeout(readGrid, GRID_MS, own);
  }

  const look = () => (document.visibilityState === "visible" ? void connect() : close());
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    document.removeEventListener("visibilitychange", look);
    close();
  };
}

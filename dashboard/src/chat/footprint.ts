// What an answer cost, in what people know. Pure.
import type { components } from "../openapi.d.ts";

export type Receipt = components["schemas"]["Receipt"];

const MICROWAVE_W = 1_000;
const SECONDS_PER_HOUR = 3_600;
const CANADIAN = new Set(["member", "canadian"]);

/** Seconds for which a microwave oven of 1,000 W takes this energy. */
export function microwaveSeconds(energyWh: number): number {
  return (energyWh * SECONDS_PER_HOUR) / MICROWAVE_W;
}

/** Whether a receipt says both: the machine is in Canada, and Canadians control it. */
export function stayedInCanada(receipt: Pick<Receipt, "province" | "controlled_by">): boolean {
  return /^CA(-|$)/.test(receipt.province) && CANADIAN.has(receipt.controlled_by ?? "");
}

/** Grams with as many digits as they deserve: two that count, none beyond a milligram. */
export function roundedGrams(grams: number): number {
  if (grams <= 0) return 0;
  if (grams < 0.001) return 0.001;
  return Number(grams.toPrecision(2));
}

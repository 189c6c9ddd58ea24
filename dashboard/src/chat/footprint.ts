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

type Place = Pick<Receipt, "province" | "controlled_by">;

/** Whether a receipt says both of each machine: it is in Canada, and Canadians control it. */
export function stayedInCanada(receipt: Place & { runs?: readonly Place[] }): boolean {
  return [receipt, ...(receipt.runs ?? [])].every(
    (place) => /^CA(-|$)/.test(place.province) && CANADIAN.has(place.controlled_by ?? ""),
  );
}

/** The runs of a receipt whose answer another machine continued. */
export function earlierRuns(receipt: Receipt): NonNullable<Receipt["runs"]> {
  return (receipt.runs ?? []).slice(0, -1);
}

/** Grams with as many digits as they deserve: two that count, none beyond a milligram. */
export function roundedGrams(grams: number): number {
  if (grams <= 0) return 0;
  if (grams < 0.001) return 0.001;
  return Number(grams.toPrecision(2));
}

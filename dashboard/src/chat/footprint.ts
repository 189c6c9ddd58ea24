// What an answer cost, in what people know. Pure.
import type { components } from "../openapi.d.ts";

export type Receipt = components["schemas"]["Receipt"];

const MICROWAVE_W = 1_000;
const SECONDS_PER_HOUR = 3_600;
const CANADIAN = new Set(["member", "canadian"]);
const UNKNOWN = "unknown";

/** Seconds for which a microwave oven of 1,000 W takes this energy. */
export function microwaveSeconds(energyWh: number): number {
  return (energyWh * SECONDS_PER_HOUR) / MICROWAVE_W;
}

type Machine = Pick<Receipt, "province" | "controlled_by">;
type Place = NonNullable<Receipt["place"]>;
type Way = Machine & { runs?: readonly Machine[]; place?: Place | null; further_places?: readonly Place[] };

/**
 * Whether a question stayed in Canada: every machine is there and under Canadian control, and so is every server
 * that it passed. "" where one is not; "unknown" where nobody has stated a server's place; "invented" for a demonstration.
 */
export function stayedInCanada(way: Way): "inside" | "invented" | "unknown" | "" {
  const isInside = (zone: string, control: string) => /^CA(-|$)/.test(zone) && CANADIAN.has(control);
  const places = [way.place ?? { zone: UNKNOWN, controlled_by: UNKNOWN }, ...(way.further_places ?? [])];
  if (![way, ...(way.runs ?? [])].every((run) => isInside(run.province, run.controlled_by ?? ""))) return "";
  const stated = (value: string, canadian: string) => (value === UNKNOWN ? canadian : value);
  if (!places.every((place) => isInside(stated(place.zone, "CA"), stated(place.controlled_by, "canadian")))) return "";
  if (places.some((place) => [place.zone, place.controlled_by].includes(UNKNOWN))) return "unknown";
  return places.some((place) => "invented" in place && place.invented) ? "invented" : "inside";
}

/** The runs of a receipt whose answer another machine continued. */
export function earlierRuns(receipt: Receipt): NonNullable<Receipt["runs"]> {
  return (receipt.runs ?? []).slice(0, -1);
}

/** Mean energy of an answer with a thought, of the thought in it, and of an answer without, Wh; 0 where none was. */
export function thoughtEnergy(receipts: readonly Receipt[]): { answers: number; withWh: number; thoughtWh: number; withoutWh: number } {
  const withThought = receipts.filter((receipt) => receipt.reasoning_tokens);
  const without = receipts.filter((receipt) => !receipt.reasoning_tokens);
  const mean = (all: readonly Receipt[], wh: (receipt: Receipt) => number) =>
    all.length ? all.reduce((sum, receipt) => sum + wh(receipt), 0) / all.length : 0;
  return {
    answers: withThought.length,
    withWh: mean(withThought, (receipt) => receipt.energy_wh),
    thoughtWh: mean(withThought, (receipt) => receipt.reasoning_wh ?? 0),
    withoutWh: mean(without, (receipt) => receipt.energy_wh),
  };
}

/** Grams with as many digits as they deserve: two that count, none beyond a milligram. */
export function roundedGrams(grams: number): number {
  if (grams <= 0) return 0;
  if (grams < 0.001) return 0.001;
  return Number(grams.toPrecision(2));
}

/** What an answer saved beside the next larger model, in percent; null where that one takes no more. */
export function savedBesideLarger(receipt: Pick<Receipt, "energy_wh" | "larger">) {
  const larger = receipt.larger;
  if (!larger || larger.energy_wh <= receipt.energy_wh) return null;
  return { model: larger.model, largerWh: larger.energy_wh, percent: (1 - receipt.energy_wh / larger.energy_wh) * 100 };
}

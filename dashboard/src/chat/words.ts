// The chat's sentences that are put together from values.
import { number, t } from "../i18n.ts";
import { coopName } from "../coop_names.ts";
import { session } from "../session.ts";
import type { Message } from "./conversation.ts";
import { earlierRuns, microwaveSeconds, roundedGrams, savedBesideLarger, stayedInCanada, type Receipt } from "./footprint.ts";

const PROVINCES = new Set(["ab", "bc", "mb", "nb", "nl", "ns", "nt", "nu", "on", "pe", "qc", "sk", "yt"]);

/** The name of a zone: of a Canadian province in the reader's language, else its code. */
export function zoneName(zone: string): string {
  const [country, province] = zone.toLowerCase().split("-");
  return country === "ca" && province && PROVINCES.has(province) ? t(`zone-${province}`) : zone;
}

/** "under 1 s", "3 s", "2 min": for how long a microwave oven takes the energy. */
export function microwave(energyWh: number): string {
  const seconds = microwaveSeconds(energyWh);
  if (seconds < 1) return t("microwave-under");
  if (seconds < 90) return t("microwave-seconds", { seconds: Math.round(seconds) });
  return t("microwave-minutes", { minutes: Math.round(seconds / 60) });
}

export function grams(value: number): string {
  const rounded = roundedGrams(value);
  return value > 0 && value < 0.001 ? t("grams-under") : t("grams", { grams: number(rounded, 3) });
}

/** "n1 of boreale (your co-op), Quebec". */
function answerMachine(receipt: Receipt): string {
  const whose = receipt.node_coop === session.value?.person.coop ? "own" : "machine";
  const { node: machine, node_coop: coop, province } = receipt;
  return t(`answer-${whose}`, { machine, coop: coopName(coop), province: zoneName(province) });
}

/** The line under an answer: whose machine, where, what it took. */
export function receiptLine(receipt: Receipt): string {
  const parts = [
    answerMachine(receipt),
    ...earlierRuns(receipt).map((run) =>
      t("answer-begun", { machine: run.node, coop: coopName(run.node_coop), province: zoneName(run.province) }),
    ),
    grams(receipt.carbon_gco2e),
    microwave(receipt.energy_wh),
  ];
  const stayed = stayedInCanada(receipt);
  if (stayed) parts.push(t(`answer-canada-${stayed}`));
  return parts.join(" · ");
}

/** The same for a message in an exported file, "" where there is no receipt. */
export function messageLine(message: Message): string {
  return message.receipt ? receiptLine(message.receipt) : "";
}

/** A receipt told in sentences. */
export function receiptSentences(receipt: Receipt): string[] {
  const seconds = (ms: number) => number(ms / 1000, ms < 1_000 ? 2 : 1);
  const sentences = [
    t("receipt-machine", {
      machine: receipt.node,
      coop: coopName(receipt.node_coop),
      site: receipt.site,
      province: zoneName(receipt.province),
    }),
    ...earlierRuns(receipt).map((run) =>
      t("receipt-begun", {
        machine: run.node,
        coop: coopName(run.node_coop),
        site: run.site,
        province: zoneName(run.province),
        tokens: run.output_tokens,
        why: run.ended || "none",
      }),
    ),
    t("receipt-control", { control: receipt.controlled_by || "none" }),
    ...[receipt.place, ...(receipt.further_places ?? [])].map((place, number) =>
      t(number ? "receipt-further" : "receipt-place", {
        zone: !place || place.zone === "unknown" ? "unknown" : zoneName(place.zone),
        control: place?.controlled_by ?? "unknown",
        invented: place?.invented ? "yes" : "no",
      }),
    ),
    t("receipt-model", { model: receipt.model, engine: receipt.engine }),
    t("receipt-time", { waited: seconds(receipt.queue_ms), first: seconds(receipt.ttft_ms) }),
    t("receipt-tokens", { input: receipt.input_tokens, output: receipt.output_tokens }),
    t("receipt-energy", {
      energy: number(receipt.energy_wh, 3),
      basis: receipt.energy_basis,
      microwave: microwave(receipt.energy_wh),
    }),
    t("receipt-carbon", {
      grams: grams(receipt.carbon_gco2e),
      lifecycle: grams(receipt.carbon_lifecycle_gco2e),
      intensity: number(receipt.intensity_g_per_kwh, 1),
      basis: receipt.intensity_basis,
    }),
  ];
  if (receipt.reasoning_tokens || receipt.always_thinks)
    sentences.push(
      t("receipt-thought", {
        tokens: receipt.reasoning_tokens ?? 0,
        energy: number(receipt.reasoning_wh ?? 0, 3),
        always: receipt.always_thinks ? "yes" : "no",
      }),
    );
  const saved = savedBesideLarger(receipt);
  if (saved)
    sentences.push(
      t("receipt-larger", { model: saved.model, energy: number(saved.largerWh, 3), percent: number(saved.percent, 0) }),
    );
  if (receipt.surplus_basis) sentences.push(t("receipt-surplus", { basis: receipt.surplus_basis }));
  if (receipt.signature) sentences.push(t("receipt-signed", { settled: receipt.settled ? "yes" : "no" }));
  return sentences;
}


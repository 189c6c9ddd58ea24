// The choices of what an operator vouches for, in words.
import { t } from "../../i18n.ts";

const PROVINCES = ["AB", "BC", "MB", "NB", "NL", "NS", "NT", "NU", "ON", "PE", "QC", "SK", "YT"];

export type Choices = readonly (readonly [string, string])[];

/** How many of the last days are replayed. */
export function daysChoices(): Choices {
  return ["1", "7", "31"].map((each) => [each, t(`op-days-${each}`)] as const);
}

export function controlChoices(): Choices {
  return [
    ["", t("op-control-none")],
    ["member", t("op-control-member")],
    ["canadian", t("op-control-canadian")],
    ["other", t("op-control-other")],
  ];
}

/** Kinds of evidence, and with them the one that only the demonstration has, where it is in force. */
export function evidenceChoices(now = ""): Choices {
  const kinds = ["certificate", "contract", "meter", ...(now === "invented" ? [now] : [])];
  return [["", t("op-evidence-none")], ...kinds.map((each) => [each, t(`op-evidence-${each}`)] as const)];
}

/** The provinces and territories, and with them another zone that is in force. */
export function zoneChoices(now = ""): Choices {
  const zones = PROVINCES.map((each) => `CA-${each}`);
  if (now && !zones.includes(now)) zones.push(now);
  return [["", t("op-zone-none")], ...zones.map((each) => [each, each] as const)];
}

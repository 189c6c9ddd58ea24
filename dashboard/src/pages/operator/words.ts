// The choices of what an operator vouches for, in words.
import { t } from "../../i18n.ts";

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

export function evidenceChoices(): Choices {
  return [
    ["", t("op-evidence-none")],
    ["certificate", t("op-evidence-certificate")],
    ["contract", t("op-evidence-contract")],
    ["meter", t("op-evidence-meter")],
  ];
}

// Stands where something is still to come.
import { t } from "../i18n.ts";

export function Loading({ text }: { text?: string | undefined }) {
  return <p class="soft loading">{text ?? t("loading")}</p>;
}

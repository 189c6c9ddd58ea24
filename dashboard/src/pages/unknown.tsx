// An address that no view has.
import { t } from "../i18n.ts";

export default function Unknown() {
  return (
    <div class="narrow">
      <h1>{t("unknown-title")}</h1>
      <p>
        <a href="#/">{t("unknown-back")}</a>
      </p>
    </div>
  );
}

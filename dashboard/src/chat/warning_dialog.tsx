// Before personal data leaves the own co-op's machines: what was found, and three ways on.
import { t } from "../i18n.ts";
import { Dialog } from "../parts/dialog.tsx";
import { hint, type Finding } from "./personal_data.ts";

const SHOWN_MAX = 6;

export type Choice = "restrict" | "remove" | "send";

export function WarningDialog({
  findings,
  onChoose,
  onClose,
}: {
  findings: readonly Finding[];
  onChoose: (choice: Choice) => void;
  onClose: () => void;
}) {
  const shown = findings.slice(0, SHOWN_MAX);
  return (
    <Dialog title={t("warning-title")} onClose={onClose}>
      <p>{t("warning-lead")}</p>
      <ul class="sentences">
        {shown.map((finding) => (
          <li key={finding.start}>{t(`personal-${finding.kind}`, { hint: hint(finding) })}</li>
        ))}
        {findings.length > SHOWN_MAX && <li>{t("warning-more", { count: findings.length - SHOWN_MAX })}</li>}
      </ul>
      <div class="choices">
        <button type="button" onClick={() => onChoose("restrict")}>
          {t("warning-restrict")}
        </button>
        <button type="button" class="quiet" onClick={() => onChoose("remove")}>
          {t("warning-remove")}
        </button>
        <button type="button" class="quiet" onClick={() => onChoose("send")}>
          {t("warning-send")}
        </button>
      </div>
      <p class="soft">{t("warning-limits")}</p>
    </Dialog>
  );
}

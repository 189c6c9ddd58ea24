// Before something leaves the own co-op's machines that perhaps should not: personal data, or what
// went to them alone until now. What was found, and the ways on.
import { t } from "../i18n.ts";
import { Dialog } from "../parts/dialog.tsx";
import { hint, type Finding } from "./personal_data.ts";

const SHOWN_MAX = 6;

export type Choice = "restrict" | "remove" | "send";

export function WarningDialog({
  findings,
  isRestricted,
  onChoose,
  onClose,
}: {
  findings: readonly Finding[];
  /** Whether earlier messages, which go along, were for the own machines alone. */
  isRestricted: boolean;
  onChoose: (choice: Choice) => void;
  onClose: () => void;
}) {
  const shown = findings.slice(0, SHOWN_MAX);
  return (
    <Dialog title={t(isRestricted ? "warning-restricted-title" : "warning-title")} onClose={onClose}>
      {isRestricted && <p>{t("warning-restricted-lead")}</p>}
      {findings.length > 0 && <p>{t("warning-lead")}</p>}
      {findings.length > 0 && (
        <ul class="sentences">
          {shown.map((finding) => (
            <li key={finding.start}>{t(`personal-${finding.kind}`, { hint: hint(finding) })}</li>
          ))}
          {findings.length > SHOWN_MAX && <li>{t("warning-more", { count: findings.length - SHOWN_MAX })}</li>}
        </ul>
      )}
      <div class="choices">
        <button type="button" onClick={() => onChoose("restrict")}>
          {t("warning-restrict")}
        </button>
        {findings.length > 0 && (
          <button type="button" class="quiet" onClick={() => onChoose("remove")}>
            {t("warning-remove")}
          </button>
        )}
        <button type="button" class="quiet" onClick={() => onChoose("send")}>
          {t("warning-send")}
        </button>
      </div>
      {findings.length > 0 && <p class="soft">{t("warning-limits")}</p>}
    </Dialog>
  );
}

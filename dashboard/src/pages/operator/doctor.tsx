// What the pool's doctor has checked on its machine, and how old the last backup is.
import { inOrder } from "../../bidi.ts";
import { dateTime, t } from "../../i18n.ts";
import type { Answer } from "./admin.ts";
import { Read, type Reading } from "./parts.tsx";
import { ageDays } from "./remedy.ts";

export type Findings = Answer<"ListFindings">;

const BACKUP_MISSING = ["backup-none", "backup-old"];

export function DoctorPart({ reading, busy, onAgain }: { reading: Reading<Findings>; busy: boolean; onAgain: () => void }) {
  return (
    <section aria-labelledby="op-doctor">
      <h2 id="op-doctor">{t("op-doctor-title")}</h2>
      <Read of={reading} waiting={t("op-doctor-checking")}>
        {(found) => (
          <>
            <Backup found={found} />
            <Passed sentences={found.findings.filter((each) => each.level === "ok").map((each) => each.sentence)} />
            <p class="row">
              <button type="button" class="quiet" disabled={busy} onClick={onAgain}>
                {t("op-doctor-again")}
              </button>
              <span class="soft" role="status">
                {busy ? t("op-doctor-checking") : t("op-doctor-at", { when: dateTime(found.at) })}
              </span>
            </p>
          </>
        )}
      </Read>
    </section>
  );
}

function Passed({ sentences }: { sentences: string[] }) {
  return (
    <details class="checked">
      <summary>{t("op-doctor-good", { count: sentences.length })}</summary>
      <ul class="faults">
        {sentences.map((sentence) => (
          <li key={sentence}>{inOrder(sentence)}</li>
        ))}
      </ul>
    </details>
  );
}

function Backup({ found }: { found: Findings }) {
  const days = found.backupAt ? ageDays(found.backupAt, found.at) : -1;
  const isLate = found.findings.some((each) => BACKUP_MISSING.includes(each.code));
  const sentence = found.backupAt
    ? t("op-backup-age", { days, when: dateTime(found.backupAt) })
    : t("op-backup-none");
  return <p class={isLate || !found.backupAt ? "notice" : "notice good"}>{sentence}</p>;
}

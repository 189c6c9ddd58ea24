// What the pool's doctor finds on its machine, and how old the last backup is.
import { inOrder } from "../../bidi.ts";
import { dateTime, t } from "../../i18n.ts";
import type { Answer } from "./admin.ts";
import { CopyLine, Read, type Reading } from "./parts.tsx";
import { ageDays, splitRemedy, type DoctorFinding } from "./remedy.ts";

export type Findings = Answer<"ListFindings">;

// What the list of machines says of each machine, with buttons.
const TOLD_BY_MACHINE = ["nodes", "grid"];

/** The findings of a level that nothing else on the page tells. */
export function findingsOf(found: Findings | null, level: string): DoctorFinding[] {
  return (found?.findings ?? []).filter(
    (each) => each.level === level && !(level === "warn" && TOLD_BY_MACHINE.includes(each.check) && each.code !== "no_token"),
  );
}

/** A finding of the doctor's, in the list of what needs a hand. */
export function DoctorLine({ finding }: { finding: DoctorFinding }) {
  const { words, command } = splitRemedy(finding.remedy);
  return (
    <li class={`finding doctor-${finding.level}`}>
      <p class="what">
        <b>{t("op-doctor-machine")}</b>
      </p>
      <p>{inOrder(finding.sentence)}</p>
      {words && <p class="soft">{inOrder(words)}</p>}
      {command && <CopyLine text={command} label={t("op-command")} />}
    </li>
  );
}

export function DoctorPart({ reading, busy, onAgain }: { reading: Reading<Findings>; busy: boolean; onAgain: () => void }) {
  return (
    <section aria-labelledby="op-doctor">
      <h2 id="op-doctor">{t("op-doctor-title")}</h2>
      <Read of={reading} waiting={t("op-doctor-checking")}>
        {(found) => (
          <>
            <Backup found={found} />
            <details class="checked">
              <summary>{t("op-doctor-good", { count: findingsOf(found, "ok").length })}</summary>
              <ul class="faults">
                {findingsOf(found, "ok").map((each) => (
                  <li key={each.sentence}>{inOrder(each.sentence)}</li>
                ))}
              </ul>
            </details>
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

function Backup({ found }: { found: Findings }) {
  const days = found.backupAt ? ageDays(found.backupAt, found.at) : -1;
  const isLate = found.findings.some((each) => each.check === "backup" && each.level !== "ok");
  const sentence = found.backupAt
    ? t("op-backup-age", { days, when: dateTime(found.backupAt) })
    : t("op-backup-none");
  return <p class={isLate || !found.backupAt ? "notice" : "notice good"}>{sentence}</p>;
}

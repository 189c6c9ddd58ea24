// What needs a hand now, each with its remedy.
import { useEffect, useState } from "preact/hooks";
import { coopName } from "../../coop_names.ts";
import { inOrder } from "../../bidi.ts";
import { dateTime, lang, number, t } from "../../i18n.ts";
import { live, watchPool } from "../../pool/live.ts";
import { admin, mayAct, worded, type Key, type Node } from "./admin.ts";
import { DoctorLine, DoctorPart, findingsOf, type Findings } from "./doctor.tsx";
import { Gateways, type Gateway } from "./gateways.tsx";
import { findWork, type Finding } from "./hand.ts";
import { Invitation } from "./invitation.tsx";
import { Confirmed, CopyLine, Read, Said, useActing, useReading, type Acting } from "./parts.tsx";

async function readWork(): Promise<{ findings: Finding[]; gateways: Gateway[] }> {
  const [status, keys, grid] = await Promise.all([
    admin("GetStatus", {}),
    admin("ListKeys", {}),
    admin("ListGrid", {}),
  ]);
  const findings = findWork(status.nodes as Node[], keys.keys as Key[], grid.zones, status.version);
  return { findings, gateways: status.gateways };
}

/** How many requests wait, and why, as it changes. */
function WaitingNow() {
  useEffect(() => watchPool(lang.value), [lang.value]);
  const waiting = live.value.view?.waiting ?? [];
  if (waiting.length === 0) return null;
  return (
    <div role="status">
      <h3>{t("now-waiting")}</h3>
      <ul class="waiting">
        {waiting.map((reason) => (
          <li key={reason.reason}>
            <b>{number(reason.jobs)}</b> {inOrder(reason.sentence)}
          </li>
        ))}
      </ul>
    </div>
  );
}

export function Work() {
  const work = useReading(readWork);
  const doctor = useReading(async () => (await admin("ListFindings", {})) as Findings);
  const [checking, setChecking] = useState(false);
  const acting = useActing();
  const check = async () => {
    setChecking(true);
    await doctor.again();
    setChecking(false);
  };
  const failed = findingsOf(doctor.data, "fail");
  const warned = findingsOf(doctor.data, "warn");
  const act = async (doing: () => Promise<unknown>, done: string) => {
    await acting.act(doing, done);
    await work.again();
  };
  return (
    <>
      <section aria-labelledby="op-work">
        <h2 id="op-work">{t("op-work-title")}</h2>
        <Said of={acting} />
        <WaitingNow />
        <Read of={work}>
          {({ findings }) =>
            findings.length + failed.length + warned.length === 0 ? (
              (doctor.data !== null || doctor.problem !== null) && <p class="now">{t("op-work-none")}</p>
            ) : (
              <ul class="findings">
                {failed.map((one) => (
                  <DoctorLine key={one.sentence} finding={one} />
                ))}
                {findings.map((one) => (
                  <Line key={`${one.kind} ${one.name} ${one.detail}`} finding={one} act={act} busy={acting.busy} />
                ))}
                {warned.map((one) => (
                  <DoctorLine key={one.sentence} finding={one} />
                ))}
              </ul>
            )
          }
        </Read>
      </section>
      <DoctorPart reading={doctor} busy={checking} onAgain={() => void check()} />
      {work.data && <Gateways gateways={work.data.gateways} />}
      {mayAct() && <Invitation />}
    </>
  );
}

interface LineProps {
  finding: Finding;
  act: (doing: () => Promise<unknown>, done: string) => Promise<void>;
  busy: Acting["busy"];
}

function Line({ finding, act, busy }: LineProps) {
  const command = commandOf(finding);
  return (
    <li class={`finding ${finding.kind}`}>
      <p class="what">
        <b>
          <bdi>{finding.name}</bdi>
        </b>{" "}
        {finding.coop && (
          <span class="soft">
            <bdi>{coopName(finding.coop)}</bdi>
          </span>
        )}
      </p>
      <p>{sentence(finding)}</p>
      <p class="soft">{t(`op-remedy-${finding.kind}`)}</p>
      {command && <CopyLine text={command} label={t("op-command")} />}
      {mayAct() && <Buttons finding={finding} act={act} busy={busy} />}
    </li>
  );
}

function sentence(finding: Finding): string {
  const { kind, detail, more, since } = finding;
  return t(`op-found-${kind}`, {
    detail: kind.endsWith("quarantine") ? worded(`op-quarantine-${detail}`, detail) : detail,
    more: more || "none",
    when: since ? dateTime(since) : t("never"),
  });
}

function commandOf(finding: Finding): string {
  if (finding.kind === "silent") return "entraide node doctor";
  if (finding.kind === "old") return "entraide node status";
  if (finding.kind === "grid") return `entraide grid source ${finding.name} annual`;
  return "";
}

function Buttons({ finding, act, busy }: LineProps) {
  const { kind, name } = finding;
  const approve = () => act(() => admin("ApproveNode", { node: name }), t("op-approved", { name }));
  const revoke = () => act(() => admin("RevokeNode", { node: name }), t("op-revoked", { name }));
  const clear = () => act(() => admin("ClearKey", { key: name }), t("op-cleared", { name }));
  const own = (label: string, onClick: () => void) => (
    <button type="button" disabled={busy} aria-label={`${label} ${name}`} onClick={onClick}>
      {label}
    </button>
  );
  const refuse = (
    <Confirmed label={t("op-revoke")} name={name} consequence={t("op-revoke-means")} disabled={busy} onYes={revoke} />
  );
  if (kind === "waiting") return <p class="row">{own(t("op-approve"), approve)} {refuse}</p>;
  if (kind === "node-quarantine") return <p class="row">{own(t("op-end-quarantine"), approve)} {refuse}</p>;
  if (kind === "key-quarantine") return <p class="row">{own(t("op-end-quarantine"), clear)}</p>;
  return null;
}
